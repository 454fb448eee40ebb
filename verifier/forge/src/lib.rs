//! Evidence under a test root, every field settable.
//!
//! This crate makes what a verifier has to judge, good and bad. It **proves nothing and protects
//! nothing**: its private keys are hashes of labels that stand in its source, so anyone can make what
//! it makes. It checks nothing either: a [`TdxCase`] is written out as it is told, however wrong. And
//! it uses no code of the verifier, which it is there to contradict.
//!
//! What it makes says so: certificate names, release and event names carry the word SIMULATED, the
//! root is not Intel's, and the quotes' vendor id is not Intel's.
//!
//! - [`TdxCase`] and [`VtpmCase`] hold every field; their defaults are valid at [`NOW`]. `make` signs
//!   them into a [`Forged`]. There is no randomness: the same case gives the same bytes.
//! - [`mutation`] is the valid case with one thing changed, such that the check of that name fails and
//!   no other; [`variants`] are more ways for a check to fail; [`valid`] are cases that must pass.
//! - [`simulated_tdx`] quotes measurements that somebody else computed.

pub mod boot;
pub mod certificate;
pub mod collateral;
pub mod crl;
pub mod event_log;
pub mod evidence;
pub mod key;
pub mod name;
pub mod pck_extension;
pub mod pki;
pub mod policy;
pub mod qe_identity;
pub mod quote;
pub mod release;
pub mod tcb_info;
pub mod td_body;
pub mod tpm;

mod asn1;
mod forged;
mod instant;
mod mutation;
mod simulated;
mod tdx;
mod vtpm;

pub use forged::Forged;
pub use instant::{DAY, NOW, rfc3339};
pub use mutation::{mutation, mutations, valid, variants};
pub use pki::simulated_root;
pub use simulated::{Measurements, Simulated, simulated_policy, simulated_tdx};
pub use tdx::TdxCase;
pub use vtpm::VtpmCase;
