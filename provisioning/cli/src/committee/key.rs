//! `mint committee key FILE`.

use std::path::Path;

use hallmark_committee::member::SlotKey;

use crate::complaint::Complaint;

/// Makes a key, writes it, and prints its public half.
pub(super) fn make(file: &Path) -> Result<(), Complaint> {
    let made = SlotKey::generate().and_then(|key| key.write(file).map(|()| key));
    let key = made.map_err(|e| {
        Complaint::unable(
            "slot-key",
            "no key was made",
            e,
            "give a path that is not there yet, in a folder of yours",
        )
    })?;
    println!("{}", hex::encode(key.public()));
    Ok(())
}
