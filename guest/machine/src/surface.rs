//! Where a machine publishes and takes commands.

/// What a surface's entries come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All entries, in order.
    Stream,
    /// The last entry of each key.
    Collection,
    /// Takes submissions and publishes nothing itself.
    Submit,
}

/// A surface of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surface {
    /// Its name.
    pub name: SurfaceName,
    /// What its entries come to.
    pub kind: Kind,
    /// Whether `POST /submit/{name}` is taken.
    pub submit: bool,
}

/// A name in kebab case: `[a-z0-9-]`, 1 to 48 bytes. The committee's own surfaces have a dot, so no machine's name is one of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SurfaceName(&'static str);

impl SurfaceName {
    /// A name of this crate's users. Panics at compile time where it is not in kebab case.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(crate::rejection::is_kebab(name.as_bytes()), "a surface name is kebab case, 1 to 48 bytes");
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}
