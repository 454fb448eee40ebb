//! A member's life: configuration, admission, recovery, and the ceremonies of its operators.
//!
//! What it does not promise: that a disk is the latest its machine wrote ([`choice`]), or that an operator's machine is who it says; what
//! operators do counts by their signatures alone.

mod address;
mod applicant;
mod ask;
mod automatic;
mod beginning;
pub mod ceremony;
mod change;
mod check;
pub mod choice;
mod core_request;
mod desk;
mod disk;
mod file;
mod former;
mod life;
#[allow(clippy::module_inception, reason = "the noun is the same")]
mod member;
mod promise;
mod rules;
mod running;
mod seat;
pub(crate) mod slot_key;
mod starter;
mod ticket_rule;
mod visitor;

pub use address::{Address, AddressError};
pub use applicant::ApplyError;
pub use change::{Change, ChangeOrder};
pub use check::{CheckError, Trust};
pub use file::{CommitteeFile, FileError, MemberFile, bounded};
pub use life::Pace;
pub use member::{Dependencies, Member, MemberError};
pub use rules::{Rules, RulesError};
pub use slot_key::{SlotKey, SlotKeyError};
pub use ticket_rule::TicketRule;
pub use visitor::{OpenError, Plan, Standings, VisitError, Visitor};
