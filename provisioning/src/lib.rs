//! Machines. For now one kind: a VM in QEMU on this host, with a software TPM.
//!
//! What this crate does **not** do or promise:
//!
//! - A VM made here proves nothing. Its TPM is a process of this host ([`swtpm`]), so whoever owns the
//!   host owns the keys; evidence from it is worth what the host is worth (verdict `trust: ["host"]`).
//! - The console is text that the guest chose. It decides which progress line is shown and when
//!   [`local::Vm::wait_ready`] returns, never what is believed about the guest.
//! - What a guest answers over HTTP ([`http`]) is bounded in size and time, and is otherwise raw bytes.
//! - Nothing is downloaded or installed: missing programs are named with the package that has them
//!   ([`programs`], [`doctor`]).
//!
//! The crate ends only processes it started itself, and reaps them under the same lock that it signals
//! them under, so that a process id which the kernel has given to someone else is never signalled
//! ([`process`]). A guest's disk is opened read-only or through a throw-away overlay, never written.
//!
//! The parts are meant to be used one by one: [`qemu::command`] builds a command line and runs nothing,
//! [`process`] supervises any child, [`qemu::qmp`] speaks to any QEMU, [`local`] puts them together.

pub mod accelerator;
pub mod advice;
pub mod console;
pub mod doctor;
pub mod http;
pub mod local;
pub mod media;
pub mod path;
pub mod process;
pub mod programs;
pub mod progress;
pub mod qemu;
pub mod scratch;
pub mod shape;
pub mod swtpm;

#[cfg(test)]
mod rom;
