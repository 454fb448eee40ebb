//! Where a boot parted from the one that a release predicts.

use std::collections::BTreeSet;
use std::fmt;

use crate::event_log::{Bank, BootEvent, Digest, Event, EventLog, Register};
use crate::release::{Expected, ExpectedEvent};

/// Above this many pairs of events the two lists are held against each other place by place.
const ALIGN_MAX: usize = 1 << 20;

/// A place at which the boot and the release differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence<'a> {
    /// The register.
    pub register: Register,
    /// Which of the register's events, from 0: in the release's list, or of an event that the release lacks, in the log.
    pub position: usize,
    /// What the release has there; None where the machine measured something more.
    pub expected: Option<&'a ExpectedEvent>,
    /// What the machine measured there; None where it left something out.
    pub found: Option<Found<'a>>,
}

/// An event of the machine. Its digests are proven, its name is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// The firmware, the stub or the kernel logged it.
    Logged(&'a Event<'a>),
    /// The guest extended it afterwards.
    Booted(&'a BootEvent),
}

impl Found<'_> {
    fn digest(&self, bank: Bank) -> Option<&[u8]> {
        match self {
            Self::Logged(event) => event.digests.get(bank),
            Self::Booted(event) => match bank {
                Bank::Sha256 => event.digests.sha256.as_ref().map(<[u8; 32]>::as_slice),
                Bank::Sha384 => event.digests.sha384.as_ref().map(<[u8; 48]>::as_slice),
                Bank::Sha1 | Bank::Sha512 => None,
            },
        }
    }

    /// Equal in every bank that both have, which must be one at least.
    fn is(&self, expected: &ExpectedEvent) -> bool {
        let mut common =
            expected.digests.iter().filter_map(|must| Some((must, self.digest(must.bank())?))).peekable();
        common.peek().is_some() && common.all(|(must, is)| must.as_bytes() == is)
    }
}

/// Walks the events of a machine beside those of a release's entry: the registers of which the release lists events, and those that it
/// expects untouched, as the guest's own is where the release does not list it. The most telling divergence comes first: what a UKI's sections changed stands in PCR 11 and
/// RTMR2, and shows in PCR 4 and RTMR1 only as another image.
#[must_use]
pub fn diff<'a>(
    expected: &'a Expected,
    event_log: &'a EventLog<'a>,
    boot_events: &'a [BootEvent],
) -> Vec<Divergence<'a>> {
    let untouched = expected.registers().filter(|(_, value, _)| value.is_untouched());
    let own = expected.family().guest_register();
    let registers: BTreeSet<Register> = expected
        .events()
        .iter()
        .map(|event| event.register)
        .chain(untouched.map(|(register, ..)| register))
        .chain(expected.register(own).is_none().then_some(own))
        .filter(|register| *register != Register::Mrtd)
        .collect();
    let mut divergences = Vec::new();
    for register in registers {
        let must: Vec<_> = expected.events_of(register).collect();
        let booted = boot_events.iter().filter(|event| event.register() == register).map(Found::Booted);
        let is: Vec<_> = event_log.extends(register).map(Found::Logged).chain(booted).collect();
        walk(register, &must, &is, &mut divergences);
    }
    divergences.sort_by_key(|divergence| {
        let rank = rank(divergence.register);
        // Of a register that the release does not pin, a difference may be normal.
        let register = divergence.register;
        let pinned = rank == 0 || register == own || expected.register(register).is_some();
        (!pinned, rank, divergence.position)
    });
    divergences
}

/// How near a register's events are to the inputs of an image.
const fn rank(register: Register) -> u8 {
    match register {
        Register::Rtmr(2) | Register::Pcr(11) => 0,
        Register::Pcr(12 | 13) => 1,
        Register::Pcr(9) => 2,
        Register::Pcr(8) => 3,
        Register::Rtmr(1) | Register::Pcr(4) => 4,
        Register::Pcr(5) => 5,
        Register::Rtmr(3) | Register::Pcr(10 | 14 | 15) => 6,
        Register::Mrtd | Register::Pcr(0) => 7,
        _ => 8,
    }
}

