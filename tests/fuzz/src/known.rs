//! What the forge signed: all that may get past a signature.

use std::sync::LazyLock;

use hallmark_forge::{Forged, TdxCase, VtpmCase};
use hallmark_verifier::binding::Ask;
use hallmark_verifier::collateral::{Collateral, VerifiedCollateral};
use hallmark_verifier::event_log::Measurements;
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::image::Expect;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::quoting_enclave::QuotingEnclave;
use hallmark_verifier::release::Release;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::tpm::AttestationKey;
use hallmark_verifier::{Policy, Request, Verdict, Word, verify, verify_known};

/// The instant of every check.
pub(crate) const NOW: UnixSeconds = UnixSeconds(hallmark_forge::NOW);

/// A forged TD, with the stages of its verification that inputs share: they cost eight signatures of nine.
pub(crate) struct Tdx {
    pub(crate) forged: Forged,
    pub(crate) policy: Policy,
    pub(crate) release: Release,
    pub(crate) collateral: VerifiedCollateral,
    pub(crate) enclave: QuotingEnclave,
    /// Headers and bodies of all quotes that the forge makes.
    pub(crate) signed: Vec<Vec<u8>>,
    pub(crate) machines: Vec<Machine>,
}

/// A forged machine with a vTPM.
pub(crate) struct Vtpm {
    pub(crate) policy: Policy,
    pub(crate) release: Release,
    /// The attestation key that the policy names.
    pub(crate) key: AttestationKey,
    /// All quotes that the forge makes, by whatever key.
    pub(crate) quotes: Vec<Vec<u8>>,
    pub(crate) machines: Vec<Machine>,
}

/// What a verdict says of a machine.
#[derive(PartialEq, Eq)]
pub(crate) struct Machine {
    measurements: Measurements,
    report_data: Option<Vec<u8>>,
}

/// Evidence of every case that a verifier must accept.
pub(crate) static VALID: LazyLock<Vec<Forged>> =
    LazyLock::new(|| hallmark_forge::valid().into_iter().map(|(_, forged)| forged).collect());

pub(crate) static TDX: LazyLock<Tdx> = LazyLock::new(|| {
    let forged = TdxCase::default().make();
    let policy = Policy::parse(&forged.policy).expect("forged");
    let release = Release::parse(&forged.release).expect("forged");
    let quote = Quote::parse(&forged.quote).expect("forged");
    let collateral = Collateral::parse(forged.collateral.as_deref().unwrap_or_default()).expect("forged");
    let collateral = collateral.verify(&policy, NOW).expect("forged");
    let platform = collateral.platform(&quote, &policy, NOW).expect("forged");
    let enclave = platform.quoting_enclave(&collateral, &quote, &policy, NOW).expect("forged");
    let signed = |case: &Forged| Quote::parse(&case.quote).ok().map(|quote| quote.signed().to_vec());
    let signed = VALID.iter().filter_map(signed).collect();
    let mut tdx = Tdx { forged, policy, release, collateral, enclave, signed, machines: Vec::new() };
    let machine = |case: &Forged| Machine::believed(&tdx.verdict(&case.evidence, &tdx.policy));
    let machines = VALID.iter().filter_map(machine).collect();
    tdx.machines = machines;
    tdx
});

/// All collateral of the forge that holds under the policy of [`TDX`].
pub(crate) static COLLATERAL: LazyLock<Vec<VerifiedCollateral>> = LazyLock::new(|| {
    let bytes = VALID.iter().filter_map(|case| case.collateral.as_deref());
    let parsed = bytes.filter_map(|bytes| Collateral::parse(bytes).ok());
    parsed.filter_map(|collateral| collateral.verify(&TDX.policy, NOW).ok()).collect()
});

pub(crate) static VTPM: LazyLock<Vtpm> = LazyLock::new(|| {
    let forged = VtpmCase::default().make();
    let policy = Policy::parse(&forged.policy).expect("forged");
    let release = Release::parse(&forged.release).expect("forged");
    let Ok(Evidence::Vtpm(evidence)) = Evidence::parse(&forged.evidence) else { panic!("forged") };
    let key = AttestationKey::parse(&evidence.ak).expect("forged");
    let quotes =
        VALID.iter().filter(|case| case.collateral.is_none()).map(|case| case.quote.clone()).collect();
    let mut vtpm = Vtpm { policy, release, key, quotes, machines: Vec::new() };
    let machine = |case: &Forged| Machine::believed(&vtpm.verdict(&case.evidence));
    let machines = VALID.iter().filter_map(machine).collect();
    vtpm.machines = machines;
    vtpm
});

impl Tdx {
    pub(crate) fn verdict(&self, evidence: &[u8], policy: &Policy) -> Verdict {
        verify_known(&request(evidence, policy), &self.collateral, Some(&self.enclave))
    }
}

impl Vtpm {
    pub(crate) fn verdict(&self, evidence: &[u8]) -> Verdict {
        verify(&request(evidence, &self.policy))
    }
}

impl Machine {
    /// The machine of a verdict that believes in one.
    pub(crate) fn believed(verdict: &Verdict) -> Option<Self> {
        let believed = !matches!(verdict.word(), Word::Refused | Word::Undecided);
        let report_data = || verdict.report_data().map(<[u8]>::to_vec);
        believed.then(|| Self { measurements: verdict.measurements().clone(), report_data: report_data() })
    }
}

/// The questions that leave most to the signatures: any image, bound to anything.
fn request<'a>(evidence: &'a [u8], policy: &'a Policy) -> Request<'a> {
    Request {
        evidence,
        collateral: None,
        expect: Expect::AnyImage,
        binding: Ask::Unbound,
        policy,
        now: NOW,
        historical: false,
    }
}
