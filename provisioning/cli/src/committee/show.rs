//! `mint committee show`: what a committee file says, without asking anybody.

use std::path::Path;

use hallmark_coalition::Recovery;
use hallmark_committee::member::CommitteeFile;

use super::unusable;
use crate::complaint::Complaint;
use crate::progress::say;

/// Prints it.
pub(super) fn run(path: &Path) -> Result<(), Complaint> {
    let file = CommitteeFile::read(path).map_err(|e| unusable(path, &e))?;
    let acl = file.committee.acl();
    let recovery = match acl.recovery() {
        Recovery::Operators => "operators: a quorum of them signs",
        Recovery::Automatic => "automatic: it trusts the hosts' disks",
    };
    say(&format!("group      {}", file.committee.id()));
    say(&format!("machine    {}", file.machine));
    say(&format!("quorum     {} of {}", acl.quorum(), acl.slots().len()));
    say(&format!("recovery   {recovery}"));
    say(&format!("tickets    {}", file.tickets));
    say(&format!("           signature {}, part of the group's id", acl.tickets()));
    for (slot, key) in acl.slots().iter().enumerate() {
        let address = u16::try_from(slot).ok().and_then(|slot| file.peers.get(&slot));
        let address = address.map_or_else(String::new, |address| format!(" at {address}"));
        say(&format!("slot {slot:<5} {}{address}", hex::encode(key)));
    }
    Ok(())
}
