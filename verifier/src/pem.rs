//! PEM blocks of certificates (RFC 7468), and nothing between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Text that is not a list of PEM certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// No block begins where one is due.
    #[error("offset {0}: `-----BEGIN CERTIFICATE-----` is due (RFC 7468, 5.1)")]
    Begin(usize),
    /// A block that does not end.
    #[error("the block at offset {0} lacks its `-----END CERTIFICATE-----`")]
    End(usize),
    /// A block that is not base64.
    #[error("the block at offset {0} is not base64")]
    Base64(usize),
    /// More blocks than any chain of Intel's has.
    #[error("more than {MOST} certificates")]
    TooMany,
}

/// Intel's longest chain has three.
const MOST: usize = 8;
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The DER of each certificate in `text`. White space may stand around blocks; a NUL may end the text, as
/// quotes have it.
///
/// # Errors
/// [`PemError`] for anything else in the text.
pub fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    let mut found = Vec::new();
    let mut offset = 0_usize;
    loop {
        let rest = text.get(offset..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0).count();
        offset = offset.saturating_add(blank);
        let rest = text.get(offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(found);
        }
        if found.len() == MOST {
            return Err(PemError::TooMany);
        }
        let body = rest.strip_prefix(BEGIN).ok_or(PemError::Begin(offset))?;
        let dash = position(body, b'-').ok_or(PemError::End(offset))?;
        let (body, end) = body.split_at_checked(dash).ok_or(PemError::End(offset))?;
        if !end.starts_with(END) {
            return Err(PemError::End(offset));
        }
        let mut digits = Vec::with_capacity(body.len());
        let mut lines = body;
        while let Some((line, rest)) = position(lines, b'\n').and_then(|at| lines.split_at_checked(at)) {
            digits.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            lines = rest.get(1..).unwrap_or_default();
        }
        digits.extend_from_slice(lines.strip_suffix(b"\r").unwrap_or(lines));
        found.push(STANDARD.decode(digits).map_err(|_| PemError::Base64(offset))?);
        offset = offset.saturating_add(BEGIN.len()).saturating_add(dash).saturating_add(END.len());
    }
}

/// Where the byte is first. (A chain has thousands of bytes: `contains` looks at many at once.)
fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    let without: usize = bytes.chunks(64).take_while(|chunk| !chunk.contains(&byte)).map(<[u8]>::len).sum();
    let at = bytes.get(without..)?.iter().position(|other| *other == byte)?;
    without.checked_add(at)
}

#[cfg(test)]
mod tests {
    use super::{PemError, certificates};

    const ONE: &str = "-----BEGIN CERTIFICATE-----\nAQID\nBA==\n-----END CERTIFICATE-----\n";

    #[test]
    fn blocks_are_read_in_order() {
        let two = format!("{ONE}\r\n{}\0", ONE.replace("AQID", "BQYH"));
        assert_eq!(certificates(two.as_bytes()).unwrap(), [[1, 2, 3, 4], [5, 6, 7, 4]]);
        assert!(certificates(b"").unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(certificates(b"x"), Err(PemError::Begin(0)));
        assert_eq!(certificates(format!("{ONE}x").as_bytes()), Err(PemError::Begin(ONE.len())));
        assert_eq!(certificates(&ONE.as_bytes()[..40]), Err(PemError::End(0)));
        assert_eq!(certificates(ONE.replace("BA==", "BA=").as_bytes()), Err(PemError::Base64(0)));
        assert_eq!(certificates(ONE.replace("END CERT", "END CRRT").as_bytes()), Err(PemError::End(0)));
        assert_eq!(certificates(ONE.repeat(9).as_bytes()), Err(PemError::TooMany));
    }
}
