//! `mint committee key FILE`.

use std::path::Path;

use hallmark_committee::client::TicketKey;
use hallmark_committee::member::{SlotKey, SlotKeyError};

use crate::complaint::Complaint;

/// Makes a key, writes it, and prints its public half.
pub(super) fn make(file: &Path, tickets: bool) -> Result<(), Complaint> {
    let made: Result<[u8; 32], SlotKeyError> = if tickets {
        TicketKey::generate().and_then(|key| key.write(file).map(|()| key.public()))
    } else {
        SlotKey::generate().and_then(|key| key.write(file).map(|()| key.public()))
    };
    let public = made.map_err(|e| {
        Complaint::unable(
            if tickets { "ticket-key" } else { "slot-key" },
            "no key was made",
            e,
            "give a path that is not there yet, in a folder of yours",
        )
    })?;
    println!("{}", hex::encode(public));
    Ok(())
}
