use super::{Ask, NOTHING_BOUND, Signed, binding, evaluate};
use crate::crypto;
use crate::evidence::Enclosed;
use crate::report::{Outcome, Report};

const NONCE: [u8; 32] = [1; 32];
const FILE: [u8; 32] = [2; 32];

fn enclosed(nonce: [u8; 32], binding: [u8; 64]) -> Enclosed {
    enclosed_with(Some(nonce), binding)
}

fn enclosed_with(nonce: Option<[u8; 32]>, binding: [u8; 64]) -> Enclosed {
    Enclosed { event_log: Vec::new(), nonce, binding, boot_events: Vec::new(), hcl: None }
}

/// The outcomes of binding-mismatch and evidence-consistent, the same for a TD and a TPM.
fn outcomes(ask: Ask, enclosed: Option<&Enclosed>, carried: &[u8; 64]) -> (Outcome, Outcome) {
    let extra_data = crypto::sha256(&[carried]);
    let [td, tpm] = [Signed::ReportData(carried), Signed::ExtraData(&extra_data)].map(|signed| {
        let mut report = Report::new();
        evaluate(&ask, enclosed, Some(signed), &mut report);
        (report.outcome("binding-mismatch"), report.outcome("evidence-consistent"))
    });
    assert_eq!(td, tpm);
    td
}

#[test]
fn the_binding_is_as_specified() {
    let mut bytes = b"hallmark/evidence/1".to_vec();
    bytes.extend([1; 32]);
    bytes.extend([0; 32]);
    assert_eq!(binding(&NONCE, &NOTHING_BOUND), crypto::sha512(&[&bytes]));
}

#[test]
fn what_is_asked_must_be_bound() {
    use Outcome::{Fail, NotRun, Pass};
    let both = |nonce, bound| Ask::Both { nonce, bound };
    let fresh = binding(&NONCE, &NOTHING_BOUND);
    let file = binding(&NONCE, &FILE);
    let other = [7; 32];
    for (ask, carried, expected) in [
        (Ask::Nonce(NONCE), fresh, (Pass, Pass)),
        (both(NONCE, FILE), file, (Pass, Pass)),
        (Ask::Bound(FILE), file, (Pass, Pass)),
        (Ask::Unbound, fresh, (NotRun, Pass)),
        (Ask::Unbound, file, (NotRun, Pass)),
        // Another nonce, a file that was not asked for, none where one was, another one.
        (Ask::Nonce(other), fresh, (Fail, Pass)),
        (Ask::Nonce(NONCE), file, (Fail, Pass)),
        (both(NONCE, FILE), fresh, (Fail, Pass)),
        (Ask::Bound(FILE), fresh, (Fail, Pass)),
        (both(NONCE, other), file, (Fail, Pass)),
        (Ask::Bound(other), file, (Fail, Pass)),
        (both(other, FILE), file, (Fail, Pass)),
    ] {
        assert_eq!(outcomes(ask, Some(&enclosed(NONCE, carried)), &carried), expected, "{ask:?}");
    }
}

#[test]
fn fields_that_contradict_the_quote_fail() {
    use Outcome::{Fail, NotRun, Pass};
    let fresh = binding(&NONCE, &NOTHING_BOUND);
    let file = binding(&NONCE, &FILE);
    // Another binding beside the quote.
    assert_eq!(outcomes(Ask::Nonce(NONCE), Some(&enclosed(NONCE, [9; 64])), &fresh), (Pass, Fail));
    assert_eq!(outcomes(Ask::Unbound, Some(&enclosed(NONCE, [9; 64])), &fresh), (NotRun, Fail));
    // Another nonce beside it: known where the binding is.
    assert_eq!(outcomes(Ask::Nonce(NONCE), Some(&enclosed([9; 32], fresh)), &fresh), (Pass, Fail));
    let ask = Ask::Both { nonce: NONCE, bound: FILE };
    assert_eq!(outcomes(ask, Some(&enclosed([9; 32], file)), &file), (Pass, Fail));
    assert_eq!(outcomes(Ask::Bound(FILE), Some(&enclosed([9; 32], file)), &file), (Fail, Pass));
    // One flipped bit anywhere in what is signed.
    for at in 0..64 {
        let mut carried = fresh;
        carried[at] ^= 1;
        assert_eq!(outcomes(Ask::Nonce(NONCE), Some(&enclosed(NONCE, fresh)), &carried), (Fail, Fail));
    }
}

