//! Evidence under a test root, every field settable.
