//! Statement quotes and endorsements of a log, judged as they come.

use std::collections::BTreeMap;

use hallmark_ledger::replay::Obligation;
use hallmark_ledger::system::Member;
use hallmark_verifier::verdict::Word;

use super::findings::{self, Findings};
use super::quotes::{Exhibit, Judged, Terms};

/// A member's quote that held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) word: Word,
    pub(super) platform: Option<[u8; 32]>,
}

/// Everyone who was ever admitted, and what their quotes came to.
pub(super) struct Witnesses<'a> {
    /// None where quotes are not to be judged.
    terms: Option<&'a Terms>,
    known: BTreeMap<u64, Member>,
    held: BTreeMap<u64, Held>,
    endorsements: u64,
    without_evidence: u64,
    /// The committee's policy is another file than the auditor's.
    other_policy: bool,
    /// A verdict that held and stopped at `authentic` although the image was asked.
    capped: bool,
}

impl<'a> Witnesses<'a> {
    pub(super) const fn new(terms: Option<&'a Terms>) -> Self {
        Self {
            terms,
            known: BTreeMap::new(),
            held: BTreeMap::new(),
            endorsements: 0,
            without_evidence: 0,
            other_policy: false,
            capped: false,
        }
    }

    /// Everyone who was ever admitted, by node.
    pub(super) const fn known(&self) -> &BTreeMap<u64, Member> {
        &self.known
    }

    /// What this member's quote came to, where it held.
    pub(super) fn judged(&self, node: u64) -> Option<Held> {
        self.held.get(&node).copied()
    }

    /// An admission's quote.
    pub(super) fn statement(&mut self, obligation: Obligation, findings: &mut Findings) {
        let Obligation::Statement { index, statement, evidence, collateral, time, releases, policy } =
            obligation
        else {
            return;
        };
        let (slot, cosign_key, spki_sha256) = (statement.slot, statement.cosign_key, statement.spki_sha256);
        self.known.insert(index, Member { node: index, slot, cosign_key, spki_sha256 });
        let Some(terms) = self.terms else { return };
        self.other_policy |= terms.policy_sha256 != Some(policy);
        let exhibit = Exhibit {
            evidence: &evidence,
            collateral: collateral.as_deref(),
            binding: statement.binding(),
            time,
        };
        match terms.judge_member(&exhibit, &releases) {
            Judged::Held { word, platform } => {
                self.note(word, findings);
                self.held.insert(index, Held { word, platform });
            }
            Judged::Refused { code, why } => {
                findings.fail("statement-quote", format!("entry {index}, slot {slot}: {code}: {why}"));
            }
            Judged::Undecided(why) => {
                findings.not_run("statement-quote", format!("entry {index}, slot {slot}: {why}"));
            }
        }
    }

    /// What members found of a fact from outside.
    pub(super) fn endorsement(&mut self, obligation: Obligation, findings: &mut Findings) {
        let Obligation::Endorsement { index, evidence, collateral, binding, verdict, time, .. } = obligation
        else {
            return;
        };
        self.endorsements += 1;
        let (Some(evidence), Some(binding)) = (evidence, binding) else {
            self.without_evidence += 1;
            return;
        };
        let Some(terms) = self.terms else { return };
        let exhibit = Exhibit { evidence: &evidence, collateral: collateral.as_deref(), binding, time };
        let said = match terms.judge_any(&exhibit) {
            // Which image the fact is about is the endorsers' question: without it the verdict stops at `authentic`.
            Judged::Held { word: Word::Authentic | Word::Accepted, .. } => {
                ["accepted", "authentic"].as_slice()
            }
            Judged::Held { word, .. } => {
                self.note(word, findings);
                &["simulated"]
            }
            Judged::Refused { code, why } => {
                if verdict != Word::Refused.as_str() {
                    findings.fail(
                        "endorsement-quote",
                        format!("entry {index}: {code}: {why}; members said {verdict}"),
                    );
                }
                return;
            }
            Judged::Undecided(why) => {
                return findings.not_run("endorsement-quote", format!("entry {index}: {why}"));
            }
        };
        if !said.contains(&verdict.as_str()) {
            let said = said.join(" or ");
            findings.fail(
                "endorsement-quote",
                format!("entry {index}: it comes to {said}; members said {verdict}"),
            );
        }
    }

    fn note(&mut self, word: Word, findings: &mut Findings) {
        match word {
            Word::Simulated => findings.simulated = true,
            Word::Authentic => self.capped = true,
            _ => {}
        }
    }

    /// What was judged, once the replay has come to its end.
    pub(super) fn figures(&self, roots: u64, findings: &mut Findings) {
        let Some(terms) = self.terms else {
            findings
                .leave_out("what the members run and what endorsed evidence says (--structure)".to_owned());
            for slug in ["statement-quote", "endorsement-quote"] {
                findings.excuse(slug, "not asked (--structure)");
            }
            findings.pass(findings::STATEMENTS, format!("{roots} name the root of a tree before them"));
            findings.pass(findings::ENDORSEMENTS, format!("{} by a quorum of members", self.endorsements));
            return;
        };
        if terms.any_image {
            findings.leave_out("which image the members run (--any-image)".to_owned());
        } else if self.capped {
            findings.leave_out(
                "whose ACPI tables some members run (acpi-pinned): their quotes are `authentic`".to_owned(),
            );
        }
        let held = self.held.len();
        let policy =
            if self.other_policy { "; the committee's own policy is another than yours" } else { "" };
        findings.pass(findings::STATEMENTS, format!("{held} quotes hold as at their admission{policy}"));
        let (all, bare) = (self.endorsements, self.without_evidence);
        let judged = all.saturating_sub(bare);
        findings.pass(
            findings::ENDORSEMENTS,
            format!("{all} by a quorum of members; {judged} judged again, {bare} have no evidence"),
        );
    }
}
