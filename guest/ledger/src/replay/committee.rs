//! The committee, as its entries make it.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_coalition::UniqueId;

use super::{Epoch, Fault, Obligation, blobs::Blobs, submissions::Submissions};
use crate::{
    cosignature::{self, CosignerKey, Keys, SignedCheckpoint},
    entry::{Entry, Submission},
    hash::Hash,
    note::Verifier,
    system::{
        Admission, Candidate, Endorsement, EndorsementSignature, Genesis, Member, Release, ReleaseAction,
        Roster, SystemEntry, endorsement_message,
    },
    tree::Frontier,
};

/// Most surfaces of one committee.
const MAX_SURFACES: usize = 1024;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) group: UniqueId,
    pub(super) genesis: Genesis,
    pub(super) log_key: Verifier,
    pub(super) recoveries: u64,
    pub(super) roster: Roster,
    pub(super) releases: BTreeSet<Hash>,
    pub(super) epochs: Vec<Epoch>,
    pub(super) retired: bool,
    /// Everyone who ever was a member, by node.
    pub(super) known: BTreeMap<u64, Member>,
    /// Machines that a recovery named and that are not admitted yet.
    pub(super) candidates: Vec<Candidate>,
    /// The members of this epoch by the size from which on they were, once all that begin it are in.
    pub(super) rosters: BTreeMap<u64, Roster>,
    cosign_keys: BTreeSet<[u8; 32]>,
    spkis: BTreeSet<[u8; 32]>,
    seqs: BTreeMap<String, u64>,
    submissions: Submissions,
    /// The submission of the entry before.
    current: Option<Submission>,
    blobs: Blobs,
}

impl State {
    pub(super) fn begin(genesis: Genesis) -> Result<Self, Fault> {
        if genesis.epoch != 0 {
            return Err(Fault::GenesisField("the first epoch is 0"));
        }
        let log_key = genesis.log_key().ok_or(Fault::GenesisField(
            "log_key is no key, or origin and name are not this group's and epoch's",
        ))?;
        let releases: BTreeSet<Hash> = genesis.releases.iter().copied().collect();
        if releases.len() != genesis.releases.len() {
            return Err(Fault::GenesisField("a release stands there twice"));
        }
        Ok(Self {
            group: genesis.group(),
            genesis,
            log_key,
            recoveries: 0,
            roster: Roster::default(),
            releases,
            epochs: Vec::new(),
            retired: false,
            known: BTreeMap::new(),
            candidates: Vec::new(),
            rosters: BTreeMap::new(),
            cosign_keys: BTreeSet::new(),
            spkis: BTreeSet::new(),
            seqs: BTreeMap::new(),
            submissions: Submissions::default(),
            current: None,
            blobs: Blobs::default(),
        })
    }

    /// Takes an entry behind the genesis.
    pub(super) fn step(
        &mut self,
        index: u64,
        entry: &Entry,
        body: Option<SystemEntry>,
        before: &Frontier,
    ) -> Result<Vec<Obligation>, Fault> {
        if self.retired {
            return Err(Fault::Retired);
        }
        self.count(entry, body.as_ref())?;
        let Some(body) = body else {
            self.blobs.done()?;
            let pointers = entry.evidence().iter().cloned();
            return Ok(pointers.map(|pointer| Obligation::Pointer { index, pointer }).collect());
        };
        let mut obligations = Vec::new();
        match body {
            SystemEntry::Blob(blob) => {
                self.blobs.push(&blob)?;
                return Ok(obligations);
            }
            SystemEntry::Admission(admission) => self.admit(index, &admission, &mut obligations)?,
            SystemEntry::Release(release) => self.release(&release)?,
            SystemEntry::Endorsement(endorsement) => {
                obligations.push(self.endorse(index, &endorsement)?);
            }
            SystemEntry::Snapshot(digest) if digest.size > index => {
                return Err(Fault::SnapshotSize { size: digest.size });
            }
            SystemEntry::Snapshot(digest) => {
                obligations.push(Obligation::Snapshot { index, size: digest.size, sha256: digest.sha256 });
            }
            SystemEntry::Equivocation(equivocation) => {
                let member = self.known.get(&equivocation.node).ok_or(Fault::Node(equivocation.node))?;
                equivocation.verify(member)?;
            }
            SystemEntry::Expulsion(expulsion) => {
                let operators = expulsion.verify(&self.genesis.acl, &self.group, self.roster.epoch);
                operators.map_err(|source| Fault::Operators { what: "expulsion", source })?;
                let slot = self.roster.node(expulsion.node).ok_or(Fault::Node(expulsion.node))?.slot;
                self.roster.members.remove(&slot);
                self.note_roster(index);
            }
            SystemEntry::Recovery(recovery) => {
                obligations.extend(self.recover(index, &recovery, before)?);
            }
            SystemEntry::Retirement(retirement) => {
                let operators = retirement.verify(&self.genesis.acl, &self.group, self.roster.epoch);
                operators.map_err(|source| Fault::Operators { what: "retirement", source })?;
                self.retired = true;
                let (effective_at, replacement) = (retirement.effective_at, retirement.replacement);
                obligations.push(Obligation::Retired { index, effective_at, replacement });
            }
            SystemEntry::Rejection(_) => {}
            SystemEntry::Genesis(_) => return Err(Fault::Genesis),
        }
        self.blobs.done()?;
        Ok(obligations)
    }

