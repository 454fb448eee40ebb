//! The guest: PID 1 of the image, and the parts that it is made of.
//!
//! Nothing here proves anything to anybody: the guest asks its platform for evidence and hands it over; what the
//! evidence is worth is `verifier`'s to say, elsewhere. The HTTP server is plain HTTP and answers everyone: it
//! gives out only what the host sees anyway, and evidence over a nonce of the asker's. Clock, network, devices and
//! file systems come from the host and are believed in nothing that matters.
//!
//! The binary is [`init`]; everything that can be is written against an injected root folder or socket, so that
//! it runs in tests.

pub use hallmark_evidence as evidence;

pub mod http;
pub mod init;
pub mod journal;
pub mod kernel_modules;
pub mod mounts;
pub mod network;
pub mod power;
pub mod reaper;
pub mod refusal;
pub mod status;
pub mod version;
pub mod watchdog;
