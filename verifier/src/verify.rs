//! The main path: evidence, collateral, policy and an instant in; a verdict out.
//!
//! Every check that its inputs allow is run, whatever failed before it, and the decision is made from the finished
//! report alone. A positive word needs every check of the layer to have *passed*: what was not run, but for the few
//! checks that the policy leaves out, counts for nothing.

use crate::binding::{self, Ask, Signed};
use crate::checks::{self, Group};
use crate::collateral::{Believed, Collateral, VerifiedCollateral};
use crate::event_log::{self, Measurements};
use crate::evidence::{Enclosed, Evidence, TdxEvidence, VtpmEvidence};
use crate::image::{self, Expect, Machine};
use crate::policy::Policy;
use crate::quote::Quote;
use crate::quoting_enclave::QuotingEnclave;
use crate::release::Family;
use crate::report::{Outcome, Report};
use crate::root::Kind;
use crate::tdx::{self, Known, Terms};
use crate::time::UnixSeconds;
use crate::verdict::{Verdict, Word};
use crate::vtpm;

/// What is to be judged, and by what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// evidence.json or a raw TDX quote.
    pub evidence: &'a [u8],
    /// Intel's collateral, which a TDX quote cannot be judged without.
    pub collateral: Option<&'a [u8]>,
    /// The image that must run.
    pub expect: Expect<'a>,
    /// What the evidence must be bound to.
    pub binding: Ask,
    /// What the relying party accepts.
    pub policy: &'a Policy,
    /// The instant at which to judge.
    pub now: UnixSeconds,
    /// Whether that instant was chosen (`--at`) rather than read off a clock. The verdict says so.
    pub historical: bool,
}

/// Judges evidence with collateral that is read and verified here.
#[must_use]
pub fn verify(request: &Request<'_>) -> Verdict {
    judge(request, None)
}

/// Judges evidence with collateral that was verified before, and with what is known of the machine from before.
/// `request.collateral` is not looked at. Every check runs again but for the signatures that were verified.
#[must_use]
pub fn verify_known(
    request: &Request<'_>,
    collateral: &VerifiedCollateral,
    enclave: Option<&QuotingEnclave>,
) -> Verdict {
    judge(request, Some((collateral, enclave)))
}

type Cached<'a> = Option<(&'a VerifiedCollateral, Option<&'a QuotingEnclave>)>;

/// What the layer's own checks found.
#[derive(Default)]
struct Layer {
    /// The groups of checks whose every row must have passed.
    required: &'static [&'static str],
    simulated: bool,
    undecided: bool,
    any_image: bool,
    /// Whether `acpi-pinned` is a question.
    has_acpi: bool,
    verdict: Parts,
}

/// What belongs to the question which image runs, and is not asked with `--any-image` unless the policy asks.
const OF_THE_IMAGE: [&str; 3] = ["mr-config-id", "mr-owner", "mr-owner-config"];

/// What goes from the layer into the verdict.
#[derive(Default)]
struct Parts {
    trust: Vec<&'static str>,
    tcb: Option<crate::tcb::Tcb>,
    platform: Option<[u8; 32]>,
    measurements: Measurements,
    report_data: Option<Vec<u8>>,
}

/// Checks that the policy, the form of the quote or the collateral leaves out without harm.
const OPTIONAL: [&str; 4] = ["pck-chain-agrees", "mr-seam", "service-td", "platform-allowed"];

const TDX: &[&str] = &[
    "evidence",
    "TDX quote",
    "collateral",
    "PCK certificate",
    "quoting enclave",
    "quote signature",
    "TCB",
    "trust domain",
];
const VTPM: &[&str] = &["evidence", "vTPM", "event log"];

fn judge(request: &Request<'_>, cached: Cached<'_>) -> Verdict {
    let mut report = Report::new();
    let layer = match Evidence::parse(request.evidence) {
        Ok(evidence) => {
            report.pass("evidence-format", format_args!("{} evidence", evidence.kind()));
            judge_layer(&evidence, request, cached, &mut report)
        }
        Err(error) => {
            report.fail("evidence-format", error);
            explain_absence(|_| true, "the evidence cannot be read", &mut report);
            Layer::default()
        }
    };
    let word = decide(&layer, &report);
    let Parts { trust, tcb, platform, measurements, report_data } = layer.verdict;
    Verdict { word, historical: request.historical, trust, tcb, platform, measurements, report_data, report }
}

