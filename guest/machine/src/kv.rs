//! A small key-value store: the machine of the demonstration, the tests and the benches.
//!
//! Surface `pairs` is a collection; a body is `{"op":"put","key":K,"value":V}`, `{"op":"delete","key":K}` or
//! `{"op":"compare-and-put","key":K,"was":V or null,"value":V}`. Keys have 1 to 256 bytes, values at most 4096.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Context, Draft, Kind, Machine, Malformed, Rejection, RejectionCode, RestoreError, Surface, SurfaceName,
};

const PAIRS: SurfaceName = SurfaceName::new("pairs");
const SURFACES: &[Surface] = &[Surface { name: PAIRS, kind: Kind::Collection, submit: true }];
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 4096;

/// The pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kv {
    pairs: BTreeMap<String, String>,
}

/// What can be asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Command {
    /// Sets a key.
    Put {
        /// The key.
        key: String,
        /// Its value from now on.
        value: String,
    },
    /// Takes a key out. Rejected as `no-such-key` where it is not there.
    Delete {
        /// The key.
        key: String,
    },
    /// Sets a key if its value is `was` (null: if it is not there). Rejected as `not-as-was` otherwise.
    CompareAndPut {
        /// The key.
        key: String,
        /// What it must be now.
        was: Option<String>,
        /// Its value from now on.
        value: String,
    },
}

/// The body of an entry: the value, or null once deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The value.
    pub value: Option<String>,
}

impl Kv {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }
}

impl Command {
    fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::CompareAndPut { key, .. } => key,
        }
    }

    fn values(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::Put { value, .. } => [Some(value), None],
            Self::Delete { .. } => [None, None],
            Self::CompareAndPut { was, value, .. } => [Some(value), was.as_ref()],
        }
        .into_iter()
        .flatten()
    }

    fn check(&self) -> Result<(), String> {
        let key = self.key();
        if key.is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
            return Err(format!("key: 1 to {MAX_KEY} bytes, no control characters; got {} bytes", key.len()));
        }
        self.values()
            .find(|value| value.len() > MAX_VALUE)
            .map_or(Ok(()), |value| Err(format!("value: at most {MAX_VALUE} bytes; got {}", value.len())))
    }
}

impl Machine for Kv {
    type Command = Command;

    fn new() -> Self {
        Self::default()
    }

    fn surfaces(&self) -> &'static [Surface] {
        SURFACES
    }

    fn parse(surface: &str, body: &[u8]) -> Result<Command, Malformed> {
        let malformed = |why: String| Malformed { surface: surface.to_owned(), why };
        if surface != PAIRS.as_str() {
            return Err(malformed("the key-value machine takes commands on \"pairs\" only".into()));
        }
        let command: Command = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
        command.check().map_err(malformed)?;
        Ok(command)
    }

    fn apply(&mut self, _: &Context<'_>, command: Command) -> Result<Vec<Draft>, Rejection> {
        const NO_SUCH_KEY: RejectionCode = RejectionCode::new("no-such-key");
        const NOT_AS_WAS: RejectionCode = RejectionCode::new("not-as-was");
        const NO_JSON: RejectionCode = RejectionCode::new("no-json");
        let key = command.key().to_owned();
        let next = match command {
            Command::Put { value, .. } => Some(value),
            Command::Delete { .. } if !self.pairs.contains_key(&key) => {
                return Err(Rejection::new(NO_SUCH_KEY, format!("{key:?} is not there")));
            }
            Command::Delete { .. } => None,
            Command::CompareAndPut { was, value, .. } => {
                if self.pairs.get(&key) != was.as_ref() {
                    return Err(Rejection::new(NOT_AS_WAS, format!("{key:?} is not what it was said to be")));
                }
                Some(value)
            }
        };
        let pair = Pair { value: next };
        let draft = Draft::keyed(PAIRS, key.clone(), &pair)
            .map_err(|error| Rejection::new(NO_JSON, error.to_string()))?;
        match pair.value {
            Some(value) => self.pairs.insert(key, value),
            None => self.pairs.remove(&key),
        };
        Ok(vec![draft])
    }

    fn snapshot(&self) -> Vec<u8> {
        // A map of strings has a JSON form, and a BTreeMap one order.
        serde_json::to_vec(&self.pairs).unwrap_or_default()
    }

    fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        let fail = |why: String| RestoreError { machine: "the key-value machine", why };
        let pairs = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        Ok(Self { pairs })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::ClientId;

    fn run(kv: &mut Kv, body: &str) -> Result<String, String> {
        let endorsed = BTreeMap::new();
        let context = Context { index: 0, client: ClientId::new([0; 32]), nonce: 0, endorsed: &endorsed };
        let command = Kv::parse("pairs", body.as_bytes()).unwrap();
        let drafts = kv.apply(&context, command).map_err(|rejection| rejection.code.as_str().to_owned())?;
        assert_eq!(drafts.len(), 1);
        Ok(drafts[0].body.get().to_owned())
    }

    #[test]
    fn puts_compares_and_deletes() {
        let mut kv = Kv::new();
        assert_eq!(run(&mut kv, r#"{"op":"put","key":"a","value":"1"}"#).unwrap(), r#"{"value":"1"}"#);
        let swap = r#"{"op":"compare-and-put","key":"a","was":"1","value":"2"}"#;
        assert_eq!(run(&mut kv, swap).unwrap(), r#"{"value":"2"}"#);
        assert_eq!(run(&mut kv, swap).unwrap_err(), "not-as-was");
        assert_eq!(kv.get("a"), Some("2"));
        assert_eq!(Kv::restore(&kv.snapshot()).unwrap(), kv);
        assert_eq!(run(&mut kv, r#"{"op":"delete","key":"a"}"#).unwrap(), r#"{"value":null}"#);
        assert_eq!(run(&mut kv, r#"{"op":"delete","key":"a"}"#).unwrap_err(), "no-such-key");
    }

    #[test]
    fn what_is_no_command_is_refused_with_the_field() {
        let why = |surface: &str, body: &str| Kv::parse(surface, body.as_bytes()).unwrap_err().why;
        assert!(why("other", "{}").contains("\"pairs\" only"));
        assert!(why("pairs", r#"{"op":"put","key":"","value":""}"#).starts_with("key:"));
        assert!(why("pairs", r#"{"op":"put","key":"a","value":1}"#).contains("invalid type"));
        assert!(why("pairs", r#"{"op":"put","key":"a","value":"","x":1}"#).contains("unknown field"));
        let long = format!(r#"{{"op":"put","key":"a","value":"{}"}}"#, "v".repeat(MAX_VALUE + 1));
        assert!(why("pairs", &long).starts_with("value:"));
        assert!(Kv::restore(b"[]").is_err());
    }
}
