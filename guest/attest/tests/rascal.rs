//! A peer that speaks TLS and frames by hand, and lies.

use std::sync::Arc;
use std::time::Duration;

use hallmark_attest::binding::{self, Role};
use hallmark_attest::{Hello, Prover};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

pub const DATA: u8 = 0;
pub const HELLO: u8 = 1;
pub const PROOF: u8 = 2;
pub const ACCEPT: u8 = 3;
pub const REFUSE: u8 = 4;
pub const CHALLENGE: u8 = 5;
pub const ANSWER: u8 = 6;
pub const UNABLE: u8 = 7;

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

pub struct Key {
    pub chain: Vec<CertificateDer<'static>>,
    pub private: PrivateKeyDer<'static>,
    pub spki_sha256: [u8; 32],
}

pub fn key() -> Key {
    use rcgen::PublicKeyData as _;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    Key {
        chain: vec![certificate.der().clone()],
        private: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        spki_sha256: Sha256::digest(key.subject_public_key_info()).into(),
    }
}

pub fn client_config(
    key: Option<&Key>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone));
    let mut config = match key {
        Some(key) => builder.with_client_auth_cert(key.chain.clone(), key.private.clone_key()).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"hallmark/1".to_vec()];
    config
}

pub async fn dial<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: ClientConfig,
) -> std::io::Result<TlsStream<S>> {
    let name = ServerName::try_from("hallmark.invalid").unwrap();
    Ok(TlsStream::Client(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}

pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    key: &Key,
) -> std::io::Result<TlsStream<S>> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(key.chain.clone(), key.private.clone_key())
        .unwrap();
    config.alpn_protocols = vec![b"hallmark/1".to_vec()];
    Ok(TlsStream::Server(TlsAcceptor::from(Arc::new(config)).accept(stream).await?))
}

/// A hello's body in mutual mode, by hand.
pub fn hello_body(hello: &Hello, nonce: &[u8; 32]) -> Vec<u8> {
    hello_in(None, hello, nonce)
}

/// The same of server-only mode, of a client that holds this key or of its host; or else of mutual mode.
pub fn hello_in(server_only: Option<Option<[u8; 32]>>, hello: &Hello, nonce: &[u8; 32]) -> Vec<u8> {
    let mut body = vec![1, u8::from(server_only.is_some())];
    body.extend(nonce);
    match server_only.flatten() {
        Some(key) => body.extend([&[1][..], &key].concat()),
        None => body.push(0),
    }
    body.extend(hello.group);
    match hello.slot {
        Some(slot) => body.extend([&[1][..], &slot.to_le_bytes()].concat()),
        None => body.push(0),
    }
    match hello.node {
        Some(node) => body.extend([&[1][..], &node.to_le_bytes()].concat()),
        None => body.push(0),
    }
    body.extend((hello.credentials.len() as u32).to_le_bytes());
    body.extend(&hello.credentials);
    body
}

/// A peer after the TLS handshake. Keeps count of what it was sent of the protocol above.
pub struct Rascal<S> {
    pub tls: TlsStream<S>,
    pub spki_sha256: [u8; 32],
    pub data: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Rascal<S> {
    /// Connects with a certificate.
    pub async fn dial(stream: S) -> Self {
        let key = key();
        let tls = dial(stream, client_config(Some(&key), &[&rustls::version::TLS13])).await.unwrap();
        Self { tls, spki_sha256: key.spki_sha256, data: 0 }
    }

    /// Accepts.
    pub async fn answer(stream: S) -> Self {
        let key = key();
        Self { tls: answer(stream, &key).await.unwrap(), spki_sha256: key.spki_sha256, data: 0 }
    }

    /// The side that it is on.
    pub const fn role(&self) -> Role {
        match &self.tls {
            TlsStream::Client(_) => Role::Client,
            TlsStream::Server(_) => Role::Server,
        }
    }

    /// Its own and the peer's, in the order of client and server.
    pub fn in_order<T>(&self, own: T, theirs: T) -> [T; 2] {
        match self.role() {
            Role::Client => [own, theirs],
            Role::Server => [theirs, own],
        }
    }

    pub async fn send(&mut self, kind: u8, body: &[u8]) {
        let [_, a, b, c] = (body.len() as u32).to_be_bytes();
        self.raw(&[&[kind, a, b, c], body].concat()).await;
    }

    /// Sends bytes. Whether anyone reads them is not its concern.
    pub async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.tls.write_all(bytes).await;
        let _ = self.tls.flush().await;
    }

