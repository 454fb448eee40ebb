//! Why a document is refused.

use crate::{AclError, UniqueId};

/// Most items of any list in a document.
pub const MAX_ITEMS: usize = 256;

/// A field whose value no configuration can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct ConfigError {
    /// Where: the path of the field, as in `confluences[1].acl`.
    pub field: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not a name.
    #[error("`{0}` is no name: 1 to 64 ASCII letters, digits, dots, dashes, underscores and slashes")]
    Name(String),
    /// Not a line of text.
    #[error("`{0}` is no line of 1 to 256 printable ASCII characters")]
    Line(String),
    /// A longer list than any document has.
    #[error("{items} items, of at most {most}")]
    TooMany {
        /// How many there are.
        items: usize,
        /// How many there may be.
        most: usize,
    },
    /// The same thing twice.
    #[error("`{0}` stands there twice; each may stand there once")]
    Twice(String),
    /// Names out of order.
    #[error("`{0}` is not above the name before it; names ascend, each once")]
    Order(String),
    /// A number outside its bounds.
    #[error("{value} is not between {least} and {most}")]
    Number {
        /// The number.
        value: u64,
        /// The least that it may be.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A key that verifies nothing, or that anyone can sign for.
    #[error("`{0}` is no Ed25519 public key of full order")]
    Key(UniqueId),
    /// A confluence of one citizen or none.
    #[error("{0} citizens are spanned; a confluence spans 2 or more (one citizen needs no confluence)")]
    Span(usize),
    /// A list that must not be empty.
    #[error("it is empty; name at least one {0}")]
    Empty(&'static str),
    /// Another schema.
    #[error("`{found}` is not `{expected}`, which this version reads")]
    Format {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// Access rules that no committee can have.
    #[error(transparent)]
    Acl(#[from] AclError),
}

impl ConfigError {
    pub(crate) fn new(field: &str, fault: Fault) -> Self {
        Self { field: field.to_owned(), fault }
    }

    /// The same, seen from the document that holds the field's.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { field: format!("{outer}.{}", self.field), fault: self.fault }
    }
}

/// Checks each item of a list, and that there are not too many.
pub(crate) fn each<T>(
    field: &str,
    items: &[T],
    check: impl Fn(&T) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    if items.len() > MAX_ITEMS {
        return Err(ConfigError::new(field, Fault::TooMany { items: items.len(), most: MAX_ITEMS }));
    }
    let mut numbered = items.iter().enumerate();
    numbered.try_for_each(|(index, item)| check(item).map_err(|e| e.within(&format!("{field}[{index}]"))))
}

/// Checks that nothing stands in a list twice.
pub(crate) fn once<T: Ord + ToString>(
    field: &str,
    items: impl Iterator<Item = T>,
) -> Result<(), ConfigError> {
    let mut seen = std::collections::BTreeSet::new();
    for item in items {
        if seen.contains(&item) {
            return Err(ConfigError::new(field, Fault::Twice(item.to_string())));
        }
        seen.insert(item);
    }
    Ok(())
}

/// Checks a number's bounds.
pub(crate) fn number(field: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, Fault::Number { value, least, most }))
}
