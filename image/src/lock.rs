//! The lock file: every outside input of the image by name, version, size and SHA-256.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The lock file that this source was published with.
pub const SHIPPED: &str = include_str!("../lock.toml");

/// Largest package that a lock file may name, in bytes. Packages are held in memory.
pub const MAX_PACKAGE: u64 = 256 << 20;

/// What a package is for. A lock file has each of them exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// `vmlinuz`.
    Kernel,
    /// The kernel's modules.
    Modules,
    /// `modules.builtin`.
    ModulesIndex,
    /// systemd's EFI stub.
    Stub,
    /// OVMF for QEMU with a TPM.
    Firmware,
    /// OVMF for a TD.
    FirmwareTdx,
}

impl Role {
    /// All roles, in the order of the lock file.
    pub const ALL: [Self; 6] =
        [Self::Kernel, Self::Modules, Self::ModulesIndex, Self::Stub, Self::Firmware, Self::FirmwareTdx];

    /// The word in the lock file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Modules => "modules",
            Self::ModulesIndex => "modules-index",
            Self::Stub => "stub",
            Self::Firmware => "firmware",
            Self::FirmwareTdx => "firmware-tdx",
        }
    }
}

/// One package: where it is found and what its bytes must hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    role: Role,
    name: String,
    version: String,
    suite: String,
    size: u64,
    sha256: [u8; 32],
    pool: String,
}

impl Package {
    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The Debian package name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Debian version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The suite that had this version when it was locked.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// Size of the `.deb` in bytes; at most [`MAX_PACKAGE`].
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the `.deb`.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Path below a mirror's root: relative, without `..`.
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// The file's name: the last part of the pool path.
    pub fn file_name(&self) -> &str {
        self.pool.rsplit('/').next().unwrap_or(&self.pool)
    }
}

/// A lock file that holds each role once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    packages: Vec<Package>,
    sha256: [u8; 32],
}

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let file: File = toml::from_str(text).map_err(|e| LockError::Toml(e.to_string()))?;
        if file.format != "hallmark/lock/1" {
            return Err(LockError::Format(file.format));
        }
        let mut packages = file.package.into_iter().map(Package::try_from).collect::<Result<Vec<_>, _>>()?;
        packages.sort_by_key(Package::role);
        for role in Role::ALL {
            match packages.iter().filter(|p| p.role == role).count() {
                1 => {}
                0 => return Err(LockError::Missing(role.as_str())),
                _ => return Err(LockError::Twice(role.as_str())),
            }
        }
        Ok(Self { packages, sha256: Sha256::digest(text.as_bytes()).into() })
    }

    /// The lock file of this source.
    ///
    /// # Errors
    /// None for the file as published; those of [`Lock::parse`] for an edited one.
    pub fn shipped() -> Result<Self, LockError> {
        Self::parse(SHIPPED)
    }

    /// The package of a role.
    ///
    /// # Errors
    /// Never for a lock that [`Lock::parse`] made.
    pub fn package(&self, role: Role) -> Result<&Package, LockError> {
        self.packages.iter().find(|p| p.role == role).ok_or(LockError::Missing(role.as_str()))
    }

    /// All packages, by role.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// SHA-256 of the file's text.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

