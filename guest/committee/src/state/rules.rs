//! The rules for the committee's own entries. Each looks at the state and the proposal alone.

use std::collections::BTreeSet;

use hallmark_ledger::cosignature::{self, CosignerKey};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{
    Admission, Endorsement, Equivocation, Expulsion, Member, Release, ReleaseAction, Retirement,
    endorsement_message,
};

use super::Core;

/// A refusal, in words for the one who proposed.
pub(crate) type Refusal = String;

impl Core {
    /// Whether a machine may take its slot.
    pub(crate) fn may_admit(&self, admission: &Admission) -> Result<(), Refusal> {
        let slot = admission.slot;
        let slots = self.acl().slots();
        let operator = slots
            .get(usize::from(slot))
            .ok_or_else(|| format!("slot {slot}: the ACL has {}", slots.len()))?;
        let spki = admission.spki_sha256();
        if self.keys.contains(&admission.cosign_key) || self.keys.contains(&spki) {
            return Err(
                "cosign_key, spki: a key that was admitted before; every boot makes its own (DESIGN 10)"
                    .into(),
            );
        }
        if admission.cosign_key == spki {
            return Err("cosign_key and the hash of spki are the same bytes".into());
        }
        // As auditors ask: an entry that they refuse would shut out every member to come, who asks the same.
        if CosignerKey::new("key", admission.cosign_key).is_err() {
            return Err("cosign_key: no Ed25519 key, or a weak one".into());
        }
        if admission.checkpoint_size > self.frontier.size() {
            return Err(format!("checkpoint_size: the ledger has {} entries", self.frontier.size()));
        }
        let holder = self.roster.members.get(&slot).map(|member| member.node);
        if admission.replaces != holder {
            return Err(format!("replaces: {:?}, but the slot's node is {holder:?}", admission.replaces));
        }
        if !admission.is_signed_by(operator, &self.group, self.epoch) {
            return Err(format!(
                "slot_signature: not by slot {slot}'s operator over this group, epoch {} and these keys",
                self.epoch
            ));
        }
        Ok(())
    }

    /// Puts an admitted machine into its slot, as the node of that index.
    pub(crate) fn seat(&mut self, admission: &Admission, node: u64, address: &str) {
        let spki_sha256 = admission.spki_sha256();
        self.keys.insert(admission.cosign_key);
        self.keys.insert(spki_sha256);
        let Admission { slot, cosign_key, .. } = *admission;
        if let Some(former) = self.roster.members.insert(slot, Member { node, slot, cosign_key, spki_sha256 })
        {
            self.removed.insert(former.node, node);
            self.addresses.remove(&former.node);
        }
        self.addresses.insert(node, address.to_owned());
    }

    /// Whether a quorum of the roster signed the judgement.
    pub(crate) fn may_endorse(&self, endorsement: &Endorsement) -> Result<(), Refusal> {
        if endorsement.policy != self.genesis.policy {
            return Err(format!(
                "policy: {}, the committee's is {}",
                endorsement.policy, self.genesis.policy
            ));
        }
        if endorsement.evidence.is_some() && endorsement.evidence == endorsement.collateral {
            return Err("evidence and collateral are the same document".into());
        }
        let mut slots = BTreeSet::new();
        for signature in &endorsement.signatures {
            let (node, time) = (signature.node, signature.time);
            let member = self.roster.node(node).ok_or_else(|| format!("node {node} is not in the roster"))?;
            if slots.last().is_some_and(|last| *last >= member.slot) {
                return Err("signatures: each slot once, ascending".into());
            }
            let message = endorsement_message(&self.group, self.epoch, node, time, endorsement);
            if !cosignature::signed(&member.cosign_key, &message, &signature.signature) {
                return Err(format!("the signature of node {node} is wrong"));
            }
            slots.insert(member.slot);
        }
        if slots.len() < self.acl().quorum() {
            return Err(format!("{} members endorsed it, {} are needed", slots.len(), self.acl().quorum()));
        }
        Ok(())
    }

    /// Whether the blobs that come along are what is `named`, each once and nothing else.
    pub(crate) fn has_blobs<'a>(
        named: impl IntoIterator<Item = &'a Hash>,
        blobs: &[Vec<u8>],
    ) -> Result<(), Refusal> {
        let mut come: BTreeSet<_> = blobs.iter().map(Hash::of).collect();
        if come.len() != blobs.len() {
            return Err("a document is sent along twice".into());
        }
        let named: BTreeSet<_> = named.into_iter().collect();
        if let Some(missing) = named.into_iter().find(|hash| !come.remove(hash)) {
            return Err(format!("the bytes of {missing} are not sent along"));
        }
        come.first().map_or(Ok(()), |left| Err(format!("the bytes of {left} are sent along, but not named")))
    }

    /// Whether operators agreed to a change of releases.
    pub(crate) fn may_release(&self, release: &Release) -> Result<(), Refusal> {
        release.verify(self.acl(), &self.group, self.epoch).map_err(|error| error.to_string())?;
        let counts = self.releases.contains(&release.sha256);
        match release.action {
            ReleaseAction::Admit if counts => Err(format!("{} counts already", release.sha256)),
            ReleaseAction::Retire if !counts => Err(format!("{} does not count", release.sha256)),
            _ => Ok(()),
        }
    }

    /// Whether the notes convict a member of the roster.
    pub(crate) fn may_convict(&self, equivocation: &Equivocation) -> Result<(), Refusal> {
        let node = equivocation.node;
        let member = self.roster.node(node).ok_or_else(|| format!("node {node} is not in the roster"))?;
        equivocation.verify(member).map_err(|error| error.to_string())?;
        // Every member that finds a proof has it ordered; once is enough.
        if self.convicted.contains(&node) { Err(format!("node {node} is convicted already")) } else { Ok(()) }
    }

    /// Whether operators agreed to put a member out.
    pub(crate) fn may_expel(&self, expulsion: &Expulsion) -> Result<(), Refusal> {
        let node = expulsion.node;
        self.roster.node(node).ok_or_else(|| format!("node {node} is not in the roster"))?;
        expulsion.verify(self.acl(), &self.group, self.epoch).map_err(|error| error.to_string())
    }

    /// Takes a member out.
    pub(crate) fn unseat(&mut self, node: u64, index: u64) {
        self.roster.members.retain(|_, member| member.node != node);
        self.addresses.remove(&node);
        self.removed.insert(node, index);
    }

    /// Whether operators agreed to the end.
    pub(crate) fn may_retire(&self, retirement: &Retirement) -> Result<(), Refusal> {
        retirement.verify(self.acl(), &self.group, self.epoch).map_err(|error| error.to_string())
    }
}