fn judge_layer(
    evidence: &Evidence<'_>,
    request: &Request<'_>,
    cached: Cached<'_>,
    report: &mut Report,
) -> Layer {
    let policy = request.policy;
    let (accepted, key) = match evidence {
        Evidence::Tdx(_) => (policy.tdx.accept, "tdx.accept"),
        Evidence::Vtpm(_) => (policy.vtpm.accept, "vtpm.accept"),
        Evidence::Snp(_) => {
            report.fail("layer-accepted", "SEV-SNP reports are not judged by this version");
            explain_absence(|_| true, "SEV-SNP reports are not judged by this version", report);
            return Layer::default();
        }
    };
    if accepted {
        report.pass("layer-accepted", format_args!("`{key} = true`"));
    } else {
        report.fail("layer-accepted", format_args!("the policy says `{key} = false`"));
    }
    match evidence {
        Evidence::Tdx(evidence) => judge_tdx(evidence, request, cached, report),
        Evidence::Vtpm(evidence) => judge_vtpm(evidence, request, report),
        Evidence::Snp(_) => Layer::default(),
    }
}

fn judge_vtpm(evidence: &VtpmEvidence, request: &Request<'_>, report: &mut Report) -> Layer {
    let proven = vtpm::evaluate(evidence, request.policy, report);
    let measurements = proven.as_ref().and_then(vtpm::Proven::measurements);
    let machine = Machine {
        family: Family::Vtpm,
        measurements,
        event_log: proven.as_ref().and_then(vtpm::Proven::event_log),
        boot_events: &evidence.enclosed.boot_events,
    };
    image::evaluate(&request.expect, &machine, request.policy, report);
    let extra_data = proven.as_ref().map(vtpm::Proven::extra_data);
    binding::evaluate(&request.binding, Some(&evidence.enclosed), extra_data.map(Signed::ExtraData), report);
    explain_absence(|group| TDX.contains(&group), "the evidence is a vTPM's", report);
    Layer {
        required: VTPM,
        verdict: Parts {
            trust: vec![vtpm::TRUST],
            measurements: measurements.cloned().unwrap_or_default(),
            report_data: extra_data.map(<[u8]>::to_vec),
            ..Parts::default()
        },
        ..Layer::default()
    }
}

fn judge_tdx(
    evidence: &TdxEvidence<'_>,
    request: &Request<'_>,
    cached: Cached<'_>,
    report: &mut Report,
) -> Layer {
    let quote = parse_quote(&evidence.quote, report);
    let any_image = request.expect == Expect::AnyImage;
    let mut layer = Layer { required: TDX, has_acpi: true, any_image, ..Layer::default() };
    let found = if let Some((collateral, enclave)) = cached {
        report.pass("collateral-format", "read before");
        let believed = collateral.check(request.policy, request.now, report);
        let known = enclave.map_or(Known::Nothing, Known::Enclave);
        judge_quote(quote.as_ref(), &believed, &known, request, &mut layer, report)
    } else {
        match request.collateral.map(Collateral::parse) {
            Some(Ok(collateral)) => {
                report.pass("collateral-format", "CRLs, TCB info, QE identity and their chains");
                let believed = collateral.check_all(request.policy, request.now, report);
                judge_quote(quote.as_ref(), &believed, &Known::Nothing, request, &mut layer, report)
            }
            Some(Err(error)) => {
                report.fail("collateral-format", error);
                explain_absence(|group| TDX.contains(&group), "the collateral cannot be read", report);
                tdx::Found::default()
            }
            None => {
                layer.undecided = true;
                explain_absence(|group| TDX.contains(&group), "no collateral was given", report);
                tdx::Found::default()
            }
        }
    };
    let td = quote.as_ref().map(Quote::report).filter(|_| found.signed);
    let measurements = td.map(|td| Measurements::of_td(*td.mr_td, td.rtmr.map(|register| *register)));
    let enclosed = evidence.enclosed.as_ref();
    let rtmrs = td.map(|td| td.rtmr.map(|register| *register));
    let event_log = event_log::check_td(enclosed, rtmrs.as_ref(), report);
    let machine = Machine {
        family: Family::Tdx,
        measurements: measurements.as_ref(),
        event_log: event_log.as_ref(),
        boot_events: enclosed.map_or(&[], |enclosed: &Enclosed| &enclosed.boot_events),
    };
    image::evaluate(&request.expect, &machine, request.policy, report);
    let signed = td.map(|td| Signed::ReportData(td.report_data));
    binding::evaluate(&request.binding, enclosed, signed, report);
    explain_absence(|group| group == "vTPM", "the evidence is a TD's", report);
    layer.verdict.tcb = found.tcb;
    layer.verdict.platform = found.platform.filter(|_| found.signed);
    layer.verdict.report_data = td.map(|td| td.report_data.to_vec());
    layer.verdict.measurements = measurements.unwrap_or_default();
    layer
}

