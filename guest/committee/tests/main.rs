//! Black-box tests of the committee.

mod engine;
#[cfg(feature = "member")]
mod member;
#[cfg(feature = "simulation")]
mod model;
#[cfg(feature = "simulation")]
mod sim;
#[cfg(feature = "surface")]
mod surface;
