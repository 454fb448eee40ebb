//! The pure middle of the builder: from the bytes of its parts to the image, without I/O.

use crate::{
    disk::{DiskError, disk},
    uki::{Contents, UkiError, uki},
};

/// What an image is assembled from.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// systemd's EFI stub.
    pub stub: &'a [u8],
    /// The kernel, a PE image.
    pub kernel: &'a [u8],
    /// The kernel's release, for `.uname`.
    pub release: &'a str,
    /// The initrd.
    pub initrd: &'a [u8],
    /// The kernel command line.
    pub command_line: &'a str,
    /// os-release(5).
    pub os_release: &'a str,
}

/// An assembled image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `hallmark.efi`: the unified kernel image.
    pub uki: Vec<u8>,
    /// `disk.raw`: the disk that boots it.
    pub disk: Vec<u8>,
}

/// Assembles an image.
///
/// # Errors
/// When stub or kernel is no x86-64 PE image, the stub takes no more sections, or the result is too large.
pub fn assemble(parts: &Parts<'_>) -> Result<Image, AssembleError> {
    let &Parts { stub, kernel, release, initrd, command_line, os_release } = parts;
    let uki = uki(stub, &Contents { os_release, command_line, release, initrd, kernel })?;
    let disk = disk(&uki)?;
    Ok(Image { uki, disk })
}

/// Why there is no image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The UKI.
    #[error(transparent)]
    Uki(#[from] UkiError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{initrd::initrd, recipe::Recipe, synthetic};

    /// The bytes of the synthetic image: a change here is a change of every image.
    #[test]
    fn golden() {
        let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
        let recipe =
            Recipe::shipped().unwrap().with_version("0").unwrap().with_command_line("quiet").unwrap();
        let image = assemble(&Parts {
            stub: &stub,
            kernel: &kernel,
            release: "0-simulated",
            initrd: &initrd(b"SIMULATED guest", &[]).unwrap(),
            command_line: recipe.command_line(),
            os_release: &recipe.os_release(),
        })
        .unwrap();
        let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        assert_eq!(hash(&image.uki), "72cfc832c29950240a42932384c0225dc1214283311b612a9de30a9b851f7667");
        assert_eq!(hash(&image.disk), "08c9ec2b6b402b538e9848be21d0607d4d7bc2b0821ed2a9ec9375ec495831d6");
    }
}
