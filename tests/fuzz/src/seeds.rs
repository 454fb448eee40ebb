//! Valid inputs to start from, made here: no file of anybody else's is needed.

use hallmark_forge::certificate::chain_pem;
use hallmark_forge::crl::Revoked;
use hallmark_forge::{Forged, TdxCase, VtpmCase, pki::Pki};
use hallmark_image::release::{Expected, Release, signature};
use hallmark_image::{Parts, assemble, initrd, synthetic};
use hallmark_ledger::note::{Note, Signer};
use hallmark_verifier::certificate::Certificate;
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::quote::Quote;

use crate::known::VALID;
use crate::small_disk::{Volume, small_disk};

/// The seeds of a target, by its name; none for a name that is not a target.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "quote" => {
            VALID.iter().filter(|case| Quote::parse(&case.quote).is_ok()).map(|c| c.quote.clone()).collect()
        }
        "collateral" => VALID.iter().filter_map(|case| case.collateral.clone()).collect(),
        "chain" => chain(),
        "event-log" => both().iter().filter_map(event_log).collect(),
        "tpm-quote" => VALID.iter().flat_map(tpm).collect(),
        "evidence" => both().into_iter().flat_map(|case| [case.evidence, case.quote]).take(3).collect(),
        "release" => releases(),
        "policy" => VALID.iter().map(|case| case.policy.clone().into()).collect(),
        "lock" => [hallmark_image::lock::SHIPPED, hallmark_image::recipe::SHIPPED].map(Into::into).into(),
        "pe" => images(),
        "gpt" => {
            [Volume::Fat32, Volume::Fat12].into_iter().filter_map(|v| small_disk(&image()?.disk, v)).collect()
        }
        _ => Vec::new(),
    };
    seeds.sort();
    seeds.dedup();
    seeds
}

fn both() -> [Forged; 2] {
    [TdxCase::default().make(), VtpmCase::default().make()]
}

fn chain() -> Vec<Vec<u8>> {
    let mut pki = Pki::at(hallmark_forge::NOW);
    let chain = pki.pck_chain();
    let mut seeds = vec![chain_pem(&chain).into_bytes(), pki.root_crl.der()];
    let ders = || chain.iter().map(|certificate| certificate.der());
    let sgx = |der| Certificate::parse(der).ok()?.extensions().sgx.clone();
    seeds.extend(ders().chain(ders().filter_map(sgx)));
    let revoked = (1..4).map(|last| Revoked { serial: vec![0x22, last], date: hallmark_forge::NOW });
    pki.pck_crl.revoked.extend(revoked);
    seeds.push(pki.pck_crl.der());
    seeds
}

fn event_log(case: &Forged) -> Option<Vec<u8>> {
    Evidence::parse(&case.evidence).ok()?.enclosed().map(|enclosed| enclosed.event_log.clone())
}

fn tpm(case: &Forged) -> Vec<Vec<u8>> {
    match Evidence::parse(&case.evidence) {
        Ok(Evidence::Vtpm(vtpm)) => vec![vtpm.quote, vtpm.ak],
        _ => Vec::new(),
    }
}

/// The forge's documents, the builder's own, and a signature of it.
fn releases() -> Vec<Vec<u8>> {
    let forged = both().map(|case| case.release);
    let signed = || {
        let mut read = Release::parse(&forged[0]).ok()?;
        read.expected = vec![Expected::vtpm(&image()?.disk, b"SIMULATED firmware").ok()?];
        let written = read.to_json().ok()?;
        let signer = Signer::from_seed("SIMULATED", &[7; 32]).ok()?;
        let note: Note = signature::sign(written.as_bytes(), None, &[signer]).ok()?;
        Some([written.into_bytes(), note.to_string().into_bytes()])
    };
    signed().into_iter().flatten().chain(forged.clone()).collect()
}

fn images() -> Vec<Vec<u8>> {
    let mut images = vec![synthetic::kernel(), synthetic::stub(), synthetic::firmware()];
    images.extend(image().map(|image| image.uki));
    images
}

fn image() -> Option<hallmark_image::Image> {
    let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
    let initrd = initrd::initrd(b"SIMULATED", &[]).ok()?;
    let parts = Parts {
        stub: &stub,
        kernel: &kernel,
        release: "0",
        initrd: &initrd,
        command_line: "simulated",
        os_release: "ID=simulated\n",
    };
    assemble(&parts).ok()
}
