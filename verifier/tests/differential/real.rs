//! Oddities that no signature covers: put in, and taken out again.

use der::Decode;
use x509_cert::crl::CertificateList;

use super::case::{Case, Root};
use super::layout::Layout;
use super::mutate::CHAINS;
use super::pem;

const PCK_CHAIN: &str = "pck_certificate_chain";
const CRLS: [&str; 2] = ["root_ca_crl", "pck_crl"];
const SIGNATURES: [&str; 2] = ["tcb_info_signature", "qe_identity_signature"];

/// `None` where nothing had to change.
fn changed(before: &Case, after: Case) -> Option<Case> {
    (before.quote != after.quote || before.collateral != after.collateral || before.now != after.now)
        .then_some(after)
}

fn root(case: &Case) -> Vec<u8> {
    match &*case.root {
        Root::Intel => pem::INTEL_ROOT.to_vec(),
        Root::Simulated { der, .. } => der.clone(),
    }
}

pub(crate) fn make_trailing(case: &Case) -> Option<Case> {
    let mut quote = case.quote.clone();
    quote.push(1);
    Some(case.with_quote(quote))
}

pub(crate) fn repair_trailing(case: &Case) -> Option<Case> {
    let end = Layout::of(&case.quote)?.signature_end;
    let mut quote = case.quote.clone();
    quote.truncate(end);
    changed(case, case.with_quote(quote))
}

/// One zero more in the signature data than their fields have.
pub(crate) fn make_slack(case: &Case) -> Option<Case> {
    let layout = Layout::of(&case.quote)?;
    let mut quote = case.quote.clone();
    quote.insert(layout.signature_end, 0);
    let field = quote.get_mut(layout.signature_length..layout.signature_length + 4)?;
    let length = u32::from_le_bytes((&*field).try_into().ok()?);
    field.copy_from_slice(&(length + 1).to_le_bytes());
    Some(case.with_quote(quote))
}

/// Every length as its fields have it, and the bytes in between gone.
pub(crate) fn repair_slack(case: &Case) -> Option<Case> {
    let layout = Layout::of(&case.quote)?;
    let chain = case.quote.get(layout.chain..layout.chain_end)?.to_vec();
    let quote = Layout::with_chain(&case.quote, &chain)?;
    (case.quote.get(..layout.signature_end)? != quote).then(|| case.with_quote(quote))
}

pub(crate) fn make_certification_type(case: &Case) -> Option<Case> {
    let mut quote = case.quote.clone();
    *quote.get_mut(Layout::of(&case.quote)?.outer_type)? = 7;
    Some(case.with_quote(quote))
}

pub(crate) fn repair_certification_type(case: &Case) -> Option<Case> {
    let layout = Layout::of(&case.quote)?;
    let mut quote = case.quote.clone();
    quote.get_mut(layout.outer_type..layout.outer_type + 2)?.copy_from_slice(&[6, 0]);
    quote.get_mut(layout.inner_type..layout.inner_type + 2)?.copy_from_slice(&[5, 0]);
    changed(case, case.with_quote(quote))
}

/// Every chain of a case, in the quote and in the collateral, rewritten.
fn rewrite(case: &Case, with: impl Fn(&str) -> Option<String>) -> Option<Case> {
    let mut case = case.clone();
    for field in CHAINS.iter().chain([&PCK_CHAIN]) {
        if let Some(text) = case.text(field).and_then(|text| with(&text)) {
            case = case.with_field(field, Some(text))?;
        }
    }
    if let Some(chain) = Layout::chain_text(&case.quote).and_then(|text| with(&text)) {
        let quote = Layout::with_chain(&case.quote, chain.as_bytes())?;
        case = case.with_quote(quote);
    }
    Some(case)
}

pub(crate) fn make_pem_text(case: &Case) -> Option<Case> {
    let field = "tcb_info_issuer_chain";
    case.with_field(field, Some(format!("subject=somebody\n{}", case.text(field)?)))
}

pub(crate) fn repair_pem_text(case: &Case) -> Option<Case> {
    let after = rewrite(case, |chain| Some(pem::text(&pem::blocks(chain))))?;
    changed(case, after)
}

pub(crate) fn make_pck_crl_issuer_chain(case: &Case) -> Option<Case> {
    case.with_field("pck_crl_issuer_chain", case.text("tcb_info_issuer_chain"))
}

/// The chain as the quote has it: CA and root.
pub(crate) fn repair_pck_crl_issuer_chain(case: &Case) -> Option<Case> {
    let chain = pem::path(&pem::blocks(&Layout::chain_text(&case.quote)?), &root(case))?;
    let after = case.with_field("pck_crl_issuer_chain", Some(pem::text(chain.get(1..)?)))?;
    changed(case, after)
}

/// A chain in the collateral that is good, and another in the quote.
pub(crate) fn make_collateral_chain(case: &Case) -> Option<Case> {
    let text = Layout::chain_text(&case.quote)?;
    let mut blocks = pem::blocks(&text);
    blocks.first_mut()?.push(0);
    let quote = Layout::with_chain(&case.quote, pem::text(&blocks).as_bytes())?;
    case.with_field(PCK_CHAIN, Some(text)).map(|case| case.with_quote(quote))
}

pub(crate) fn repair_collateral_chain(case: &Case) -> Option<Case> {
    case.text(PCK_CHAIN)?;
    case.with_field(PCK_CHAIN, None)
}

