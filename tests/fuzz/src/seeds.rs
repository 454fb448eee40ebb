//! Valid inputs to start from, made here: no file of anybody else's is needed.

use hallmark_forge::{Forged, TdxCase, VtpmCase, pki::Pki};
use hallmark_image::{Parts, assemble, initrd, synthetic};
use hallmark_verifier::evidence::Evidence;

/// The seeds of a target, by its name; none for a name that is not a target.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let (tdx, vtpm) = (TdxCase::default().make(), VtpmCase::default().make());
    match target {
        "quote" => vec![tdx.quote],
        "collateral" => tdx.collateral.into_iter().collect(),
        "chain" => chain(),
        "event-log" => [&tdx, &vtpm].into_iter().filter_map(event_log).collect(),
        "tpm-quote" => tpm(&vtpm),
        "evidence" => vec![tdx.evidence, vtpm.evidence, tdx.quote],
        "release" => vec![tdx.release, vtpm.release],
        "policy" => vec![tdx.policy.into(), vtpm.policy.into()],
        "lock" => vec![hallmark_image::lock::SHIPPED.into(), hallmark_image::recipe::SHIPPED.into()],
        "pe" => vec![synthetic::kernel(), synthetic::stub(), image().map(|i| i.uki).unwrap_or_default()],
        "gpt" => image().map(|i| i.disk).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn chain() -> Vec<Vec<u8>> {
    let pki = Pki::at(hallmark_forge::NOW);
    let chain = pki.pck_chain();
    let mut seeds = vec![hallmark_forge::certificate::chain_pem(&chain).into_bytes()];
    seeds.extend(chain.iter().map(|certificate| certificate.der()));
    seeds
}

fn event_log(case: &Forged) -> Option<Vec<u8>> {
    match Evidence::parse(&case.evidence).ok()? {
        Evidence::Tdx(tdx) => tdx.enclosed.map(|e| e.event_log),
        Evidence::Vtpm(vtpm) => Some(vtpm.enclosed.event_log),
        _ => None,
    }
}

fn tpm(case: &Forged) -> Vec<Vec<u8>> {
    match Evidence::parse(&case.evidence) {
        Ok(Evidence::Vtpm(vtpm)) => vec![vtpm.quote, vtpm.ak],
        _ => Vec::new(),
    }
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
