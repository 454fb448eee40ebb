//! What the crate promises, seen from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod compositions;
mod documents;
mod golden;
mod manifests;
mod tickets;

use hallmark_coalition::{CoalitionConfig, Document as _};

/// The example of the operators' documentation.
fn example_toml() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators/examples/coalition.toml");
    std::fs::read_to_string(path).expect(path)
}

fn example() -> CoalitionConfig<'static> {
    CoalitionConfig::from_toml(&example_toml()).expect("the example")
}
