//! Unusual, and right.

use sha2::{Digest, Sha256};

use super::collateral::{qe_identity_dates, revoke, tcb_info_dates};
use super::quote::version_5;
use super::tcb::advised;
use super::{Row, tdx, vtpm};
use crate::event_log::{EV_IPL, LogKind};
use crate::instant::{DAY, NOW};
use crate::key::Signature;
use crate::pki::Pki;
use crate::release::Expected;
use crate::td_body::Layout;
use crate::tpm::NO_DA;

pub(super) const ROWS: &[Row] = &[
    tdx("", "a TDX quote of version 4", |_| ()),
    tdx("", "version 5 with a TD 1.0 body", |c| version_5(c, Layout::Td10)),
    tdx("", "version 5 with a TD 1.5 body", |c| version_5(c, Layout::Td15)),
    tdx("", "version 5 with a TD 1.5ex body", |c| version_5(c, Layout::Td15Ex)),
    tdx("", "zeros after the quote", |c| c.quote.trailing = vec![0; 70]),
    tdx("", "a zero at the end of the chain", |c| {
        let chain: String = c.pki.pck_chain().iter().map(crate::certificate::Certificate::pem).collect();
        c.quote.certification_data = Some([chain.as_bytes(), &[0]].concat());
    }),
    tdx("", "the other signature of the same body", |c| c.quote.signature = Signature::Complement),
    tdx("", "a platform under the processor CA", |c| c.pki = Pki::processor(c.now)),
    tdx("", "the same chain in the collateral", |c| c.collateral.pck_chain = Some(c.pki.pck_chain())),
    tdx("", "others are revoked", |c| {
        revoke(&mut c.pki.root_crl, vec![0x22; 20]);
        revoke(&mut c.pki.pck_crl, vec![0x22; 20]);
    }),
    tdx("", "everything issued now", |c| {
        c.pki.root_crl.this_update = NOW;
        c.pki.pck_crl.this_update = NOW;
        c.pki.pck.not_before = NOW;
        c.pki.tcb_signing.not_before = NOW;
        tcb_info_dates(c, NOW, NOW + DAY);
        qe_identity_dates(c, NOW, NOW + DAY);
    }),
    tdx("", "everything ends now", |c| {
        c.pki.root_crl.next_update = Some(NOW);
        c.pki.pck_crl.next_update = Some(NOW);
        c.pki.pck.not_after = NOW;
        c.pki.tcb_signing.not_after = NOW;
        tcb_info_dates(c, NOW - DAY, NOW);
        qe_identity_dates(c, NOW - DAY, NOW);
    }),
    tdx("", "a root CRL of a hundred days", |c| c.pki.root_crl.this_update = NOW - 100 * DAY),
    tdx("", "TCB info with spaces, signed as it is", |c| {
        c.collateral.tcb_info.text = Some(c.collateral.tcb_info.content.json().replace("\":", "\": "));
    }),
    tdx("", "TCB levels out of order", |c| c.collateral.tcb_info.content.tcb_levels.reverse()),
    tdx("", "an advisory that the policy tolerates", |c| {
        advised(c);
        c.policy.advisories = vec![("INTEL-SA-00615".into(), "2026-06-02T00:00:00Z".into())];
    }),
    tdx("", "a module of version 0", |c| {
        c.quote.body.tee_tcb_svn = [5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    }),
    tdx("", "SEPT_VE_DISABLE not asked for", |c| {
        c.quote.body.td_attributes = 0;
        c.policy.sept_ve_disable = "any".into();
    }),
    tdx("", "registers that the policy names", |c| {
        c.quote.body.mr_config_id = [9; 48];
        c.policy.mr_config_id = "09".repeat(48);
        c.quote.body.mr_owner = [9; 48];
        c.policy.mr_owner = "any".into();
        c.policy.mr_seam = vec![c.quote.body.mr_seam];
    }),
    tdx("", "a platform that the policy names", |c| c.policy.platforms = vec![c.pki.platform()]),
    tdx("", "a file is bound", |c| c.bound_file = Some(b"SIMULATED file".to_vec())),
    tdx("", "PKS and Key Locker", |c| c.quote.body.td_attributes |= 3 << 30),
    tdx("", "text in the log that is not what was measured", |c| {
        for event in c.log.events.iter_mut().filter(|event| event.kind == EV_IPL) {
            event.data = b"SIMULATED\0".to_vec();
        }
    }),
    tdx("", "a release whose kernel confines AML", |c| {
        c.policy.acpi = Some(Vec::new());
        c.policy.acpi_confined = vec![Sha256::digest(c.make().release).into()];
    }),
    tdx("", "no boot events, and a release that says nothing of them", |c| {
        c.boot_events.clear();
        let mr_td = Some(c.quote.body.mr_td);
        c.release.expected = vec![Expected::of(LogKind::Ccel, mr_td, &c.log.events, &[1, 2, 3])];
    }),
    tdx("", "no boot events", |c| c.boot_events.clear()),
    vtpm("", "a vTPM", |_| ()),
    vtpm("", "an attestation key without dictionary attack protection", |c| c.ak.attributes |= NO_DA),
    vtpm("", "a file is bound, by a vTPM", |c| c.bound_file = Some(b"SIMULATED file".to_vec())),
];
