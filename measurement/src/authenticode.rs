//! The Authenticode hash of a PE image, as firmware computes it.
//!
//! Windows Authenticode Portable Executable Signature Format, "Calculating the PE Image Hash", with edk2's choices (`DxeTpm2MeasureBootLib`):
//! data after the last section is hashed, the certificate table is not, and **nothing is padded** to eight bytes, as a signer's tool may do.

use std::ops::Range;

use sha2::Digest;

use crate::Digests;
use crate::digest::Banks;
use crate::pe::{Pe, PeError};

/// Why an image has no hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticodeError {
    /// Not an image.
    #[error(transparent)]
    Pe(#[from] PeError),
    /// Sections whose sizes add up to more than the file.
    #[error(
        "headers, sections and certificate table add up to {sum:#x} bytes, the file has {len:#x}: firmware refuses to measure \
         such an image"
    )]
    Sum {
        /// What they add up to.
        sum: u64,
        /// Size of the file.
        len: usize,
    },
}

/// The Authenticode hash of `image` under `D`: SHA-1, SHA-256, SHA-384.
///
/// ```
/// use hallmark_measurement::authenticode::authenticode;
/// assert!(authenticode::<sha2::Sha384>(b"MZ and no more").is_err());
/// ```
///
/// # Errors
/// When `image` is not a PE image that firmware would measure.
pub fn authenticode<D: Digest>(image: &[u8]) -> Result<sha2::digest::Output<D>, AuthenticodeError> {
    let mut hash = D::new();
    for range in ranges(&Pe::parse(image)?)? {
        hash.update(image.get(range).unwrap_or_default());
    }
    Ok(hash.finalize())
}

/// The hash in both banks at once.
///
/// # Errors
/// As [`authenticode`].
pub fn authenticode_digests(pe: &Pe<'_>) -> Result<Digests, AuthenticodeError> {
    patched_digests(pe, 0, &[])
}

/// The hash of the image with `patch` written over it at `at`, without a copy of the image.
pub(crate) fn patched_digests(pe: &Pe<'_>, at: usize, patch: &[u8]) -> Result<Digests, AuthenticodeError> {
    let mut banks = Banks::default();
    let end = at.saturating_add(patch.len());
    let part = |range: Range<usize>| pe.bytes().get(range).unwrap_or_default();
    for range in ranges(pe)? {
        let (from, to) = (range.start.max(at), range.end.min(end));
        if from >= to {
            banks.update(part(range));
            continue;
        }
        banks.update(part(range.start..from));
        banks.update(patch.get(from - at..to - at).unwrap_or_default());
        banks.update(part(to..range.end));
    }
    Ok(banks.finish())
}

/// What is hashed, in order.
fn ranges(pe: &Pe<'_>) -> Result<Vec<Range<usize>>, AuthenticodeError> {
    let len = pe.bytes().len();
    let mut ranges = Vec::from([Range { start: 0, end: pe.checksum }]);
    let after_checksum = pe.checksum + 4;
    match pe.certificate_entry {
        Some(entry) => ranges.extend([after_checksum..entry, entry + 8..pe.headers]),
        None => ranges.push(after_checksum..pe.headers),
    }
    let mut sections: Vec<_> = pe.sections().iter().filter(|section| !section.raw.is_empty()).collect();
    sections.sort_by_key(|section| section.raw_offset);
    let mut sum = pe.headers;
    for section in sections {
        let start = usize::try_from(section.raw_offset).unwrap_or(usize::MAX);
        ranges.push(start..start.saturating_add(section.raw.len()));
        sum = sum.saturating_add(section.raw.len());
    }
    // As firmware does it: the count of bytes hashed serves as the offset of what is left.
    let end = len.checked_sub(pe.certificate_size).filter(|&end| sum <= end);
    let end =
        end.ok_or(AuthenticodeError::Sum { sum: sum.saturating_add(pe.certificate_size) as u64, len })?;
    ranges.push(sum..end);
    Ok(ranges)
}
