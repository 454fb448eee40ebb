//! Valid inputs to start from, made here: no file of anybody else's is needed.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use hallmark_committee::http::{OutcomeWord, ReceiptDocument, Record};
use hallmark_committee::member::ceremony::{Application, GenesisOrder, RecoveryOrder, Request};
use hallmark_committee::member::{Address, choice::Extent};
use hallmark_committee::raft::Batch;
use hallmark_committee::{Founding, Node, PeerRequest, PeerResponse, Proposal, Submission};
use hallmark_forge::certificate::chain_pem;
use hallmark_forge::crl::Revoked;
use hallmark_forge::{Forged, TdxCase, VtpmCase, pki::Pki};
use hallmark_image::release::{Expected, Release, signature};
use hallmark_image::{Parts, assemble, initrd, synthetic};
use hallmark_ledger::note::{Note, Signer};
use hallmark_ledger::proof::{Consistency, Inclusion};
use hallmark_ledger::system::{Candidate, Recovery};
use hallmark_ledger::tree::Frontier;
use hallmark_machine::ClientId;
use hallmark_verifier::certificate::Certificate;
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::quote::Quote;

use crate::group::{GROUP, put};
use crate::identity::DESK;
use crate::known::VALID;
use crate::small_disk::{Volume, small_disk};

/// The seeds of a target, by its name; none for a name that is not a target.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "quote" => {
            VALID.iter().filter(|case| Quote::parse(&case.quote).is_ok()).map(|c| c.quote.clone()).collect()
        }
        "collateral" => VALID.iter().filter_map(|case| case.collateral.clone()).collect(),
        "chain" => chain(),
        "event-log" => both().iter().filter_map(event_log).collect(),
        "tpm-quote" => VALID.iter().flat_map(tpm).collect(),
        "evidence" => both().into_iter().flat_map(|case| [case.evidence, case.quote]).take(3).collect(),
        "release" => releases(),
        "policy" => VALID.iter().map(|case| case.policy.clone().into()).collect(),
        "lock" => [hallmark_image::lock::SHIPPED, hallmark_image::recipe::SHIPPED].map(Into::into).into(),
        "pe" => images(),
        "gpt" => {
            [Volume::Fat32, Volume::Fat12].into_iter().filter_map(|v| small_disk(&image()?.disk, v)).collect()
        }
        other => committee(other),
    };
    seeds.sort();
    seeds.dedup();
    seeds
}

fn both() -> [Forged; 2] {
    [TdxCase::default().make(), VtpmCase::default().make()]
}

fn chain() -> Vec<Vec<u8>> {
    let mut pki = Pki::at(hallmark_forge::NOW);
    let chain = pki.pck_chain();
    let mut seeds = vec![chain_pem(&chain).into_bytes(), pki.root_crl.der()];
    let ders = || chain.iter().map(|certificate| certificate.der());
    let sgx = |der| Certificate::parse(der).ok()?.extensions().sgx.clone();
    seeds.extend(ders().chain(ders().filter_map(sgx)));
    let revoked = (1..4).map(|last| Revoked { serial: vec![0x22, last], date: hallmark_forge::NOW });
    pki.pck_crl.revoked.extend(revoked);
    seeds.push(pki.pck_crl.der());
    seeds
}

fn event_log(case: &Forged) -> Option<Vec<u8>> {
    Evidence::parse(&case.evidence).ok()?.enclosed().map(|enclosed| enclosed.event_log.clone())
}

fn tpm(case: &Forged) -> Vec<Vec<u8>> {
    match Evidence::parse(&case.evidence) {
        Ok(Evidence::Vtpm(vtpm)) => vec![vtpm.quote, vtpm.ak],
        _ => Vec::new(),
    }
}

/// The forge's documents, the builder's own, and a signature of it.
fn releases() -> Vec<Vec<u8>> {
    let forged = both().map(|case| case.release);
    let signed = || {
        let mut read = Release::parse(&forged[0]).ok()?;
        read.expected = vec![Expected::vtpm(&image()?.disk, b"SIMULATED firmware").ok()?];
        let written = read.to_json().ok()?;
        let signer = Signer::from_seed("SIMULATED", &[7; 32]).ok()?;
        let note: Note = signature::sign(written.as_bytes(), None, &[signer]).ok()?;
        Some([written.into_bytes(), note.to_string().into_bytes()])
    };
    signed().into_iter().flatten().chain(forged.clone()).collect()
}

fn images() -> Vec<Vec<u8>> {
    let mut images = vec![synthetic::kernel(), synthetic::stub(), synthetic::firmware()];
    images.extend(image().map(|image| image.uki));
    images
}

