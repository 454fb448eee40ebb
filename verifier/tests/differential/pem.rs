//! Certificates in text, read as leniently as anybody does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::{Decode, Encode};
use x509_cert::Certificate;

/// Intel's root as we pin it. dcap-qvl pins its own copy.
pub(crate) const INTEL_ROOT: &[u8] = include_bytes!("../../src/intel_root.der");

/// The DER of every block, whatever stands between and around.
pub(crate) fn blocks(text: &str) -> Vec<Vec<u8>> {
    text.split("-----BEGIN ")
        .skip(1)
        .filter_map(|block| block.split_once("-----")?.1.split_once("-----END "))
        .filter_map(|(body, _)| {
            let digits: String = body.chars().filter(|c| !c.is_whitespace()).collect();
            STANDARD.decode(digits).ok()
        })
        .collect()
}

pub(crate) fn text(blocks: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for der in blocks {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(der).as_bytes().chunks(64) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// What a path builder makes of a chain: its first certificate, the CA named as its issuer, the root that it
/// was given. Everything else in the text is left out.
pub(crate) fn path(blocks: &[Vec<u8>], root: &[u8]) -> Option<Vec<Vec<u8>>> {
    let name = |der: &[u8], issuer: bool| {
        let certificate = Certificate::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        if issuer { tbs.issuer() } else { tbs.subject() }.to_der().ok()
    };
    let (leaf, rest) = blocks.split_first()?;
    let issuer = name(leaf, true)?;
    let mut path = vec![leaf.clone()];
    if name(root, false)? != issuer {
        path.push(rest.iter().find(|der| name(der, false).as_ref() == Some(&issuer))?.clone());
    }
    path.push(root.to_vec());
    Some(path)
}
