//! PID 1 of the image.

fn main() {}
