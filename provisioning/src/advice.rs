//! What an error says to a person: what happened, why, and what to do.

use std::error::Error;

/// An error with the material of the three lines that every program of ours prints:
///
/// ```text
/// error: slug: what        (Display)
/// why: ...
/// hint: ...
/// ```
pub trait Advice: Error {
    /// A short fixed name of the kind of error, for scripts.
    fn slug(&self) -> &'static str;

    /// The cause; by default the chain of sources.
    fn why(&self) -> String {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.join(": ")
    }

    /// What to do about it. Empty when there is nothing useful to say.
    fn hint(&self) -> String;

    /// The three lines; a line with nothing to say is left out.
    fn three_lines(&self) -> String {
        let mut text = format!("error: {}: {self}", self.slug());
        for (name, line) in [("why", self.why()), ("hint", self.hint())] {
            if !line.is_empty() {
                text.push_str(&format!("\n{name}: {line}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the disk is not there")]
    struct Missing(#[source] std::io::Error);

    impl Advice for Missing {
        fn slug(&self) -> &'static str {
            "disk-missing"
        }
        fn hint(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn a_line_with_nothing_to_say_is_left_out() {
        let error = Missing(std::io::Error::other("gone"));
        assert_eq!(error.three_lines(), "error: disk-missing: the disk is not there\nwhy: gone");
    }
}