fn image() -> Option<hallmark_image::Image> {
    let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
    let initrd = initrd::initrd(b"SIMULATED", &[]).ok()?;
    let parts = Parts {
        stub: &stub,
        kernel: &kernel,
        release: "0",
        initrd: &initrd,
        command_line: "simulated",
        os_release: "ID=simulated\n",
    };
    assemble(&parts).ok()
}

/// `committee.toml` of the forged committee.
pub(crate) static COMMITTEE_TOML: LazyLock<String> = LazyLock::new(|| {
    let keys = GROUP.genesis.acl.slots().iter().map(|key| format!("{:?}", hex::encode(key)));
    let mut toml = format!(
        "format = \"hallmark/committee/1\"\nmachine = \"kv\"\n[committee]\nroot = \"{}\"\nrefs = []\ncontent = \"{}\"\n\
         [acl]\nquorum = 2\nrecovery = \"operators\"\nslots = [{}]\n",
        GROUP.genesis.root,
        GROUP.genesis.content,
        keys.collect::<Vec<_>>().join(", ")
    );
    for slot in 0..3 {
        let _ = write!(toml, "[[peers]]\nslot = {slot}\naddress = \"10.0.0.{slot}:7700\"\n");
    }
    toml + "[trust]\npolicy = \"policy.toml\"\nreleases = [\"release.json\"]\n"
});

/// A rule for tickets, behind a committee's own lines.
const TICKETS_TOML: &str = "[[tickets.issuers]]\nroot = \"0101010101010101010101010101010101010101010101010101010101010101\"\nname = \"desk\"\n\
     keys = [\"3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29\"]\nscopes = [\"submit-pairs\", \"settle\"]\n\
     max_lifetime = 86400\n[[tickets.require]]\nkind = \"reputation-floor\"\n\
     source = \"0202020202020202020202020202020202020202020202020202020202020202\"\nfloor = 7\n";

const MEMBER_TOML: &str = "format = \"hallmark/member/1\"\ncommittee = \"committee.toml\"\nslot = 1\n\
     listen = \"127.0.0.1:0\"\nhttp = \"[::1]:80\"\ndata = \"data\"\nslot_key = \"slot.key\"\n";

const COALITION_TOML: &str = "format = \"hallmark/coalition/1\"\nname = \"demo\"\n\
     lattices = [{ instance = \"mainnet\", chain_id = 1 }, { instance = \"other\", chain_id = 10 }]\n\
     organisms = [{ instance = \"standing\" }]\n";

