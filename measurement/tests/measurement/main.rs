//! The crate from outside: whole images, real firmware, real logs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod adversarial;
mod ccel;
mod disks;
mod firmware;
mod images;
mod logs;
mod qemu_boots;
mod ukis;
mod vectors;
