//! The release document: what an image is made from and what it measures to (SPECIFICATION, section 2).
//!
//! Values are predictions by [`hallmark_measurement`] under a named profile. A register is left out when the host
//! decides part of it: RTMR0 has the ACPI tables in it, PCR 0 and 1 are the host's firmware and tables. Each register
//! says how its value was validated, and nothing but a boot whose registers were read makes it say `booted-vtpm`.

mod document;
pub mod signature;

use std::collections::{BTreeMap, BTreeSet};

pub use hallmark_measurement::{Digests, Register};
use hallmark_measurement::{Edk2, Log, PredictError, Profile, Vmm, firmware, predict_disk, tdvf::TdvfError};
use sha2::{Digest as _, Sha256};

use crate::source::Source;

/// Largest document that is read, in bytes.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// The platform of a QEMU machine with a TPM.
pub const QEMU_VTPM: &str = "qemu-vtpm";

/// What a release is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The image's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The source it was built from; zeros where it claims none.
    pub source: Source,
    /// Its files.
    pub artefacts: Vec<Artefact>,
    /// SHA-256 of the lock file.
    pub lock_sha256: [u8; 32],
    /// `rustc --version`.
    pub toolchain: String,
    /// The command that builds it.
    pub builder: String,
    /// What it measures to, platform by platform.
    pub expected: Vec<Expected>,
    /// Pre-hash of the compute manifest.
    pub manifest_prehash: Option<[u8; 32]>,
    /// SHA-256 of the previous release's document.
    pub previous: Option<[u8; 32]>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// Its name.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// BLAKE3 of its bytes.
    pub blake3: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
}

impl Artefact {
    /// The file of these bytes.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            sha256: Sha256::digest(bytes).into(),
            blake3: *blake3::hash(bytes).as_bytes(),
            size: bytes.len() as u64,
        }
    }

    /// Whether these are the file's bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        *self == Self::of(&self.name, bytes)
    }
}

/// What the image measures to on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The platform's name.
    pub platform: String,
    /// The profile under which the values hold.
    pub profile: String,
    /// SHA-256 of the firmware file.
    pub firmware_sha256: [u8; 32],
    /// The registers with how each was validated.
    pub registers: BTreeMap<Register, (Digests, Validated)>,
    /// The events of these registers, in order.
    pub events: Vec<Event>,
}

/// An event of a boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The register it extends.
    pub register: Register,
    /// Its type's name in the log.
    pub event: String,
    /// What is measured.
    pub what: String,
    /// What the register is extended with.
    pub digests: Digests,
    /// The inputs it changes with.
    pub depends: Vec<String>,
}

/// How a register's value was validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validated {
    /// Computed, never seen.
    None,
    /// The same computation reproduces the event logs of real TDs.
    Ccel,
    /// This image was booted with a TPM and its register had this value.
    BootedVtpm,
}

/// Which registers of TDX platforms the caller knows to be computed as real logs have them.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// These become [`Validated::Ccel`].
    pub ccel: BTreeSet<Register>,
}

impl Expected {
    /// Predicts what a disk measures to on every platform that this source knows: QEMU with a TPM and `firmware`,
    /// QEMU as a TD with `firmware_tdx` in both page orders.
    ///
    /// # Errors
    /// When the disk or a firmware cannot be measured.
    pub fn predict(
        disk: &[u8],
        firmware: &[u8],
        firmware_tdx: &[u8],
        validation: &Validation,
    ) -> Result<Vec<Self>, ReleaseError> {
        Ok([vec![Self::vtpm(disk, firmware)?], Self::tdx(disk, firmware_tdx, validation)?].concat())
    }

    /// QEMU with a TPM.
    ///
    /// # Errors
    /// When the disk cannot be measured.
    pub fn vtpm(disk: &[u8], firmware: &[u8]) -> Result<Self, ReleaseError> {
        let profile = Profile::HALLMARK;
        let log = predict_disk(disk, &profile)?.vtpm;
        Ok(Self::of(QEMU_VTPM, &profile, Sha256::digest(firmware).into(), &log, &Validation::default()))
    }

    /// QEMU as a TD, once for each order in which hosts measure the firmware's pages.
    ///
    /// # Errors
    /// When the disk or the firmware cannot be measured.
    pub fn tdx(disk: &[u8], firmware: &[u8], validation: &Validation) -> Result<Vec<Self>, ReleaseError> {
        let measured = firmware::measure(firmware)?;
        let mut all = Vec::new();
        for platform in &measured.platforms {
            let vmm = if platform.name == "qemu8-tdx" { Vmm::Qemu8 } else { Vmm::Qemu };
            let profile = Profile { edk2: Edk2::V2026_08, vmm, ..Profile::HALLMARK };
            let log = predict_disk(disk, &profile)?.tdx;
            let mut expected = Self::of(platform.name, &profile, measured.sha256, &log, validation);
            let mrtd = Digests { sha256: None, sha384: Some(platform.mrtd) };
            expected.registers.insert(Register::Mrtd, (mrtd, validation.word(Register::Mrtd)));
            all.push(expected);
        }
        Ok(all)
    }

