//! `/evidence`: what each member was admitted with, as it stands in the ledger.
//!
//! It is the statement quote of the admission, with the collateral that it was judged with: it convinces anybody later, and says nothing
//! of this moment. Nobody is quoted anew here; members do that to each other, over their own channels.

use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Admission, BLOB_PART, MAX_BLOB, SystemEntry};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;

use super::problem::Problem;
use crate::service::{Service, ServiceError};

/// The parts of an admission's evidence and collateral, all of which stand right before it.
const MOST_PARTS: u64 = 2 * MAX_BLOB.div_ceil(BLOB_PART) as u64;

/// The members under one checkpoint.
#[derive(Serialize)]
pub(super) struct Members {
    epoch: u64,
    checkpoint: String,
    members: Vec<Shown>,
}

/// One of them. Hashes and the binding are hex.
#[derive(Serialize)]
struct Shown {
    slot: u16,
    node: u64,
    /// Of the evidence at `/evidence/NODE`.
    evidence_sha256: String,
    /// Of the collateral at `/evidence/NODE/collateral`; null where the evidence was judged without.
    collateral_sha256: Option<String>,
    /// What the quote must carry: the statement of group, epoch, slot and keys.
    binding: String,
    /// When the member that ordered the admission judged it: Unix seconds by its clock.
    time: u64,
}

/// What every member of the signed roster was admitted with; none before there is one. Blocks.
pub(super) fn members(service: &dyn Service) -> Result<Option<Members>, ServiceError> {
    let newest = service.checkpoint().borrow().clone();
    let (Some(newest), Some(roster)) = (newest, service.roster()) else { return Ok(None) };
    let mut members = Vec::new();
    for member in roster.members.values() {
        let Some(admission) = admission(service, member.node)? else {
            return Err(unreadable(member.node, &"the roster's admission is not there"));
        };
        members.push(Shown {
            slot: member.slot,
            node: member.node,
            evidence_sha256: hex::encode(admission.evidence.0),
            collateral_sha256: admission.collateral.map(|hash| hex::encode(hash.0)),
            binding: hex::encode(admission.statement(service.group(), roster.epoch).binding()),
            time: admission.time,
        });
    }
    Ok(Some(Members { epoch: roster.epoch, checkpoint: newest.note().to_owned(), members }))
}

/// The evidence, or the collateral, of the machine that was admitted as `node`, member still or not. None where there is none. Blocks.
pub(super) fn of(service: &dyn Service, node: u64, collateral: bool) -> Result<Option<Bytes>, ServiceError> {
    let Some(admission) = admission(service, node)? else { return Ok(None) };
    let wanted = if collateral { admission.collateral } else { Some(admission.evidence) };
    let Some(wanted) = wanted else { return Ok(None) };
    let (mut bytes, mut at) = (Vec::new(), node.saturating_sub(MOST_PARTS));
    while at < node {
        let count = usize::try_from(node - at).unwrap_or(1);
        let leaves = service.entries(at, count, MAX_BLOB)?;
        if leaves.is_empty() {
            break;
        }
        for leaf in leaves {
            match entry(at, &leaf)? {
                // A blob may stand there more than once, before other admissions too; the last is this one's.
                Some(SystemEntry::Blob(blob)) if blob.sha256 == wanted => {
                    if blob.part == 0 {
                        bytes.clear();
                    }
                    bytes.extend(blob.data);
                }
                _ => {}
            }
            at += 1;
        }
    }
    if Hash::of(&bytes) != wanted {
        return Err(unreadable(node, &"what it names does not stand before it"));
    }
    Ok(Some(bytes.into()))
}

/// The refusal where there is none.
pub(super) fn none(node: u64, collateral: bool) -> Problem {
    let what = if collateral { "machine was admitted with collateral" } else { "machine was admitted" };
    let why = format!("node: no {what} as {node}");
    Problem::new(StatusCode::NOT_FOUND, "no-such-node", why, "/evidence lists the members of now")
}

fn admission(service: &dyn Service, node: u64) -> Result<Option<Admission>, ServiceError> {
    let signed = service.checkpoint().borrow().as_ref().map_or(0, |newest| newest.checkpoint().size);
    if node >= signed {
        return Ok(None);
    }
    let leaves = service.entries(node, 1, 1)?;
    match leaves.first().map(|leaf| entry(node, leaf)).transpose()?.flatten() {
        Some(SystemEntry::Admission(admission)) => Ok(Some(admission)),
        _ => Ok(None),
    }
}

fn entry(index: u64, leaf: &[u8]) -> Result<Option<SystemEntry>, ServiceError> {
    let entry = Entry::parse(leaf).map_err(|error| unreadable(index, &error))?;
    SystemEntry::of(&entry).map_err(|error| unreadable(index, &error))
}

fn unreadable(index: u64, why: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::Ledger { why: format!("entry {index}: {why}") }
}
