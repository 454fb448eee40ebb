//! What a machine sends to be believed, and what Intel says of it: the verifier's inputs.

use std::sync::LazyLock;

use hallmark_forge::pki::Pki;
use hallmark_verifier::certificate::Certificate;
use hallmark_verifier::collateral::Collateral;
use hallmark_verifier::crl::Crl;
use hallmark_verifier::event_log::{Bank, EventLog, Kind};
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::image::diff;
use hallmark_verifier::pck_extension::PckExtension;
use hallmark_verifier::pem;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::release::Expected;
use hallmark_verifier::tpm::{self, AttestationKey};

use crate::known::{COLLATERAL, Machine, NOW, TDX, VTPM};

/// Quotes. One that authenticates has a header and a body that the forge signed.
pub(crate) fn quote(data: &[u8]) {
    let Ok(quote) = Quote::parse(data) else { return };
    assert!(data.starts_with(quote.signed()));
    let tdx = &*TDX;
    // By an enclave that is known it costs one signature; by another it is judged by the evidence target.
    if tdx.enclave.is_of(&quote)
        && tdx.enclave.authenticate(&tdx.collateral, &quote, &tdx.policy, NOW).is_ok()
    {
        assert!(tdx.signed.iter().any(|signed| signed == quote.signed()), "nobody signed this");
    }
}

/// Collateral. What is verified is what the forge signed, whatever stands around it.
pub(crate) fn collateral(data: &[u8]) {
    let Ok(collateral) = Collateral::parse(data) else { return };
    if let Ok(verified) = collateral.verify(&TDX.policy, NOW) {
        assert!(COLLATERAL.iter().any(|known| known.tcb_info() == verified.tcb_info()), "nobody signed this");
        assert!(
            COLLATERAL.iter().any(|known| known.qe_identity() == verified.qe_identity()),
            "nobody signed this"
        );
    }
}

/// Certificates, CRLs and the PCK extension, in DER and PEM.
pub(crate) fn chain(data: &[u8]) {
    static CA: LazyLock<Option<Certificate>> = LazyLock::new(|| {
        let chain = Pki::at(hallmark_forge::NOW).pck_chain();
        chain.get(1).and_then(|certificate| Certificate::parse(certificate.der()).ok())
    });
    let from_pem = pem::certificates(data).unwrap_or_default();
    for der in from_pem.into_iter().chain([data.to_vec()]) {
        let Ok(certificate) = Certificate::parse(der.clone()) else { continue };
        assert_eq!(certificate.der(), der);
        let parts = [certificate.issuer(), certificate.subject(), certificate.spki()];
        assert!(parts.iter().all(|part| !part.is_empty()), "a part that is nowhere");
        if let Some(extension) = &certificate.extensions().sgx {
            let _ = PckExtension::parse(extension);
        }
    }
    if let (Ok(crl), Some(ca)) = (Crl::parse(data.to_vec()), &*CA) {
        assert!(crl.len() <= data.len() && !(crl.is_empty() && crl.revokes(ca.serial())));
        let _ = crl.check_issuer(ca);
    }
    let _ = PckExtension::parse(data);
}

/// Event logs. One that does not differ from a release leads to that release's registers.
pub(crate) fn event_log(data: &[u8]) {
    for (kind, release) in [(Kind::Tcg2, &VTPM.release), (Kind::Ccel, &TDX.release)] {
        let Ok(log) = EventLog::parse(data, kind) else { continue };
        for bank in [Bank::Sha1, Bank::Sha256, Bank::Sha384, Bank::Sha512] {
            assert_eq!(log.replay(bank).is_some(), log.banks().contains(&bank));
        }
        for event in log.events() {
            assert!(event.offset < data.len());
            if let Some(text) = event.authenticated_text() {
                assert!(event.extends() && event.digests.are_of(&text));
            }
        }
        let _ = log.acpi_events(|_| false);
        for expected in release.expected() {
            follows(expected, &log);
        }
    }
}

/// No divergence, no other register.
fn follows(expected: &Expected, log: &EventLog<'_>) {
    let divergences = diff(expected, log, &[]);
    for divergence in &divergences {
        assert!(!divergence.to_string().is_empty());
    }
    let diverges = |register| divergences.iter().any(|divergence| divergence.register == register);
    for bank in log.banks() {
        for (register, value) in log.replay(*bank).iter().flat_map(|replay| replay.iter()) {
            let must = expected.register(register).and_then(|value| value.get(*bank));
            if let Some(must) = must.filter(|_| !diverges(register)) {
                assert!(*value == must, "{register} differs without an event that does");
            }
        }
    }
}

/// TPM quotes and attestation keys. One that the forge's key signed is one of those that it signed.
pub(crate) fn tpm_quote(data: &[u8]) {
    let (key, quotes) = (&VTPM.key, &VTPM.quotes);
    if let Ok(quote) = tpm::Quote::parse(data)
        && quote.verify(key)
    {
        let signed =
            |known: &Vec<u8>| tpm::Quote::parse(known).is_ok_and(|known| known.attest() == quote.attest());
        assert!(quotes.iter().any(signed), "nobody signed this");
    }
    if let Ok(other) = AttestationKey::parse(data) {
        assert!(other == *key || other.name() != key.name());
    }
}

/// Evidence, judged. A machine that is believed is one that the forge vouched for.
pub(crate) fn evidence(data: &[u8]) {
    let Ok(evidence) = Evidence::parse(data) else { return };
    let (verdict, machines) = match evidence {
        Evidence::Vtpm(_) => (VTPM.verdict(data), &VTPM.machines),
        _ => (TDX.verdict(data, &TDX.policy), &TDX.machines),
    };
    if let Some(machine) = Machine::believed(&verdict) {
        assert!(machines.contains(&machine), "nobody vouched for this");
    }
    assert!(verdict.to_json().starts_with('{'));
}
