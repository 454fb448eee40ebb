//! Recipe and lock file in; the same image bytes everywhere.
