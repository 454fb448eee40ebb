//! How bytes stand in JSON: standard base64 with padding, or lower-case hex; one spelling each.
//!
//! In formats that are not for people (postcard between members) the bytes stand as they are.

/// Arrays and vectors as base64.
pub(crate) mod base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.serialize_str(&STANDARD.encode(bytes))
        } else {
            to.serialize_bytes(bytes.as_ref())
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(
        from: D,
    ) -> Result<T, D::Error> {
        let bytes = if from.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(from)?;
            STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)?
        } else {
            from.deserialize_byte_buf(super::Bytes)?
        };
        let length = bytes.len();
        bytes
            .try_into()
            .map_err(|_| D::Error::custom(format_args!("{length} bytes are not the right number")))
    }
}

/// 32 bytes that may be absent, as base64.
pub(crate) mod base64_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Key(#[serde(with = "super::base64")] [u8; 32]);

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
        bytes.map(Key).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
        Ok(Option::<Key>::deserialize(from)?.map(|key| key.0))
    }
}

/// Arrays as lower-case hex.
pub(crate) mod hex_array {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_str(&hex::encode(bytes)) } else { to.serialize_bytes(bytes) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let bytes = if from.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(from)?;
            if text.bytes().any(|b| b.is_ascii_uppercase()) {
                return Err(D::Error::custom("hex digits must be lower-case"));
            }
            hex::decode(text.as_bytes()).map_err(D::Error::custom)?
        } else {
            from.deserialize_byte_buf(super::Bytes)?
        };
        bytes.try_into().map_err(|_| D::Error::custom(format_args!("expected {N} bytes")))
    }
}

/// Bytes of a format that is not for people.
struct Bytes;

impl serde::de::Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Joins fields so that no two lists of fields give the same bytes: the domain, then each field behind its u32 LE length.
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A message of this domain. Domains are constants of ours, none the beginning of another.
    pub(crate) fn new(domain: &str) -> Self {
        Self(domain.as_bytes().to_vec())
    }

    /// Adds a field. Fields of 4 GiB do not exist: all that is signed was bounded when it was read.
    pub(crate) fn field(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number as a field of 8 bytes, little-endian.
    pub(crate) fn number(self, number: impl Into<u64>) -> Self {
        self.field(number.into().to_le_bytes())
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }
}
