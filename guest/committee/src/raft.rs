//! openraft behind types of our own.

mod batch;
mod network;
mod runtime;

pub use batch::{Batch, BatchError};
pub(crate) use network::Network;
pub use runtime::{Runtime, seed_thread};

use std::io::Cursor;

use crate::engine::{Node, NodeId};

/// The types that our Raft runs on.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Types;

impl openraft::RaftTypeConfig for Types {
    type D = Batch;
    type R = ();
    type NodeId = NodeId;
    type Node = Node;
    type Entry = openraft::Entry<Self>;
    type SnapshotData = Cursor<Vec<u8>>;
    type AsyncRuntime = Runtime;
    type Responder = openraft::impls::OneshotResponder<Self>;
}

/// An entry of Raft's log.
pub(crate) type Entry = openraft::Entry<Types>;
/// Its position.
pub(crate) type LogId = openraft::LogId<NodeId>;
/// Our Raft.
pub(crate) type Raft = openraft::Raft<Types>;
