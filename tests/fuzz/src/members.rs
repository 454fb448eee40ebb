//! What members, operators and clients of a committee say to each other, and what a member reads when it starts.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hallmark_committee::http::{ReceiptDocument, Record};
use hallmark_committee::member::ceremony::{Answer, Application, Request};
use hallmark_committee::member::{CommitteeFile, MemberFile};
use hallmark_committee::raft::Batch;
use hallmark_committee::state::{SnapshotBytes, State};
use hallmark_committee::transport::{self, Answering, Caller, Claim, Handler, Limits, Topic};
use hallmark_committee::{PeerRequest, PeerResponse, Proposal};
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash;
use hallmark_ledger::proof::Inclusion;
use hallmark_ledger::replay::Replay;
use hallmark_ledger::system::SystemEntry;
use hallmark_machine::kv::Kv;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Builder;

use crate::group::{GROUP, put};

/// A folder of this process alone.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hallmark-fuzz-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// Requests and answers between members (postcard).
pub(crate) fn peer(data: &[u8]) {
    if let Ok(request) = postcard::from_bytes::<PeerRequest>(data) {
        let _ = request.open_to_candidates();
        let written = postcard::to_allocvec(&request).expect("what was read can be written");
        assert!(postcard::from_bytes::<PeerRequest>(&written).is_ok());
        if let PeerRequest::Append(append) = &request {
            for entry in &append.entries {
                if let openraft::EntryPayload::Normal(batch) = &entry.payload {
                    let _ = batch.proposals();
                }
            }
        }
    }
    if let Ok(response) = postcard::from_bytes::<PeerResponse>(data) {
        let written = postcard::to_allocvec(&response).expect("what was read can be written");
        assert!(postcard::from_bytes::<PeerResponse>(&written).is_ok());
    }
}

/// What a leader of any kind may have ordered, applied. Every leaf is an entry that an auditor takes; nobody comes in or goes out but by a signature.
pub(crate) fn proposals(data: &[u8]) {
    let Ok(proposals) = postcard::from_bytes::<Vec<Proposal>>(data) else { return };
    let Ok(batch) = Batch::new(1, &proposals) else { return };
    assert!(batch.proposals().is_ok_and(|again| again == proposals));
    let mut state = GROUP.state();
    let applied = state.apply(1, &batch);
    assert_eq!(applied.replies.len(), proposals.len());
    let size = GROUP.leaves.len() as u64;
    assert_eq!((applied.first, state.size()), (size, size + applied.leaves.len() as u64));
    let mut replay: Replay = GROUP.replay.clone();
    for (index, leaf) in (size..).zip(&applied.leaves) {
        let entry = Entry::parse(leaf).expect("a leaf of ours is an entry");
        if let Err(error) = replay.push(index, &entry) {
            panic!("the committee publishes what an auditor refuses: {error}");
        }
    }
    assert_eq!(replay.root(), state.root(), "two readings of one ledger");
    assert!(crate::log::is_signed(&replay), "nobody signed this");
}

/// Snapshots as a leader sends them, and the first command behind one.
pub(crate) fn snapshot(data: &[u8]) {
    let bytes = SnapshotBytes(Arc::new(data.to_vec()));
    let Ok((mut state, marker, _)) = State::<Kv>::install(GROUP.id, &bytes) else { return };
    assert!(Entry::parse(&marker).is_ok(), "a leaf of ours is an entry");
    let (size, proposals) = (state.size(), [put(100_000), Proposal::Snapshot]);
    let applied = state.apply(1, &Batch::new(1, &proposals).expect("forged"));
    assert_eq!(state.size(), size + applied.leaves.len() as u64);
    let _ = state.root();
}

struct Echo;

impl Handler for Echo {
    fn handle<'a>(&'a self, _: &'a Caller, _: Topic, body: Vec<u8>) -> Answering<'a> {
        Box::pin(async move { Ok(body) })
    }
}

/// Frames on an attested channel, as its answering end reads them.
pub(crate) fn frames(data: &[u8]) {
    let caller = |claim| Caller { spki_sha256: [1; 32], claim };
    let limits = Limits { frame: Duration::from_secs(1), idle: Duration::from_secs(1), ..Limits::default() };
    for claim in [Claim::Machine { slot: 1 }, Claim::Operator] {
        // One each: requests that were cut off are freed with it, not at some later turn.
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (mut ours, theirs) = tokio::io::duplex(data.len().max(1));
            ours.write_all(data).await.expect("there is room");
            ours.shutdown().await.expect("a pipe");
            // Answers find no reader: the end must come all the same.
            drop(ours);
            let _ = transport::serve(theirs, caller(claim), Arc::new(Echo), limits).await;
        });
    }
}

