//! JSON objects and TOML tables that nothing else passes for.
//!
//! What serde derives for a struct takes an array too, its fields by position. A document that two readers understand
//! differently is no identity, so every struct here is read through [`Only`], which asks for a map and takes nothing else.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// A deserializer that gives a struct from a map, never from a sequence.
pub(crate) struct Only<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Only<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(MapOnly(visitor))
    }

    /// Binary formats have no objects: there, what was written comes back in order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if self.0.is_human_readable() {
            self.deserialize_any(visitor)
        } else {
            self.0.deserialize_struct(name, fields, visitor)
        }
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A visitor that is shown maps only.
struct MapOnly<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for MapOnly<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)?;
        f.write_str(" as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }
}

/// A type that is an object of fields, whose values nobody has checked.
pub(crate) trait Fields: Sized {
    /// Reads the fields.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// An object whose values are still to be checked, by whoever wants to say more than serde lets an error say.
pub(crate) struct Unchecked<T>(pub(crate) T);

impl<'de, T: Fields> serde::Deserialize<'de> for Unchecked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

/// A struct that is read from an object of its fields and checked by its own `check`, and written in their order.
///
/// A field may have `= "path"` after its type: what it is where it is not given. What serde derives is derived for a struct
/// of the same fields that nobody else can name, so that there is no way around the check.
macro_rules! object {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $type:ident $(<$lifetime:lifetime>)? {
            $($(#[doc = $doc:expr])* $field_vis:vis $field:ident : $of:ty $(= $default:literal)?,)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(serde::Serialize)]
        $vis struct $type $(<$lifetime>)? {
            $($(#[doc = $doc])* $field_vis $field: $of,)*
        }

        const _: () = {
            #[derive(serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            struct Given $(<$lifetime>)? {
                $($(#[serde(default = $default)])? $field: $of,)*
            }

            impl $(<$lifetime>)? $crate::object::Fields for $type $(<$lifetime>)? {
                fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let given: Given = serde::Deserialize::deserialize($crate::object::Only(deserializer))?;
                    Ok(Self { $($field: given.$field,)* })
                }
            }

            impl<'de $(, $lifetime)?> serde::Deserialize<'de> for $type $(<$lifetime>)? {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let value: Self = $crate::object::Fields::read(deserializer)?;
                    value.check().map_err(serde::de::Error::custom)?;
                    Ok(value)
                }
            }
        };
    };
}

pub(crate) use object;
