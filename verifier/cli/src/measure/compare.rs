//! A release held against what its image measures to.

use std::collections::BTreeMap;

use hallmark_measurement::{Digests, Log, Profile, Register};
use hallmark_verifier::release::{Expected, Release};
use sha2::{Digest as _, Sha256};

use super::of_bank;
use crate::complaint::Complaint;
use crate::output::Output;

/// Recomputes every entry of a release. True when all that can be computed is as the release says.
pub(super) fn agrees(
    release: &Release,
    image: &[u8],
    firmware: Option<&[u8]>,
    out: &mut Output,
) -> Result<bool, Complaint> {
    let (mut same, mut whole) = (true, true);
    for expected in release.expected() {
        let profile: Profile = expected.profile().parse().map_err(|e| {
            let what = format!("the profile of {} is not known here", expected.platform());
            Complaint::unable("profile", what, e, "use the assay of that release")
        })?;
        let log = super::predict(image, expected.platform(), &profile)?;
        let computed = super::registers(&log, expected.platform(), firmware)?;
        out.line(format_args!("{} ({})", expected.platform(), expected.profile()));
        if computed.contains_key(&Register::Mrtd) && firmware.is_some_and(|f| !is_of(expected, f)) {
            out.line("  firmware: this file is not the release's");
        }
        same &= same_registers(expected, &computed, &mut whole, out) & same_events(expected, &log, out);
    }
    out.line(match (same, whole) {
        (true, true) => "the release tells the truth of this image",
        (true, false) => "the release tells the truth of this image, as far as it was computed",
        (false, _) => "the release is NOT of this image",
    });
    Ok(same)
}

fn is_of(expected: &Expected, firmware: &[u8]) -> bool {
    expected.firmware_sha256().0[..] == Sha256::digest(firmware)[..]
}

fn same_registers(
    expected: &Expected,
    computed: &BTreeMap<Register, Digests>,
    whole: &mut bool,
    out: &mut Output,
) -> bool {
    let mut same = true;
    for (register, value, validated) in expected.registers() {
        let name = register.to_string();
        let ours =
            computed.iter().find(|(register, _)| register.to_string() == name).map(|(_, digests)| digests);
        let is = |bank: String, digest: &[u8]| {
            ours.and_then(|digests| of_bank(digests, &bank)).is_some_and(|ours| ours == hex::encode(digest))
        };
        let equal = value.iter().all(|digest| is(digest.bank().to_string(), digest.as_bytes()));
        let word = match ours {
            None if name == "mrtd" => "not computed (give --firmware)",
            None => "not computed (not predicted under this profile)",
            Some(_) if equal => "equal",
            Some(_) => "DIFFERS",
        };
        *whole &= ours.is_some();
        same &= ours.is_none() || equal;
        out.line(format_args!("  {name:<6} {word} (validated: {})", validated.word()));
    }
    same
}

/// Compares the events of the registers that the release lists, up to the first that differs.
fn same_events(expected: &Expected, log: &Log, out: &mut Output) -> bool {
    let listed: Vec<String> = expected.registers().map(|(register, ..)| register.to_string()).collect();
    let events = log.events().iter().filter(|event| listed.contains(&event.register.to_string()));
    let ours: Vec<String> = events
        .map(|event| line(&event.register.to_string(), &event.what, |bank| of_bank(&event.digests, bank)))
        .collect();
    let theirs: Vec<String> = expected
        .events()
        .iter()
        .map(|event| {
            line(&event.register.to_string(), &event.what, |bank| {
                let digest = event.digests.iter().find(|digest| digest.bank().to_string() == bank)?;
                Some(hex::encode(digest.as_bytes()))
            })
        })
        .collect();
    let Some(index) = (0..ours.len().max(theirs.len())).find(|&index| ours.get(index) != theirs.get(index))
    else {
        out.line(format_args!("  {} events equal", ours.len()));
        return true;
    };
    let show = |list: &[String]| list.get(index).cloned().unwrap_or_else(|| "no event".to_owned());
    out.line(format_args!("  event {} DIFFERS", index.saturating_add(1)));
    out.line(format_args!("    computed {}", show(&ours)));
    out.line(format_args!("    release  {}", show(&theirs)));
    false
}

/// An event on one line: register, what it measures, digests.
fn line(register: &str, what: &str, of_bank: impl Fn(&str) -> Option<String>) -> String {
    let digests = ["sha256", "sha384"].into_iter().filter_map(of_bank);
    [register.to_owned(), what.to_owned()].into_iter().chain(digests).collect::<Vec<_>>().join(" ")
}