/// `committee.toml` or, behind a first byte that is odd, `member.toml`.
pub(crate) fn member_files(data: &[u8]) {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = scratch("files");
        std::fs::write(folder.join("committee.toml"), crate::seeds::COMMITTEE_TOML.as_str())
            .expect("a folder");
        folder
    });
    let Some((&which, text)) = data.split_first() else { return };
    let shared = |file: &CommitteeFile| {
        let slots = file.committee.acl().slots().len();
        assert!(file.peers.len() == slots && file.peers.keys().all(|slot| usize::from(*slot) < slots));
        assert!(!file.releases.is_empty());
    };
    if which % 2 == 0 {
        let path = FOLDER.join("fuzzed-committee.toml");
        std::fs::write(&path, text).expect("a folder");
        if let Ok(file) = CommitteeFile::read(&path) {
            shared(&file);
        }
    } else {
        let path = FOLDER.join("fuzzed-member.toml");
        std::fs::write(&path, text).expect("a folder");
        // The file that it names must be a small one: a device would never end.
        let strange = String::from_utf8_lossy(text).contains(['/', '\\']);
        if !strange && let Ok(file) = MemberFile::read(&path) {
            shared(&file.shared);
            assert!(usize::from(file.slot) < file.shared.peers.len());
        }
    }
}

/// Requests of operators and waiting machines, and the answers (JSON). An application counts as signed only where its slot's operator signed it.
pub(crate) fn ceremony(data: &[u8]) {
    let known = |application: &Application| {
        let hallmark_committee::Founding::Genesis { admissions, .. } = &GROUP.founding else { return };
        if application.is_signed(&GROUP.committee) {
            let of = |a: &hallmark_committee::Admitting| {
                (a.admission.slot, a.admission.cosign_key, a.admission.evidence)
            };
            let asked = (
                application.admission.slot,
                application.admission.cosign_key,
                application.admission.evidence,
            );
            assert!(admissions.iter().any(|admitting| of(admitting) == asked), "nobody signed this");
        }
    };
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let written = serde_json::to_vec(&request).expect("what was read can be written");
        assert!(serde_json::from_slice::<Request>(&written).is_ok());
        match &request {
            Request::Genesis(order) => order.applications.iter().for_each(known),
            Request::Recover(order) | Request::Promise(order) => {
                order.applications.iter().for_each(known);
                assert!(
                    order.recovery.verify(GROUP.committee.acl(), &GROUP.id).is_err(),
                    "nobody signed this"
                );
            }
            _ => {}
        }
    }
    if let Ok(answer) = serde_json::from_slice::<Answer>(data) {
        match &answer {
            Answer::Application(application) => known(application),
            Answer::Standing(standing) => assert!(!standing.is_live() || standing.leader.is_some()),
            _ => {}
        }
        assert!(serde_json::to_vec(&answer).is_ok());
    }
}

/// Submissions of one request. What is read is within bounds, and is read again from how it is written.
pub(crate) fn submissions(data: &[u8]) {
    let Ok(records) = Record::read_all(data, 8) else { return };
    assert!((1..=8).contains(&records.len()));
    let mut written = Vec::new();
    records.iter().for_each(|record| record.write(&mut written).expect("strings and numbers"));
    assert!(Record::read_all(&written, 8).is_ok_and(|again| again == records));
}

/// Receipts, held against keys as a client does it. What holds is in the ledger.
pub(crate) fn receipt(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<ReceiptDocument>(data) else { return };
    assert!(serde_json::to_vec(&document).is_ok());
    let (Some(index), Some(leaf), Some(path), Some(note)) =
        (document.index, document.leaf, document.proof, document.checkpoint)
    else {
        return;
    };
    let Ok(signed) = SignedCheckpoint::verify(note.as_bytes(), &GROUP.keys()) else { return };
    let (size, leaf) = (signed.checkpoint().size, leaf.get().as_bytes());
    let proof = Inclusion { index, size, path };
    if proof.verify(&hash::leaf(leaf), &signed.checkpoint().root).is_ok() {
        let known = usize::try_from(index).ok().and_then(|index| GROUP.leaves.get(index));
        assert!(known.is_some_and(|known| known == leaf), "not in the ledger");
        let entry = Entry::parse(leaf).expect("a leaf of the ledger is an entry");
        assert!(SystemEntry::of(&entry).is_ok());
    }
}
