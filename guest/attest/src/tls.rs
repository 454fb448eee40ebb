//! TLS as channels use it: 1.3, no resumption, no tickets, no early data, and certificates that only carry a key.
//!
//! **A certificate proves nothing here**: nobody issued it, its names and dates are not looked at. What TLS does prove, and
//! what is checked, is that the peer holds the key (RFC 8446, 4.4.3); evidence is bound to that key afterwards.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use crate::error::AttestError;
use crate::identity::Identity;
use crate::peer::PeerKey;

/// The protocol's name (RFC 7301).
pub const ALPN: &[u8] = b"hallmark/1";

/// The signatures that a peer may prove possession with.
const SCHEMES: [SignatureScheme; 2] = [SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// For who connects. Without an identity no certificate is presented.
pub(crate) fn client(identity: Option<&Identity>) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider();
    let keys = Arc::new(KeyOnly(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(keys);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity.certified())))),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// For who accepts. `mutual`: a client without a certificate is refused.
pub(crate) fn server(identity: &Identity, mutual: bool) -> Result<Arc<ServerConfig>, Error> {
    let provider = provider();
    let keys = Arc::new(KeyOnly(Arc::clone(&provider)));
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
    let builder =
        if mutual { builder.with_client_cert_verifier(keys) } else { builder.with_no_client_auth() };
    let mut config =
        builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity.certified()))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// The name that TLS wants to be told. It is neither sent nor checked.
pub(crate) fn nobody() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}

/// The key that the peer proved to hold in this handshake.
pub(crate) fn peer_key(chain: Option<&[CertificateDer<'_>]>) -> Result<PeerKey, AttestError> {
    let Some([certificate]) = chain else {
        return Err(AttestError::Certificate("there must be exactly one, the one that carries the key"));
    };
    let parsed = ParsedCertificate::try_from(certificate)?;
    let spki = parsed.subject_public_key_info();
    Ok(PeerKey::Tls { spki: spki.as_ref().into(), spki_sha256: Sha256::digest(&*spki).into() })
}

/// Takes any certificate of the right form, and checks the handshake's signature by its key.
#[derive(Debug)]
struct KeyOnly(Arc<CryptoProvider>);

impl KeyOnly {
    fn form(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !intermediates.is_empty() {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        ParsedCertificate::try_from(end_entity).map(|_| ())
    }
}

/// What both directions ask in the same words: whether the peer holds the key of its certificate. rustls has a trait for each
/// direction, and these three methods in either.
macro_rules! handshake_signatures {
    () => {
        /// TLS 1.2 is not offered; were it reached all the same, no signature would count.
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            if !SCHEMES.contains(&signed.scheme) {
                return Err(Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon));
            }
            verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            SCHEMES.to_vec()
        }
    };
}

impl ServerCertVerifier for KeyOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::form(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    handshake_signatures!();
}

impl ClientCertVerifier for KeyOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::form(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    handshake_signatures!();
}
