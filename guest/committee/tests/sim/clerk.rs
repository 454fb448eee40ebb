//! A client: writes and reads, and asks until it knows.

use std::sync::Arc;
use std::time::Duration;

use hallmark_committee::{Outcome, Submission, SubmitError};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Command;
use tokio::time::sleep;

use super::chance::Chance;
use super::group::host;
use super::history::{Done, Op, Told};
use super::network::ask;
use super::run::World;
use super::wire::{Answer, Ask};

const KEYS: [&str; 2] = ["a", "b"];
/// No member: clients prove no key here.
const NOBODY: [u8; 32] = [0xff; 32];

pub(crate) fn client(clerk: usize) -> ClientId {
    ClientId::new([clerk as u8 + 1; 32])
}

pub(crate) async fn work(world: Arc<World>, clerk: usize, ops: u64, mut chance: Chance) -> turmoil::Result {
    for nonce in 1..=ops {
        sleep(Duration::from_millis(chance.between(20, 900))).await;
        let key = KEYS[chance.below(2) as usize].to_owned();
        let start = world.time();
        if chance.below(5) < 2 {
            let value = read(&world, &key, &mut chance).await;
            let end = value.map(|value| (world.time(), Told::Value(value)));
            world.done(Done { clerk, nonce, key, op: Op::Read, start, end });
        } else {
            let value = format!("{clerk}.{nonce}");
            let at = world.begun(Done {
                clerk,
                nonce,
                key: key.clone(),
                op: Op::Write(value.clone()),
                start,
                end: None,
            });
            if let Some((outcome, epoch)) = write(&world, clerk, nonce, &key, &value, &mut chance).await {
                world.ended(at, Told::Outcome { outcome, epoch });
            }
        }
    }
    world.clerk_done();
    Ok(())
}

fn anyone(world: &World, chance: &mut Chance) -> String {
    host(chance.below(world.disks.len() as u64) as u16)
}

/// Submits, now and then twice, until the fate is known and final.
async fn write(
    world: &World,
    clerk: usize,
    nonce: u64,
    key: &str,
    value: &str,
    chance: &mut Chance,
) -> Option<(Outcome, u64)> {
    let command = Command::Put { key: key.to_owned(), value: value.to_owned() };
    let body = serde_json::to_vec(&command).unwrap();
    let client = client(clerk);
    let submission = Submission { client, nonce, surface: "pairs".into(), body };
    let mut unclear = false;
    for _ in 0..60 {
        let to = anyone(world, chance);
        // Now and then the fate is settled although nothing was ever sent, or all may still come.
        if unclear && chance.one_in(2) || chance.one_in(12) {
            let settle = Ask::Settle { client, nonce };
            match ask(&to, NOBODY, &settle, Duration::from_secs(4)).await {
                Ok(Answer::Settled(Ok(Some((outcome, epoch, size))))) => {
                    return Some(told(world, clerk, nonce, outcome, epoch, size));
                }
                _ => sleep(Duration::from_millis(chance.between(50, 400))).await,
            }
            continue;
        }
        match ask(&to, NOBODY, &Ask::Submit(submission.clone()), Duration::from_secs(4)).await {
            Ok(Answer::Receipt(Ok((outcome, epoch, size)))) => {
                let first = told(world, clerk, nonce, outcome, epoch, size);
                if chance.one_in(4) {
                    // A retry of what is done gets the first answer.
                    let to = anyone(world, chance);
                    let again =
                        ask(&to, NOBODY, &Ask::Submit(submission.clone()), Duration::from_secs(4)).await;
                    if let Ok(Answer::Receipt(Ok((outcome, epoch, size)))) = again {
                        told(world, clerk, nonce, outcome, epoch, size);
                    }
                }
                return Some(first);
            }
            Ok(Answer::Receipt(Err(SubmitError::Unclear | SubmitError::Lost))) | Err(_) => unclear = true,
            Ok(Answer::Receipt(Err(
                error @ (SubmitError::Malformed { .. } | SubmitError::UnknownSurface { .. }),
            ))) => {
                world.wrong(format!("clerk {clerk} nonce {nonce}: {error}"));
                return None;
            }
            _ => {}
        }
        sleep(Duration::from_millis(chance.between(50, 400))).await;
    }
    None
}

fn told(world: &World, clerk: usize, nonce: u64, outcome: Outcome, epoch: u64, size: u64) -> (Outcome, u64) {
    if size < outcome.end() {
        world.wrong(format!("clerk {clerk} nonce {nonce}: {outcome:?} is not covered by size {size}"));
    }
    world.told(clerk, nonce, &outcome, epoch);
    (outcome, epoch)
}

/// Challenges q members, then reads under a checkpoint that covers the largest answer.
async fn read(world: &World, key: &str, chance: &mut Chance) -> Option<Option<String>> {
    for _ in 0..20 {
        let nonce = chance.bytes();
        let first = chance.below(world.disks.len() as u64);
        let (mut size, mut answers) = (0, 0);
        for step in 0..world.disks.len() as u64 {
            let to = host(((first + step) % world.disks.len() as u64) as u16);
            let answer = ask(&to, NOBODY, &Ask::Challenge(nonce), Duration::from_millis(600)).await;
            if let Ok(Answer::Fresh(Some(fresh))) = answer {
                size = size.max(fresh);
                answers += 1;
            }
            if answers == world.group.quorum {
                break;
            }
        }
        if answers == world.group.quorum {
            let to = anyone(world, chance);
            let read = Ask::Read { key: key.to_owned(), size };
            if let Ok(Answer::Value { value, .. }) = ask(&to, NOBODY, &read, Duration::from_secs(3)).await {
                return Some(value);
            }
        }
        sleep(Duration::from_millis(chance.between(100, 500))).await;
    }
    None
}
