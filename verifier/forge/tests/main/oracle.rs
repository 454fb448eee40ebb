//! dcap-qvl accepts what is valid, and refuses most of what is not.
//!
//! It insists on Intel's vendor id, so these cases carry it; nothing else is changed for it.

use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use hallmark_forge::quote::INTEL_VENDOR;
use hallmark_forge::td_body::Layout;
use hallmark_forge::{Forged, Measurements, NOW, TdxCase, simulated_tdx};

fn collateral(bytes: &[u8]) -> QuoteCollateralV3 {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let hex = |name: &str| hex::decode(text(name)).unwrap();
    QuoteCollateralV3 {
        pck_crl_issuer_chain: text("pck_crl_issuer_chain"),
        root_ca_crl: hex("root_ca_crl"),
        pck_crl: hex("pck_crl"),
        tcb_info_issuer_chain: text("tcb_info_issuer_chain"),
        tcb_info: text("tcb_info"),
        tcb_info_signature: hex("tcb_info_signature"),
        qe_identity_issuer_chain: text("qe_identity_issuer_chain"),
        qe_identity: text("qe_identity"),
        qe_identity_signature: hex("qe_identity_signature"),
        pck_certificate_chain: json["pck_certificate_chain"].as_str().map(str::to_owned),
    }
}

fn judge(case: &TdxCase) -> Result<String, String> {
    let mut case = case.clone();
    case.quote.header.vendor = INTEL_VENDOR;
    judge_bytes(&case.make(), case.pki.root.der())
}

fn judge_bytes(forged: &Forged, root: Vec<u8>) -> Result<String, String> {
    let collateral = collateral(forged.collateral.as_deref().unwrap());
    QuoteVerifier::new(root)
        .verify(&forged.quote, &collateral, forged.now)
        .map(|report| format!("{} {:?}", report.status, report.advisory_ids))
        .map_err(|error| format!("{error:#}"))
}

#[test]
fn accepts_every_layout() {
    let ok = Ok("UpToDate []".to_owned());
    assert_eq!(judge(&TdxCase::default()), ok);
    for layout in [Layout::Td10, Layout::Td15, Layout::Td15Ex] {
        let mut case = TdxCase::default();
        case.quote.header.version = 5;
        case.quote.layout = layout;
        assert_eq!(judge(&case), ok, "{layout:?}");
    }
}

#[test]
fn accepts_what_is_made_for_another_time() {
    for now in [1_735_689_600, NOW, 1_893_456_000] {
        assert_eq!(judge(&TdxCase::at(now)), Ok("UpToDate []".to_owned()));
    }
}

#[test]
fn merges_statuses() {
    let mut case = TdxCase::default();
    case.collateral.tcb_info.content.tcb_levels[0].tcb_status = "OutOfDate".into();
    assert_eq!(judge(&case), Ok("OutOfDate []".to_owned()));
    let mut case = TdxCase::default();
    case.quote.qe_report.isv_svn = 3;
    assert_eq!(judge(&case), Ok("OutOfDate []".to_owned()));
    let mut case = TdxCase::default();
    case.quote.body.tee_tcb_svn[0] = 3;
    assert_eq!(judge(&case), Ok("OutOfDate []".to_owned()));
}

#[test]
fn refuses_the_simulated_vendor() {
    let case = TdxCase::default();
    let error = judge_bytes(&case.make(), case.pki.root.der()).unwrap_err();
    assert!(error.contains("vendor"), "{error}");
}

/// The changes that it sees are refused for the reason meant.
#[test]
fn refuses_for_the_reason_meant() {
    type Change = (fn(&mut TdxCase), &'static str);
    let cases: [Change; 8] = [
        (|c| c.collateral.tcb_info.content.fmspc = "00806F050000".into(), "Fmspc"),
        (|c| c.quote.qe_report.report_data = Some([1; 64]), "QE report hash"),
        (|c| c.quote.body.td_attributes |= 1, "Debug"),
        (|c| c.quote.body.mr_signer_seam = [9; 48], "MRSIGNER"),
        (|c| c.quote.qe_report.mr_signer = [9; 32], "MRSIGNER"),
        (|c| c.pki.root_crl.next_update = Some(NOW - 1), "Crl"),
        (|c| c.pki.pck.not_after = NOW - 1, "Expired"),
        (|c| c.quote.qe_report.isv_svn = 1, "below minimum"),
    ];
    for (change, reason) in cases {
        let mut case = TdxCase::default();
        change(&mut case);
        let error = judge(&case).unwrap_err();
        assert!(error.to_lowercase().contains(&reason.to_lowercase()), "{reason}: {error}");
    }
}

#[test]
fn quotes_given_measurements() {
    let measurements = Measurements { mr_td: [1; 48], rtmr: [[2; 48], [3; 48], [4; 48], [5; 48]] };
    let simulated = simulated_tdx(&measurements, &[6; 64], NOW);
    assert_eq!(simulated, simulated_tdx(&measurements, &[6; 64], NOW));
    assert_eq!(simulated.quote[48..][136..184], [1; 48]);
    assert_eq!(simulated.quote[48..][328..376], [2; 48]);
    assert_eq!(simulated.quote[48..][520..584], [6; 64]);
    assert_eq!(collateral(&simulated.collateral), collateral(&TdxCase::default().make().collateral.unwrap()));
}
