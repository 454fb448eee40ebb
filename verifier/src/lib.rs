//! Evidence, collateral, policy and an instant in; a verdict out.
//!
//! # What it does not check or promise
//!
//! - **It has no clock, network or files.** Whoever calls it brings the instant and the bytes. An instant that the
//!   host chose makes every date the host's.
//! - **It does not say what an image does**, only that its registers are a release's. Nor does it check who signed a
//!   release.
//! - **It does not show that evidence is fresh** unless a nonce is asked about that the caller chose and never used.
//! - **A vTPM's evidence is the host's word**; the verdict's `trust` says so. AMD SEV-SNP is not judged yet: no policy
//!   accepts it.
//! - **It takes Intel's word** for its processors, modules and enclaves, and says nothing about attacks with physical
//!   access, for which Intel gives none.
//! - **Quote bytes identify nothing.** ECDSA signatures are malleable: two quotes may differ and say the same. Machines
//!   are told apart by [`Verdict::platform`].
//!
//! # The main path
//!
//! [`verify()`] runs every check of the [table](checks) that its inputs allow, whatever failed before, and decides from the
//! finished [report]. Each check has one implementation, in the module of what it checks.
//!
//! ```
//! use hallmark_verifier::binding::Ask;
//! use hallmark_verifier::image::Expect;
//! use hallmark_verifier::time::UnixSeconds;
//! use hallmark_verifier::{Policy, Request, Word, verify};
//!
//! let policy = Policy::default();
//! let verdict = verify(&Request {
//!     evidence: b"not evidence",
//!     collateral: None,
//!     expect: Expect::AnyImage,
//!     binding: Ask::Unbound,
//!     policy: &policy,
//!     now: UnixSeconds(1_780_315_200),
//!     historical: false,
//! });
//! assert_eq!((verdict.word(), verdict.code()), (Word::Refused, Some("evidence-format")));
//! ```
//!
//! # Stages that can be kept
//!
//! What costs time is verifying signatures: nine for a quote and collateral that nobody has seen. Each stage is a type that
//! only its checks can make, remembers the signatures it verified, and repeats every other check (dates, revocation,
//! policy) at each use:
//!
//! | stage | made by | signatures left for a quote |
//! | --- | --- | --- |
//! | [`Collateral`](collateral::Collateral) | `Collateral::parse` | 9 |
//! | [`VerifiedCollateral`](collateral::VerifiedCollateral) | `Collateral::verify` | 3 |
//! | [`Platform`](platform::Platform) | `VerifiedCollateral::platform` | 2 |
//! | [`QuotingEnclave`](quoting_enclave::QuotingEnclave) | `Platform::quoting_enclave` | 1 |
//! | [`Authentic`](tdx::Authentic) | `authenticate` of any of the three | 0 |
//!
//! [`verify_known`] is the main path with stages that were kept. Bytes from outside are parsed once, into types that can only
//! exist if they are valid; [`Quote::parse`](quote::Quote::parse) does so without allocating.

pub mod binding;
pub mod certificate;
pub mod chain;
pub mod checks;
pub mod collateral;
pub mod crl;
pub mod crypto;
pub mod event_log;
pub mod evidence;
pub mod hex_bytes;
pub mod image;
pub mod pck_extension;
pub mod pem;
pub mod platform;
pub mod policy;
pub mod qe_identity;
pub mod quote;
pub mod quoting_enclave;
pub mod refusal;
pub mod release;
pub mod report;
pub mod root;
pub mod tcb;
pub mod tcb_info;
mod td;
pub mod tdx;
pub mod time;
pub mod tpm;
pub mod verdict;
pub mod verify;
pub mod vtpm;

pub use policy::Policy;
pub use verdict::{Verdict, Word};
pub use verify::{Request, verify, verify_known};