/// Why a text is not a lock file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Not TOML, an unknown or a missing field.
    #[error("lock file: {0}")]
    Toml(String),
    /// Another format.
    #[error("lock file: format is {0:?}, expected \"hallmark/lock/1\"")]
    Format(String),
    /// A field that breaks its rule.
    #[error("lock file, package {name}: {field} {value:?} is not {rule}")]
    Field {
        /// The package.
        name: String,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A role without a package.
    #[error("lock file: no package has the role {0}")]
    Missing(&'static str),
    /// A role with two packages.
    #[error("lock file: two packages have the role {0}")]
    Twice(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    package: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    role: Role,
    name: String,
    version: String,
    suite: String,
    size: u64,
    sha256: String,
    pool: String,
}

impl TryFrom<Entry> for Package {
    type Error = LockError;

    fn try_from(entry: Entry) -> Result<Self, LockError> {
        let refuse = |field, value: &str, rule| LockError::Field {
            name: entry.name.clone(),
            field,
            value: value.to_owned(),
            rule,
        };
        // Debian Policy 5.6.1 and 5.6.12.
        let plain = |s: &str| {
            !s.is_empty()
                && s.len() <= 128
                && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.~:_".contains(&b))
        };
        if !plain(&entry.name) {
            return Err(refuse("name", &entry.name, "a package name"));
        }
        if !plain(&entry.version) {
            return Err(refuse("version", &entry.version, "a package version"));
        }
        if !plain(&entry.suite) {
            return Err(refuse("suite", &entry.suite, "a suite"));
        }
        if entry.size == 0 || entry.size > MAX_PACKAGE {
            return Err(refuse("size", &entry.size.to_string(), "between 1 byte and 256 MiB"));
        }
        let parts = || entry.pool.split('/');
        if parts().count() < 2
            || parts().any(|p| p == "." || p == ".." || !plain(p))
            || !entry.pool.starts_with("pool/")
            || !entry.pool.ends_with(".deb")
        {
            return Err(refuse("pool", &entry.pool, "a path pool/.../NAME.deb"));
        }
        let mut sha256 = [0; 32];
        if hex::decode_to_slice(&entry.sha256, &mut sha256).is_err()
            || entry.sha256.bytes().any(|b| b.is_ascii_uppercase())
        {
            return Err(refuse("sha256", &entry.sha256, "64 lower-case hex digits"));
        }
        Ok(Self {
            role: entry.role,
            name: entry.name,
            version: entry.version,
            suite: entry.suite,
            size: entry.size,
            sha256,
            pool: entry.pool,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_lock_parses_and_names_its_files() {
        let lock = Lock::shipped().unwrap();
        assert_eq!(lock.packages().len(), Role::ALL.len());
        let stub = lock.package(Role::Stub).unwrap();
        assert_eq!(stub.file_name(), "systemd-boot-efi_257.13-1~deb13u1_amd64.deb");
        for package in lock.packages() {
            // The file's name says the version, so that an edit of one line alone is caught.
            assert!(package.file_name().contains(package.version()), "{}", package.name());
            assert!(package.file_name().starts_with(package.name()), "{}", package.name());
        }
    }

    #[test]
    fn each_broken_rule_is_refused() {
        let cases = [
            ("hallmark/lock/1", "hallmark/lock/2", "format is"),
            ("role = \"stub\"", "role = \"kernel\"", "two packages have the role kernel"),
            ("size = 135912", "size = 0", "between 1 byte"),
            ("size = 135912", "size = 999999999999", "between 1 byte"),
            ("pool/main/s/systemd/", "pool/main/../systemd/", "pool/.../NAME.deb"),
            ("pool/main/s/systemd/", "/pool/main/s/systemd/", "pool/.../NAME.deb"),
            ("pool/main/s/systemd/", "pool//systemd/", "pool/.../NAME.deb"),
            ("390ecdce", "390ECDCE", "lower-case hex"),
            ("390ecdce", "390e", "lower-case hex"),
            ("suite = \"sid\"", "suite = \"sid\"\nsha512 = \"\"", "unknown field"),
            ("suite = \"sid\"\n", "", "missing field"),
        ];
        for (old, new, why) in cases {
            let text = SHIPPED.replacen(old, new, 1);
            assert_ne!(text, SHIPPED, "{old}");
            let error = Lock::parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{old} -> {new}: {error}");
        }
        let (rest, last) = SHIPPED.rsplit_once("[[package]]").unwrap();
        assert_eq!(Lock::parse(rest), Err(LockError::Missing("firmware-tdx")), "{last}");
    }

    #[test]
    fn no_text_panics() {
        for end in (0..SHIPPED.len()).step_by(7).filter(|&i| SHIPPED.is_char_boundary(i)) {
            let _ = Lock::parse(&SHIPPED[..end]);
        }
    }
}
