//! How an engine comes to be.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::ceremony::{GenesisOrder, RecoveryOrder};
use super::running::{Boxed, Running};
use crate::Welcome;

/// The three ways into a group.
pub(crate) enum Beginning {
    /// This machine begins the group; the seed is that of the log key which the order names.
    Genesis(Box<GenesisOrder>, Zeroizing<[u8; 32]>),
    /// This machine begins an epoch from its disk.
    Recovery(Box<RecoveryOrder>, Zeroizing<[u8; 32]>),
    /// Another machine begins the epoch that this one is a founder of, and hands over what it needs.
    Founder(Box<Welcome>),
    /// A group has admitted this machine, and hands over what it needs. All else comes through the replicated log.
    Joining(Box<Welcome>),
}

/// Starts engines.
pub(crate) trait Starter: Send + Sync + 'static {
    /// Starts one, with the keys of this life. On failure the reason, for a person.
    fn start(&self, beginning: Beginning) -> Boxed<'_, Result<Arc<dyn Running>, String>>;
}
