//! A committee's keys and papers, all from a seed.

use hallmark_coalition::{Acl, Committee, Recovery as Way, UniqueId};
use hallmark_committee::{Admitting, Founding};
use hallmark_ledger::checkpoint;
use hallmark_ledger::cosignature::CosignKey;
use hallmark_ledger::hash::{EMPTY, Hash};
use hallmark_ledger::note::Signer;
use hallmark_ledger::system::{Admission, Candidate, Genesis, Recovery, SlotSignature, slot_message};

use super::chance::Chance;

/// The bytes that stand for evidence: nobody judges them here.
const EVIDENCE: &[u8] = b"{\"simulated\":true}";

/// A committee to be.
pub(crate) struct Group {
    pub(crate) committee: Committee,
    pub(crate) quorum: usize,
    operators: Vec<Signer>,
}

/// A boot of a machine: fresh keys.
#[derive(Debug, Clone)]
pub(crate) struct Boot {
    pub(crate) slot: u16,
    pub(crate) cosign_seed: [u8; 32],
    pub(crate) spki: Vec<u8>,
}

impl Boot {
    pub(crate) fn new(slot: u16, chance: &mut Chance) -> Self {
        Self { slot, cosign_seed: chance.bytes(), spki: chance.bytes().to_vec() }
    }

    pub(crate) fn cosign(&self) -> CosignKey {
        CosignKey::from_seed(&self.cosign_seed)
    }

    pub(crate) fn spki_sha256(&self) -> [u8; 32] {
        Hash::of(&self.spki).0
    }
}

impl Group {
    pub(crate) fn new(n: usize, quorum: usize, chance: &mut Chance) -> Self {
        let operators: Vec<_> = (0..n)
            .map(|slot| Signer::from_seed(&format!("operator{slot}"), &chance.bytes()).unwrap())
            .collect();
        let slots = operators.iter().map(|signer| signer.verifier().public()).collect();
        let tickets = UniqueId::of_name("no tickets");
        let acl = Acl::new(slots, quorum.try_into().unwrap(), Way::Operators, tickets).unwrap();
        let committee =
            Committee::new(UniqueId::of_name("simulation"), Vec::new(), UniqueId::of_name("pairs"), acl);
        Self { committee, quorum, operators }
    }

    pub(crate) fn id(&self) -> UniqueId {
        self.committee.id()
    }

    pub(crate) fn origin(&self, epoch: u64) -> String {
        checkpoint::origin(self.id().as_bytes(), epoch)
    }

    pub(crate) fn log(&self, epoch: u64, seed: &[u8; 32]) -> Signer {
        Signer::from_seed(&self.origin(epoch), seed).unwrap()
    }

    pub(crate) fn admitting(&self, boot: &Boot, epoch: u64, replaces: Option<u64>) -> Admitting {
        let (cosign_key, evidence) = (boot.cosign().public(), Hash::of(EVIDENCE));
        let message = slot_message(&self.id(), epoch, boot.slot, &cosign_key, &boot.spki_sha256(), &evidence);
        let admission = Admission {
            slot: boot.slot,
            cosign_key,
            spki: boot.spki.clone(),
            hpke_key: None,
            checkpoint_size: 0,
            checkpoint_root: EMPTY,
            evidence,
            collateral: None,
            time: 1_800_000_000,
            slot_signature: self.operators[usize::from(boot.slot)].sign_bytes(&message),
            replaces,
        };
        let address = host(boot.slot);
        Admitting { admission, evidence: EVIDENCE.to_vec(), collateral: None, address }
    }

    pub(crate) fn genesis(&self, boots: &[Boot], log_seed: &[u8; 32]) -> Founding {
        let genesis = Genesis {
            root: UniqueId::of_name("simulation"),
            refs: Vec::new(),
            content: UniqueId::of_name("pairs"),
            acl: self.committee.acl().clone(),
            epoch: 0,
            origin: self.origin(0),
            log_key: self.log(0, log_seed).verifier().to_string(),
            releases: Vec::new(),
            policy: Hash::of(b"policy"),
        };
        let admissions = boots.iter().map(|boot| self.admitting(boot, 0, None)).collect();
        Founding::Genesis { genesis, admissions }
    }

    /// Orders a recovery from a disk, signed by the operators of the slots that boot.
    pub(crate) fn recovery(
        &self,
        disk: &hallmark_committee::DiskState,
        boots: &[Boot],
        seed: &[u8; 32],
    ) -> Founding {
        let epoch = disk.last.epoch + 1;
        let members = boots
            .iter()
            .map(|boot| Candidate {
                slot: boot.slot,
                cosign_key: boot.cosign().public(),
                spki_sha256: boot.spki_sha256(),
            })
            .collect();
        let mut recovery = Recovery {
            old_epoch: disk.last.epoch,
            old_log_key: disk.log_key.clone(),
            size: disk.size,
            root: disk.root,
            checkpoint: disk.cosigned.clone().unwrap_or_default(),
            new_epoch: epoch,
            new_log_key: self.log(epoch, seed).verifier().to_string(),
            recoveries: disk.recoveries + 1,
            members,
            signatures: Vec::new(),
        };
        let message = recovery.message(&self.id());
        recovery.signatures = boots
            .iter()
            .map(|boot| SlotSignature {
                slot: boot.slot,
                signature: self.operators[usize::from(boot.slot)].sign_bytes(&message),
            })
            .collect();
        let admissions = boots.iter().map(|boot| self.admitting(boot, epoch, None)).collect();
        Founding::Recovery { recovery, replay: disk.replay.clone(), admissions }
    }
}

/// Name of a slot's host.
pub(crate) fn host(slot: u16) -> String {
    format!("slot{slot}")
}
