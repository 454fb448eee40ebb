//! Collateral as one JSON object (SPECIFICATION §5).

use serde_json::{Map, Value, json};

use crate::certificate::{Certificate, chain_pem};
use crate::key::{Key, Signature};
use crate::pki::Pki;
use crate::qe_identity::QeIdentity;
use crate::tcb_info::TcbInfo;

/// A JSON document that is signed as text. `None` stands for the value that is right.
#[derive(Debug, Clone)]
pub struct Signed<T> {
    /// What it says.
    pub content: T,
    /// The text shown, instead of the content's.
    pub text: Option<String>,
    /// The text signed, instead of the one shown.
    pub signed_text: Option<String>,
    /// How it is signed.
    pub signature: Signature,
    /// By which key, instead of the TCB signing key.
    pub signed_by: Option<Key>,
    /// The issuer chain, leaf first.
    pub chain: Option<Vec<Certificate>>,
}

impl<T> Signed<T> {
    fn new(content: T) -> Self {
        Self {
            content,
            text: None,
            signed_text: None,
            signature: Signature::Valid,
            signed_by: None,
            chain: None,
        }
    }

    fn parts(&self, pki: &Pki, text: String) -> [String; 3] {
        let text = self.text.clone().unwrap_or(text);
        let signed = self.signed_text.as_ref().unwrap_or(&text);
        let key = self.signed_by.as_ref().unwrap_or(&pki.tcb_signing.key);
        let signature = hex::encode(self.signature.raw(key, signed.as_bytes()));
        let chain = chain_pem(&self.chain.clone().unwrap_or_else(|| pki.tcb_signing_chain()));
        [text, signature, chain]
    }
}

/// Collateral to be written. `None` stands for the value that is right.
#[derive(Debug, Clone)]
pub struct Collateral {
    /// TCB info.
    pub tcb_info: Signed<TcbInfo>,
    /// QE identity.
    pub qe_identity: Signed<QeIdentity>,
    /// Issuer chain of the PCK CRL.
    pub pck_crl_chain: Option<Vec<Certificate>>,
    /// Root CA CRL, DER.
    pub root_crl: Option<Vec<u8>>,
    /// PCK CRL, DER.
    pub pck_crl: Option<Vec<u8>>,
    /// The PCK chain; left out where this is `None`.
    pub pck_chain: Option<Vec<Certificate>>,
    /// Fields set last: they replace what is there. A null takes a field out.
    pub extra: Map<String, Value>,
    /// The whole file.
    pub raw: Option<Vec<u8>>,
}

impl Collateral {
    /// Valid at `now`.
    #[must_use]
    pub fn at(now: u64) -> Self {
        Self {
            tcb_info: Signed::new(TcbInfo::at(now)),
            qe_identity: Signed::new(QeIdentity::at(now)),
            pck_crl_chain: None,
            root_crl: None,
            pck_crl: None,
            pck_chain: None,
            extra: Map::new(),
            raw: None,
        }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self, pki: &Pki) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let [tcb_info, tcb_info_signature, tcb_info_chain] =
            self.tcb_info.parts(pki, self.tcb_info.content.json());
        let [qe_identity, qe_identity_signature, qe_identity_chain] =
            self.qe_identity.parts(pki, self.qe_identity.content.json());
        let pck_crl_chain = self.pck_crl_chain.clone().unwrap_or_else(|| pki.pck_crl_chain());
        let root_crl = self.root_crl.clone().unwrap_or_else(|| pki.root_crl.der());
        let pck_crl = self.pck_crl.clone().unwrap_or_else(|| pki.pck_crl.der());
        let mut object = json!({
            "pck_crl_issuer_chain": chain_pem(&pck_crl_chain),
            "root_ca_crl": hex::encode(root_crl),
            "pck_crl": hex::encode(pck_crl),
            "tcb_info_issuer_chain": tcb_info_chain,
            "tcb_info": tcb_info,
            "tcb_info_signature": tcb_info_signature,
            "qe_identity_issuer_chain": qe_identity_chain,
            "qe_identity": qe_identity,
            "qe_identity_signature": qe_identity_signature,
        });
        if let Some(object) = object.as_object_mut() {
            if let Some(chain) = &self.pck_chain {
                object.insert("pck_certificate_chain".into(), chain_pem(chain).into());
            }
            edit(object, &self.extra);
        }
        document(&object)
    }
}

/// Sets fields; a null takes one out.
pub(crate) fn edit(object: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (field, value) in extra {
        if value.is_null() {
            object.remove(field);
        } else {
            object.insert(field.clone(), value.clone());
        }
    }
}

/// Indented JSON and a newline, keys in order: whether a `Map` sorts is a feature that any crate of a build may switch.
pub(crate) fn document(value: &impl serde::Serialize) -> Vec<u8> {
    // Only maps with string keys come here: there is nothing that JSON cannot hold.
    let mut value = serde_json::to_value(value).unwrap_or_default();
    value.sort_all_objects();
    let mut bytes = serde_json::to_vec_pretty(&value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
