//! The query of `/evidence`: one nonce and nothing else.

use crate::evidence::{Nonce, NonceError};

/// The parsed query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// What the asker chose.
    pub nonce: Nonce,
}

/// Why a query cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No `nonce`.
    #[error("there is no nonce")]
    Missing,
    /// More than one `nonce`.
    #[error("there are two nonces")]
    Twice,
    /// A parameter that we do not know: refused, so that a misspelt one is not ignored.
    #[error("parameter {0:?} is not known")]
    Unknown(String),
    /// The nonce is malformed.
    #[error(transparent)]
    Nonce(#[from] NonceError),
}

impl Query {
    /// Reads `nonce=` and 64 hex digits. Nothing in it can need percent-encoding, so none is decoded.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(query: Option<&str>) -> Result<Self, QueryError> {
        let mut nonce = None;
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "nonce" if nonce.is_some() => return Err(QueryError::Twice),
                "nonce" => nonce = Some(Nonce::from_hex(value)?),
                _ => return Err(QueryError::Unknown(name.chars().take(32).collect())),
            }
        }
        nonce.map(|nonce| Self { nonce }).ok_or(QueryError::Missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_nonce_and_nothing_else() {
        let hex = "5a".repeat(32);
        let parse = |query: &str| Query::parse(Some(query));
        assert_eq!(parse(&format!("nonce={hex}")), Ok(Query { nonce: Nonce::new([0x5a; 32]) }));
        assert_eq!(Query::parse(None), Err(QueryError::Missing));
        assert_eq!(parse(""), Err(QueryError::Missing));
        assert_eq!(parse(&format!("nonce={hex}&nonce={hex}")), Err(QueryError::Twice));
        assert_eq!(parse(&format!("nonce={hex}&bound=1")), Err(QueryError::Unknown("bound".into())));
        assert_eq!(parse("nonce"), Err(QueryError::Nonce(NonceError::Length(0))));
        assert!(matches!(parse(&format!("nonce={hex}00")), Err(QueryError::Nonce(_))));
        assert!(matches!(parse(&format!("nonce=%35{hex}")), Err(QueryError::Nonce(_))));
    }
}
