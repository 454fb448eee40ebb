//! Files that the user names. Bounded, so that a device or a disk image cannot eat the memory.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use hallmark_verifier::policy::Policy;
use hallmark_verifier::release::Release;
use sha2::{Digest as _, Sha256};

use crate::complaint::Complaint;

/// More than any quote, log, collateral or release: what is larger is not one.
pub(crate) const DOCUMENT: u64 = 16 << 20;

/// More than any image we build.
pub(crate) const IMAGE: u64 = 4 << 30;

/// Reads a whole file; `what` says what it should be. A larger one than `limit` could not be read.
pub(crate) fn read(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>, Complaint> {
    let bytes = up_to(path, what, limit.saturating_add(1))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(unreadable(path, what, &format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Reads a document that the verifier judges. Of a larger one than [`DOCUMENT`] only the start: that it is malformed is then
/// the verifier's to say.
pub(crate) fn judged(path: &Path, what: &str) -> Result<Vec<u8>, Complaint> {
    up_to(path, what, DOCUMENT.saturating_add(1))
}

/// SHA-256 of a file of any size.
pub(crate) fn sha256(path: &Path, what: &str) -> Result<[u8; 32], Complaint> {
    let hash = || -> io::Result<[u8; 32]> {
        let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hash.finalize().into()),
                n => hash.update(buffer.get(..n).unwrap_or_default()),
            }
        }
    };
    hash().map_err(|e| unreadable(path, what, &e))
}

fn up_to(path: &Path, what: &str, most: u64) -> Result<Vec<u8>, Complaint> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|e| unreadable(path, what, &e))?;
    Ok(bytes)
}

fn unreadable(path: &Path, what: &str, why: &dyn Display) -> Complaint {
    Complaint::unable("input", format!("cannot read the {what} {}", path.display()), why, "check the path")
}

/// Hex digits of exactly `N` bytes, from the command line.
pub(crate) fn hex_bytes<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let digits = N.saturating_mul(2);
    hex::decode_to_slice(text, &mut bytes).map_err(|e| format!("want {digits} hex digits: {e}"))?;
    Ok(bytes)
}

/// Reads and parses a release.json. One that is malformed is a "no", as in a verdict.
pub(crate) fn release(path: &Path) -> Result<Release, Complaint> {
    let bytes = read(path, "release", DOCUMENT)?;
    Release::parse(&bytes).map_err(|e| {
        let what = format!("{} is no release", path.display());
        Complaint::no("release-format", what, e, "see SPECIFICATION.md, section 2")
    })
}

/// Reads and parses a policy.
pub(crate) fn policy(path: &Path) -> Result<Policy, Complaint> {
    let bytes = read(path, "policy", DOCUMENT)?;
    let malformed = |why: &dyn Display| {
        let what = format!("{} is no policy", path.display());
        Complaint::unable("policy", what, why, "see SPECIFICATION.md, section 3")
    };
    let text = String::from_utf8(bytes).map_err(|e| malformed(&e))?;
    Policy::parse(&text).map_err(|e| malformed(&e))
}
