//! Raft's log: in memory for Raft, on disk for recovery.
//!
//! A machine that stops never comes back under its node id, since its keys were in memory only. So Raft itself gains nothing from a flush
//! before an answer, and has none: [`LogStore`] answers from memory and a thread of its own writes behind it, as many appends as have
//! come in one group with one flush ([`tail`]). What the disk is for is recovery: **a member cosigns a boundary only when its own disk has the
//! log up to it**, so what a quorum acknowledged is on q disks.

mod attempt;
mod backend;
mod chain;
mod disk;
mod former;
mod log;
mod room;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use backend::Storage;
pub(crate) use disk::{Disk, Identity, StoredSnapshot};
pub(crate) use former::remove_former;
pub use former::{DiskState, Last};
pub(crate) use log::LogStore;
pub(crate) use room::{Room, is_full};
pub(crate) use writer::{Command, Writer};

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the disk cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system, or redb, said no.
    #[error("{}: {why}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What it said.
        why: String,
    },
    /// A row that is not what was written.
    #[error("{}: {row}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which row.
        row: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file of this node exists. A node begins once.
    #[error("{} exists: a node id is used once", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another group.
    #[error("{} is of another group", path.display())]
    Group {
        /// The file.
        path: PathBuf,
    },
}

fn failed(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> StoreError + '_ {
    move |why| StoreError::Disk { path: path.to_owned(), why: why.to_string() }
}
