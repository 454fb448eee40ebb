//! What this build calls itself.

/// The version in `/status` and on the console: the package's, or what the image recipe says at build time
/// (`HALLMARK_GUEST_VERSION`).
pub const GUEST_VERSION: &str = match option_env!("HALLMARK_GUEST_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