    /// The next frame; None at the end.
    pub async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let work = async {
            let mut header = [0; 4];
            self.tls.read_exact(&mut header).await.ok()?;
            let mut body = vec![0; u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize];
            self.tls.read_exact(&mut body).await.ok()?;
            Some((header[0], body))
        };
        let frame = tokio::time::timeout(Duration::from_secs(20), work).await.unwrap();
        self.data += usize::from(frame.as_ref().is_some_and(|(kind, _)| *kind == DATA));
        frame
    }

    /// The next frame, which is of this kind.
    pub async fn due(&mut self, kind: u8) -> Vec<u8> {
        let (got, body) = self.receive().await.expect("a frame");
        assert_eq!(got, kind, "{:?}", String::from_utf8_lossy(&body));
        body
    }

    /// Everything until the end; the slug it was refused with. **No byte of the protocol above may have come.**
    pub async fn refused(mut self) -> String {
        let mut slug = String::new();
        while let Some((kind, body)) = self.receive().await {
            if kind == REFUSE {
                slug = String::from_utf8(body).unwrap();
            }
        }
        assert_eq!(self.data, 0, "data before acceptance");
        slug
    }

    pub fn exporter(
        &self,
        prover: Role,
        client: &[u8; 32],
        server: &[u8; 32],
        round: Option<u64>,
    ) -> [u8; 32] {
        let context = binding::exporter_context(prover, client, server, round);
        let label = b"EXPORTER-hallmark-attest";
        match &self.tls {
            TlsStream::Client(it) => {
                it.get_ref().1.export_keying_material([0; 32], label, Some(&context)).unwrap()
            }
            TlsStream::Server(it) => {
                it.get_ref().1.export_keying_material([0; 32], label, Some(&context)).unwrap()
            }
        }
    }
}

/// A hello exchanged: what is needed to prove oneself, truly or falsely.
pub struct Greeted {
    pub own: Vec<u8>,
    pub own_nonce: [u8; 32],
    pub theirs: Vec<u8>,
    pub their_nonce: [u8; 32],
}

impl<S: AsyncRead + AsyncWrite + Unpin> Rascal<S> {
    /// Exchanges hellos.
    pub async fn greet(&mut self, hello: &Hello) -> Greeted {
        self.greet_with(|nonce| hello_body(hello, nonce)).await
    }

    /// Exchanges hellos, with this body around its nonce.
    pub async fn greet_with(&mut self, body: impl FnOnce(&[u8; 32]) -> Vec<u8>) -> Greeted {
        let own_nonce = [0x3c; 32];
        let own = body(&own_nonce);
        self.send(HELLO, &own).await;
        let theirs = self.due(HELLO).await;
        let their_nonce = theirs[2..34].try_into().unwrap();
        Greeted { own, own_nonce, theirs, their_nonce }
    }

    /// The context of both hellos, and the exporter of its own proof.
    pub fn context(&self, greeted: &Greeted) -> (Vec<u8>, [u8; 32]) {
        let [client, server] = self.in_order(&greeted.own, &greeted.theirs);
        let [client_nonce, server_nonce] = self.in_order(&greeted.own_nonce, &greeted.their_nonce);
        let exporter = self.exporter(self.role(), client_nonce, server_nonce, None);
        (binding::context(client, server), exporter)
    }

    /// The binding that its evidence must have, with its hello replaced by another.
    pub fn binding(&self, greeted: &Greeted, hello: Option<&Hello>) -> [u8; 64] {
        let own = hello.map_or_else(|| greeted.own.clone(), |hello| hello_body(hello, &greeted.own_nonce));
        let (_, exporter) = self.context(greeted);
        let [client, server] = self.in_order(&own, &greeted.theirs);
        binding::binding(self.role(), &binding::context(client, server), &self.spki_sha256, &exporter)
    }

    /// The whole handshake as an honest member, by hand.
    pub async fn join(&mut self, hello: &Hello, prover: &dyn Prover) -> Greeted {
        let greeted = self.greet(hello).await;
        let evidence = prover.evidence(&self.binding(&greeted, None)).unwrap();
        self.send(PROOF, &evidence).await;
        self.due(PROOF).await;
        self.send(ACCEPT, &[]).await;
        self.due(ACCEPT).await;
        greeted
    }
}
