//! The hello frame: nonce and context.
//!
//! ```text
//! version u8 = 1 | mode u8 | nonce 32 | key: 0, or 1 and 32 bytes | group 32
//!   | slot: 0, or 1 and u16 | node: 0, or 1 and u64 | credentials: u32 length, bytes        (integers little endian)
//! ```
//!
//! There is one way to write a hello, so its bytes can be bound as they are.

use crate::frame::FrameError;
use crate::hello::Hello;

const VERSION: u8 = 1;

/// Who proves what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Both sides give evidence.
    Mutual,
    /// The server gives evidence, the client shows that it holds a key.
    ServerOnly,
}

impl Mode {
    const fn byte(self) -> u8 {
        match self {
            Self::Mutual => 0,
            Self::ServerOnly => 1,
        }
    }
}

/// What a hello frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) mode: Mode,
    pub(crate) nonce: [u8; 32],
    /// The key of a client without evidence.
    pub(crate) held: Option<[u8; 32]>,
    pub(crate) hello: Hello,
}

impl Greeting {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Hello { group, slot, node, credentials } = &self.hello;
        let length = u32::try_from(credentials.len()).unwrap_or(u32::MAX);
        let mut bytes = vec![VERSION, self.mode.byte()];
        bytes.extend_from_slice(&self.nonce);
        optional(&mut bytes, self.held.as_ref().map(|key| &key[..]));
        bytes.extend_from_slice(group);
        optional(&mut bytes, slot.map(u16::to_le_bytes).as_ref().map(|slot| &slot[..]));
        optional(&mut bytes, node.map(u64::to_le_bytes).as_ref().map(|node| &node[..]));
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(credentials);
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut rest = bytes;
        if array(&mut rest, "version")? != [VERSION] {
            return Err(malformed("version is not 1"));
        }
        let mode = match array(&mut rest, "mode")? {
            [0] => Mode::Mutual,
            [1] => Mode::ServerOnly,
            _ => return Err(malformed("mode is neither 0 nor 1")),
        };
        let nonce = array(&mut rest, "nonce")?;
        let held = option(&mut rest, "key")?;
        let group = array(&mut rest, "group")?;
        let slot = option(&mut rest, "slot")?.map(u16::from_le_bytes);
        let node = option(&mut rest, "node")?.map(u64::from_le_bytes);
        let length = u32::from_le_bytes(array(&mut rest, "length of the credentials")?);
        if usize::try_from(length) != Ok(rest.len()) || rest.len() > Hello::CREDENTIALS_MAX {
            return Err(malformed("credentials are not of their length, or longer than 16384 bytes"));
        }
        let credentials = rest.to_vec();
        Ok(Self { mode, nonce, held, hello: Hello { group, slot, node, credentials } })
    }
}

const fn malformed(field: &'static str) -> FrameError {
    FrameError::Malformed { kind: "hello", field }
}

fn optional(bytes: &mut Vec<u8>, field: Option<&[u8]>) {
    bytes.push(u8::from(field.is_some()));
    bytes.extend_from_slice(field.unwrap_or_default());
}

fn array<const N: usize>(rest: &mut &[u8], field: &'static str) -> Result<[u8; N], FrameError> {
    let (head, tail) = rest.split_first_chunk().ok_or_else(|| malformed(field))?;
    *rest = tail;
    Ok(*head)
}

fn option<const N: usize>(rest: &mut &[u8], field: &'static str) -> Result<Option<[u8; N]>, FrameError> {
    match array(rest, field)? {
        [0] => Ok(None),
        [1] => array(rest, field).map(Some),
        _ => Err(malformed(field)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn any_greeting() -> impl Strategy<Value = Greeting> {
        let hello = (any::<[u8; 32]>(), any::<Option<u16>>(), any::<Option<u64>>(), any::<Vec<u8>>());
        (any::<bool>(), any::<[u8; 32]>(), any::<Option<[u8; 32]>>(), hello).prop_map(
            |(mutual, nonce, held, (group, slot, node, credentials))| Greeting {
                mode: if mutual { Mode::Mutual } else { Mode::ServerOnly },
                nonce,
                held,
                hello: Hello { group, slot, node, credentials },
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(greeting in any_greeting()) {
            prop_assert_eq!(Greeting::parse(&greeting.bytes()).unwrap(), greeting);
        }

        #[test]
        fn bytes_have_one_reading_and_one_writing(bytes in any::<Vec<u8>>(), greeting in any_greeting(), at in any::<usize>(), bit in 0..8) {
            let _ = Greeting::parse(&bytes);
            let mut bytes = greeting.bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1u8 << bit;
            if let Ok(other) = Greeting::parse(&bytes) {
                prop_assert_ne!(&other, &greeting);
                prop_assert_eq!(other.bytes(), bytes);
            }
        }
    }

    #[test]
    fn nothing_follows_and_nothing_is_short() {
        let hello = Hello::member([1; 32], 2, 3).with_credentials(vec![4; 5]);
        let bytes = Greeting { mode: Mode::Mutual, nonce: [0; 32], held: None, hello }.bytes();
        for end in 0..bytes.len() {
            assert!(Greeting::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Greeting::parse(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn credentials_are_bounded() {
        let hello = |size| Hello::of_group([0; 32]).with_credentials(vec![0; size]);
        let greeting = |size| Greeting { mode: Mode::Mutual, nonce: [0; 32], held: None, hello: hello(size) };
        assert!(Greeting::parse(&greeting(Hello::CREDENTIALS_MAX).bytes()).is_ok());
        assert!(Greeting::parse(&greeting(Hello::CREDENTIALS_MAX + 1).bytes()).is_err());
    }
}
