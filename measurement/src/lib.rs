//! Image bytes and VM shape in; event list and registers out.
//!
//! What a confidential VM's registers will hold is computed here from the bytes that will be booted, so that evidence
//! can be held against a prediction that nobody on the host's side made.
//!
//! # What this crate does not do
//!
//! - It believes no log and reads none: it predicts. Reading evidence is another crate's work, and the two share no code.
//! - It does not say that an image is good, only what it measures to.
//! - It does not know what the host decides: ACPI tables, SMBIOS, boot variables that follow the device layout. Such events
//!   are listed without digests ([`Digests::UNKNOWN`]), and a register that has one gets no value.
//! - A prediction holds under one named [`Profile`] of firmware, VMM, stub and kernel. Another build of any of them may
//!   measure other things. What a profile was checked against is written at its parts.
//! - Whatever the stub would also measure (addons, credentials, extensions beside the image on its ESP) is refused rather than
//!   predicted.
//! - TPM PCRs 0, 1, 10, 14 and 15 are not predicted: the first two are the host's firmware and tables, PCR 10 is the
//!   kernel's IMA over the others, 14 and 15 are the guest's own.
//! - AMD SEV-SNP launch digests are not computed yet.
//!
//! # Where to start
//!
//! [`predict_disk`] takes a raw disk image, [`predict_direct`] a kernel or UKI given to the VMM; both give a
//! [`Prediction`] with one [`Log`] for a TPM and one for TDX. [`Firmware`] parses a TDVF image, [`mrtd()`] measures it,
//! [`predict_rtmr0`] gives what it logs before the image runs. [`locate_uki`] finds the image on a disk.
//!
//! ```
//! use hallmark_measurement::{Profile, PredictError, predict_disk};
//!
//! let disk = [0u8; 4096]; // not a disk
//! let refused = predict_disk(&disk, &Profile::HALLMARK);
//! assert!(matches!(refused, Err(PredictError::Disk(_))));
//! ```

mod boot;
mod digest;
mod field;
mod guid;
mod log;
mod profile;
mod register;

pub mod authenticode;
pub mod boot_option;
pub mod esp;
pub mod fat;
pub mod firmware;
pub mod gpt;
pub mod linux_boot;
pub mod mrtd;
pub mod pe;
pub mod rtmr0;
pub mod secure_boot;
pub mod stub_initrd;
pub mod td_hob;
pub mod tdvf;
pub mod uki;

pub use boot::{DirectBoot, PredictError, Prediction, predict_direct, predict_disk, predict_uki};
pub use digest::Digests;
pub use esp::{LocatedUki, locate_uki};
pub use log::{Event, EventType, Log};
pub use mrtd::{PageOrder, mrtd};
pub use profile::{Edk2, Kernel, Profile, ProfileError, Stub, Vmm};
pub use register::{PcrIndex, Register, RegisterError};
pub use rtmr0::{Vm, predict_rtmr0};
pub use tdvf::Firmware;
