//! What a former epoch left on this machine's disk, as a recovery is told of it.

use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::note::Note;

use super::ceremony::Disk;
use super::choice::{Extent, Found};
use crate::DiskState;

/// The account of a disk that this machine read and replayed. `slot` is the machine's own: the disk may come from its
/// predecessor in the slot, whichever node that was.
pub(crate) fn account(state: &DiskState, slot: u16) -> Disk {
    let checkpoint = state.cosigned.clone().unwrap_or_default();
    let size = Note::parse(checkpoint.as_bytes())
        .ok()
        .and_then(|note| Checkpoint::parse(note.text()).ok())
        .map_or(0, |checkpoint| checkpoint.size);
    let extent = Extent { epoch: state.last.epoch, term: state.last.term, index: state.last.index };
    Disk {
        found: Found { slot, extent, cosigned: size, size: state.size },
        root: state.root,
        log_key: state.log_key.clone(),
        recoveries: state.recoveries,
        checkpoint,
    }
}
