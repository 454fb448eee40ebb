//! Recipe and lock file in; the same image bytes everywhere.
//!
//! What this crate does *not* do: it does not boot the image, it does not say that a machine runs it (that is the
//! verifier's word), and it trusts the Rust toolchain and the Debian packages that `lock.toml` names by hash. What it
//! promises is that the same source, lock file and toolchain give the same bytes, and that no outside byte is read
//! before its hash was checked.
//!
//! The way through it:
//!
//! ```text
//! lock.toml -> fetch -> deb -> kernel, stub, modules --+
//! recipe.toml -----------------------------------------+-> initrd (cpio) -> UKI (PE) -> ESP (FAT) -> disk (GPT)
//! cargo -> guest binary -------------------------------+                                   |
//!                                                              release.json <- measurement-+
//! ```
//!
//! [`build()`] goes all the way; [`assemble()`] is the pure middle of it, from bytes to bytes.

pub mod assemble;
pub mod build;
pub mod cpio;
pub mod deb;
pub mod disk;
pub mod fat;
pub mod fetch;
pub mod gpt;
pub mod guest;
pub mod initrd;
pub mod inputs;
pub mod lock;
pub mod mirror;
pub mod module;
pub mod modules;
pub mod pe;
pub mod recipe;
pub mod release;
pub mod source;
pub mod synthetic;
pub mod uki;

pub use assemble::{Image, Parts, assemble};
pub use build::{Built, Options, build};
pub use lock::Lock;
pub use recipe::Recipe;
pub use release::Release;
