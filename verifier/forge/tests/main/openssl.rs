//! openssl and x509-cert read the certificates and lists.

use std::path::Path;
use std::process::Command;

use der::{Decode, DecodePem, Encode};
use hallmark_forge::pki::Pki;
use hallmark_forge::{DAY, NOW};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;

fn openssl(folder: &Path, arguments: &str) -> Option<String> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    match output {
        Err(_) => {
            println!("skipped: no openssl");
            None
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "openssl {arguments}: {text}");
            Some(text)
        }
    }
}

#[test]
fn verifies_both_chains_with_revocation() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::at(NOW);
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("root.pem", pki.root.pem().as_bytes());
    write("ca.pem", pki.pck_ca.pem().as_bytes());
    write("pck.pem", pki.pck.pem().as_bytes());
    write("tcb.pem", pki.tcb_signing.pem().as_bytes());
    write("root.crl", &pki.root_crl.der());
    write("pck.crl", &pki.pck_crl.der());
    if openssl(folder.path(), "version").is_none() {
        return;
    }
    for (crl, ca) in [("root.crl", "root.pem"), ("pck.crl", "ca.pem")] {
        let arguments = format!("crl -inform DER -in {crl} -CAfile {ca} -text -out {crl}.pem");
        let text = openssl(folder.path(), &arguments).unwrap();
        assert!(text.contains("verify OK"), "{text}");
    }
    let crls = "-CRLfile root.crl.pem -CRLfile pck.crl.pem -crl_check_all";
    for at in [NOW, NOW + DAY] {
        let verify = format!("verify -x509_strict -ignore_critical -attime {at} -CAfile root.pem {crls}");
        let text = openssl(folder.path(), &format!("{verify} -untrusted ca.pem pck.pem")).unwrap();
        assert!(text.contains("pck.pem: OK"), "{text}");
        let text = openssl(folder.path(), &format!("{verify} tcb.pem")).unwrap();
        assert!(text.contains("tcb.pem: OK"), "{text}");
    }
    let text = openssl(folder.path(), "x509 -in pck.pem -noout -text").unwrap();
    for line in [
        "SIMULATED SGX PCK Certificate",
        "CA:FALSE",
        "Digital Signature, Non Repudiation",
        "1.2.840.113741.1.13.1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn x509_cert_reads_and_writes_the_same() {
    for pki in [Pki::at(NOW), Pki::processor(NOW)] {
        for certificate in [&pki.root, &pki.pck_ca, &pki.pck, &pki.tcb_signing] {
            let der = certificate.der();
            assert_eq!(Certificate::from_der(&der).unwrap().to_der().unwrap(), der);
        }
        for crl in [&pki.root_crl, &pki.pck_crl] {
            let der = crl.der();
            let list: CertificateList = CertificateList::from_der(&der).unwrap();
            assert_eq!(list.to_der().unwrap(), der);
        }
    }
}

/// The SGX extension has the layout of a real one: the same tags and lengths but for the values.
#[test]
fn the_sgx_extension_is_shaped_like_intels() {
    let folder = std::env::var_os("HALLMARK_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), Into::into);
    let path = folder.join("by-source/automata-network+dcap-rs/data/pck_certchain.pem");
    let Ok(pem) = std::fs::read_to_string(path) else {
        println!("skipped: no vectors");
        return;
    };
    let end = "-----END CERTIFICATE-----\n";
    let leaf = &pem[..pem.find(end).unwrap() + end.len()];
    let real = Certificate::from_pem(leaf).unwrap();
    let ours = Certificate::from_der(&Pki::at(NOW).pck.der()).unwrap();
    let extensions = |certificate: &Certificate| certificate.tbs_certificate().extensions().unwrap().clone();
    let shape = |certificate: &Certificate| {
        extensions(certificate).iter().map(|e| (e.extn_id, e.critical)).collect::<Vec<_>>()
    };
    assert_eq!(shape(&ours), shape(&real));
    let sgx =
        |certificate: &Certificate| extensions(certificate).pop().unwrap().extn_value.as_bytes().to_vec();
    assert_eq!(oids(&sgx(&ours)), oids(&sgx(&real)));
}

/// Every object identifier in a nest of sequences, in order.
fn oids(mut der: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let [tag, rest @ ..] = der {
        let (length, content) = match rest {
            [0x81, n, rest @ ..] => (usize::from(*n), rest),
            [0x82, a, b, rest @ ..] => (usize::from(*a) << 8 | usize::from(*b), rest),
            [n, rest @ ..] => (usize::from(*n), rest),
            [] => panic!("cut"),
        };
        match tag {
            0x30 => found.extend(oids(&content[..length])),
            0x06 => found.push(content[..length].to_vec()),
            _ => {}
        }
        der = &content[length..];
    }
    found
}
