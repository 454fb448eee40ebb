//! A small committee, forged: its keys, its ledger, and all that its members and operators ever signed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ed25519_dalek::{Signer as _, SigningKey};
use hallmark_coalition::{Acl, Committee, Recovery as Way, UniqueId};
use hallmark_committee::raft::Batch;
use hallmark_committee::state::{SnapshotBytes, State};
use hallmark_committee::{Admitting, Founding, Proposal, Submission};
use hallmark_ledger::checkpoint::{self, Checkpoint};
use hallmark_ledger::cosignature::{CosignKey, Keys, SignedCheckpoint};
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::{EMPTY, Hash};
use hallmark_ledger::note::{Signer, Verifier};
use hallmark_ledger::replay::Replay;
use hallmark_ledger::system::{
    Admission, Equivocation, Expulsion, Genesis, Member, Release, ReleaseAction, Retirement, Roster,
    SlotSignature, slot_message,
};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Kv;

/// Slots, and how many of them make a quorum.
pub(crate) const SLOTS: u16 = 3;
pub(crate) const QUORUM: u16 = 2;
/// Leaves that are a client's, enough for two full bundles.
const WRITES: u64 = 600;

pub(crate) struct Group {
    pub(crate) id: UniqueId,
    pub(crate) committee: Committee,
    pub(crate) genesis: Genesis,
    pub(crate) founding: Founding,
    pub(crate) log: Verifier,
    pub(crate) roster: Roster,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) replay: Replay,
    pub(crate) signed: SignedCheckpoint,
    /// The state before its snapshot's own entry.
    pub(crate) snapshot: SnapshotBytes,
    /// What operators and members signed for what comes next.
    pub(crate) next: Vec<Proposal>,
    pub(crate) equivocation: Equivocation,
}

pub(crate) static GROUP: LazyLock<Group> = LazyLock::new(Group::make);

fn operator(slot: u16) -> SigningKey {
    SigningKey::from_bytes(&[100 + slot.to_le_bytes()[0]; 32])
}

fn machine(number: u8) -> CosignKey {
    CosignKey::from_seed(&[number; 32])
}

/// A machine that applies for a slot; its evidence is words, since nobody here judges it.
fn admitting(id: &UniqueId, slot: u16, number: u8, replaces: Option<u64>) -> Admitting {
    let evidence = format!("evidence of machine {number}").into_bytes();
    let (cosign_key, spki) = (machine(number).public(), vec![number; 44]);
    let message = slot_message(id, 0, slot, &cosign_key, &Hash::of(&spki).0, &Hash::of(&evidence));
    let admission = Admission {
        slot,
        cosign_key,
        spki,
        hpke_key: None,
        checkpoint_size: 0,
        checkpoint_root: EMPTY,
        evidence: Hash::of(&evidence),
        collateral: None,
        time: 1_790_000_000,
        slot_signature: operator(slot).sign(&message).to_bytes(),
        replaces,
    };
    Admitting { admission, evidence, collateral: None, address: format!("slot-{slot}:7700") }
}

fn quorum_signs(message: &[u8]) -> Vec<SlotSignature> {
    let sign = |slot| SlotSignature { slot, signature: operator(slot).sign(message).to_bytes() };
    (0..QUORUM).map(sign).collect()
}