    /// The registers of a log whose values are known, with their events.
    fn of(
        platform: &str,
        profile: &Profile,
        firmware_sha256: [u8; 32],
        log: &Log,
        validation: &Validation,
    ) -> Self {
        let registers: BTreeMap<_, _> = log
            .registers()
            .into_iter()
            .map(|(register, value)| (register, (value, validation.word(register))))
            .collect();
        let events = log.events().iter().filter(|event| registers.contains_key(&event.register));
        let events = events.map(|event| Event {
            register: event.register,
            event: event.kind.name().to_owned(),
            what: event.what.clone().into_owned(),
            digests: event.digests,
            depends: event.depends.clone(),
        });
        Self {
            platform: platform.to_owned(),
            profile: profile.to_string(),
            firmware_sha256,
            events: events.collect(),
            registers,
        }
    }
}

impl Validation {
    fn word(&self, register: Register) -> Validated {
        if self.ccel.contains(&register) { Validated::Ccel } else { Validated::None }
    }
}

impl Release {
    /// Reads a document.
    ///
    /// # Errors
    /// The first rule of SPECIFICATION, section 2 that it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReleaseError> {
        document::read(bytes)
    }

    /// Writes the document.
    ///
    /// # Errors
    /// When a field does not fit the format.
    pub fn to_json(&self) -> Result<String, ReleaseError> {
        document::write(self)
    }

    /// Marks the registers of a platform that a boot of this image showed to be right.
    ///
    /// `seen` is what was read from the machine's TPM. Registers of the release that are not among them stay as they
    /// are; a bank that only one side has is not compared, but one must be common.
    ///
    /// # Errors
    /// When there is no such platform, a register differs, or nothing was compared at all. Nothing is marked then.
    pub fn booted(&mut self, platform: &str, seen: &BTreeMap<Register, Digests>) -> Result<(), ReleaseError> {
        let entry = self
            .expected
            .iter_mut()
            .find(|e| e.platform == platform)
            .ok_or_else(|| ReleaseError::NoPlatform(platform.to_owned()))?;
        let mut equal = Vec::new();
        for (register, (expected, _)) in &entry.registers {
            let Some(seen) = seen.get(register) else { continue };
            let sha256 = expected.sha256.zip(seen.sha256).map(|(a, b)| a == b);
            let sha384 = expected.sha384.zip(seen.sha384).map(|(a, b)| a == b);
            match (sha256, sha384) {
                (None, None) => {}
                (Some(false), _) | (_, Some(false)) => return Err(ReleaseError::Differs(*register)),
                _ => equal.push(*register),
            }
        }
        if equal.is_empty() {
            return Err(ReleaseError::NothingSeen(platform.to_owned()));
        }
        for (register, (_, validated)) in &mut entry.registers {
            if equal.contains(register) {
                *validated = Validated::BootedVtpm;
            }
        }
        Ok(())
    }
}