/// The root left out.
pub(crate) fn make_chain_shape(case: &Case) -> Option<Case> {
    let mut chain = pem::blocks(&Layout::chain_text(&case.quote)?);
    chain.pop();
    let quote = Layout::with_chain(&case.quote, pem::text(&chain).as_bytes())?;
    Some(case.with_quote(quote))
}

pub(crate) fn repair_chain_shape(case: &Case) -> Option<Case> {
    let root = root(case);
    let after = rewrite(case, |chain| pem::path(&pem::blocks(chain), &root).map(|path| pem::text(&path)))?;
    // The CRL's chain begins with a CA, which a path builder would not take for a leaf; it is another class.
    let after = after.with_field("pck_crl_issuer_chain", case.text("pck_crl_issuer_chain"))?;
    changed(case, after)
}

/// From when to when each CRL holds, and everything else.
struct Windows {
    crls: Vec<(u64, u64)>,
    others: Vec<(u64, u64)>,
}

impl Windows {
    fn of(case: &Case) -> Option<Self> {
        let mut crls = Vec::new();
        for field in CRLS {
            let der = case.bytes(field)?;
            let list = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der).ok()?.tbs_cert_list;
            crls.push((seconds(list.this_update), seconds(list.next_update?)));
        }
        let mut others = Vec::new();
        let mut chains: Vec<String> = CHAINS.iter().filter_map(|field| case.text(field)).collect();
        chains.extend(Layout::chain_text(&case.quote));
        for der in chains.iter().flat_map(|chain| pem::blocks(chain)) {
            let certificate = x509_cert::Certificate::from_der(&der).ok()?;
            let validity = *certificate.tbs_certificate().validity();
            others.push((seconds(validity.not_before), seconds(validity.not_after)));
        }
        for document in ["tcb_info", "qe_identity"] {
            let value: serde_json::Value = serde_json::from_str(&case.text(document)?).ok()?;
            let date = |field: &str| -> Option<u64> {
                let date: der::DateTime = value.get(field)?.as_str()?.parse().ok()?;
                Some(date.unix_duration().as_secs())
            };
            others.push((date("issueDate")?, date("nextUpdate")?));
        }
        Some(Self { crls, others })
    }

    fn last_start(windows: &[(u64, u64)]) -> u64 {
        windows.iter().map(|(from, _)| *from).max().unwrap_or(0)
    }

    fn first_end(windows: &[(u64, u64)]) -> u64 {
        windows.iter().map(|(_, to)| *to).min().unwrap_or(u64::MAX)
    }
}

fn seconds(time: x509_cert::time::Time) -> u64 {
    time.to_unix_duration().as_secs()
}

/// Every instant at which something of a case begins or ends.
pub(crate) fn instants(case: &Case) -> Vec<u64> {
    let windows = Windows::of(case).unwrap();
    let mut instants: Vec<u64> =
        windows.crls.iter().chain(&windows.others).flat_map(|(from, to)| [*from, *to]).collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}

/// The instant before the later list begins, where everything else has begun by then.
pub(crate) fn make_future_crl(case: &Case) -> Option<Case> {
    let windows = Windows::of(case)?;
    let before = Windows::last_start(&windows.crls).checked_sub(1)?;
    (Windows::last_start(&windows.others) <= before).then(|| case.at(before))
}

pub(crate) fn repair_future_crl(case: &Case) -> Option<Case> {
    let from = Windows::last_start(&Windows::of(case)?.crls);
    (case.now < from).then(|| case.at(from))
}

/// The instant at which the first list ends, where everything else is good still.
pub(crate) fn make_crl_at_end(case: &Case) -> Option<Case> {
    let windows = Windows::of(case)?;
    let end = Windows::first_end(&windows.crls);
    (Windows::first_end(&windows.others) >= end).then(|| case.at(end))
}

pub(crate) fn repair_crl_at_end(case: &Case) -> Option<Case> {
    (case.now == Windows::first_end(&Windows::of(case)?.crls)).then(|| case.at(case.now - 1))
}

pub(crate) fn make_signature_padding(case: &Case) -> Option<Case> {
    let mut signature = case.bytes(SIGNATURES[0])?;
    signature.insert(32, 0);
    case.with_field(SIGNATURES[0], Some(hex::encode(signature)))
}

pub(crate) fn repair_signature_padding(case: &Case) -> Option<Case> {
    let mut after = case.clone();
    for field in SIGNATURES {
        let signature = case.bytes(field)?;
        let (r, s) = signature.split_at_checked(32)?;
        let zeros = s.iter().take_while(|byte| **byte == 0).count();
        let digits = s.get(zeros..)?;
        let mut fixed = r.to_vec();
        fixed.resize(64usize.checked_sub(digits.len())?, 0);
        fixed.extend_from_slice(digits);
        if fixed != signature {
            after = after.with_field(field, Some(hex::encode(fixed)))?;
        }
    }
    changed(case, after)
}

pub(crate) fn make_unknown_field(case: &Case) -> Option<Case> {
    case.with_field("pck_certificate_chian", Some(String::new()))
}

pub(crate) fn repair_unknown_field(case: &Case) -> Option<Case> {
    let mut fields = case.fields()?;
    let before = fields.len();
    fields.retain(|name, _| {
        CHAINS.contains(&name.as_str())
            || CRLS.contains(&name.as_str())
            || SIGNATURES.contains(&name.as_str())
            || ["tcb_info", "qe_identity", PCK_CHAIN].contains(&name.as_str())
    });
    (fields.len() < before).then(|| case.with_fields(&fields))
}

pub(crate) fn is_sgx(case: &Case) -> bool {
    case.quote.get(4..8) == Some(&[0; 4]) && case.quote.first() == Some(&3)
}