fn walk<'a>(
    register: Register,
    must: &[&'a ExpectedEvent],
    is: &[Found<'a>],
    divergences: &mut Vec<Divergence<'a>>,
) {
    let common = align(must, is);
    // After the last common event comes an end that both have.
    let ends = common.into_iter().chain([(must.len(), is.len())]);
    let (mut from_must, mut from_is) = (0, 0);
    for (to_must, to_is) in ends {
        let gap_must = must.get(from_must..to_must).unwrap_or_default();
        let gap_is = is.get(from_is..to_is).unwrap_or_default();
        for index in 0..gap_must.len().max(gap_is.len()) {
            let (expected, found) = (gap_must.get(index).copied(), gap_is.get(index).copied());
            let from = if expected.is_some() { from_must } else { from_is };
            let position = from.saturating_add(index);
            divergences.push(Divergence { register, position, expected, found });
        }
        (from_must, from_is) = (to_must.saturating_add(1), to_is.saturating_add(1));
    }
}

/// The places of a longest common subsequence. Equal starts and ends are set aside first, so that what is left is small where one
/// thing changed; where it is large all the same, only equal places count.
fn align(must: &[&ExpectedEvent], is: &[Found<'_>]) -> Vec<(usize, usize)> {
    let pairs = || must.iter().zip(is);
    let start = pairs().take_while(|(must, is)| is.is(must)).count();
    let shorter = must.len().min(is.len());
    let end = must
        .iter()
        .rev()
        .zip(is.iter().rev())
        .take(shorter.saturating_sub(start))
        .take_while(|(must, is)| is.is(must))
        .count();
    let (to_must, to_is) = (must.len().saturating_sub(end), is.len().saturating_sub(end));
    let middle_must = must.get(start..to_must).unwrap_or_default();
    let middle_is = is.get(start..to_is).unwrap_or_default();
    let middle = if middle_must.len().saturating_mul(middle_is.len()) <= ALIGN_MAX {
        longest_common(middle_must, middle_is)
    } else {
        let equal = |(index, (must, is)): (usize, (&&ExpectedEvent, &Found<'_>))| {
            is.is(must).then_some((index, index))
        };
        middle_must.iter().zip(middle_is).enumerate().filter_map(equal).collect()
    };
    let shifted = middle.into_iter().map(|(a, b)| (start.saturating_add(a), start.saturating_add(b)));
    let starts = (0..start).map(|index| (index, index));
    starts.chain(shifted).chain((to_must..must.len()).zip(to_is..is.len())).collect()
}

fn longest_common(must: &[&ExpectedEvent], is: &[Found<'_>]) -> Vec<(usize, usize)> {
    // lengths[i][j]: of the longest common subsequence of must[i..] and is[j..]; rows from the last to the first.
    let mut lengths: Vec<Vec<u32>> = vec![vec![0; is.len().saturating_add(1)]];
    let at = |rows: &[Vec<u32>], row: usize, column: usize| {
        rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0)
    };
    for expected in must.iter().rev() {
        let below = lengths.len().saturating_sub(1);
        let mut row = vec![0; is.len().saturating_add(1)];
        let mut right = 0;
        for (column, found) in is.iter().enumerate().rev() {
            let length = if found.is(expected) {
                at(&lengths, below, column.saturating_add(1)).saturating_add(1)
            } else {
                at(&lengths, below, column).max(right)
            };
            right = length;
            if let Some(cell) = row.get_mut(column) {
                *cell = length;
            }
        }
        lengths.push(row);
    }
    let row_of = |index: usize| must.len().saturating_sub(index);
    let (mut a, mut b) = (0, 0);
    let mut common = Vec::new();
    while let (Some(expected), Some(found)) = (must.get(a), is.get(b)) {
        let (next_a, next_b) = (a.saturating_add(1), b.saturating_add(1));
        if found.is(expected) {
            common.push((a, b));
            (a, b) = (next_a, next_b);
        } else if at(&lengths, row_of(next_a), b) >= at(&lengths, row_of(a), next_b) {
            a = next_a;
        } else {
            b = next_b;
        }
    }
    common
}

impl fmt::Display for Divergence<'_> {
    /// `pcr11: .initrd (EV_IPL, event 7): the release has 7784fd.., the machine measured 12ab00..; depends on uki:.initrd`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (register, event) = (self.register, self.position.saturating_add(1));
        match (&self.expected, &self.found) {
            (Some(expected), found) => {
                write!(f, "{register}: {} ({}, event {event}): ", expected.what, expected.event)?;
                let stated = expected.digests.iter().last();
                match (stated, found) {
                    (Some(stated), Some(found)) => {
                        let measured =
                            found.digest(stated.bank()).map_or_else(|| "another".into(), hex::encode);
                        write!(
                            f,
                            "the release has {}, the machine measured {}",
                            short(&stated),
                            cut(&measured)
                        )?;
                    }
                    _ => {
                        f.write_str("the machine did not measure it")?;
                    }
                }
                if expected.depends.is_empty() {
                    return Ok(());
                }
                write!(f, "; depends on {}", expected.depends.join(", "))
            }
            (None, Some(found)) => {
                match found {
                    Found::Logged(logged) => {
                        write!(f, "{register}: {} (event {event}): ", logged.event_type)?;
                    }
                    Found::Booted(booted) => write!(f, "{register}: {:?} (event {event}): ", booted.name())?,
                }
                f.write_str("the machine measured it, the release does not have it")
            }
            (None, None) => Ok(()),
        }
    }
}

fn short(digest: &Digest) -> String {
    cut(&digest.to_string()).to_owned()
}

/// Enough of a digest to tell it by.
fn cut(hex: &str) -> &str {
    hex.get(..16).unwrap_or(hex)
}