/// A command of a client.
pub(crate) fn put(nonce: u64) -> Proposal {
    Proposal::Submission(Submission {
        client: ClientId::new([9; 32]),
        nonce,
        surface: "pairs".into(),
        body: format!(r#"{{"op":"put","key":"k{}","value":"{nonce}"}}"#, nonce % 7).into_bytes(),
    })
}

impl Group {
    fn make() -> Self {
        let slots = (0..SLOTS).map(|slot| operator(slot).verifying_key().to_bytes()).collect();
        let acl = Acl::new(slots, QUORUM, Way::Operators, UniqueId::of_name("tickets")).expect("forged");
        let (root, content) = (UniqueId::of_name("root"), UniqueId::of_name("content"));
        let committee = Committee::new(root, Vec::new(), content, acl.clone());
        let id = committee.id();
        let origin = checkpoint::origin(id.as_bytes(), 0);
        let log = Signer::from_seed(&origin, &[77; 32]).expect("forged");
        let genesis = Genesis {
            root,
            refs: Vec::new(),
            content,
            acl,
            epoch: 0,
            origin,
            log_key: log.verifier().to_string(),
            releases: vec![Hash::of("release")],
            policy: Hash::of("policy"),
        };
        let admissions =
            (0..SLOTS).map(|slot| admitting(&id, slot, slot.to_le_bytes()[0] + 1, None)).collect();
        let founding = Founding::Genesis { genesis: genesis.clone(), admissions };
        let roster = founding.roster::<Kv>(id).expect("forged");
        let mut state = State::<Kv>::new(id);
        let mut leaves = Vec::new();
        let mut snapshot = None;
        let writes: Vec<_> = (0..WRITES).map(put).chain([Proposal::Snapshot]).collect();
        for proposals in [vec![Proposal::Found(Box::new(founding.clone()))], writes] {
            let applied = state.apply(1, &Batch::new(1, &proposals).expect("forged"));
            leaves.extend(applied.leaves);
            snapshot = applied.snapshot.or(snapshot);
        }
        let mut replay = Replay::new();
        for (index, leaf) in (0..).zip(&leaves) {
            replay.push(index, &Entry::parse(leaf).expect("forged")).expect("forged");
        }
        assert_eq!(replay.root(), state.root(), "two readings of one ledger");
        let head = |root| Checkpoint {
            origin: genesis.origin.clone(),
            size: state.size(),
            root,
            epoch: 0,
            recoveries: 0,
            roster: roster.hash(),
        };
        let note = |root| {
            let head = head(root);
            let cosign = |member: &Member| {
                machine(member.slot.to_le_bytes()[0] + 1).cosign(
                    &head,
                    member.slot,
                    member.node,
                    1_790_000_000,
                )
            };
            let all: Vec<_> = roster.members.values().map(cosign).collect();
            SignedCheckpoint::assemble(head.clone(), &log, &all, &roster, usize::from(QUORUM))
                .expect("forged")
        };
        let signed = note(state.root());
        let node = roster.members.get(&0).expect("forged").node;
        let equivocation = Equivocation {
            node,
            first: signed.note().to_owned(),
            second: note(Hash::of("another history")).note().to_owned(),
        };
        let next = Self::next(&id, &roster, &equivocation);
        Self {
            id,
            committee,
            log: log.verifier(),
            genesis,
            founding,
            leaves,
            replay,
            signed,
            snapshot: snapshot.expect("the last proposal asked for it"),
            next,
            equivocation,
            roster,
        }
    }

    fn next(id: &UniqueId, roster: &Roster, equivocation: &Equivocation) -> Vec<Proposal> {
        let replaced = roster.members.get(&2).map(|member| member.node);
        let mut release = Release {
            sha256: Hash::of("next release"),
            action: ReleaseAction::Admit,
            signatures: Vec::new(),
        };
        release.signatures = quorum_signs(&release.message(id, 0));
        let mut expulsion =
            Expulsion { node: equivocation.node, why: "two histories".into(), signatures: Vec::new() };
        expulsion.signatures = quorum_signs(&expulsion.message(id, 0));
        let mut retirement = Retirement {
            effective_at: 1_893_456_000_000,
            replacement: Some(UniqueId::of_name("next")),
            signatures: Vec::new(),
        };
        retirement.signatures = quorum_signs(&retirement.message(id, 0));
        vec![
            Proposal::Admit(Box::new(admitting(id, 2, 9, replaced))),
            Proposal::Release(release),
            Proposal::Equivocation(equivocation.clone()),
            Proposal::Expel(expulsion),
            Proposal::Retire(retirement),
            Proposal::Settle { client: ClientId::new([9; 32]), nonce: WRITES + 1 },
            put(WRITES + 2),
        ]
    }

    /// The state at the snapshot, with the snapshot's own entry in it.
    pub(crate) fn state(&self) -> State<Kv> {
        State::install(self.id, &self.snapshot).expect("forged").0
    }

    pub(crate) fn keys(&self) -> Keys<'_> {
        Keys { log: &self.log, roster: &self.roster, quorum: usize::from(QUORUM) }
    }

    /// Each thing that was signed for what comes next, ordered alone: the leaves that it comes to.
    pub(crate) fn outcomes(&self) -> Vec<Vec<Vec<u8>>> {
        let one = |proposal: &Proposal| {
            let batch = Batch::new(1, std::slice::from_ref(proposal)).expect("forged");
            self.state().apply(1, &batch).leaves
        };
        self.next.iter().map(one).collect()
    }

    pub(crate) fn members(&self) -> &BTreeMap<u16, Member> {
        &self.roster.members
    }
}