/// Why there is no release document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The disk cannot be measured.
    #[error("cannot predict what the disk measures to: {0}")]
    Predict(#[from] PredictError),
    /// The firmware cannot be measured.
    #[error("cannot measure the firmware: {0}")]
    Firmware(#[from] TdvfError),
    /// Not JSON, an unknown or a missing field.
    #[error("release.json: {0}")]
    Json(#[from] serde_json::Error),
    /// Too large.
    #[error("release.json: {0} bytes, the limit is {MAX_DOCUMENT}")]
    TooLarge(usize),
    /// Another format.
    #[error("release.json: format is {0:?}, expected \"hallmark/release/1\"")]
    Format(String),
    /// A field that breaks its rule.
    #[error("release.json: {path}: {value:?} is not {rule}")]
    Field {
        /// Where.
        path: String,
        /// What it holds.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A boot on a platform that the release does not have.
    #[error("the release has no platform {0:?}")]
    NoPlatform(String),
    /// A boot that does not bear the prediction out.
    #[error("{0} of the booted machine is not what the release says; `assay diff` names the event")]
    Differs(Register),
    /// A boot of which nothing could be compared.
    #[error("no register of {0} was seen in a bank that the release has")]
    NothingSeen(String),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        assemble::{Parts, assemble},
        synthetic,
    };

    /// A release of the synthetic image, without a TD's entry: firmware is not at hand here.
    pub(crate) fn release() -> Release {
        let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
        let parts = Parts {
            stub: &stub,
            kernel: &kernel,
            release: "0",
            initrd: b"SIMULATED initrd",
            command_line: "quiet",
            os_release: "ID=x\n",
        };
        let image = assemble(&parts).unwrap();
        Release {
            name: "hallmark".into(),
            version: "0".into(),
            source: Source { commit: [1; 20], tree: [2; 20] },
            artefacts: vec![Artefact::of("hallmark.efi", &image.uki), Artefact::of("disk.raw", &image.disk)],
            lock_sha256: [3; 32],
            toolchain: "rustc 1.95.0".into(),
            builder: "mint build --out DIR".into(),
            expected: vec![Expected::vtpm(&image.disk, b"SIMULATED firmware").unwrap()],
            manifest_prehash: None,
            previous: Some([4; 32]),
        }
    }

    #[test]
    fn a_document_reads_back_as_it_was() {
        let release = release();
        let json = release.to_json().unwrap();
        assert_eq!(Release::parse(json.as_bytes()).unwrap(), release);
        assert!(json.contains("\"manifest_prehash\": null"));
        let entry = &release.expected[0];
        assert_eq!(
            (entry.platform.as_str(), entry.profile.as_str()),
            ("qemu-vtpm", "edk2-2025.02/qemu/stub-257/linux-7.2")
        );
        for what in [".linux", ".initrd", ".cmdline", "uki", "gpt"] {
            assert!(entry.events.iter().any(|e| e.what == what), "{what}");
        }
    }

    #[test]
    fn only_a_boot_that_agrees_validates() {
        let mut release = release();
        let mut seen: BTreeMap<_, _> =
            release.expected[0].registers.iter().map(|(register, (value, _))| (*register, *value)).collect();
        let last = *seen.keys().last().unwrap();
        let before = release.clone();
        assert!(matches!(release.booted("qemu-tdx", &seen), Err(ReleaseError::NoPlatform(_))));
        assert!(matches!(release.booted(QEMU_VTPM, &BTreeMap::new()), Err(ReleaseError::NothingSeen(_))));
        let unknown = seen.keys().map(|r| (*r, Digests::UNKNOWN)).collect();
        assert!(matches!(release.booted(QEMU_VTPM, &unknown), Err(ReleaseError::NothingSeen(_))));
        let mut other = seen.clone();
        other.insert(last, Digests::of(b"other"));
        assert!(matches!(release.booted(QEMU_VTPM, &other), Err(ReleaseError::Differs(r)) if r == last));
        assert_eq!(release, before);
        seen.remove(&last);
        release.booted(QEMU_VTPM, &seen).unwrap();
        for (register, (_, validated)) in &release.expected[0].registers {
            assert_eq!(*validated == Validated::BootedVtpm, *register != last, "{register}");
        }
        let json = release.to_json().unwrap();
        assert_eq!(Release::parse(json.as_bytes()).unwrap(), release);
    }

    #[test]
    fn broken_documents_are_refused() {
        let json = release().to_json().unwrap();
        for (old, new, why) in [
            ("release/1", "release/2", "format is"),
            ("\"version\": \"0\"", "\"version\": \"\"", "printable"),
            ("\"commit\": \"01", "\"commit\": \"0", "hex"),
            ("\"lock_sha256\": \"03", "\"lock_sha256\": \"AA", "hex"),
            ("\"booted\"", "\"x\"", ""),
            ("\"pcr4\": \"none\"", "\"pcr4\": \"perhaps\"", "perhaps"),
            ("\"pcr4\": \"none\"", "\"pcr5\": \"none\"", "twice"),
            ("\"pcr4\": \"none\",", "", "one word for every register"),
            ("\"register\": \"pcr4\"", "\"register\": \"pcr99\"", "a register"),
            ("\"manifest_prehash\": null,", "", "manifest_prehash"),
            ("\"previous\"", "\"prevoius\"", "prevoius"),
            ("\"name\": \"disk.raw\"", "\"name\": \"../disk.raw\"", "file name"),
        ] {
            let bad = json.replacen(old, new, 1);
            if why.is_empty() {
                continue;
            }
            assert_ne!(bad, json, "{old}");
            let error = Release::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{old} -> {new}: {error}");
        }
        for end in (0..json.len()).step_by(101) {
            assert!(Release::parse(&json.as_bytes()[..end]).is_err());
        }
        assert!(matches!(Release::parse(&vec![b' '; MAX_DOCUMENT + 1]), Err(ReleaseError::TooLarge(_))));
    }
}
