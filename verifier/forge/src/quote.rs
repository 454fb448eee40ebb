//! DCAP quotes, version 4 and 5 (Intel TDX DCAP Quoting Library API, appendix A).

use sha2::{Digest, Sha256};

use crate::key::{Key, Signature};
use crate::td_body::{Layout, TdBody};

/// Intel's QE vendor id.
pub const INTEL_VENDOR: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];

/// The vendor id of every forged quote: the first half of a hash that names us.
#[must_use]
pub fn simulated_vendor() -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest("hallmark/simulated-vendor/1").into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// The header, 48 bytes (A.3.1).
#[derive(Debug, Clone)]
pub struct Header {
    /// 4 or 5.
    pub version: u16,
    /// 2: ECDSA with P-256.
    pub attestation_key_type: u16,
    /// 0x81: TDX.
    pub tee_type: u32,
    /// Bytes 8 to 12: reserved (in SGX quotes the QE's and the PCE's SVN).
    pub reserved: [u8; 4],
    /// QE vendor id.
    pub vendor: [u8; 16],
    /// User data.
    pub user_data: [u8; 20],
}

impl Default for Header {
    fn default() -> Self {
        let mut user_data = [0; 20];
        user_data.iter_mut().zip(b"SIMULATED").for_each(|(to, from)| *to = *from);
        Self {
            version: 4,
            attestation_key_type: 2,
            tee_type: 0x81,
            reserved: [0; 4],
            vendor: simulated_vendor(),
            user_data,
        }
    }
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        [
            &self.version.to_le_bytes()[..],
            &self.attestation_key_type.to_le_bytes(),
            &self.tee_type.to_le_bytes(),
            &self.reserved,
            &self.vendor,
            &self.user_data,
        ]
        .concat()
    }
}

/// The QE's enclave report, 384 bytes (Intel SDM vol. 3D, table "Report structure").
#[derive(Debug, Clone)]
pub struct QeReport {
    /// CPUSVN.
    pub cpu_svn: [u8; 16],
    /// MISCSELECT.
    pub misc_select: u32,
    /// ATTRIBUTES: INIT, MODE64BIT, PROVISIONKEY, then XFRM.
    pub attributes: [u8; 16],
    /// MRENCLAVE.
    pub mr_enclave: [u8; 32],
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// ISVPRODID.
    pub isv_prod_id: u16,
    /// ISVSVN.
    pub isv_svn: u16,
    /// `None`: SHA-256(attestation key || authentication data), then zeros.
    pub report_data: Option<[u8; 64]>,
}

