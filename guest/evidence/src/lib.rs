//! Asks this machine for its evidence.
