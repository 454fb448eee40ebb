//! The surface and the client library, over a fake member with a real ledger and real cosigners.

mod client;
mod fake;
mod raw;
mod routes;
mod tickets;
mod wear;
