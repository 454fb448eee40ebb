//! Which acknowledged writes survive which disks: three members, q = 2, each disk fresh, stale or lost. What docs/operators and docs/threats say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallmark_committee::{DiskState, Founding, Receipt};
use hallmark_machine::kv::Kv;

use super::group::{Group, Member, eventually, leader, replayed};
use super::recovery::{order, stop};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Disk {
    /// All that a machine of its slot signed.
    Fresh,
    /// Rolled back by its host.
    Stale,
    Lost,
}

/// What is left of a committee: `early` was acknowledged by all, `late` by the leader and one follower alone.
struct Left {
    group: Group,
    early: Receipt,
    late: Receipt,
    /// The slots that signed `late`.
    signers: BTreeSet<u16>,
    /// Folders by slot: fresh, stale.
    folders: Vec<(PathBuf, tempfile::TempDir)>,
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "log") {
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

fn all_at(members: &[Member], size: u64) -> bool {
    members.iter().all(|m| m.engine.status().cosigned >= size && m.engine.status().applied >= size)
}

async fn left() -> Left {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let early = members[at].put(1, 1, "early").await.unwrap();
    eventually("all have it", || all_at(&members, early.outcome.end())).await;
    // A note is written with whatever comes next, or within a second.
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let stale: Vec<_> = members.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    for (member, folder) in members.iter().zip(&stale) {
        copy(&member.folder, folder.path());
    }
    let out = (at + 1) % 3;
    group.router.cut([members[out].node]);
    let mut late = members[at].put(1, 2, "late").await.unwrap();
    for nonce in 3..9 {
        late = members[at].put(1, nonce, "late").await.unwrap();
    }
    let folders = members.iter().map(|member| member.folder.clone()).zip(stale).collect();
    let signers = members.iter().enumerate().filter(|(i, _)| *i != out).map(|(_, m)| m.slot).collect();
    stop(&group, members).await;
    Left { group, early, late, signers, folders }
}

impl Left {
    /// The disks that are there, as operators see them.
    fn disks(&self, found: &[Disk; 3]) -> Vec<DiskState> {
        let folder = |slot: usize| match found[slot] {
            Disk::Fresh => Some(self.folders[slot].0.as_path()),
            Disk::Stale => Some(self.folders[slot].1.path()),
            Disk::Lost => None,
        };
        let read = |path: &Path| {
            let (state, damaged) = DiskState::read::<Kv>(path, self.group.id).unwrap();
            assert!(damaged.is_empty(), "{damaged:?}");
            state.unwrap()
        };
        (0..3).filter_map(folder).map(read).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_survives_each_combination_of_disks() {
    let mut left = left().await;
    let kinds = [Disk::Fresh, Disk::Stale, Disk::Lost];
    let mut survived = Vec::new();
    for case in 0..27usize {
        let found = [kinds[case % 3], kinds[case / 3 % 3], kinds[case / 9]];
        let disks = left.disks(&found);
        let Some(best) = disks.into_iter().max() else {
            // Nothing to go on from: a new committee.
            assert_eq!(found, [Disk::Lost; 3]);
            continue;
        };
        let (early, late) = (best.size >= left.early.outcome.end(), best.size >= left.late.outcome.end());
        let fresh = found.iter().filter(|disk| **disk == Disk::Fresh).count();
        // The promise: n - q + 1 = 2 fresh disks lose nothing that was acknowledged, whichever two.
        assert!(fresh < 2 || (early && late), "{found:?}");
        // And exactly: any disk has what all acknowledged; the rest is there where one of those that signed it is fresh.
        assert!(early, "{found:?}");
        let signer =
            (0..3u16).any(|slot| found[usize::from(slot)] == Disk::Fresh && left.signers.contains(&slot));
        assert_eq!(late, signer, "{found:?}");
        if !late {
            // Whoever holds a receipt can show what was lost.
            assert!(left.late.checkpoint.checkpoint().size > best.size);
        }
        survived.push((found, best, late));
    }
    assert_eq!(survived.iter().filter(|(.., late)| *late).count(), 15);
    // Each goes on: members check the disk's entries and the note before they begin.
    for (found, best, _) in &survived {
        left.group.epoch = 0;
        let machines: Vec<_> = (0..3).map(|slot| left.group.machine(slot)).collect();
        let founding = order(&mut left.group, best, &machines, &[0, 1]);
        founding.roster::<Kv>(left.group.id).unwrap_or_else(|error| panic!("{found:?}: {error}"));
    }
    // One of them to the end: the longest with one fresh disk, that of a signer.
    let lone = |found: &[Disk; 3]| found.iter().filter(|disk| **disk == Disk::Fresh).count() == 1;
    let (_, best, _) = survived.iter().find(|(found, _, late)| lone(found) && *late).unwrap();
    left.group.epoch = 0;
    left.group.router.cut([]);
    let machines: Vec<_> = (0..3).map(|slot| left.group.machine(slot)).collect();
    let founding = order(&mut left.group, best, &machines, &[0, 1]);
    let members = left.group.found(founding, &machines).await;
    let at = leader(&members).await;
    let again = members[at].put(1, 8, "late").await.unwrap();
    assert_eq!(again.outcome, left.late.outcome);
    replayed(&members[at]);
}

/// Who doctors a disk's note, or takes it away, begins nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_goes_on_only_under_its_own_note() {
    let mut left = left().await;
    let best = left.disks(&[Disk::Fresh; 3]).into_iter().max().unwrap();
    let machines: Vec<_> = (0..3).map(|slot| left.group.machine(slot)).collect();
    let mut with = |note: &dyn Fn(&str) -> String| {
        left.group.epoch = 0;
        let mut best = best.clone();
        best.cosigned = Some(note(best.cosigned.as_deref().unwrap()));
        let founding: Founding = order(&mut left.group, &best, &machines, &[0, 1]);
        founding.roster::<Kv>(left.group.id)
    };
    with(&|note| note.to_owned()).unwrap();
    // One cosignature fewer; another root; another size.
    let fewer = |note: &str| note.trim_end().rsplit_once('\n').map(|(rest, _)| format!("{rest}\n")).unwrap();
    assert!(with(&fewer).unwrap_err().to_string().contains("checkpoint"));
    let later = |note: &str| {
        let mut lines: Vec<String> = note.lines().map(str::to_owned).collect();
        lines[1] = (lines[1].parse::<u64>().unwrap() + 1).to_string();
        lines.join("\n") + "\n"
    };
    assert!(with(&later).unwrap_err().to_string().contains("checkpoint"));
}
