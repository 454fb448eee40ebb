//! The HTTP surface of a member: HTTP/1.1, plain, every wait and buffer bounded.
//!
//! What is served is checked by who reads it: by hash and cosignature, not by who sent it. So there is no TLS here; a proxy may add it.

mod answer;
mod body;
mod engine;
mod evidence;
mod gate;
mod host;
mod index;
mod limits;
mod metrics;
mod problem;
mod rate;
mod receipt;
mod route;
mod server;
mod stall;
mod stream;
mod together;
mod write;

pub use engine::EngineService;
pub use gate::{Gate, GateError, PROOF, SETTLE, channel, scope};
pub use host::host;
pub use limits::Limits;
pub use metrics::Metrics;
pub use problem::{Document, Problem};
pub use receipt::{OutcomeWord, ReceiptDocument};
pub use server::Surface;
pub(crate) use together::AnswerLine;
pub use together::Record;

/// Header of a submission: who submits, 64 hex digits.
pub const CLIENT: &str = "hallmark-client";
/// Header of a submission: the client's number for it, decimal.
pub const NONCE: &str = "hallmark-nonce";
