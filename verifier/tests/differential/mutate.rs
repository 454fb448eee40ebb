//! Ways to spoil a case. Each is a name and a function of a case, of another case and of chance.

use serde_json::Value;

use super::case::Case;
use super::layout::Layout;
use super::random::Random;
use super::{edit_json, pem};

/// One way.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    /// The case spoilt; `None` where this way does not apply.
    pub(crate) spoil: fn(&Case, &Case, &mut Random) -> Option<Case>,
}

const fn way(name: &'static str, spoil: fn(&Case, &Case, &mut Random) -> Option<Case>) -> Mutation {
    Mutation { name, spoil }
}

/// All of them, dealt out in turn.
pub(crate) const MUTATIONS: &[Mutation] = &[
    way("quote-bit", |case, _, random| Some(flip_quote(case, random, 0, case.quote.len()))),
    way("header-bit", |case, _, random| Some(flip_quote(case, random, 0, 54))),
    way("body-bit", |case, _, random| {
        let layout = Layout::of(&case.quote)?;
        Some(flip_quote(case, random, 48, layout.signature_length))
    }),
    way("signature-or-key-bit", |case, _, random| {
        let layout = Layout::of(&case.quote)?;
        Some(flip_quote(case, random, layout.signature_length, layout.outer_type))
    }),
    way("qe-report-bit", |case, _, random| {
        let layout = Layout::of(&case.quote)?;
        Some(flip_quote(case, random, layout.qe_report, layout.auth_length))
    }),
    way("qe-auth-bit", |case, _, random| {
        let layout = Layout::of(&case.quote)?;
        Some(flip_quote(case, random, layout.auth_length, layout.inner_type))
    }),
    way("pck-chain-text-bit", |case, _, random| {
        let layout = Layout::of(&case.quote)?;
        Some(flip_quote(case, random, layout.chain, layout.chain_end))
    }),
    way("pck-chain-der", |case, other, random| {
        let chain = pem::blocks(&Layout::chain_text(&case.quote)?);
        let theirs = pem::blocks(&Layout::chain_text(&other.quote)?);
        let chain = spoil_chain(chain, &theirs, random)?;
        Some(case.with_quote(Layout::with_chain(&case.quote, pem::text(&chain).as_bytes())?))
    }),
    way("certification-type", |case, _, random| {
        let layout = Layout::of(&case.quote)?;
        let mut quote = case.quote.clone();
        quote[*random.pick(&[layout.outer_type, layout.inner_type])] = random.byte() % 9;
        Some(case.with_quote(quote))
    }),
    way("length-field", length_field),
    way("slack", slack),
    way("trailing-bytes", |case, _, random| {
        let mut quote = case.quote.clone();
        let zero = random.below(3) == 0;
        for _ in 0..=random.below(40) {
            quote.push(if zero { 0 } else { random.byte() });
        }
        Some(case.with_quote(quote))
    }),
    way("truncation", |case, _, random| {
        let mut quote = case.quote.clone();
        let end = match random.below(3) {
            0 => quote.len().checked_sub(1 + random.below(40))?,
            1 => Layout::of(&quote)?.signature_end.checked_sub(1 + random.below(40))?,
            _ => random.below(quote.len()),
        };
        quote.truncate(end);
        Some(case.with_quote(quote))
    }),
    way("another-quote", |case, other, _| Some(case.with_quote(other.quote.clone()))),
    way("another-certification", |case, other, _| {
        let (mine, theirs) = (Layout::of(&case.quote)?, Layout::of(&other.quote)?);
        let mut quote = case.quote.get(..mine.signature_length)?.to_vec();
        quote.extend_from_slice(other.quote.get(theirs.signature_length..)?);
        Some(case.with_quote(quote))
    }),
    way("collateral-field-of-another-set", |case, other, random| {
        let field = *random.pick(FIELDS);
        case.with_field(field, other.text(field))
    }),
    way("signed-document-of-another-set", |case, other, random| {
        let of = *random.pick(&["tcb_info", "qe_identity"]);
        let signature = format!("{of}_signature");
        case.with_field(of, other.text(of))?.with_field(&signature, other.text(&signature))
    }),
    way("collateral-field-swap", |case, _, random| {
        let pairs = [
            ("tcb_info", "qe_identity"),
            ("tcb_info_signature", "qe_identity_signature"),
            ("root_ca_crl", "pck_crl"),
            ("pck_crl_issuer_chain", "tcb_info_issuer_chain"),
        ];
        let (one, two) = *random.pick(&pairs);
        case.with_field(one, case.text(two))?.with_field(two, case.text(one))
    }),
    way("collateral-byte", |case, _, random| {
        let mut collateral = case.collateral.clone();
        random.flip(&mut collateral);
        Some(Case { collateral, ..case.clone() })
    }),
    way("collateral-layout", |case, _, random| {
        let mut fields = case.fields()?;
        Some(match random.below(5) {
            0 => Case { collateral: serde_json::to_vec_pretty(&fields).ok()?, ..case.clone() },
            1 => {
                let mut backwards: Vec<_> = fields.into_iter().collect();
                backwards.reverse();
                case.with_fields(&backwards.into_iter().collect())
            }
            2 => {
                fields.insert("comment".into(), "x".into());
                case.with_fields(&fields)
            }
            3 => {
                fields.remove(*random.pick(FIELDS));
                case.with_fields(&fields)
            }
            _ => {
                let field = *random.pick(FIELDS);
                fields
                    .insert(field.into(), random.pick(&[Value::Null, Value::Bool(true), "".into()]).clone());
                case.with_fields(&fields)
            }
        })
    }),
    way("signed-document-edit", |case, _, random| {
        let field = *random.pick(&["tcb_info", "qe_identity"]);
        case.with_field(field, Some(edit_json::edit(&case.text(field)?, random)?))
    }),
    way("signed-document-bit", |case, _, random| {
        let field = *random.pick(&["tcb_info", "qe_identity"]);
        let mut text = case.text(field)?.into_bytes();
        random.flip(&mut text);
        case.with_field(field, Some(String::from_utf8(text).ok()?))
    }),
    way("signature-bit", |case, _, random| {
        let field = *random.pick(&["tcb_info_signature", "qe_identity_signature"]);
        let mut bytes = case.bytes(field)?;
        random.flip(&mut bytes);
        case.with_field(field, Some(hex::encode(bytes)))
    }),
    way("signature-length", |case, _, random| {
        let field = *random.pick(&["tcb_info_signature", "qe_identity_signature"]);
        let mut bytes = case.bytes(field)?;
        match random.below(4) {
            0 => bytes.insert(32, 0),
            1 => bytes.push(random.byte()),
            2 => bytes.truncate(random.below(64)),
            _ => bytes.insert(0, 0),
        }
        case.with_field(field, Some(hex::encode(bytes)))
    }),
    way("crl-bit", |case, _, random| {
        let field = *random.pick(&["root_ca_crl", "pck_crl"]);
        let mut der = case.bytes(field)?;
        random.flip(&mut der);
        case.with_field(field, Some(hex::encode(der)))
    }),
    way("crl-length", |case, _, random| {
        let field = *random.pick(&["root_ca_crl", "pck_crl"]);
        let mut der = case.bytes(field)?;
        match random.below(2) {
            0 => der.push(random.byte()),
            _ => der.truncate(random.below(der.len())),
        }
        case.with_field(field, Some(hex::encode(der)))
    }),
    way("hex-case", |case, _, random| {
        let field = *random.pick(&["root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"]);
        case.with_field(field, Some(case.text(field)?.to_uppercase()))
    }),
    way("issuer-chain-der", |case, other, random| {
        let (field, from) = (*random.pick(CHAINS), *random.pick(CHAINS));
        let theirs = pem::blocks(&other.text(from)?);
        let chain = spoil_chain(pem::blocks(&case.text(field)?), &theirs, random)?;
        case.with_field(field, Some(pem::text(&chain)))
    }),
    way("issuer-chain-text-bit", |case, _, random| {
        let field = *random.pick(CHAINS);
        let mut text = case.text(field)?.into_bytes();
        random.flip(&mut text);
        case.with_field(field, Some(String::from_utf8(text).ok()?))
    }),
    way("issuer-chain-text", |case, _, random| {
        let field = *random.pick(CHAINS);
        let text = case.text(field)?;
        let text = match random.below(6) {
            0 => text.replace('\n', "\r\n"),
            1 => format!("subject=CN of nothing\n{text}"),
            2 => format!("{text}\ntrailing words"),
            3 => text.replace("CERTIFICATE", "X509 CERTIFICATE"),
            4 => text.trim_end().to_owned(),
            _ => text.replace("-----\n-----", "-----\n\n \n-----"),
        };
        case.with_field(field, Some(text))
    }),
    way("pck-chain-in-collateral", |case, other, random| {
        let own = Layout::chain_text(&case.quote)?;
        let chain = match random.below(4) {
            0 => own,
            1 => Layout::chain_text(&other.quote)?,
            2 => pem::text(&pem::blocks(&own)),
            _ => {
                let theirs = pem::blocks(&Layout::chain_text(&other.quote)?);
                pem::text(&spoil_chain(pem::blocks(&own), &theirs, random)?)
            }
        };
        case.with_field("pck_certificate_chain", Some(chain))
    }),
    way("time", |case, _, random| {
        let days = [1, 10, 40, 400, 4000];
        let span = 2 * 86400 * *random.pick(&days);
        let shift = u64::try_from(random.below(span)).unwrap();
        Some(case.at((case.now + shift).saturating_sub(u64::try_from(span / 2).unwrap())))
    }),
];

