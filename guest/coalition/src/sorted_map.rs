//! Names and texts that a document's author adds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::List;
use crate::config_error::{ConfigError, Fault, MAX_ITEMS};
use crate::text;

/// Texts by name, in ascending order of the names: an object of strings in JSON, a table in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SortedMap<'a>(List<'a, Pair<'a>>);

/// A name and its text.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

impl<'a> SortedMap<'a> {
    /// Nothing.
    pub const EMPTY: Self = Self(List::EMPTY);

    /// These pairs, which must ascend by name: that is checked with the document that they are in.
    #[must_use]
    pub const fn lent(pairs: &'a [Pair<'a>]) -> Self {
        Self(List::lent(pairs))
    }

    /// The text of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, text)| &**text)
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }

    pub(crate) fn check(&self, field: &str) -> Result<(), ConfigError> {
        if self.0.len() > MAX_ITEMS {
            return Err(ConfigError::new(field, Fault::TooMany { items: self.0.len(), most: MAX_ITEMS }));
        }
        for (name, value) in self.iter() {
            let field = || format!("{field}.{}", name.escape_debug());
            text::name(&field(), name)?;
            text::line(&field(), value)?;
        }
        match self.0.windows(2).find_map(|pair| match pair {
            [(before, _), (after, _)] if before >= after => Some(after),
            _ => None,
        }) {
            Some(name) => Err(ConfigError::new(field, Fault::Order(name.clone().into_owned()))),
            None => Ok(()),
        }
    }
}

impl Serialize for SortedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for SortedMap<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = BTreeMap<String, String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if members.contains_key(&name) {
                        return Err(de::Error::custom(format_args!("`{name}` stands there twice")));
                    }
                    members.insert(name, value);
                }
                Ok(members)
            }
        }
        let members = deserializer.deserialize_map(Once)?;
        let pairs: Vec<Pair<'_>> =
            members.into_iter().map(|(name, text)| (name.into(), text.into())).collect();
        Ok(Self(pairs.into()))
    }
}
