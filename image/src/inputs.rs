//! What the locked packages hold: the kernel, its modules, the stub, firmware.

use crate::{
    deb::{Deb, DebError},
    fetch::{FetchError, Progress, Store},
    lock::{Lock, LockError, Role},
    modules::Tree,
};

/// Outside inputs of an image, unpacked.
#[derive(Debug)]
pub struct Inputs {
    /// `vmlinuz`.
    pub kernel: Vec<u8>,
    /// The kernel's release: the name of its folder below `/usr/lib/modules`.
    pub release: String,
    /// systemd's EFI stub.
    pub stub: Vec<u8>,
    /// The kernel's modules.
    pub modules: Tree,
}

impl Inputs {
    /// Fetches, checks and unpacks the packages of an image.
    ///
    /// # Errors
    /// When a package is nowhere, or does not hold what its role says.
    pub fn read(
        store: &Store,
        lock: &Lock,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, InputsError> {
        let mut kernels = files(store, lock, Role::Kernel, progress, |path| path.ends_with("/vmlinuz"))?;
        let (path, kernel) =
            kernels.pop_first().ok_or(InputsError::Empty(Role::Kernel.as_str(), "vmlinuz"))?;
        if let Some((other, _)) = kernels.pop_first() {
            return Err(InputsError::Several(path, other));
        }
        let release = path
            .strip_prefix("usr/lib/modules/")
            .and_then(|p| p.strip_suffix("/vmlinuz"))
            .filter(|r| !r.is_empty() && r.len() < 65 && !r.contains('/'))
            .ok_or(InputsError::KernelPath(path.clone()))?
            .to_owned();
        let stub = file(store, lock, Role::Stub, progress, "usr/lib/systemd/boot/efi/linuxx64.efi.stub")?;
        let index = format!("usr/lib/modules/{release}/modules.builtin");
        let index = file(store, lock, Role::ModulesIndex, progress, &index)?;
        let folder = format!("usr/lib/modules/{release}/kernel/");
        let modules = files(store, lock, Role::Modules, progress, |path| {
            path.starts_with(&folder) && (path.ends_with(".ko") || path.ends_with(".ko.xz"))
        })?;
        let modules = Tree::new(modules, &String::from_utf8_lossy(&index));
        Ok(Self { kernel, release, stub, modules })
    }
}

/// OVMF for QEMU with a TPM: `OVMF.fd`, code and variables in one file.
///
/// # Errors
/// When the package is nowhere or does not hold it.
pub fn firmware(
    store: &Store,
    lock: &Lock,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<u8>, InputsError> {
    file(store, lock, Role::Firmware, progress, "usr/share/ovmf/OVMF.fd")
}

/// OVMF for a TD: `OVMF.inteltdx.ms.fd`.
///
/// # Errors
/// When the package is nowhere or does not hold it.
pub fn firmware_tdx(
    store: &Store,
    lock: &Lock,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<u8>, InputsError> {
    file(store, lock, Role::FirmwareTdx, progress, "usr/share/ovmf/OVMF.inteltdx.ms.fd")
}

fn files(
    store: &Store,
    lock: &Lock,
    role: Role,
    progress: &mut dyn FnMut(Progress<'_>),
    want: impl FnMut(&str) -> bool,
) -> Result<std::collections::BTreeMap<String, Vec<u8>>, InputsError> {
    let package = lock.package(role)?;
    let checked = store.fetch(package, progress)?;
    Deb::open(checked.bytes())
        .and_then(|deb| deb.files(want))
        .map_err(|source| InputsError::Package { name: package.file_name().to_owned(), source })
}

fn file(
    store: &Store,
    lock: &Lock,
    role: Role,
    progress: &mut dyn FnMut(Progress<'_>),
    path: &str,
) -> Result<Vec<u8>, InputsError> {
    let name = || lock.package(role).map(|p| p.file_name().to_owned()).unwrap_or_default();
    files(store, lock, role, progress, |p| p == path)?
        .remove(path)
        .ok_or_else(|| InputsError::Package { name: name(), source: DebError::NoFile(path.to_owned()) })
}

/// Why there are no inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputsError {
    /// The lock file.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No package.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A package that cannot be read.
    #[error("{name}: {source}")]
    Package {
        /// The package's file name.
        name: String,
        /// What is wrong.
        source: DebError,
    },
    /// A role's file is missing.
    #[error("the package of role {0} holds no {1}")]
    Empty(&'static str, &'static str),
    /// Two kernels in one package.
    #[error("the kernel package holds two kernels: {0} and {1}")]
    Several(String, String),
    /// A kernel at an unexpected path.
    #[error("the kernel package holds {0}, expected usr/lib/modules/RELEASE/vmlinuz")]
    KernelPath(String),
}