/// Fields that collateral must have.
const FIELDS: &[&str] = &[
    "pck_crl_issuer_chain",
    "tcb_info_issuer_chain",
    "qe_identity_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info",
    "qe_identity",
    "tcb_info_signature",
    "qe_identity_signature",
];

/// Those that hold certificates.
pub(crate) const CHAINS: &[&str] =
    &["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"];

fn flip_quote(case: &Case, random: &mut Random, from: usize, to: usize) -> Case {
    let mut quote = case.quote.clone();
    let to = to.min(quote.len());
    if let Some(part) = quote.get_mut(from.min(to)..to) {
        random.flip(part);
    }
    case.with_quote(quote)
}

/// A chain with one thing wrong: a bit, the order, one too many or too few, one of another chain.
fn spoil_chain(mut chain: Vec<Vec<u8>>, other: &[Vec<u8>], random: &mut Random) -> Option<Vec<Vec<u8>>> {
    if chain.is_empty() || other.is_empty() {
        return None;
    }
    let at = random.below(chain.len());
    match random.below(9) {
        0..4 => random.flip(&mut chain[at]),
        4 => {
            let to = random.below(chain.len());
            chain.swap(at, to);
        }
        5 => {
            chain.remove(at);
        }
        6 => chain.insert(at, random.pick(other).clone()),
        7 => chain[at] = random.pick(other).clone(),
        _ => chain[at].push(random.byte()),
    }
    Some(chain)
}

