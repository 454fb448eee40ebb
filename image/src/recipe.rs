//! The recipe: what the image is made of besides outside packages and the guest binary.

use serde::Deserialize;

/// The recipe that this source was published with.
pub const SHIPPED: &str = include_str!("../recipe.toml");

/// A recipe whose every field fits where it is going.
///
/// Fields are private so that a recipe in hand is a recipe that was checked; tests and experiments change one
/// through the `with_*` methods, which check again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    name: String,
    version: String,
    command_line: String,
    modules: Vec<String>,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let file: File = toml::from_str(text).map_err(|e| RecipeError::Toml(e.to_string()))?;
        if file.format != "hallmark/recipe/1" {
            return Err(RecipeError::Format(file.format));
        }
        let recipe = Self {
            name: file.name,
            version: file.version,
            command_line: file.command_line,
            modules: file.modules,
        };
        recipe.check()
    }

    /// The recipe of this source.
    ///
    /// # Errors
    /// None for the file as published; those of [`Recipe::parse`] for an edited one.
    pub fn shipped() -> Result<Self, RecipeError> {
        Self::parse(SHIPPED)
    }

    /// The image's name: lower-case letters, digits, `-`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The image's version; the guest says it too.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The kernel command line, printable ASCII.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// Kernel modules by logical name (`_`, never `-`), in the recipe's order, none twice.
    pub fn modules(&self) -> &[String] {
        &self.modules
    }

    /// The same recipe with another version.
    ///
    /// # Errors
    /// When it is not a version.
    pub fn with_version(mut self, version: &str) -> Result<Self, RecipeError> {
        version.clone_into(&mut self.version);
        self.check()
    }

    /// The same recipe with another command line.
    ///
    /// # Errors
    /// When it does not fit a kernel command line.
    pub fn with_command_line(mut self, command_line: &str) -> Result<Self, RecipeError> {
        command_line.clone_into(&mut self.command_line);
        self.check()
    }

    /// The same recipe without a module.
    ///
    /// # Errors
    /// When the recipe does not name it.
    pub fn without_module(mut self, module: &str) -> Result<Self, RecipeError> {
        let before = self.modules.len();
        self.modules.retain(|m| m != module);
        if self.modules.len() == before {
            return Err(RecipeError::NoSuchModule(module.to_owned()));
        }
        self.check()
    }

    /// The `.osrel` section: os-release(5).
    pub fn os_release(&self) -> String {
        let Self { name, version, .. } = self;
        format!(
            "ID={name}\nNAME={name}\nPRETTY_NAME=\"{name} {version}\"\nVERSION_ID={version}\nIMAGE_ID={name}\nIMAGE_VERSION={version}\n"
        )
    }

    fn check(self) -> Result<Self, RecipeError> {
        let refuse =
            |field, value: &str, rule| Err(RecipeError::Field { field, value: value.to_owned(), rule });
        let of = |s: &str, extra: &[u8]| {
            !s.is_empty()
                && s.len() <= 64
                && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.contains(&b))
        };
        if !of(&self.name, b"-") {
            return refuse("name", &self.name, "1 to 64 of a-z 0-9 -");
        }
        if !of(&self.version, b"-.+~") {
            return refuse("version", &self.version, "1 to 64 of a-z 0-9 - . + ~");
        }
        // COMMAND_LINE_SIZE of x86 is 2048 with its NUL.
        if self.command_line.len() > 2047 || !self.command_line.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return refuse("command_line", &self.command_line, "at most 2047 bytes of printable ASCII");
        }
        for (index, module) in self.modules.iter().enumerate() {
            if !of(module, b"_") {
                return refuse("modules", module, "a logical module name: a-z 0-9 _");
            }
            if self.modules.iter().take(index).any(|m| m == module) {
                return refuse("modules", module, "named once");
            }
        }
        Ok(self)
    }
}

/// Why a text is not a recipe.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Not TOML, an unknown or a missing field.
    #[error("recipe: {0}")]
    Toml(String),
    /// Another format.
    #[error("recipe: format is {0:?}, expected \"hallmark/recipe/1\"")]
    Format(String),
    /// A field that breaks its rule.
    #[error("recipe: {field} {value:?} is not {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A module to leave out that is not there.
    #[error("recipe: no module {0:?} to leave out; recipe.toml lists those there are")]
    NoSuchModule(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    name: String,
    version: String,
    command_line: String,
    modules: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_recipe_has_the_version_of_the_crate() {
        let recipe = Recipe::shipped().unwrap();
        assert_eq!(recipe.version(), env!("CARGO_PKG_VERSION"));
        assert!(recipe.os_release().contains("VERSION_ID=0.1.0\n"));
    }

    #[test]
    fn changes_are_checked() {
        let recipe = Recipe::shipped().unwrap();
        assert_eq!(recipe.clone().with_version("0.1.0-changed").unwrap().version(), "0.1.0-changed");
        assert!(recipe.clone().with_version("1\n2").is_err());
        assert!(recipe.clone().with_command_line("a\0b").is_err());
        assert!(recipe.clone().with_command_line(&"a".repeat(2048)).is_err());
        assert_eq!(recipe.clone().without_module("gve").unwrap().modules().len() + 1, recipe.modules().len());
        assert!(matches!(recipe.without_module("zzz"), Err(RecipeError::NoSuchModule(_))));
    }

    #[test]
    fn each_broken_rule_is_refused() {
        for (old, new, why) in [
            ("recipe/1", "recipe/9", "format is"),
            ("name = \"hallmark\"", "name = \"Hall mark\"", "a-z 0-9"),
            ("\"gve\"", "\"ena\"", "named once"),
            ("\"gve\"", "\"../gve\"", "logical module name"),
            ("version = ", "release = ", "unknown field"),
        ] {
            let text = SHIPPED.replacen(old, new, 1);
            assert_ne!(text, SHIPPED, "{old}");
            let error = Recipe::parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
