//! mint: build, measure, release, boot.

fn main() {}
