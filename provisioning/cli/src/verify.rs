//! The verifier, as mint asks it: of a machine that it booted, or simulated, itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hallmark_image::release::{Digests, Register};
use hallmark_verifier::binding::Ask;
use hallmark_verifier::image::Expect;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::Verdict;
use hallmark_verifier::verify::{Request, verify};

use crate::complaint::Complaint;

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    // A clock before 1970 makes every check of a date fail, which is the right answer.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Judges evidence against a release, in files.
pub(crate) fn evidence(
    evidence: &Path,
    release: &Path,
    policy: &Path,
    nonce: &str,
) -> Result<Verdict, Complaint> {
    let read = |path: &Path| fs::read(path).map_err(|e| Complaint::file("read", path, &e));
    let policy = String::from_utf8_lossy(&read(policy)?).into_owned();
    judge(&read(evidence)?, None, &read(release)?, &policy, nonce)
}

/// Judges evidence against a release.
pub(crate) fn judge(
    evidence: &[u8],
    collateral: Option<&[u8]>,
    release: &[u8],
    policy: &str,
    nonce: &str,
) -> Result<Verdict, Complaint> {
    let policy = Policy::parse(policy).map_err(|e| {
        Complaint::unable("policy", "the policy is none", e, "see SPECIFICATION.md, section 3")
    })?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(nonce, &mut bytes)
        .map_err(|e| Complaint::unable("nonce", "not a nonce", e, "give 64 hex digits"))?;
    Ok(verify(&Request {
        evidence,
        collateral,
        expect: Expect::Release(release),
        binding: Ask::Nonce(bytes),
        policy: &policy,
        now: UnixSeconds(now()),
        historical: false,
    }))
}

/// The PCRs that a verdict proves, as a release has them.
pub(crate) fn registers(verdict: &Verdict) -> BTreeMap<Register, Digests> {
    let named = verdict.measurements().iter().filter_map(|(register, value)| {
        let register: Register = register.to_string().parse().ok()?;
        Some((register, Digests { sha256: value.sha256, sha384: value.sha384 }))
    });
    named.collect()
}
