//! The fixed shape of Intel's chains, written out: root, then TCB signing; root, then PCK CA, then PCK.
//!
//! There is no path building. A link holds when names, key identifiers, role, dates and signature all do; a
//! certificate in another place than its own is refused, however well it is signed.

use std::fmt;

use crate::certificate::Certificate;
use crate::time::{Outside, UnixSeconds, Validity};

/// What a certificate is for (Intel SGX PCK Certificate and CRL Profile, 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The root.
    Root,
    /// The platform or the processor CA, under the root.
    PckCa,
    /// Who signs TCB info and QE identity, under the root.
    TcbSigning,
    /// One platform at one TCB, under the PCK CA.
    Pck,
}

impl Role {
    /// How the common names of that role end. Intel's begin with `Intel`.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Root => &["SGX Root CA"],
            Self::PckCa => &["SGX PCK Platform CA", "SGX PCK Processor CA"],
            Self::TcbSigning => &["SGX TCB Signing"],
            Self::Pck => &["SGX PCK Certificate"],
        }
    }

    const fn is_ca(self) -> bool {
        matches!(self, Self::Root | Self::PckCa)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root CA",
            Self::PckCa => "PCK CA",
            Self::TcbSigning => "TCB signing certificate",
            Self::Pck => "PCK certificate",
        })
    }
}

/// A link that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Another number of certificates than the shape has.
    #[error("{got} certificates: the chain has {due} ({shape})")]
    Length {
        /// How many there are.
        got: usize,
        /// How many are due.
        due: usize,
        /// What they are.
        shape: &'static str,
    },
    /// A common name of another role.
    #[error("`{name}` stands where the {role} belongs")]
    Name {
        /// The role due.
        role: Role,
        /// The name found.
        name: String,
    },
    /// A CA where none may be, or none where one must.
    #[error("{role}: basic constraints say CA {got}, which is wrong for it (RFC 5280, 4.2.1.9)")]
    Ca {
        /// The role.
        role: Role,
        /// What it says.
        got: bool,
    },
    /// A path length that forbids the chain it stands in.
    #[error("{role}: its path length constraint {got} forbids the certificates below it (RFC 5280, 4.2.1.9)")]
    PathLength {
        /// The role.
        role: Role,
        /// What it says.
        got: u8,
    },
    /// A key usage that does not allow what the key is used for, or allows more.
    #[error("{role}: its key usage is not that of a {role} (RFC 5280, 4.2.1.3)")]
    KeyUsage {
        /// The role.
        role: Role,
    },
    /// Only the PCK certificate has the SGX extension, and it must.
    #[error("{role}: the SGX extension belongs to PCK certificates, and to all of them")]
    SgxExtension {
        /// The role.
        role: Role,
    },
    /// The issuer's name is not its issuer's subject.
    #[error("{role}: issued by another name than `{issuer}`")]
    Issuer {
        /// The role.
        role: Role,
        /// The common name of the certificate above it.
        issuer: String,
    },
    /// The authority key identifier is not the issuer's key identifier.
    #[error("{role}: its authority key identifier is not that of `{issuer}`")]
    KeyIdentifier {
        /// The role.
        role: Role,
        /// The common name of the certificate above it.
        issuer: String,
    },
    /// Not signed by the certificate above it.
    #[error("{role}: not signed by the key of `{issuer}`")]
    Signature {
        /// The role.
        role: Role,
        /// The common name of the certificate above it.
        issuer: String,
    },
    /// Not valid now.
    #[error("{role}: {why}")]
    Date {
        /// The role.
        role: Role,
        /// On which side.
        why: Outside,
    },
}

/// Whether the certificate is one of that role.
///
/// # Errors
/// [`ChainError`] for the first property that another role has.
pub fn check_role(certificate: &Certificate, role: Role) -> Result<(), ChainError> {
    let extensions = certificate.extensions();
    let name = certificate.common_name();
    if !role.names().iter().any(|due| name.ends_with(due)) {
        return Err(ChainError::Name { role, name: name.into() });
    }
    let got = extensions.is_ca();
    if got != role.is_ca() {
        return Err(ChainError::Ca { role, got });
    }
    match extensions.basic.as_ref().and_then(|basic| basic.path_len_constraint) {
        Some(got) if role == Role::Root && got < 1 => {
            return Err(ChainError::PathLength { role, got });
        }
        _ => {}
    }
    let usage = extensions.key_usage.as_ref().is_some_and(|usage| {
        let signs = usage.key_cert_sign() && usage.crl_sign();
        let may_not = usage.key_cert_sign() || usage.crl_sign();
        if role.is_ca() { signs } else { usage.digital_signature() && !may_not }
    });
    if !usage {
        return Err(ChainError::KeyUsage { role });
    }
    if extensions.sgx.is_some() != (role == Role::Pck) {
        return Err(ChainError::SgxExtension { role });
    }
    Ok(())
}

/// Whether `certificate`, in `role`, belongs under `issuer` and is valid at `now`. Its signature is
/// [`check_signature`]'s.
///
/// # Errors
/// [`ChainError`] for the first thing that does not hold.
pub fn check_place(
    certificate: &Certificate,
    role: Role,
    issuer: &Certificate,
    now: UnixSeconds,
) -> Result<(), ChainError> {
    check_role(certificate, role)?;
    let above = || issuer.common_name().to_owned();
    if certificate.issuer() != issuer.subject() {
        return Err(ChainError::Issuer { role, issuer: above() });
    }
    let named = certificate.extensions().authority_key_id.as_ref();
    let has = issuer.extensions().subject_key_id.as_ref();
    if named.zip(has).is_some_and(|(named, has)| named != has) {
        return Err(ChainError::KeyIdentifier { role, issuer: above() });
    }
    check_date(certificate.validity(), role, now)
}

/// Whether `issuer`'s key signed `certificate`.
///
/// # Errors
/// [`ChainError::Signature`].
pub fn check_signature(
    certificate: &Certificate,
    role: Role,
    issuer: &Certificate,
) -> Result<(), ChainError> {
    if certificate.is_signed_by(issuer.key()) {
        return Ok(());
    }
    Err(ChainError::Signature { role, issuer: issuer.common_name().into() })
}

/// Whether a certificate of that validity may be used at `now`.
///
/// # Errors
/// [`ChainError::Date`].
pub fn check_date(validity: Validity, role: Role, now: UnixSeconds) -> Result<(), ChainError> {
    validity.check(now).map_err(|why| ChainError::Date { role, why })
}
