//! Files that the user names. Bounded, so that a device or a disk image cannot eat the memory.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hallmark_verifier::release::Release;

use crate::complaint::Complaint;

/// More than any quote, log, collateral or release: what is larger is not one.
pub(crate) const DOCUMENT: u64 = 16 << 20;

/// More than any image we build.
pub(crate) const IMAGE: u64 = 4 << 30;

/// Reads a whole file; `what` says what it should be.
pub(crate) fn read(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>, Complaint> {
    let unable = |why: &dyn std::fmt::Display| {
        Complaint::unable("input", format!("cannot read the {what} {}", path.display()), why, "check the path")
    };
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(|e| unable(&e))?.take(limit.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(|e| unable(&e))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(unable(&format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Hex digits of exactly `N` bytes, from the command line.
pub(crate) fn hex_bytes<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|e| format!("want {} hex digits: {e}", 2 * N))?;
    Ok(bytes)
}

/// Reads and parses a release.json.
pub(crate) fn release(path: &Path) -> Result<Release, Complaint> {
    let bytes = read(path, "release", DOCUMENT)?;
    Release::parse(&bytes).map_err(|e| {
        Complaint::no("release-format", format!("{} is no release", path.display()), e, "see SPECIFICATION.md, section 2")
    })
}
