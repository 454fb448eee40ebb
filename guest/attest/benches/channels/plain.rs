//! TLS as an application would use it: Ed25519 certificates, no resumption.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::counted::{Counted, Wire};

type Pair = (tokio_rustls::client::TlsStream<Counted>, tokio_rustls::server::TlsStream<Counted>);

/// Both sides' settings.
pub struct Plain {
    client: TlsConnector,
    server: TlsAcceptor,
}

impl Plain {
    /// `mutual`: with a client's certificate.
    pub fn new(mutual: bool) -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["bench.invalid".into()]).unwrap().self_signed(&key).unwrap();
        let private = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let roots = Arc::new(roots);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = vec![certificate.der().clone()];
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots.clone());
        let mut client = if mutual {
            client.with_client_auth_cert(chain.clone(), private()).unwrap()
        } else {
            client.with_no_client_auth()
        };
        client.resumption = rustls::client::Resumption::disabled();
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let server = if mutual {
            let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider);
            server.with_client_cert_verifier(clients.build().unwrap())
        } else {
            server.with_no_client_auth()
        };
        let mut server = server.with_single_cert(chain, private()).unwrap();
        server.send_tls13_tickets = 0;
        Self { client: Arc::new(client).into(), server: Arc::new(server).into() }
    }

    /// A new connection.
    pub async fn pair(&self, wire: &Wire) -> Pair {
        let (near, far) = wire.sockets().await;
        let name = "bench.invalid".try_into().unwrap();
        let server = self.server.clone();
        let accepting = tokio::spawn(async move { server.accept(far).await.unwrap() });
        let mut client = self.client.connect(name, near).await.unwrap();
        let mut server = accepting.await.unwrap();
        // A client is done before the server has looked at its certificate: one byte each way, as a channel has it.
        client.write_all(b"x").await.unwrap();
        server.read_u8().await.unwrap();
        server.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
        (client, server)
    }
}
