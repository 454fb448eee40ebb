//! Every parser of outside bytes, as a fuzz target.
//!
//! A target fails by panicking: a parser must answer anything with a value or an error, in bounded time and memory,
//! and a value must hold together when it is used. The library's own tests feed each target its forged seeds, all their
//! truncations and simple damage; `scripts/fuzz` runs libFuzzer on them.

use hallmark_measurement::{EspError, Firmware, Profile, Uki, authenticode_digests, locate_uki, predict_disk, predict_uki};
use hallmark_verifier::certificate::Certificate;
use hallmark_verifier::collateral::Collateral;
use hallmark_verifier::crl::Crl;
use hallmark_verifier::event_log::{Bank, EventLog, Kind};
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::pck_extension::PckExtension;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::{pem, release, tpm};

pub mod seeds;

/// A parser to be fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// As `scripts/fuzz` calls it.
    pub name: &'static str,
    /// Takes anything.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "quote", run: quote },
    Target { name: "collateral", run: collateral },
    Target { name: "chain", run: chain },
    Target { name: "event-log", run: event_log },
    Target { name: "tpm-quote", run: tpm_quote },
    Target { name: "evidence", run: evidence },
    Target { name: "release", run: release },
    Target { name: "policy", run: policy },
    Target { name: "lock", run: lock },
    Target { name: "pe", run: pe },
    Target { name: "gpt", run: gpt },
];

fn quote(data: &[u8]) {
    let _ = Quote::parse(data);
}

fn collateral(data: &[u8]) {
    let _ = Collateral::parse(data);
}

/// Certificates, CRLs and the PCK extension, in DER and PEM.
fn chain(data: &[u8]) {
    for der in pem::certificates(data).into_iter().flatten() {
        let _ = Certificate::parse(der);
    }
    let _ = Certificate::parse(data.to_vec());
    let _ = Crl::parse(data.to_vec());
    let _ = PckExtension::parse(data);
}

fn event_log(data: &[u8]) {
    for kind in [Kind::Tcg2, Kind::Ccel] {
        let Ok(log) = EventLog::parse(data, kind) else { continue };
        for bank in [Bank::Sha1, Bank::Sha256, Bank::Sha384] {
            let _ = log.replay(bank);
        }
        for event in log.events() {
            let _ = event.authenticated_text();
        }
        let _ = log.acpi_events(|_| false);
    }
}

fn tpm_quote(data: &[u8]) {
    let _ = tpm::AttestationKey::parse(data);
    let _ = tpm::Quote::parse(data);
}

fn evidence(data: &[u8]) {
    let _ = Evidence::parse(data);
}

/// By the reader and by the writer: whatever one accepts of a release the other made must hold for both.
fn release(data: &[u8]) {
    let _ = release::Release::parse(data);
    if let Ok(read) = hallmark_image::release::Release::parse(data)
        && let Ok(written) = read.to_json()
    {
        assert!(hallmark_image::release::Release::parse(written.as_bytes()).is_ok_and(|again| again == read));
    }
}

fn policy(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Policy::parse(text);
    }
}

fn lock(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = hallmark_image::Lock::parse(text);
        let _ = hallmark_image::Recipe::parse(text);
    }
}

/// Kernels, stubs, UKIs; firmware too.
fn pe(data: &[u8]) {
    if let Ok(uki) = Uki::parse(data) {
        let _ = authenticode_digests(uki.pe());
    }
    let _ = predict_uki(data, &Profile::HALLMARK);
    if let Ok(firmware) = Firmware::parse(data) {
        let _ = firmware.cfv();
    }
}

/// Disks: GPT, FAT, and the UKI within.
fn gpt(data: &[u8]) {
    let located: Result<_, EspError> = locate_uki(data);
    if located.is_ok() {
        let _ = predict_disk(data, &Profile::HALLMARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are not random but look it.
    fn noise(seed: u64) -> impl Iterator<Item = u8> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
    }

    /// Positions that a long seed is damaged at: all of a short one, spread over a long one.
    fn places(length: usize) -> impl Iterator<Item = usize> {
        (0..length).step_by((length / 400).max(1))
    }

    #[test]
    fn every_target_has_seeds_and_survives_their_damage() {
        for target in TARGETS {
            let seeds = seeds::of(target.name);
            assert!(!seeds.is_empty() && seeds.iter().all(|s| !s.is_empty()), "{}", target.name);
            for seed in seeds {
                (target.run)(&seed);
                for at in places(seed.len()) {
                    (target.run)(&seed[..at]);
                    let mut damaged = seed.clone();
                    damaged[at] ^= 0x80 >> (at % 8);
                    (target.run)(&damaged);
                }
            }
        }
    }

    #[test]
    fn every_target_survives_noise() {
        for target in TARGETS {
            for round in 0..200_u64 {
                let length = usize::try_from(round * round % 5000).unwrap();
                (target.run)(&noise(round).take(length).collect::<Vec<_>>());
            }
            (target.run)(&vec![0; 1 << 20]);
            (target.run)(&vec![0xff; 1 << 20]);
        }
    }
}
