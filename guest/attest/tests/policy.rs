//! The judge that asks the verifier.

use std::sync::Arc;
use std::time::Duration;

use hallmark_attest::{Judge as _, PolicyJudge, PolicyJudgeError};
use hallmark_forge::TdxCase;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::{Policy, Word};

use crate::world::*;

fn judge(case: &TdxCase, clock: Arc<ManualClock>) -> PolicyJudge {
    let forged = case.make();
    let judge = PolicyJudge::new(Policy::parse(&forged.policy).unwrap(), &[forged.release], clock).unwrap();
    judge.add_collateral(&forged.collateral.unwrap(), FOREVER).unwrap();
    judge
}

fn slug(judge: &PolicyJudge, evidence: &[u8], report_data: &[u8; 64]) -> String {
    judge.judge(evidence, report_data).err().map_or("counts".into(), |refusal| refusal.slug.to_string())
}

#[test]
fn evidence_counts_for_its_own_binding_and_every_time() {
    let judge = World::new().judge;
    let evidence = honest_td().evidence(&[1; 64]).unwrap();
    // The second time the quoting enclave is known.
    for _ in 0..2 {
        let judgement = judge.judge(&evidence, &[1; 64]).unwrap();
        assert_eq!(judgement.word, Word::Simulated);
        assert!(judgement.release.is_some() && judgement.platform.is_some());
        assert_eq!(slug(&judge, &evidence, &[2; 64]), "binding-mismatch");
    }
    assert_eq!(slug(&judge, b"", &[1; 64]), "evidence-format");
    let mut broken = evidence;
    let at = broken.len() / 3;
    broken[at] ^= 1;
    assert_ne!(slug(&judge, &broken, &[1; 64]), "counts");
}

/// Evidence of `GET /evidence?nonce=` is of another domain: no asker there can make a session's.
#[test]
fn evidence_with_a_nonce_is_no_session_s() {
    let judge = World::new().judge;
    let forged = TdxCase::default().make();
    let binding = hallmark_verifier::binding::binding(&forged.nonce, &[0; 32]);
    assert_eq!(slug(&judge, &forged.evidence, &binding), "evidence-consistent");
}

#[test]
fn acpi_tables_that_nobody_pinned_do_not_count_under_a_simulated_root_either() {
    let mut case = TdxCase::default();
    case.policy.acpi = Some(Vec::new());
    let judge = judge(&case, ManualClock::new());
    assert_eq!(slug(&judge, &honest_td().evidence(&[1; 64]).unwrap(), &[1; 64]), "acpi-pinned");
}

#[test]
fn any_of_several_releases() {
    let world = World::new();
    let newer = TdxCase { released_mr_td: Some([0x66; 48]), ..TdxCase::default() };
    let releases = [newer.make().release, TdxCase::default().make().release];
    world.judge.set_releases(&releases, FOREVER).unwrap();
    let old = world.judge.judge(&honest_td().evidence(&[1; 64]).unwrap(), &[1; 64]).unwrap();
    let new = td(|case| case.quote.body.mr_td = [0x66; 48]).evidence(&[1; 64]).unwrap();
    let new = world.judge.judge(&new, &[1; 64]).unwrap();
    assert_ne!(old.release, new.release);
    let other = td(|case| case.quote.body.mr_td = [0x67; 48]).evidence(&[1; 64]).unwrap();
    assert_eq!(slug(&world.judge, &other, &[1; 64]), "image-mismatch");
}

#[test]
fn dates_are_asked_again_of_what_is_known() {
    let world = World::new();
    let evidence = honest_td().evidence(&[1; 64]).unwrap();
    assert_eq!(slug(&world.judge, &evidence, &[1; 64]), "counts");
    world.clock.advance(Duration::from_secs(400 * 24 * 3600));
    assert_ne!(slug(&world.judge, &evidence, &[1; 64]), "counts");
}

#[test]
fn without_releases_or_collateral_nothing_counts() {
    let forged = TdxCase::default().make();
    let policy = Policy::parse(&forged.policy).unwrap();
    let none = PolicyJudge::new(policy.clone(), &[], ManualClock::new());
    assert!(matches!(none, Err(PolicyJudgeError::Releases(0))));
    let no_release = PolicyJudge::new(policy.clone(), &[b"{}".to_vec()], ManualClock::new());
    assert!(matches!(no_release, Err(PolicyJudgeError::Release { index: 0, .. })));
    let judge = PolicyJudge::new(policy, &[forged.release], ManualClock::new()).unwrap();
    assert_eq!(slug(&judge, &honest_td().evidence(&[1; 64]).unwrap(), &[1; 64]), "collateral-missing");
    // Collateral under a root that the policy does not name.
    let strict =
        PolicyJudge::new(Policy::default(), &[TdxCase::default().make().release], ManualClock::new())
            .unwrap();
    let refused = strict.add_collateral(&forged.collateral.unwrap(), FOREVER);
    assert!(matches!(refused, Err(PolicyJudgeError::Refused(_))));
    assert!(matches!(judge.add_collateral(b"{}", FOREVER), Err(PolicyJudgeError::Collateral(_))));
}

#[test]
fn the_soonest_grace_date_of_many_changes_counts() {
    let judge = World::new().judge;
    let releases = [TdxCase::default().make().release];
    for grace in [500, 900, 400, 1_000] {
        judge.set_releases(&releases, UnixSeconds(grace)).unwrap();
    }
    let graces: Vec<_> = (0..5).map(|judged| judge.grace(judged).map(|at| at.0)).collect();
    assert_eq!(graces, [Some(400), Some(400), Some(400), Some(1_000), None]);
    for grace in 0..200u64 {
        judge.set_releases(&releases, UnixSeconds(2_000 + grace)).unwrap();
    }
    assert_eq!((judge.generation(), judge.grace(0)), (204, Some(UnixSeconds(400))));
    assert_eq!(judge.grace(203), Some(UnixSeconds(2_199)));
}

#[test]
fn a_tcb_recovery_is_a_change_and_there_is_no_way_back() {
    let judge = World::new().judge;
    let mut newer = TdxCase::default();
    newer.collateral.tcb_info.content.tcb_evaluation_data_number += 1;
    let newer = newer.make().collateral.unwrap();
    judge.add_collateral(&TdxCase::default().make().collateral.unwrap(), UnixSeconds(5)).unwrap();
    assert_eq!(judge.generation(), 0, "the same again is no change");
    judge.add_collateral(&newer, UnixSeconds(5)).unwrap();
    assert_eq!((judge.generation(), judge.grace(0)), (1, Some(UnixSeconds(5))));
    let older = judge.add_collateral(&TdxCase::default().make().collateral.unwrap(), FOREVER);
    assert!(matches!(older, Err(PolicyJudgeError::Older { .. })), "{older:?}");
}
