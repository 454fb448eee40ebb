//! Facts from outside: members judge, `apply` counts.

use hallmark_committee::SubmitError;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::replay::Obligation;
use hallmark_ledger::system::{Endorsement, EndorsementSignature, SystemEntry, endorsement_message};

use super::group::{Group, Member, entries, eventually, leader, replayed};

const EVIDENCE: &[u8] = b"evidence.json of a provider";
const COLLATERAL: &[u8] = b"collateral";

fn fact(group: &Group) -> Endorsement {
    Endorsement {
        fact: Hash::of("a provider's card"),
        policy: group.genesis.policy,
        evidence: Some(Hash::of(EVIDENCE)),
        collateral: Some(Hash::of(COLLATERAL)),
        binding: Some([5; 64]),
        verdict: "accepted".into(),
        signatures: Vec::new(),
    }
}

/// What members sign who have judged it, each at its own time.
fn signed<'a>(
    group: &Group,
    mut fact: Endorsement,
    by: impl IntoIterator<Item = (&'a Member, u64)>,
) -> Endorsement {
    for (member, time) in by {
        let message = endorsement_message(&group.id, 0, member.node, time, &fact);
        let signature = member.engine.sign(&message);
        fact.signatures.push(EndorsementSignature { node: member.node, time, signature });
    }
    fact
}

fn blobs() -> Vec<Vec<u8>> {
    vec![EVIDENCE.to_vec(), COLLATERAL.to_vec()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_of_members_endorses_a_fact() {
    let mut group = Group::new(3, 2);
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    let engine = members[at].engine.clone();
    let refused = async |endorsement: Endorsement, blobs: Vec<Vec<u8>>| match engine
        .endorse(endorsement, blobs)
        .await
        .unwrap_err()
    {
        SubmitError::Refused { why, .. } => why,
        other => panic!("{other}"),
    };
    let all =
        |members: &[Member], n: usize| signed(&group, fact(&group), members.iter().take(n).zip([30, 10, 20]));
    // One is no quorum; twice the same is one.
    let why = refused(all(&members, 1), blobs()).await;
    assert!(why.contains("1 members endorsed it, 2 are needed"), "{why}");
    let twice = signed(&group, fact(&group), [(&members[0], 10), (&members[0], 11)]);
    assert!(refused(twice, blobs()).await.contains("each slot once"));
    let turned = signed(&group, fact(&group), [(&members[1], 10), (&members[0], 11)]);
    assert!(refused(turned, blobs()).await.contains("ascending"));
    // Signed is all of it: fact, verdict, time.
    for change in [
        (|e: &mut Endorsement| e.fact = Hash::of("another")) as fn(&mut Endorsement),
        |e| e.verdict = "simulated".into(),
        |e| e.signatures[1].time += 1,
        |e| e.binding = None,
    ] {
        let mut changed = all(&members, 2);
        change(&mut changed);
        assert!(refused(changed, blobs()).await.contains("is wrong"));
    }
    // The committee's policy, and the documents that it names: those and no others.
    let mut other = fact(&group);
    other.policy = Hash::of("a lenient one");
    assert!(refused(signed(&group, other, members.iter().zip([1, 2])), blobs()).await.contains("policy"));
    assert!(refused(all(&members, 2), vec![EVIDENCE.to_vec()]).await.contains("not sent along"));
    let more = [blobs(), vec![b"more".to_vec()]].concat();
    assert!(refused(all(&members, 2), more).await.contains("not named"));
    assert!(entries(&members[at]).iter().all(|e| !matches!(e, SystemEntry::Endorsement(_))));

    let receipt = engine.endorse(all(&members, 3), blobs()).await.unwrap();
    let index = receipt.outcome.index();
    let (_, left) = replayed(&members[at]);
    let found = left.iter().find(|o| matches!(o, Obligation::Endorsement { index: at, .. } if *at == index));
    // Time is the median of theirs; an auditor gets the bytes to judge again.
    let Some(Obligation::Endorsement { time: 20, evidence: Some(bytes), collateral: Some(more), .. }) = found
    else {
        panic!("{found:?}")
    };
    assert_eq!((bytes.as_slice(), more.as_slice()), (EVIDENCE, COLLATERAL));

    // Who was a member when it judged and is none when it counts, does not count.
    let others: Vec<usize> = (0..3).filter(|i| *i != at).collect();
    let former = all(&members, 3).signatures[others[0]].clone();
    let gone = members.remove(others[0]);
    group.router.unplug(&gone.spki);
    gone.engine.shutdown().await;
    let now = leader(&members).await;
    let machine = group.machine(gone.slot);
    let new = group.join(&machine, &members[now]).await.unwrap();
    members.push(new);
    members.sort_by_key(|member| member.slot);
    eventually("it is a member", || members.iter().all(|m| m.engine.roster().node(gone.node).is_none()))
        .await;
    let mut late =
        signed(&group, fact(&group), members.iter().filter(|m| m.slot != gone.slot).map(|m| (m, 40)).take(1));
    late.signatures.push(former);
    late.signatures.sort_by_key(|signature| signature.node);
    let error = members[0].engine.endorse(late, blobs()).await.unwrap_err();
    assert!(
        matches!(&error, SubmitError::Refused { why, .. } if why.contains("not in the roster")),
        "{error}"
    );
    // The new machine counts as any other.
    let again = signed(&group, fact(&group), members.iter().map(|m| (m, 50)));
    members[0].engine.endorse(again, blobs()).await.unwrap();
    replayed(&members[0]);
}
