//! Asks this machine for its evidence. Emits bytes, SPECIFICATION §1.
//!
//! This crate judges nothing: it does not check a quote's signature, does not replay a log, and does not
//! compare one register with another. It runs on the machine that is to be judged, so whatever it says is a
//! claim; `verifier` decides. It promises only that the bytes it emits are what the platform answered, that
//! every read is bounded, and that no secret leaves the TPM.
//!
//! Three sources: Intel TDX and AMD SEV-SNP through the kernel's configfs-tsm ([`tsm`]), and a TPM 2.0 spoken
//! to directly ([`tpm`], [`vtpm`]). The TPM code is run here against swtpm; the configfs code has only met a
//! fake tree, for want of the hardware.
//!
//! ```no_run
//! use hallmark_evidence::{NOTHING_BOUND, Nonce, detect, evidence_json};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! if let Some(mut source) = detect(std::path::Path::new("/"))? {
//!     let document = evidence_json(source.as_mut(), &Nonce::from_hex(&"00".repeat(32))?, &NOTHING_BOUND)?;
//!     println!("{}", String::from_utf8_lossy(&document));
//! }
//! # Ok(())
//! # }
//! ```

pub mod bounded;
pub mod event_log;
pub mod snp_certificates;
pub mod tpm;
pub mod tsm;
pub mod vtpm;

mod binding;
mod boot_event;
mod detect;
mod document;
mod source;

pub use binding::{Binding, NOTHING_BOUND, Nonce, NonceError};
pub use boot_event::{BootEvent, Digests, Register};
pub use detect::{DetectError, detect};
pub use document::{EvidenceError, bound_evidence_json, evidence_json};
pub use source::{Kind, Source, SourceError, Statement};
