//! Black-box tests of the committee.

mod engine;
mod member;
mod model;
mod sim;
mod surface;
