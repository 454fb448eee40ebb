//! `host:port`, checked as far as text can be.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where something listens or is reached: a host name or address (IPv6 in brackets), a colon, a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// Text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no address; write host:port, such as 10.0.0.7:7700 or [::1]:7700")]
pub struct AddressError(String);

impl Address {
    /// The longest, in bytes: a host name has at most 253.
    pub const MAX: usize = 261;

    /// Reads an address. Port 0 (any free one) is one.
    ///
    /// # Errors
    /// Text that is no `host:port`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.chars().take(80).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match bare {
            Some(six) => six.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || b == b'_';
                !host.is_empty() && host.bytes().all(plain)
            }
        };
        let is_port =
            port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if text.len() > Self::MAX || !is_host || !is_port {
            return Err(wrong());
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_are_an_address() {
        for good in ["127.0.0.1:0", "a.example:7700", "[::1]:65535", "one_two-3:1"] {
            assert_eq!(Address::parse(good).map(|a| a.to_string()), Ok(good.to_owned()));
        }
        let long = format!("{}:1", "a".repeat(260));
        for bad in [
            "",
            ":1",
            "host",
            "host:",
            "host:65536",
            "host:+1",
            "::1:1",
            "[x]:1",
            "a b:1",
            "http://a:1",
            &long,
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
