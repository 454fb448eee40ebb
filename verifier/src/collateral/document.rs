//! The JSON object that carries collateral.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::{Collateral, CollateralError, Signed};
use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::hex_bytes;
use crate::pem;
use crate::qe_identity::QeIdentity;
use crate::root::parse_certificate;
use crate::tcb_info::TcbInfo;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow)]
    pck_crl_issuer_chain: Cow<'a, str>,
    #[serde(borrow)]
    tcb_info_issuer_chain: Cow<'a, str>,
    #[serde(borrow)]
    qe_identity_issuer_chain: Cow<'a, str>,
    #[serde(borrow)]
    root_ca_crl: Cow<'a, str>,
    #[serde(borrow)]
    pck_crl: Cow<'a, str>,
    tcb_info: String,
    #[serde(borrow)]
    tcb_info_signature: Cow<'a, str>,
    qe_identity: String,
    #[serde(borrow)]
    qe_identity_signature: Cow<'a, str>,
    #[serde(borrow)]
    pck_certificate_chain: Option<Cow<'a, str>>,
}

pub(super) fn parse(json: &[u8]) -> Result<Collateral, CollateralError> {
    if json.len() > Collateral::MAX_LEN {
        return Err(CollateralError::TooLong(json.len()));
    }
    let document: Document<'_> = serde_json::from_slice(json).map_err(CollateralError::Json)?;
    let mut chains = Chains::default();
    Ok(Collateral {
        pck_crl_issuer: chains.read("pck_crl_issuer_chain", &document.pck_crl_issuer_chain)?,
        tcb_signing: chains.read("tcb_info_issuer_chain", &document.tcb_info_issuer_chain)?,
        qe_signing: chains.read("qe_identity_issuer_chain", &document.qe_identity_issuer_chain)?,
        pck_chain: document
            .pck_certificate_chain
            .as_ref()
            .map(|chain| chains.read("pck_certificate_chain", chain))
            .transpose()?,
        root_crl: crl("root_ca_crl", &document.root_ca_crl)?,
        pck_crl: crl("pck_crl", &document.pck_crl)?,
        tcb_info: signed(
            ("tcb_info", document.tcb_info),
            ("tcb_info_signature", &document.tcb_info_signature),
            TcbInfo::parse,
        )?,
        qe_identity: signed(
            ("qe_identity", document.qe_identity),
            ("qe_identity_signature", &document.qe_identity_signature),
            QeIdentity::parse,
        )?,
    })
}

/// Reads chains, each text and each certificate once: one signer signs both documents as a rule, and the root
/// stands in all chains.
#[derive(Default)]
struct Chains<'t> {
    certificates: Vec<Arc<Certificate>>,
    chains: Vec<(&'t str, Vec<Arc<Certificate>>)>,
}

impl<'t> Chains<'t> {
    fn read(&mut self, field: &'static str, text: &'t str) -> Result<Vec<Arc<Certificate>>, CollateralError> {
        if let Some((_, chain)) = self.chains.iter().find(|(known, _)| *known == text) {
            return Ok(chain.clone());
        }
        let chain = self.read_new(field, text)?;
        self.chains.push((text, chain.clone()));
        Ok(chain)
    }

    fn read_new(
        &mut self,
        field: &'static str,
        text: &str,
    ) -> Result<Vec<Arc<Certificate>>, CollateralError> {
        let chain =
            pem::certificates(text.as_bytes()).map_err(|error| CollateralError::Pem { field, error })?;
        if chain.is_empty() {
            return Err(CollateralError::Empty { field });
        }
        chain
            .into_iter()
            .enumerate()
            .map(|(index, der)| {
                if let Some(known) = self.certificates.iter().find(|known| known.der() == der) {
                    return Ok(Arc::clone(known));
                }
                let certificate = parse_certificate(der).map_err(|error| CollateralError::Certificate {
                    field,
                    index,
                    error,
                })?;
                self.certificates.push(Arc::clone(&certificate));
                Ok(certificate)
            })
            .collect()
    }
}

fn crl(field: &'static str, text: &str) -> Result<Crl, CollateralError> {
    let der = hex_bytes::decode(text).ok_or(CollateralError::Hex { field })?;
    Crl::parse(der).map_err(|error| CollateralError::Crl { field, error })
}

fn signed<T>(
    (field, bytes): (&'static str, String),
    (signature_field, signature): (&'static str, &str),
    parse: fn(&str) -> Result<T, serde_json::Error>,
) -> Result<Signed<T>, CollateralError> {
    let mut fixed = [0; 64];
    hex::decode_to_slice(signature, &mut fixed)
        .map_err(|_| CollateralError::Hex { field: signature_field })?;
    let document = parse(&bytes).map_err(|error| CollateralError::Document { field, error })?;
    Ok(Signed { document, bytes, signature: fixed })
}
