//! Unified kernel image: systemd's EFI stub with the kernel and all that goes with it as sections.
//!
//! UAPI group specification "Unified Kernel Image"; systemd-stub(7). The order in the file is that of systemd's
//! own tool; the stub measures in an order of its own, by name.

use crate::pe::{Image, PeError};

/// What goes into the sections. All of it is measured, names and contents.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// `.osrel`: os-release(5).
    pub os_release: &'a str,
    /// `.cmdline`: the kernel command line, without a NUL. Left out when empty.
    pub command_line: &'a str,
    /// `.uname`: the kernel's release.
    pub release: &'a str,
    /// `.initrd`.
    pub initrd: &'a [u8],
    /// `.linux`: the kernel, itself a PE image.
    pub kernel: &'a [u8],
}

/// Puts the sections behind the stub.
///
/// # Errors
/// When stub or kernel is no x86-64 PE image, or the stub takes no more sections.
pub fn uki(stub: &[u8], contents: &Contents<'_>) -> Result<Vec<u8>, UkiError> {
    Image::parse(contents.kernel).map_err(UkiError::Kernel)?;
    let sections = [
        (".osrel", contents.os_release.as_bytes()),
        (".cmdline", contents.command_line.as_bytes()),
        (".uname", contents.release.as_bytes()),
        (".initrd", contents.initrd),
        (".linux", contents.kernel),
    ];
    let given: Vec<_> =
        sections.into_iter().filter(|(name, bytes)| *name != ".cmdline" || !bytes.is_empty()).collect();
    Image::parse(stub).and_then(|stub| stub.append(&given)).map_err(UkiError::Stub)
}

/// Why there is no UKI.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UkiError {
    /// The stub.
    #[error("EFI stub: {0}")]
    Stub(PeError),
    /// The kernel.
    #[error("kernel: {0}")]
    Kernel(PeError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn a_uki_has_the_sections_in_systemd_order() {
        let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
        let contents = Contents {
            os_release: "ID=x\n",
            command_line: "quiet",
            release: "7",
            initrd: b"cpio",
            kernel: &kernel,
        };
        let names = |contents: &Contents<'_>| {
            let uki = uki(&stub, contents).unwrap();
            let image = Image::parse(&uki).unwrap();
            assert_eq!(image.sections().last().unwrap().contents(), kernel);
            image.sections().iter().map(|s| String::from_utf8_lossy(s.name).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&contents), [".text", ".sbat", ".osrel", ".cmdline", ".uname", ".initrd", ".linux"]);
        let without = Contents { command_line: "", ..contents };
        assert_eq!(names(&without), [".text", ".sbat", ".osrel", ".uname", ".initrd", ".linux"]);
        let no_kernel = Contents { kernel: b"MZ", ..contents };
        assert!(matches!(uki(&stub, &no_kernel), Err(UkiError::Kernel(_))));
        assert!(matches!(uki(b"", &contents), Err(UkiError::Stub(PeError::NoMz))));
        assert!(matches!(
            uki(&stub, &Contents { initrd: b"", ..contents }),
            Err(UkiError::Stub(PeError::Section(_)))
        ));
    }
}
