//! `committee.endorsement`: a quorum of members has judged a fact from outside.

use hallmark_coalition::UniqueId;
use serde::{Deserialize, Serialize};

use crate::{encoding::Message, hash::Hash};

/// Members have judged a fact. Bytes named by hash are [`super::Blob`]s before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorsement {
    /// SHA-256 of the fact.
    pub fact: Hash,
    /// SHA-256 of the policy it was judged under.
    pub policy: Hash,
    /// SHA-256 of the evidence, where the fact is one about a machine.
    pub evidence: Option<Hash>,
    /// SHA-256 of the collateral, where there was any.
    pub collateral: Option<Hash>,
    /// What the evidence must be bound to: its report data, 64 bytes in hex. None where there is no evidence.
    #[serde(default, with = "binding")]
    pub binding: Option<[u8; 64]>,
    /// The word that they agree on, as the verifier gives it (`accepted`, `simulated`).
    pub verdict: String,
    /// Who says so, slots ascending; a quorum of the roster.
    pub signatures: Vec<EndorsementSignature>,
}

/// One member's judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndorsementSignature {
    /// The member.
    pub node: u64,
    /// When it judged, by its own clock, Unix seconds.
    pub time: u64,
    /// Its cosign key over [`endorsement_message`].
    #[serde(with = "crate::encoding::base64")]
    pub signature: [u8; 64],
}

/// What a member signs when it has judged a fact.
#[must_use]
pub fn endorsement_message(
    group: &UniqueId,
    epoch: u64,
    node: u64,
    time: u64,
    endorsement: &Endorsement,
) -> Vec<u8> {
    let Endorsement { fact, policy, evidence, collateral, binding, verdict, .. } = endorsement;
    let hash = |hash: &Option<Hash>| hash.map(|hash| hash.0.to_vec()).unwrap_or_default();
    Message::new("hallmark/endorsement/1")
        .field(group)
        .number(epoch)
        .number(node)
        .number(time)
        .field(fact)
        .field(policy)
        .field(hash(evidence))
        .field(hash(collateral))
        .field(binding.as_ref().map_or(&[][..], |binding| binding))
        .field(verdict)
        .bytes()
}

impl Endorsement {
    /// Median of the instants at which members judged, Unix seconds; the lower one of two. 0 if nobody did.
    #[must_use]
    pub fn time(&self) -> u64 {
        let mut times: Vec<_> = self.signatures.iter().map(|signature| signature.time).collect();
        times.sort_unstable();
        times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    }
}

/// 64 bytes that may be absent, as hex.
mod binding {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Binding(#[serde(with = "crate::encoding::hex_array")] [u8; 64]);

    pub(super) fn serialize<S: Serializer>(binding: &Option<[u8; 64]>, to: S) -> Result<S::Ok, S::Error> {
        binding.map(Binding).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 64]>, D::Error> {
        Ok(Option::<Binding>::deserialize(from)?.map(|binding| binding.0))
    }
}
