//! QEMU: what is asked of it ([`command`]) and how it is spoken to while it runs ([`qmp`]).

pub mod command;
pub mod qmp;
