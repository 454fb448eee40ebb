//! What disks are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use hallmark_committee::{DiskState, Fault, Founding, Outcome, Receipt, Storage, SubmitError};
use hallmark_ledger::checkpoint;
use hallmark_ledger::note::Signer;
use hallmark_ledger::system::{Candidate, Recovery};
use hallmark_machine::kv::Kv;
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::group::{Group, Machine, Member, eventually, leader};

pub(crate) async fn stop(group: &Group, members: Vec<Member>) {
    for member in &members {
        group.router.unplug(&member.spki);
        member.engine.shutdown().await;
    }
    drop(members);
}

pub(crate) async fn disk(group: &Group, machine: &Machine) -> Option<DiskState> {
    let mut state = None;
    eventually("the disk is let go", || match DiskState::read::<Kv>(&machine.folder, group.id) {
        Ok((read, damaged)) if damaged.is_empty() => {
            state = read;
            true
        }
        _ => false,
    })
    .await;
    state
}

/// The ceremony: the order over a disk, the admissions, the founding.
pub(crate) fn order(group: &mut Group, chosen: &DiskState, machines: &[Machine], slots: &[u16]) -> Founding {
    group.epoch = chosen.last.epoch + 1;
    group.log_seed = [u8::try_from(90 + group.epoch).unwrap(); 32];
    let origin = checkpoint::origin(group.id.as_bytes(), group.epoch);
    let admissions: Vec<_> = machines.iter().map(|machine| group.admitting(machine, None)).collect();
    let mut recovery = Recovery {
        old_epoch: chosen.last.epoch,
        old_log_key: chosen.log_key.clone(),
        size: chosen.size,
        root: chosen.root,
        checkpoint: chosen.cosigned.clone().unwrap_or_default(),
        new_epoch: group.epoch,
        new_log_key: Signer::from_seed(&origin, &group.log_seed).unwrap().verifier().to_string(),
        recoveries: chosen.recoveries + 1,
        members: admissions
            .iter()
            .map(|a| Candidate {
                slot: a.admission.slot,
                cosign_key: a.admission.cosign_key,
                spki_sha256: a.admission.spki_sha256(),
            })
            .collect(),
        signatures: Vec::new(),
    };
    recovery.signatures = group.sign(&recovery.message(&group.id), slots);
    Founding::Recovery { recovery, replay: chosen.replay.clone(), admissions }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_at_once_then_a_recovery_keeps_what_was_acknowledged() {
    let mut group = Group::new(3, 2);
    group.limits.snapshot_entries = 7;
    let members = group.genesis().await;
    let at = leader(&members).await;
    let mut receipts = Vec::new();
    for nonce in 0..25 {
        receipts.push(members[at].put(1, nonce, &format!("v{nonce}")).await.unwrap());
    }
    let folders: Vec<_> = members.iter().map(|member| member.folder.clone()).collect();
    stop(&group, members).await;
    let machines: Vec<_> = (0..3).zip(folders).map(|(slot, folder)| group.machine_on(slot, folder)).collect();
    let mut disks = Vec::new();
    for machine in &machines {
        disks.push(disk(&group, machine).await.unwrap());
    }
    // Any two of three disks hold all that was acknowledged.
    let acknowledged = receipts.last().unwrap().outcome.end();
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(disks[a].clone().max(disks[b].clone()).size >= acknowledged);
    }
    let best = disks.iter().max().unwrap().clone();
    // One operator is not enough, and an order about another end is none.
    let alone = order(&mut group, &best, &machines, &[1]);
    assert!(alone.roster::<Kv>(group.id).unwrap_err().to_string().contains("signatures"));
    let mut other = best.clone();
    other.size -= 1;
    let other = order(&mut group, &other, &machines, &[0, 1]);
    assert!(other.roster::<Kv>(group.id).unwrap_err().to_string().contains("replay"));

    let founding = order(&mut group, &best, &machines, &[0, 2]);
    let members = group.found(founding, &machines).await;
    let at = leader(&members).await;
    let status = members[at].engine.status();
    assert_eq!((status.epoch, status.recoveries), (1, 1));
    // The same answer under the same index, in the new epoch.
    let again = members[at].put(1, 24, "v24").await.unwrap();
    assert_eq!(again.outcome, receipts[24].outcome);
    assert_eq!(again.checkpoint.checkpoint().recoveries, 1);
    assert_eq!(members[at].engine.machine(|kv| kv.get("k1").map(str::to_owned)), Some("v24".into()));
    members[at].put(1, 25, "on").await.unwrap();
    eventually("all have all", || {
        let cosigned = members[at].engine.status().cosigned;
        members.iter().all(|m| m.engine.status().stored == cosigned && m.engine.status().fault.is_none())
    })
    .await;
    for member in &members {
        member.engine.ledger(|dir| dir.verify().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fresh_disk_and_two_empty_ones_are_enough_where_it_has_the_end() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let last = members[at].put(1, 1, "kept").await.unwrap();
    let folder = members[at].folder.clone();
    stop(&group, members).await;
    // The leader's disk survives; the others boot with nothing, and fetch the ledger from it.
    let machines: Vec<_> = (0..3)
        .map(|slot| {
            if usize::from(slot) == at { group.machine_on(slot, folder.clone()) } else { group.machine(slot) }
        })
        .collect();
    let best = disk(&group, &machines[at]).await.unwrap();
    assert_eq!(best.size, last.outcome.end());
    let founding = order(&mut group, &best, &machines, &[0, 1]);
    let members = group.found(founding, &machines).await;
    let now = leader(&members).await;
    members[now].put(1, 2, "more").await.unwrap();
    eventually("all have all", || {
        let cosigned = members[now].engine.status().cosigned;
        members.iter().all(|m| m.engine.status().stored == cosigned)
    })
    .await;
    // And once more: a recovery of a recovery.
    let folders: Vec<_> = members.iter().map(|member| member.folder.clone()).collect();
    stop(&group, members).await;
    let machines: Vec<_> = (0..3).zip(folders).map(|(slot, folder)| group.machine_on(slot, folder)).collect();
    let best = disk(&group, &machines[1]).await.unwrap();
    let founding = order(&mut group, &best, &machines, &[1, 2]);
    let members = group.found(founding, &machines).await;
    let now = leader(&members).await;
    let receipt = members[now].put(1, 1, "kept").await.unwrap();
    assert_eq!(receipt.outcome, last.outcome);
    assert_eq!(receipt.checkpoint.checkpoint().recoveries, 2);
}

/// A file whose writes fail once the switch is thrown.
#[derive(Debug)]
struct Full {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl Full {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Full {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }
}

/// Files that are full while the switch is on. Only the log's, which is what a signature waits for.
fn switched(full: &Arc<AtomicBool>) -> Storage {
    let switch = Arc::clone(full);
    Storage::simulated(move |path| {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Box::new(Full { file, full: Arc::clone(&switch) }) as Box<dyn StorageBackend>)
    })
}

/// A group of three on this storage, its leader, and a write that all of them know a quorum signed.
async fn written(storage: Storage) -> (Group, Vec<Member>, usize, Receipt) {
    let mut group = Group::new(3, 2);
    group.storage = storage;
    let members = group.genesis().await;
    let at = leader(&members).await;
    let receipt = members[at].put(1, 1, "a").await.unwrap();
    let end = receipt.outcome.end();
    eventually("all know it signed", || members.iter().all(|m| m.engine.status().cosigned == end)).await;
    (group, members, at, receipt)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disks_wait_for_room_and_go_on() {
    let full = Arc::new(AtomicBool::new(false));
    let (group, members, at, receipt) = written(switched(&full).by_a_thread()).await;
    full.store(true, Ordering::Relaxed);
    let engine = members[at].engine.clone();
    let waits = tokio::spawn(async move { engine.submit(super::group::put(1, 2, "b")).await });
    eventually("all know their disks", || members.iter().all(|m| m.engine.status().full.is_some())).await;
    for member in &members {
        let error = member.put(1, 3, "c").await.unwrap_err();
        assert!(matches!(error, SubmitError::Storage { .. }), "{error}");
        assert_eq!(member.put(1, 1, "a").await.unwrap().outcome, receipt.outcome);
        let Outcome::Committed { first, .. } = receipt.outcome else { panic!() };
        member.engine.ledger(|dir| dir.entry(first).unwrap());
        assert!(member.engine.status().fault.is_none() && member.engine.freshness(&[1; 32]).is_some());
    }
    // Nothing was signed that is not on disk.
    assert_eq!(members[at].engine.status().cosigned, receipt.outcome.end());
    full.store(false, Ordering::Relaxed);
    waits.await.unwrap().unwrap();
    eventually("there is room", || members.iter().all(|m| m.engine.status().full.is_none())).await;
    for (nonce, member) in (3..).zip(&members) {
        member.put(1, nonce, "on").await.unwrap();
    }
    // What was written meanwhile is on the disks.
    let folder = members[at].folder.clone();
    let (id, last) = (group.id, members[at].put(1, 9, "last").await.unwrap());
    stop(&group, members).await;
    let (state, damaged) = DiskState::read::<Kv>(&folder, id).unwrap();
    assert!(damaged.is_empty() && state.unwrap().size >= last.outcome.end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_with_a_full_disk_stops_with_what_it_has() {
    let full = Arc::new(AtomicBool::new(false));
    let (group, members, at, _) = written(switched(&full).by_a_thread()).await;
    full.store(true, Ordering::Relaxed);
    let engine = members[at].engine.clone();
    let waits = tokio::spawn(async move { engine.submit(super::group::put(1, 2, "b")).await });
    eventually("all know their disks", || members.iter().all(|m| m.engine.status().full.is_some())).await;
    // It does not wait for room for ever.
    tokio::time::timeout(std::time::Duration::from_secs(5), stop(&group, members)).await.unwrap();
    assert!(matches!(waits.await.unwrap(), Err(SubmitError::Unclear | SubmitError::Stopped { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_disks_refuse_writes_and_reads_go_on() {
    let full = Arc::new(AtomicBool::new(false));
    // Written at once by whoever appends: nobody may wait there, and the first failure is the last.
    let (_group, members, at, receipt) = written(switched(&full)).await;
    full.store(true, Ordering::Relaxed);
    let engine = members[at].engine.clone();
    let unclear = tokio::spawn(async move { engine.submit(super::group::put(1, 2, "b")).await });
    eventually("all know their disks", || {
        members.iter().all(|m| matches!(m.engine.status().fault, Some(Fault::Storage { .. })))
    })
    .await;
    for member in &members {
        let error = member.put(1, 3, "c").await.unwrap_err();
        assert!(matches!(error, SubmitError::Storage { .. }), "{error}");
        // What was acknowledged is answered, from files and memory alike.
        assert_eq!(member.put(1, 1, "a").await.unwrap().outcome, receipt.outcome);
        let Outcome::Committed { first, .. } = receipt.outcome else { panic!() };
        eventually("read", || member.engine.ledger(|dir| dir.covered() > first)).await;
        member.engine.ledger(|dir| dir.entry(first).unwrap());
    }
    // Applied everywhere, on no disk: never acknowledged.
    assert_eq!(members[at].engine.status().cosigned, receipt.outcome.end());
    assert!(matches!(unclear.await.unwrap(), Err(SubmitError::Unclear)));
}
