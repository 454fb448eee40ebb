//! Evidence, collateral, policy and a time in; a verdict out.