impl Default for QeReport {
    fn default() -> Self {
        Self {
            cpu_svn: [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            misc_select: 0,
            attributes: [0x15, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0],
            mr_enclave: Sha256::digest("SIMULATED quoting enclave").into(),
            mr_signer: Sha256::digest("SIMULATED quoting enclave signer").into(),
            isv_prod_id: 2,
            isv_svn: 4,
            report_data: None,
        }
    }
}

impl QeReport {
    fn bytes(&self, bound: &[u8; 64]) -> Vec<u8> {
        [
            &self.cpu_svn[..],
            &self.misc_select.to_le_bytes(),
            &[0; 28],
            &self.attributes,
            &self.mr_enclave,
            &[0; 32],
            &self.mr_signer,
            &[0; 96],
            &self.isv_prod_id.to_le_bytes(),
            &self.isv_svn.to_le_bytes(),
            &[0; 60],
            &self.report_data.unwrap_or(*bound),
        ]
        .concat()
    }
}

/// A quote to be signed. `None` stands for the value that is right.
#[derive(Debug, Clone)]
pub struct Quote {
    /// The header.
    pub header: Header,
    /// Version 5 only: 2, 3 or 4 for a TD 1.0, 1.5 or 1.5ex body.
    pub body_type: Option<u16>,
    /// Version 5 only: the body's length as it claims.
    pub body_size: Option<u32>,
    /// Which body is written.
    pub layout: Layout,
    /// The TD's report.
    pub body: TdBody,
    /// The length of the signature data as it claims.
    pub signature_length: Option<u32>,
    /// Over header and body, by the attestation key.
    pub signature: Signature,
    /// The attestation key.
    pub attestation_key: Key,
    /// The attestation key as the quote shows it, x || y.
    pub attestation_point: Option<[u8; 64]>,
    /// Outer certification data type: 6, QE report certification data.
    pub outer_type: u16,
    /// Its length as it claims.
    pub outer_size: Option<u32>,
    /// The quoting enclave's report.
    pub qe_report: QeReport,
    /// Over the QE report, by the PCK.
    pub qe_report_signature: Signature,
    /// QE authentication data.
    pub auth_data: Vec<u8>,
    /// Inner certification data type: 5, PCK certificate chain.
    pub inner_type: u16,
    /// Its length as it claims.
    pub inner_size: Option<u32>,
    /// The inner certification data instead of the PCK chain in PEM.
    pub certification_data: Option<Vec<u8>>,
    /// At the end of the signature data, inside its length.
    pub signature_padding: Vec<u8>,
    /// After the signature data.
    pub trailing: Vec<u8>,
    /// Cut to this many bytes.
    pub truncate: Option<usize>,
}

impl Default for Quote {
    fn default() -> Self {
        Self {
            header: Header::default(),
            body_type: None,
            body_size: None,
            layout: Layout::Td10,
            body: TdBody::default(),
            signature_length: None,
            signature: Signature::Valid,
            attestation_key: Key::simulated("attestation-key"),
            attestation_point: None,
            outer_type: 6,
            outer_size: None,
            qe_report: QeReport::default(),
            qe_report_signature: Signature::Valid,
            auth_data: (0..32).collect(),
            inner_type: 5,
            inner_size: None,
            certification_data: None,
            signature_padding: Vec::new(),
            trailing: Vec::new(),
            truncate: None,
        }
    }
}

impl Quote {
    /// The bytes, the QE report signed by `pck`, `chain` as its certificates.
    #[must_use]
    pub fn bytes(&self, pck: &Key, chain: &str) -> Vec<u8> {
        let mut quote = self.header.bytes();
        let body = self.body.bytes(self.layout);
        if self.header.version >= 5 {
            let body_type = self.body_type.unwrap_or_else(|| self.layout.body_type());
            quote.extend(body_type.to_le_bytes());
            quote.extend(self.body_size.unwrap_or_else(|| length(&body)).to_le_bytes());
        }
        quote.extend(body);
        let signature = self.signature.raw(&self.attestation_key, &quote);
        let mut data = [signature, self.point().to_vec()].concat();
        data.extend(typed(self.outer_type, self.outer_size, &self.certification(pck, chain)));
        data.extend(&self.signature_padding);
        quote.extend(self.signature_length.unwrap_or_else(|| length(&data)).to_le_bytes());
        quote.extend(data);
        quote.extend(&self.trailing);
        quote.truncate(self.truncate.unwrap_or(quote.len()));
        quote
    }

    fn point(&self) -> [u8; 64] {
        self.attestation_point.unwrap_or_else(|| self.attestation_key.point())
    }

    /// QE report, its signature, authentication data, PCK chain (A.3.11).
    fn certification(&self, pck: &Key, chain: &str) -> Vec<u8> {
        let mut bound = [0; 64];
        let digest = Sha256::new().chain_update(self.point()).chain_update(&self.auth_data).finalize();
        bound.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let report = self.qe_report.bytes(&bound);
        let signature = self.qe_report_signature.raw(pck, &report);
        let auth_length = u16::try_from(self.auth_data.len()).unwrap_or(u16::MAX);
        let inner = self.certification_data.as_deref().unwrap_or(chain.as_bytes());
        [
            report,
            signature,
            auth_length.to_le_bytes().to_vec(),
            self.auth_data.clone(),
            typed(self.inner_type, self.inner_size, inner),
        ]
        .concat()
    }
}

/// Certification data: type, length, bytes (A.3.9).
fn typed(kind: u16, size: Option<u32>, data: &[u8]) -> Vec<u8> {
    let size = size.unwrap_or_else(|| length(data));
    [&kind.to_le_bytes()[..], &size.to_le_bytes(), data].concat()
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
