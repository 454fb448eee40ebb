//! Evidence source under the forge's root, for demo and tests.