/// Those of a committee: its identity, ledger, members and clients.
fn committee(target: &str) -> Vec<Vec<u8>> {
    let json = |value: &dyn erased::Json| value.bytes();
    let size = GROUP.leaves.len() as u64;
    match target {
        "coalition" => vec![
            COALITION_TOML.into(),
            include_bytes!("../../../guest/coalition/tests/golden/example.json").to_vec(),
            hex::encode("{\"instance\":\"mainnet\",\"chain_id\":1,\"content\":null}").into(),
        ],
        "manifest" => manifests(),
        "ticket" => DESK.tickets.iter().map(|ticket| ticket.clone().into_bytes()).collect(),
        "entry" => {
            let lines = |leaves: &Vec<Vec<u8>>| leaves.join(&b'\n');
            let first = GROUP.leaves.iter().take(9).cloned();
            first.chain(GROUP.outcomes().iter().filter(|leaves| !leaves.is_empty()).map(lines)).collect()
        }
        "checkpoint" => {
            let mut seeds = vec![GROUP.signed.note().as_bytes().to_vec(), json(&GROUP.equivocation)];
            seeds.extend(GROUP.signed.cosignatures().iter().map(|one| json(one)));
            seeds.push(GROUP.log.to_string().into_bytes());
            seeds
        }
        "proof" => {
            let inclusion = |index| Inclusion::prove(&crate::log::Leaves, index, size).ok().flatten();
            let consistency = |old| Consistency::prove(&crate::log::Leaves, old, size).ok().flatten();
            let mut frontier = Frontier::new();
            GROUP.leaves.iter().for_each(|leaf| frontier.push(hallmark_ledger::hash::leaf(leaf)));
            let mut seeds = vec![frontier.to_bytes(), json(&frontier)];
            seeds.extend([0, 97, 97 * 6].into_iter().filter_map(inclusion).map(|proof| json(&proof)));
            seeds.extend([1, 256, 300, size].into_iter().filter_map(consistency).map(|proof| json(&proof)));
            seeds
        }
        "tile" => {
            let files = crate::log::FILES.iter().enumerate();
            let file =
                |(at, (_, bytes)): (usize, &(String, Vec<u8>))| [&[at.to_le_bytes()[0]], &bytes[..]].concat();
            let paths = crate::log::FILES.iter().map(|(path, _)| path.clone().into_bytes());
            files.map(file).chain(paths).collect()
        }
        "peer" => peers(),
        "proposals" => {
            let mut seeds: Vec<_> = GROUP.next.iter().map(|one| post(&vec![one.clone()])).collect();
            seeds.push(post(&vec![put(700), put(701), put(1), put(701), Proposal::Snapshot]));
            seeds
        }
        "snapshot" => vec![GROUP.snapshot.0.to_vec()],
        "frames" => {
            let frame = |kind: u8, topic: u8, id: u64, body: &[u8]| {
                let length = u32::try_from(body.len() + 10).unwrap_or(0).to_be_bytes();
                [&length[..], &[kind, topic], &id.to_be_bytes(), body].concat()
            };
            let describe = post(&PeerRequest::Describe);
            vec![
                frame(1, 1, 1, &describe),
                [frame(1, 2, 2, b"\"standing\""), frame(1, 1, 3, &[7; 300]), frame(2, 1, 3, b"")].concat(),
            ]
        }
        "member-files" => {
            vec![
                [b"c", COMMITTEE_TOML.as_bytes()].concat(),
                [b"c", COMMITTEE_TOML.as_bytes(), TICKETS_TOML.as_bytes()].concat(),
                [b"m".as_slice(), MEMBER_TOML.as_bytes()].concat(),
            ]
            .into_iter()
            .map(|mut seed| {
                // The first byte says which.
                seed[0] = u8::from(seed[0] == b'm');
                seed
            })
            .collect()
        }
        "ceremony" => ceremonies(),
        "receipt" => receipts(),
        "submissions" => vec![submissions()],
        _ => Vec::new(),
    }
}