/// A length that does not fit any more.
fn length_field(case: &Case, _: &Case, random: &mut Random) -> Option<Case> {
    let layout = Layout::of(&case.quote)?;
    let mut quote = case.quote.clone();
    let (at, width) = *random.pick(&[
        (layout.signature_length, 4),
        (layout.outer_length, 4),
        (layout.inner_length, 4),
        (layout.auth_length, 2),
    ]);
    let field = quote.get_mut(at..at + width)?;
    let mut wide = [0; 4];
    wide[..width].copy_from_slice(field);
    let length = u32::from_le_bytes(wide);
    let length = match random.below(8) {
        0 => length.wrapping_add(1),
        1 => length.wrapping_sub(1),
        2 => length.wrapping_add(u32::from(random.byte())),
        3 => length.wrapping_sub(u32::from(random.byte())),
        4 => 0,
        5 => u32::MAX,
        6 => length ^ (1 << random.below(32)),
        _ => u32::try_from(random.next() & 0xffff).unwrap(),
    };
    field.copy_from_slice(&length.to_le_bytes()[..width]);
    Some(case.with_quote(quote))
}

/// Bytes that belong to no field, and lengths that count them.
fn slack(case: &Case, _: &Case, random: &mut Random) -> Option<Case> {
    let layout = Layout::of(&case.quote)?;
    let mut quote = case.quote.clone();
    let (end, lengths): (usize, &[usize]) = match random.below(3) {
        0 => (layout.signature_end, &[layout.signature_length]),
        1 => (layout.outer_end, &[layout.signature_length, layout.outer_length]),
        _ => (layout.chain_end, &[layout.signature_length, layout.outer_length, layout.inner_length]),
    };
    let zero = random.below(2) == 0;
    let extra: Vec<u8> = (0..=random.below(20)).map(|_| if zero { 0 } else { random.byte() }).collect();
    for at in lengths {
        let field = quote.get_mut(*at..*at + 4)?;
        let length = u32::from_le_bytes((&*field).try_into().ok()?);
        field.copy_from_slice(&length.wrapping_add(u32::try_from(extra.len()).ok()?).to_le_bytes());
    }
    quote.splice(end..end, extra);
    Some(case.with_quote(quote))
}
