//! What happened, in order, with virtual time. Two runs of one seed must give the same.

use sha2::{Digest as _, Sha256};

#[derive(Default)]
pub(crate) struct Trace {
    hash: Sha256,
    /// The last lines, for a person to read.
    lines: Vec<String>,
    pub(crate) now: u64,
    /// The run's folder, whose name is another in every run and is left out.
    pub(crate) folder: String,
}

impl Trace {
    pub(crate) fn say(&mut self, line: &str) {
        let line = if self.folder.is_empty() { line.to_owned() } else { line.replace(&self.folder, "") };
        let line = format!("{:>6} {line}", self.now);
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.lines.push(line);
    }

    pub(crate) fn digest(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }
}