/// JSON of anything, without its type.
mod erased {
    pub(super) trait Json {
        fn bytes(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn bytes(&self) -> Vec<u8> {
            serde_json::to_vec(self).expect("forged")
        }
    }
}

fn post(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("forged")
}

fn manifests() -> Vec<Vec<u8>> {
    use hallmark_coalition::{
        ComputeManifest, CrateRef, Document as _, Needs, NetworkPolicy, SortedMap, TdxRequirement, UniqueId,
    };
    const CRATES: &[CrateRef<'_>] =
        &[CrateRef::new("worker", "1.2.0", UniqueId::new([7; 32]), &[Cow::Borrowed("std")])];
    let needs = Needs { tdx: TdxRequirement::Required, cpus: 2, memory_mib: 1024, disk_mib: 0 };
    let of = |crates: &'static [CrateRef<'static>]| {
        let policy = NetworkPolicy::NONE;
        ComputeManifest::new("workload", "1", crates, needs, policy, SortedMap::default()).to_json()
    };
    [of(CRATES), of(&[])].into_iter().filter_map(Result::ok).collect()
}

fn peers() -> Vec<Vec<u8>> {
    use openraft::raft::{AppendEntriesRequest, InstallSnapshotRequest, VoteRequest};
    use openraft::{
        CommittedLeaderId, EntryPayload, LogId, Membership, SnapshotMeta, StoredMembership, Vote,
    };
    let vote = Vote::new_committed(3, 7);
    let id = |index| LogId::new(CommittedLeaderId::new(3, 7), index);
    let batch = Batch::new(3, &[put(1), Proposal::Snapshot]).expect("forged");
    let node = Node { slot: 1, address: "10.0.0.1:7700".into(), spki_sha256: [1; 32], cosign_key: [2; 32] };
    let members =
        Membership::new(vec![[7_u64].into()], std::collections::BTreeMap::from([(7, node.clone())]));
    let entries =
        [EntryPayload::Normal(batch), EntryPayload::Blank, EntryPayload::Membership(members.clone())];
    let entries = (8..).zip(entries).map(|(index, payload)| openraft::Entry { log_id: id(index), payload });
    let append = AppendEntriesRequest {
        vote,
        prev_log_id: Some(id(7)),
        entries: entries.collect(),
        leader_commit: Some(id(6)),
    };
    let meta = SnapshotMeta {
        last_log_id: Some(id(5)),
        last_membership: StoredMembership::new(Some(id(5)), members),
        snapshot_id: "3-7-5".into(),
    };
    let chunk = InstallSnapshotRequest { vote, meta, offset: 0, data: vec![7; 50], done: true };
    let requests = [
        PeerRequest::Append(append),
        PeerRequest::Vote(VoteRequest { vote, last_log_id: Some(id(9)) }),
        PeerRequest::Snapshot(chunk),
        PeerRequest::Checkpoint(GROUP.signed.note().as_bytes().to_vec()),
        PeerRequest::Propose(GROUP.next.clone()),
        PeerRequest::Entries { from: 3, limit: 100 },
        PeerRequest::Describe,
        PeerRequest::Join,
        PeerRequest::Freshness { nonce: [5; 32] },
    ];
    let answers = [
        PeerResponse::Done,
        PeerResponse::Queued { term: 3 },
        PeerResponse::Entries(GROUP.leaves.iter().take(3).cloned().collect()),
        PeerResponse::NotLeader { leader: Some((7, node)) },
        PeerResponse::Refused { why: "no".into() },
    ];
    requests.iter().map(post).chain(answers.iter().map(post)).collect()
}

fn ceremonies() -> Vec<Vec<u8>> {
    let Founding::Genesis { genesis, admissions } = &GROUP.founding else { return Vec::new() };
    let application = |admitting: &hallmark_committee::Admitting| Application {
        epoch: 0,
        admission: admitting.admission.clone(),
        evidence: admitting.evidence.clone(),
        collateral: Some(b"collateral".to_vec()),
        address: Address::parse("10.0.0.1:7700").expect("forged"),
        log_key: GROUP.log.to_string(),
    };
    let applications: Vec<_> = admissions.iter().map(application).collect();
    let candidate = |admitting: &hallmark_committee::Admitting| Candidate {
        slot: admitting.admission.slot,
        cosign_key: admitting.admission.cosign_key,
        spki_sha256: admitting.admission.spki_sha256(),
    };
    let recovery = Recovery {
        old_epoch: 0,
        old_log_key: GROUP.log.to_string(),
        size: GROUP.leaves.len() as u64,
        root: GROUP.replay.root(),
        checkpoint: GROUP.signed.note().to_owned(),
        new_epoch: 1,
        new_log_key: GROUP.log.to_string(),
        recoveries: 1,
        members: admissions.iter().map(candidate).collect(),
        signatures: Vec::new(),
    };
    let order = RecoveryOrder {
        recovery,
        applications: applications.clone(),
        begins: 0,
        extent: Extent { epoch: 0, term: 3, index: 9 },
    };
    let genesis = GenesisOrder { genesis: genesis.clone(), applications: applications.clone(), begins: 0 };
    let requests = [
        Request::Standing,
        Request::Pending,
        Request::Genesis(Box::new(genesis)),
        Request::Recover(Box::new(order)),
        Request::Apply { epoch: 0, checkpoint_size: 3, checkpoint_root: GROUP.replay.root() },
    ];
    let answer =
        |application| hallmark_committee::member::ceremony::Answer::Application(Box::new(application));
    let answers = applications.into_iter().take(1).map(answer);
    let requests = requests.iter().map(|one| serde_json::to_vec(one).expect("forged"));
    requests.chain(answers.map(|one| serde_json::to_vec(&one).expect("forged"))).collect()
}

fn submissions() -> Vec<u8> {
    let mut text = Vec::new();
    for (nonce, proof) in [(1, None), (2, Some("00.00".to_owned()))] {
        let (client, surface) = (ClientId::new([7; 32]), "pairs".to_owned());
        let submission =
            Submission { client, nonce, surface, body: b"{\"op\":\"delete\",\"key\":\"a\"}\n".to_vec() };
        Record { submission, proof }.write(&mut text).expect("strings and numbers");
    }
    text
}

fn receipts() -> Vec<Vec<u8>> {
    let size = GROUP.leaves.len() as u64;
    let one = |(outcome, index): (OutcomeWord, u64)| {
        let leaf = GROUP.leaves.get(usize::try_from(index).ok()?)?.clone();
        let document = ReceiptDocument {
            outcome,
            index: Some(index),
            entries: Some(1),
            leaf: serde_json::value::RawValue::from_string(String::from_utf8(leaf).ok()?).ok(),
            proof: Some(Inclusion::prove(&crate::log::Leaves, index, size).ok()??.path),
            checkpoint: Some(GROUP.signed.note().to_owned()),
        };
        serde_json::to_vec(&document).ok()
    };
    [(OutcomeWord::Committed, 300), (OutcomeWord::Rejected, 0)].into_iter().filter_map(one).collect()
}
