//! Black-box tests of all programs together.