fn parse_quote<'a>(bytes: &'a [u8], report: &mut Report) -> Option<Quote<'a>> {
    match Quote::parse(bytes) {
        Ok(quote) => {
            report.pass("quote-format", format_args!("version {}, {} bytes", quote.version(), bytes.len()));
            report.pass("quote-key-type", "ECDSA P-256");
            report.pass("quote-certification-type", "6 outside, 5 inside");
            report.pass("quote-signature-length", "exact");
            report.pass("quote-trailing-bytes", "none but zeros");
            Some(quote)
        }
        Err(error) => {
            report.fail(error.slug(), error);
            None
        }
    }
}

fn judge_quote(
    quote: Option<&Quote<'_>>,
    believed: &Believed<'_>,
    known: &Known<'_>,
    request: &Request<'_>,
    layer: &mut Layer,
    report: &mut Report,
) -> tdx::Found {
    if believed.root.as_ref().is_some_and(|root| root.kind() == Kind::Simulated) {
        layer.simulated = true;
        layer.verdict.trust.push("simulated-root");
    }
    let Some(quote) = quote else {
        explain_absence(|group| TDX.contains(&group), "the quote cannot be read", report);
        return tdx::Found::default();
    };
    let image = matches!(request.expect, Expect::Release(_));
    let terms = Terms { policy: request.policy, now: request.now, image };
    tdx::check(quote, believed, known, &terms, report)
}

/// Says of every check of these groups of which nothing was said why it was not run.
fn explain_absence(groups: impl Fn(&str) -> bool, why: &str, report: &mut Report) {
    for check in checks::GROUPS.iter().filter(|group| groups(group.name)).flat_map(|group| group.checks) {
        report.not_run_unless_known(check.slug, why);
    }
}

fn decide(layer: &Layer, report: &Report) -> Word {
    if report.has_failed() {
        return Word::Refused;
    }
    if layer.undecided {
        return Word::Undecided;
    }
    let required = |group: &&Group| layer.required.contains(&group.name);
    let may_skip = |slug| OPTIONAL.contains(&slug) || (layer.any_image && OF_THE_IMAGE.contains(&slug));
    let mut rows = checks::GROUPS.iter().filter(required).flat_map(|group| group.checks).peekable();
    let complete = rows.peek().is_some()
        && rows.all(|check| may_skip(check.slug) || report.outcome(check.slug) == Outcome::Pass);
    if !complete {
        // Nothing failed, and yet something was not run that must be.
        return Word::Undecided;
    }
    if layer.simulated {
        return Word::Simulated;
    }
    let asked: &[&str] = if layer.has_acpi {
        &["release-format", "image-mismatch", "acpi-pinned", "binding-mismatch"]
    } else {
        &["release-format", "image-mismatch", "binding-mismatch"]
    };
    if report.passed(asked) { Word::Accepted } else { Word::Authentic }
}
