//! The HTTP server: two questions, answered over plain HTTP/1.1 within tight limits.

mod answer;
mod query;
mod server;

pub use answer::Answerer;
pub use query::{Query, QueryError};
pub use server::{Limits, serve};

/// Where the guest listens.
pub const PORT: u16 = 8080;
