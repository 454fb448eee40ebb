//! A machine's serial console: the file that QEMU writes, read as it grows.
//!
//! The text is the guest's. Control characters and escape sequences are taken out before anything is
//! shown, so that a guest cannot drive the operator's terminal.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Reads a growing console transcript line by line.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    file: Option<File>,
    read: u64,
    line: Vec<u8>,
    escape: Escape,
    tail: VecDeque<String>,
}

impl Console {
    /// A longer line is cut into several, in bytes.
    pub const LINE: usize = 4096;
    /// How many of the last lines are kept for errors.
    pub const TAIL: usize = 40;

    /// A transcript that may not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            file: None,
            read: 0,
            line: Vec::new(),
            escape: Escape::default(),
            tail: VecDeque::new(),
        }
    }

    /// Where the transcript is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much has been read, in bytes.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// The lines that have come since the last call; a line without its end waits for it.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn poll(&mut self) -> io::Result<Vec<String>> {
        let file = match &mut self.file {
            Some(file) => file,
            none => match File::open(&self.path) {
                Ok(file) => none.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        let mut bytes = Vec::new();
        // One call does a bounded amount of work, whatever the guest prints meanwhile.
        let count = file.take(1 << 20).read_to_end(&mut bytes)?;
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(self.feed(&bytes))
    }

    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match self.escape.step(byte) {
                Step::Text(b'\n') => self.end_line(&mut lines),
                Step::Text(byte) => {
                    self.line.push(byte);
                    if self.line.len() >= Self::LINE {
                        self.end_line(&mut lines);
                    }
                }
                Step::Nothing => {}
            }
        }
        lines
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if line.trim().is_empty() {
            return;
        }
        if self.tail.len() >= Self::TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        lines.push(line);
    }

    /// The last lines, with the unfinished one, for an error.
    #[must_use]
    pub fn tail(&self) -> Tail {
        let mut lines: Vec<String> = self.tail.iter().cloned().collect();
        if !self.line.is_empty() {
            lines.push(String::from_utf8_lossy(&self.line).into_owned());
        }
        Tail(lines)
    }
}

/// The last lines of a console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail(pub Vec<String>);

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(the console is empty)");
        }
        f.write_str(&self.0.join("\n"))
    }
}

/// Bytes as text that is safe to show: printable ASCII and line ends.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut escape = Escape::default();
    let text = bytes.iter().filter_map(|&byte| match escape.step(byte) {
        Step::Text(byte) => Some(char::from(byte)),
        Step::Nothing => None,
    });
    text.collect::<String>().trim_end().to_owned()
}

/// Where in an escape sequence (ECMA-48, 5.3 and 5.4) we are.
#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// In a control sequence: ESC `[`, parameters, a final byte from `@` to `~`.
    Control,
    /// In a string: ESC and one of `P X ] ^ _`, up to BEL or ESC `\`.
    String,
}

enum Step {
    Text(u8),
    Nothing,
}

impl Escape {
    fn step(&mut self, byte: u8) -> Step {
        let (next, step) = match (*self, byte) {
            // A line's end ends any sequence, so that a broken one cannot swallow the console.
            (_, b'\n') => (Self::None, Step::Text(b'\n')),
            (_, 0x1b) => (Self::Begun, Step::Nothing),
            (Self::None, b'\t') => (Self::None, Step::Text(b' ')),
            (Self::None, b' '..=b'~') => (Self::None, Step::Text(byte)),
            (Self::None, 0x80..) => (Self::None, Step::Text(b'?')),
            (Self::Begun, b'[') => (Self::Control, Step::Nothing),
            (Self::Begun, b'P' | b'X' | b']' | b'^' | b'_') => (Self::String, Step::Nothing),
            (Self::Begun, b' '..=b'/') => (Self::Begun, Step::Nothing),
            (Self::Control, b'@'..=b'~') | (Self::String, 0x07) | (Self::None | Self::Begun, _) => {
                (Self::None, Step::Nothing)
            }
            (Self::Control | Self::String, _) => (*self, Step::Nothing),
        };
        *self = next;
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn console() -> Console {
        Console::new(Path::new("/nowhere"))
    }

    #[test]
    fn firmware_escapes_are_taken_out() {
        let text =
            b"\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2JBdsDxe: loading Boot0001\r\n\x1b]0;title\x07next\x1b(B\n";
        assert_eq!(console().feed(text), ["BdsDxe: loading Boot0001", "next"]);
    }

    #[test]
    fn nothing_but_printable_ascii_comes_through() {
        let all: Vec<u8> = (0..=255).cycle().take(2048).collect();
        for start in 0..256 {
            let text = printable(all.get(start..).unwrap());
            assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
        }
    }

    #[test]
    fn a_broken_sequence_ends_with_its_line() {
        assert_eq!(
            console().feed(b"\x1b[12345\nvisible\n\x1bP never ended\nvisible too\n"),
            ["visible", "visible too"]
        );
    }

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_come() {
        let text = b"one\r\ntwo \x1b[31mred\x1b[0m\r\n\r\nthree";
        let whole = console().feed(text);
        assert_eq!(whole, ["one", "two red"]);
        for split in 0..=text.len() {
            let mut console = console();
            let (head, rest) = text.split_at(split);
            let mut lines = console.feed(head);
            lines.extend(console.feed(rest));
            assert_eq!(lines, whole);
            assert_eq!(console.tail().0.last().unwrap(), "three");
        }
    }

    #[test]
    fn long_lines_and_long_consoles_are_bounded() {
        let mut console = console();
        let lines = console.feed(&vec![b'x'; 3 * Console::LINE + 1]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [Console::LINE; 3]);
        for number in 0..100 {
            console.feed(format!("{number}\n").as_bytes());
        }
        assert_eq!(console.tail().0.len(), Console::TAIL);
        assert_eq!(console.tail().0.last().unwrap(), "99");
    }

    #[test]
    fn the_file_is_followed_from_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut console = Console::new(&path);
        assert!(console.poll().unwrap().is_empty());
        assert_eq!(console.tail().to_string(), "(the console is empty)");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(console.poll().unwrap(), ["one"]);
        file.write_all(b"o\n").unwrap();
        assert_eq!(console.poll().unwrap(), ["two"]);
        assert_eq!(console.bytes_read(), 8);
    }
}