    /// Numbers of surfaces without gaps, submissions answered once.
    pub(super) fn count(&mut self, entry: &Entry, body: Option<&SystemEntry>) -> Result<(), Fault> {
        let surface = entry.surface();
        let want = self.seqs.get(surface).copied().unwrap_or(0);
        if entry.seq() != want {
            return Err(Fault::Seq { surface: surface.to_owned(), got: entry.seq(), want });
        }
        if want == 0 && self.seqs.len() == MAX_SURFACES {
            return Err(Fault::Surfaces(MAX_SURFACES));
        }
        self.seqs.insert(surface.to_owned(), want + 1);
        let rejected = match body {
            Some(SystemEntry::Rejection(rejection)) => Some((rejection.client, rejection.nonce)),
            _ => None,
        };
        let answered = match (entry.submission(), rejected) {
            (Some(submission), Some((client, nonce)))
                if (submission.client, submission.nonce) != (*client.as_bytes(), nonce) =>
            {
                return Err(Fault::Rejection { client, nonce });
            }
            // Another entry of the same command. A rejection is the only entry of its.
            (Some(submission), None) if self.current.as_ref() == Some(submission) => None,
            (Some(submission), _) => Some((submission.client, submission.nonce)),
            (None, rejected) => rejected.map(|(client, nonce)| (*client.as_bytes(), nonce)),
        };
        if let Some((client, nonce)) = answered
            && !self.submissions.insert(client, nonce)
        {
            return Err(Fault::Submission { client: UniqueId::new(client), nonce });
        }
        self.current = if rejected.is_some() { None } else { entry.submission().copied() };
        Ok(())
    }

    fn admit(&mut self, index: u64, admission: &Admission, to: &mut Vec<Obligation>) -> Result<(), Fault> {
        let slot = admission.slot;
        let operators = self.genesis.acl.slots();
        let operator =
            operators.get(usize::from(slot)).ok_or(Fault::Slot { slot, slots: operators.len() })?;
        if !admission.is_signed_by(operator, &self.group, self.roster.epoch) {
            return Err(Fault::SlotSignature { slot });
        }
        let member = Member {
            node: index,
            slot,
            cosign_key: admission.cosign_key,
            spki_sha256: admission.spki_sha256(),
        };
        self.fresh(slot, &member.cosign_key, &member.spki_sha256)?;
        if !self.candidates.is_empty() {
            let named = self.candidates.iter().position(|candidate| {
                (candidate.slot, candidate.cosign_key, candidate.spki_sha256)
                    == (slot, member.cosign_key, member.spki_sha256)
            });
            self.candidates.remove(named.ok_or(Fault::Candidate { slot })?);
        }
        let want = self.roster.members.get(&slot).map(|member| member.node);
        if admission.replaces != want {
            return Err(Fault::Replaces { slot, got: admission.replaces, want });
        }
        if admission.checkpoint_size > index {
            return Err(Fault::StatementSize { size: admission.checkpoint_size });
        }
        self.cosign_keys.insert(member.cosign_key);
        self.spkis.insert(member.spki_sha256);
        to.push(Obligation::Root { index, size: admission.checkpoint_size, root: admission.checkpoint_root });
        to.push(Obligation::Statement {
            index,
            statement: admission.statement(self.group, self.roster.epoch),
            evidence: self.blobs.take(&admission.evidence)?,
            collateral: admission.collateral.map(|collateral| self.blobs.take(&collateral)).transpose()?,
            time: admission.time,
            releases: self.releases.iter().copied().collect(),
            policy: self.genesis.policy,
        });
        self.known.insert(index, member.clone());
        self.roster.members.insert(slot, member);
        self.note_roster(index);
        Ok(())
    }

