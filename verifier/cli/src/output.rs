//! What goes to standard output and standard error, and what may not: control characters out of a stranger's file, and a
//! panic because a pipe was closed.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::complaint::Complaint;

/// Standard output. Writing never fails at once; the first error is kept until [`Output::finish`].
pub(crate) struct Output<W: Write = io::StdoutLock<'static>> {
    to: W,
    failure: Option<io::Error>,
}

impl Output {
    /// This program's standard output.
    pub(crate) fn stdout() -> Self {
        Self::to(io::stdout().lock())
    }
}

impl<W: Write> Output<W> {
    /// An output that writes to this.
    pub(crate) const fn to(to: W) -> Self {
        Self { to, failure: None }
    }

    /// Writes one line, and never more than one: what is not printable is replaced.
    pub(crate) fn line(&mut self, line: impl Display) {
        self.bytes(format!("{}\n", printable(&line.to_string())).as_bytes());
    }

    /// Writes bytes as they are: JSON of ours, completions, the manual.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.to.write_all(bytes).err();
        }
    }

    /// Makes sure that everything was written. A reader that has gone away has read what it wanted.
    pub(crate) fn finish(&mut self) -> Result<(), Complaint> {
        match self.failure.take().map_or_else(|| self.to.flush(), Err) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let what = "cannot write the answer to standard output";
                Err(Complaint::unable("output", what, error, "give it room, or another place"))
            }
            _ => Ok(()),
        }
    }
}

/// Says something on standard error. There is nobody left to tell when that fails.
pub(crate) fn talk(lines: impl Display) {
    let _ = writeln!(io::stderr(), "{lines}");
}

/// The text on one line, with a mark for each character that a terminal would obey rather than show.
pub(crate) fn printable(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if obeyed(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};

    use super::{Output, printable};

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
        for (kind, fine) in [(ErrorKind::BrokenPipe, true), (ErrorKind::StorageFull, false)] {
            let mut output = Output::to(Fails(kind));
            output.line("verdict: accepted");
            output.line("more");
            assert_eq!(output.finish().is_ok(), fine, "{kind}");
            assert_eq!(Output::to(Fails(kind)).finish().is_ok(), fine, "{kind}, nothing written");
        }
    }

    #[test]
    fn a_line_stays_one_line_and_colours_nothing() {
        let mut bytes = Vec::new();
        let mut output = Output::to(&mut bytes);
        output.line("unknown field `x\nverdict: accepted\u{1b}[2J`");
        output.finish().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains('\u{1b}'));
        assert_eq!(printable("ä \u{202e} ☂"), "ä \u{fffd} ☂");
    }
}
