//! assay: verify, inspect, measure, diff, reproduce, explain.

fn main() {}