    /// Remembers who the members are behind the entry at `index`.
    fn note_roster(&mut self, index: u64) {
        if self.candidates.is_empty() {
            self.rosters.insert(index.saturating_add(1), self.roster.clone());
        }
    }

    /// Keys that are keys and were never admitted.
    pub(super) fn fresh(&self, slot: u16, cosign_key: &[u8; 32], spki: &[u8; 32]) -> Result<(), Fault> {
        if CosignerKey::new("key", *cosign_key).is_err() {
            return Err(Fault::Key { slot, key: "cosign" });
        }
        if self.cosign_keys.contains(cosign_key) {
            return Err(Fault::KeyReused { slot, key: "cosign" });
        }
        if self.spkis.contains(spki) {
            return Err(Fault::KeyReused { slot, key: "channel" });
        }
        Ok(())
    }

    fn release(&mut self, release: &Release) -> Result<(), Fault> {
        let operators = release.verify(&self.genesis.acl, &self.group, self.roster.epoch);
        operators.map_err(|source| Fault::Operators { what: "release", source })?;
        let changed = match release.action {
            ReleaseAction::Admit => self.releases.insert(release.sha256),
            ReleaseAction::Retire => self.releases.remove(&release.sha256),
        };
        if changed { Ok(()) } else { Err(Fault::Release(release.sha256)) }
    }

    fn endorse(&mut self, index: u64, endorsement: &Endorsement) -> Result<Obligation, Fault> {
        let Endorsement { fact, policy, evidence, collateral, binding, verdict, signatures } = endorsement;
        if *policy != self.genesis.policy {
            return Err(Fault::Policy { got: *policy, want: self.genesis.policy });
        }
        let mut slots = Vec::new();
        for EndorsementSignature { node, time, signature } in signatures {
            let member = self.roster.node(*node).ok_or(Fault::Endorser(*node))?;
            let message = endorsement_message(&self.group, self.roster.epoch, *node, *time, endorsement);
            if !cosignature::signed(&member.cosign_key, &message, signature) {
                return Err(Fault::EndorserSignature(*node));
            }
            slots.push(member.slot);
        }
        let want = self.genesis.acl.quorum();
        if slots.len() < want || !slots.is_sorted_by(|a, b| a < b) {
            return Err(Fault::EndorserQuorum { got: slots.len(), want });
        }
        let mut bytes = |hash: &Option<Hash>| hash.map(|hash| self.blobs.take(&hash)).transpose();
        Ok(Obligation::Endorsement {
            index,
            fact: *fact,
            policy: *policy,
            evidence: bytes(evidence)?,
            collateral: bytes(collateral)?,
            binding: *binding,
            verdict: verdict.clone(),
            time: endorsement.time(),
        })
    }

    pub(super) fn checkpoint(&self, bytes: &[u8], at: &Frontier) -> Result<SignedCheckpoint, Fault> {
        if !self.candidates.is_empty() {
            return Err(Fault::TooEarly);
        }
        let keys = Keys { log: &self.log_key, roster: &self.roster, quorum: self.genesis.acl.quorum() };
        let signed = SignedCheckpoint::verify(bytes, &keys)?;
        let said = signed.checkpoint();
        let fields = [
            ("size", said.size.to_string(), at.size().to_string()),
            ("root", said.root.to_string(), at.root().to_string()),
            ("recoveries", said.recoveries.to_string(), self.recoveries.to_string()),
        ];
        match fields.into_iter().find(|(_, got, want)| got != want) {
            Some((what, got, want)) => Err(Fault::CheckpointField { what, got, want }),
            None => Ok(signed),
        }
    }
}