#[test]
fn a_raw_quote_is_bound_to_a_nonce_and_not_to_a_file_alone() {
    use Outcome::{Fail, NotRun, Pass};
    let fresh = binding(&NONCE, &NOTHING_BOUND);
    assert_eq!(outcomes(Ask::Nonce(NONCE), None, &fresh), (Pass, NotRun));
    assert_eq!(outcomes(Ask::Nonce([7; 32]), None, &fresh), (Fail, NotRun));
    assert_eq!(outcomes(Ask::Bound(NOTHING_BOUND), None, &fresh), (Fail, NotRun));
    assert_eq!(outcomes(Ask::Unbound, None, &fresh), (NotRun, NotRun));
    let mut report = Report::new();
    evaluate(&Ask::Nonce(NONCE), None, None, &mut report);
    assert_eq!(report.outcome("binding-mismatch"), NotRun);
}

#[test]
fn another_domain_is_asked_exactly_and_names_no_nonce() {
    use Outcome::{Fail, NotRun, Pass};
    let session = [0x77; 64];
    let ask = Ask::ReportData(session);
    assert_eq!(outcomes(ask, Some(&enclosed_with(None, session)), &session), (Pass, Pass));
    assert_eq!(outcomes(ask, None, &session), (Pass, NotRun));
    assert_eq!(outcomes(Ask::Unbound, Some(&enclosed_with(None, session)), &session), (NotRun, Pass));
    for at in 0..64 {
        let mut carried = session;
        carried[at] ^= 0x80;
        assert_eq!(outcomes(ask, Some(&enclosed_with(None, session)), &carried), (Fail, Fail));
        assert_eq!(outcomes(ask, Some(&enclosed_with(None, carried)), &carried), (Fail, Pass));
        assert_eq!(outcomes(ask, Some(&enclosed_with(None, carried)), &session), (Pass, Fail));
    }
    // Evidence that names a nonce answers a nonce's question, and never one of another domain; and the reverse.
    let fresh = binding(&NONCE, &NOTHING_BOUND);
    assert_eq!(outcomes(Ask::ReportData(fresh), Some(&enclosed(NONCE, fresh)), &fresh), (Pass, Fail));
    assert_eq!(outcomes(Ask::Nonce(NONCE), Some(&enclosed_with(None, fresh)), &fresh), (Pass, Fail));
    assert_eq!(outcomes(Ask::Nonce(NONCE), Some(&enclosed_with(None, session)), &session), (Fail, Fail));
    let both = Ask::Both { nonce: NONCE, bound: FILE };
    assert_eq!(outcomes(both, Some(&enclosed_with(None, fresh)), &fresh), (Fail, Fail));
    assert_eq!(outcomes(Ask::Bound(FILE), Some(&enclosed_with(None, session)), &session), (Fail, Fail));
}

#[test]
fn extra_data_of_another_length_is_another() {
    let carried = binding(&NONCE, &NOTHING_BOUND);
    let digest = crypto::sha256(&[&carried]);
    for data in [&[][..], &digest[..31], &[&digest[..], &[0]].concat(), &carried] {
        let mut report = Report::new();
        evaluate(&Ask::Nonce(NONCE), None, Some(Signed::ExtraData(data)), &mut report);
        assert_eq!(report.outcome("binding-mismatch"), Outcome::Fail);
    }
}
