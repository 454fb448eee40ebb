//! Unified kernel images: a PE of which systemd-stub measures the sections before it runs the kernel among them.
//!
//! UAPI.5, "Unified Kernel Image"; systemd-stub(7). Checked against PCR 11 of booted images with stub 252 and stub 257.

use crate::Stub;
use crate::authenticode::{AuthenticodeError, authenticode_digests};
use crate::digest::{Banks, Digests};
use crate::field::utf16_nul;
use crate::pe::{Pe, PeError, Section};
use crate::stub_initrd;

/// More zeros than this after the data of the measured sections, in all, is no image that anyone builds.
const MAX_ZEROS: usize = 16 << 20;

/// A PE image that has what the stub boots, and nothing whose measurement is not known here.
#[derive(Clone, Debug)]
pub struct Uki<'a> {
    pe: Pe<'a>,
    /// The kernel: `.linux`.
    linux: &'a [u8],
}

/// Why an image cannot be measured as a UKI.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UkiError {
    /// Not a PE image.
    #[error(transparent)]
    Pe(#[from] PeError),
    /// No hash.
    #[error(transparent)]
    Authenticode(#[from] AuthenticodeError),
    /// The kernel inside is no EFI image.
    #[error("the kernel in `.linux`: {0}")]
    Linux(#[source] AuthenticodeError),
    /// Not a UKI.
    #[error("no `.linux` section: this is an EFI program, but no unified kernel image")]
    NoKernel,
    /// Sections for which the stub chooses at boot.
    #[error(
        "section `{0}`: what the stub takes from it depends on the machine or the boot menu; build the image without it"
    )]
    Choice(&'static str),
    /// Memory larger than the file gives.
    #[error(
        "section `{name}`: {zeros} bytes of memory that the file does not fill are more than the 16 MiB that all \
         sections may have; write its data out in full"
    )]
    Zeros {
        /// The section.
        name: &'static str,
        /// Bytes that are missing.
        zeros: usize,
    },
    /// Two sections in one place.
    #[error(
        "sections `{first}` and `{second}` overlap in memory at {address:#x}: what is measured depends on the loader"
    )]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The other.
        second: String,
        /// Where the other begins.
        address: u32,
    },
    /// A command line that is no plain text.
    #[error("`.cmdline` byte {offset} is {byte:#04x}: {why}")]
    Cmdline {
        /// Where.
        offset: usize,
        /// The byte.
        byte: u8,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Sections in the order in which the stub measures them (systemd `src/fundamental/uki.h`).
const MEASURED_257: [&str; 10] =
    [".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"];
const MEASURED_252: [&str; 7] = [".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey"];
/// Sections that stub 257 selects from at boot, and `.efifw` of later stubs.
const CHOICES: [&str; 4] = [".profile", ".dtbauto", ".hwids", ".efifw"];

impl<'a> Uki<'a> {
    /// Reads a UKI.
    ///
    /// # Errors
    /// When it is no PE image, has no kernel, or holds what cannot be predicted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UkiError> {
        let pe = Pe::parse(bytes)?;
        let linux = pe.section(".linux").filter(|section| section.size != 0).ok_or(UkiError::NoKernel)?;
        if linux.zeros() != 0 {
            return Err(UkiError::Zeros { name: ".linux", zeros: linux.zeros() });
        }
        let linux = linux.loaded();
        if let Some(choice) = CHOICES.into_iter().find(|name| pe.section(name).is_some()) {
            return Err(UkiError::Choice(choice));
        }
        // The signature is not measured, but goes into the initrd.
        let mut sum = 0_usize;
        for name in MEASURED_257.into_iter().chain([".pcrsig"]) {
            let zeros = pe.section(name).map_or(0, Section::zeros);
            sum = sum.saturating_add(zeros);
            if sum > MAX_ZEROS {
                return Err(UkiError::Zeros { name, zeros });
            }
        }
        check_overlap(&pe)?;
        Ok(Self { pe, linux })
    }

    /// The image as a PE.
    #[must_use]
    pub fn pe(&self) -> &Pe<'a> {
        &self.pe
    }

    /// The kernel inside.
    #[must_use]
    pub fn linux(&self) -> &'a [u8] {
        self.linux
    }

    /// The hash by which firmware measures the image.
    ///
    /// # Errors
    /// When firmware would not measure it.
    pub fn authenticode(&self) -> Result<Digests, UkiError> {
        Ok(authenticode_digests(&self.pe)?)
    }

    /// The hash by which firmware measures the kernel inside, when the stub loads it.
    ///
    /// # Errors
    /// When the kernel is no EFI image.
    pub fn linux_authenticode(&self) -> Result<Digests, UkiError> {
        let kernel = Pe::parse(self.linux).map_err(|error| UkiError::Linux(error.into()))?;
        authenticode_digests(&kernel).map_err(UkiError::Linux)
    }

    /// The sections that `stub` measures, in its order. Of two with one name the first counts; one without memory is not there.
    pub fn measured(&self, stub: Stub) -> impl Iterator<Item = (&'static str, &Section<'a>)> {
        let names: &[&'static str] = match stub {
            Stub::V252 => &MEASURED_252,
            Stub::V257 => &MEASURED_257,
        };
        names.iter().filter_map(|&name| self.section(name).map(|section| (name, section)))
    }

    /// The digest of a section: `VirtualSize` bytes of memory, not the file's padded data.
    #[must_use]
    pub fn section_digests(section: &Section<'_>) -> Digests {
        let mut banks = Banks::default();
        banks.update(section.loaded());
        banks.zeros(section.zeros());
        banks.finish()
    }

    /// The options that the stub passes to the kernel: `.cmdline` in UTF-16 with NUL. `None` without that section.
    ///
    /// Stub 257 trims the text and turns control characters into spaces; stub 252 takes it as it is.
    ///
    /// # Errors
    /// When the text is not ASCII, whose conversion differs between stubs, or when stub 252 is given text that a later one would change.
    pub fn load_options(&self, stub: Stub) -> Result<Option<Vec<u8>>, UkiError> {
        let Some(section) = self.section(".cmdline") else { return Ok(None) };
        let text = section.loaded().split(|&byte| byte == 0).next().unwrap_or_default();
        let wrong = |offset: usize, why| {
            let byte = text.get(offset).copied().unwrap_or_default();
            Err(UkiError::Cmdline { offset, byte, why })
        };
        if let Some(offset) = text.iter().position(|byte| !byte.is_ascii()) {
            return wrong(offset, "not ASCII; stubs differ in what they make of it");
        }
        let blank = |byte: &u8| *byte <= 0x20 || *byte == 0x7f;
        if stub == Stub::V252 {
            let odd = |offset: &usize| {
                let edge = *offset == 0 || offset + 1 == text.len();
                text.get(*offset).is_some_and(|byte| blank(byte) && (edge || *byte != b' '))
            };
            if let Some(offset) = (0..text.len()).find(odd) {
                return wrong(offset, "control characters and outer spaces are not predicted for stub 252");
            }
        }
        let spaced: String =
            text.iter().map(|byte| if blank(byte) { ' ' } else { char::from(*byte) }).collect();
        Ok(Some(utf16_nul(spaced.trim_matches(' '))))
    }

    /// The digest of the initrd that the stub hands to the kernel, `None` when it hands over none.
    #[must_use]
    pub fn initrd_digests(&self, stub: Stub) -> Option<Digests> {
        let data = |name| self.section(name).map(|section| (section.loaded(), section.zeros()));
        let mut parts = Vec::new();
        let mut archives = Vec::new();
        if stub == Stub::V257 {
            parts.extend(data(".ucode"));
        }
        parts.extend(data(".initrd"));
        for (name, file) in stub_initrd::FILES {
            // Stub 252 passes on the signature and its key only.
            if stub == Stub::V252 && name == ".osrel" {
                continue;
            }
            if let Some((contents, zeros)) = data(name) {
                archives.push(stub_initrd::archive(file, contents, zeros));
            }
        }
        parts.extend(archives.iter().map(|archive| (archive.as_slice(), 0)));
        let combined = parts.len() > 1;
        (!parts.is_empty()).then(|| {
            let mut banks = Banks::default();
            for (bytes, zeros) in parts {
                banks.update(bytes);
                banks.zeros(zeros);
                if combined {
                    banks.zeros((bytes.len() + zeros).wrapping_neg() % 4);
                }
            }
            banks.finish()
        })
    }

    fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.pe.section(name).filter(|section| section.size != 0)
    }
}

fn check_overlap(pe: &Pe<'_>) -> Result<(), UkiError> {
    let mut sections: Vec<_> = pe.sections().iter().filter(|section| section.size != 0).collect();
    sections.sort_by_key(|section| section.address);
    let pairs = sections.iter().zip(sections.iter().skip(1));
    for (first, second) in pairs {
        if first.address.saturating_add(first.size) > second.address {
            return Err(UkiError::Overlap {
                first: first.name(),
                second: second.name(),
                address: second.address,
            });
        }
    }
    Ok(())
}
