//! Hashes and ECDSA P-256, over whichever library the build chose.
//!
//! `aws-lc` (the default) is what our machines run; `rustcrypto` is for wasm and for fuzzing. With both
//! on, aws-lc does the work, and a test holds the two against each other.

#[cfg(feature = "aws-lc")]
mod aws_lc;
// Both may be on where one build has several crates: then aws-lc serves, and a test holds one against the other.
#[cfg(all(feature = "rustcrypto", any(test, not(feature = "aws-lc"))))]
mod rust_crypto;

use std::fmt;
use std::sync::Arc;

use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};
use sha2::Digest;

#[cfg(feature = "aws-lc")]
use aws_lc::Key as Native;
#[cfg(all(feature = "rustcrypto", not(feature = "aws-lc")))]
use rust_crypto::Key as Native;

#[cfg(not(any(feature = "aws-lc", feature = "rustcrypto")))]
compile_error!("hallmark-verifier needs one of the features `aws-lc` and `rustcrypto`");

/// What a library must do for us.
trait Backend: Sized {
    /// A point on P-256, uncompressed (SEC 1, 2.3.4). `None` if it is not on the curve.
    fn new(point: &[u8; 65]) -> Option<Self>;

    /// Whether `signature` (r || s, big endian) is one of SHA-256(`message`) by this key.
    fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool;
}

/// A P-256 public key that is on the curve, parsed once and cheap to clone.
#[derive(Clone)]
pub struct P256Key {
    point: [u8; 65],
    native: Arc<Native>,
}

impl P256Key {
    /// From an uncompressed point (`04 || x || y`). `None` for any other encoding or point.
    #[must_use]
    pub fn from_sec1(point: &[u8]) -> Option<Self> {
        let point: [u8; 65] = point.try_into().ok()?;
        if point.first() != Some(&4) {
            return None;
        }
        Some(Self { point, native: Arc::new(Native::new(&point)?) })
    }

    /// From the coordinates, as quotes carry them (`x || y`, big endian).
    #[must_use]
    pub fn from_xy(xy: &[u8; 64]) -> Option<Self> {
        let mut point = [4; 65];
        point.iter_mut().skip(1).zip(xy).for_each(|(to, from)| *to = *from);
        Self::from_sec1(&point)
    }

    /// The uncompressed point.
    #[must_use]
    pub const fn as_sec1(&self) -> &[u8; 65] {
        &self.point
    }

    /// Whether `signature` (r || s, big endian, 32 bytes each) is this key's over `message`
    /// (ECDSA with SHA-256, FIPS 186-5). Beware that (r, n - s) passes as well: a signature is never
    /// an identity.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.native.verify(message, signature)
    }
}

impl PartialEq for P256Key {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for P256Key {}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P256Key({})", hex::encode(self.point))
    }
}

/// The fixed form (r || s) of a DER signature (RFC 3279, 2.2.3). `None` unless it is strict DER with
/// two integers of at most 32 bytes.
#[must_use]
pub fn signature_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) = reader
        .sequence(|inner| Ok::<_, der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?)))
        .ok()?;
    reader.finish().ok()?;
    let mut fixed = [0; 64];
    let (left, right) = fixed.split_at_mut(32);
    for (half, value) in [(left, r.as_bytes()), (right, s.as_bytes())] {
        let from = half.len().checked_sub(value.len())?;
        half.get_mut(from..)?.copy_from_slice(value);
    }
    Some(fixed)
}

/// SHA-1 of the parts, one after another. TPM event logs only; nothing is trusted for it.
#[must_use]
pub fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    digest::<sha1::Sha1>(parts).into()
}

/// SHA-256 of the parts, one after another.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest::<sha2::Sha256>(parts).into()
}

/// SHA-384 of the parts, one after another.
#[must_use]
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    digest::<sha2::Sha384>(parts).into()
}

/// SHA-512 of the parts, one after another.
#[must_use]
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    digest::<sha2::Sha512>(parts).into()
}

fn digest<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut hasher = D::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests;
