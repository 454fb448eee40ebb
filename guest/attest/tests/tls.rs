//! What TLS lets through, and what not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hallmark_attest::Hello;
use rustls::client::{ClientSessionStore, Resumption};
use rustls::{HandshakeKind, NamedGroup};
use tokio::io::duplex;
use tokio_rustls::TlsStream;

use crate::rascal::{Rascal, client_config, dial, key};
use crate::world::*;

const CLAIM: Hello = Hello::member(GROUP, 1, 11);

async fn refused(config: rustls::ClientConfig) -> String {
    let world = World::new();
    let (near, far) = duplex(1 << 16);
    let server = world.server();
    let accepting = tokio::spawn(async move { slug(&server.accept(far).await).to_owned() });
    if let Ok(tls) = dial(near, config).await {
        // In TLS 1.3 a client is done before its certificate was looked at: the refusal is what it reads next.
        let rascal = Rascal { tls, spki_sha256: [0; 32], data: 0 };
        assert_eq!(rascal.refused().await, "");
    }
    assert_eq!(world.gate.asked.load(Ordering::SeqCst), 0);
    accepting.await.unwrap()
}

#[tokio::test]
async fn a_client_without_a_certificate() {
    assert_eq!(refused(client_config(None, &[&rustls::version::TLS13])).await, "no-client-certificate");
}

#[tokio::test]
async fn tls_1_2() {
    assert_eq!(refused(client_config(Some(&key()), &[&rustls::version::TLS12])).await, "tls-failed");
}

#[tokio::test]
async fn another_protocol() {
    let mut config = client_config(Some(&key()), &[&rustls::version::TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(refused(config).await, "wrong-protocol");
    let mut config = client_config(Some(&key()), &[&rustls::version::TLS13]);
    config.alpn_protocols = Vec::new();
    assert_eq!(refused(config).await, "wrong-protocol");
}

/// Somebody else's certificate: the signature shows that its key is not held.
#[tokio::test]
async fn a_certificate_without_its_key() {
    let (mut one, other) = (key(), key());
    one.chain = other.chain;
    let resolver = rustls::sign::CertifiedKey::new(
        one.chain.clone(),
        rustls::crypto::aws_lc_rs::sign::any_supported_type(&one.private).unwrap(),
    );
    let mut config = client_config(None, &[&rustls::version::TLS13]);
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(resolver));
    assert_eq!(refused(config).await, "tls-failed");
}

#[tokio::test]
async fn a_chain_of_certificates() {
    let mut it = key();
    it.chain.extend(key().chain);
    assert_eq!(refused(client_config(Some(&it), &[&rustls::version::TLS13])).await, "tls-failed");
}

/// Counts the tickets that a server gives.
#[derive(Debug, Default)]
struct Tickets(AtomicUsize);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: rustls::pki_types::ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &rustls::pki_types::ServerName<'_>) -> Option<NamedGroup> {
        None
    }
    fn set_tls12_session(
        &self,
        _: rustls::pki_types::ServerName<'static>,
        _: rustls::client::Tls12ClientSessionValue,
    ) {
    }
    fn tls12_session(
        &self,
        _: &rustls::pki_types::ServerName<'_>,
    ) -> Option<rustls::client::Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &rustls::pki_types::ServerName<'static>) {}
    fn insert_tls13_ticket(
        &self,
        _: rustls::pki_types::ServerName<'static>,
        _: rustls::client::Tls13ClientSessionValue,
    ) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn take_tls13_ticket(
        &self,
        _: &rustls::pki_types::ServerName<'static>,
    ) -> Option<rustls::client::Tls13ClientSessionValue> {
        None
    }
}

#[tokio::test]
async fn no_ticket_no_resumption_no_early_data() {
    let world = World::new();
    let server = world.server();
    let tickets = Arc::new(Tickets::default());
    for _ in 0..2 {
        let (near, far) = duplex(1 << 20);
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept(far).await }
        });
        let key = key();
        let mut config = client_config(Some(&key), &[&rustls::version::TLS13]);
        config.resumption = Resumption::store(tickets.clone());
        config.enable_early_data = true;
        let tls = dial(near, config).await.unwrap();
        let mut rascal = Rascal { tls, spki_sha256: key.spki_sha256, data: 0 };
        rascal.join(&CLAIM, &*honest_td()).await;
        let TlsStream::Client(tls) = &rascal.tls else { panic!() };
        assert_ne!(tls.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
        assert!(!tls.get_ref().1.is_early_data_accepted());
        assert!(accepting.await.unwrap().is_ok());
    }
    assert_eq!(tickets.0.load(Ordering::SeqCst), 0);
}
