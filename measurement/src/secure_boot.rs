//! Secure Boot variables, which firmware measures before anything else that it was configured with.
//!
//! UEFI 2.10, 32.4; TCG PC Client Platform Firmware Profile 1.06, 3.3.4.8 (PCR 7) and 10.2.7 (`UEFI_VARIABLE_DATA`).

use crate::field::{array, span, u16_le, u32_le, u64_le};
use crate::guid::guid;
use crate::log::{Event, EventType};
use crate::{Edk2, Register};

const GLOBAL: [u8; 16] = guid(0x8be4_df61, 0x93ca, 0x11d2, [0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c]);
const IMAGE_SECURITY: [u8; 16] =
    guid(0xd719_b2cb, 0x3d3a, 0x4596, [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f]);
/// `SecureBootEnable`, edk2's own switch.
const ENABLE: [u8; 16] = guid(0xf0a3_0bc7, 0xaf08, 0x4556, [0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44]);
/// `EFI_AUTHENTICATED_VARIABLE_GUID`: the format of the store.
const AUTHENTICATED: [u8; 16] =
    guid(0xaaf3_2c78, 0x947b, 0x439a, [0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92]);

/// How a machine's Secure Boot is set when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecureBoot {
    /// Firmware built without it: no variable at all.
    Absent,
    /// Firmware built with it, no keys enrolled.
    Off,
    /// Keys enrolled, each as the bytes of its variable (a list of `EFI_SIGNATURE_LIST`).
    Enrolled {
        /// Whether it is on.
        on: bool,
        /// Platform key.
        pk: Vec<u8>,
        /// Key exchange keys.
        kek: Vec<u8>,
        /// What may run.
        db: Vec<u8>,
        /// What may not.
        dbx: Vec<u8>,
    },
}

impl SecureBoot {
    /// What a firmware generation comes with when its variable store is empty.
    #[must_use]
    pub fn unenrolled(edk2: Edk2) -> Self {
        if edk2 == Edk2::V2022_11 { Self::Off } else { Self::Absent }
    }

    /// What a configuration volume holds: its keys, or, without a platform key, [`Self::unenrolled`].
    ///
    /// Variables in states other than "added" do not count, and a store that does not make sense counts as empty, as with the
    /// firmware that would initialise it anew.
    #[must_use]
    pub fn of_cfv(cfv: &[u8], edk2: Edk2) -> Self {
        let find = |vendor: &[u8; 16], name: &str| variable(cfv, vendor, name).map(<[u8]>::to_vec);
        let Some(pk) = find(&GLOBAL, "PK") else { return Self::unenrolled(edk2) };
        let on = find(&ENABLE, "SecureBootEnable").is_none_or(|value| value.first() != Some(&0));
        let kek = find(&GLOBAL, "KEK").unwrap_or_default();
        let db = find(&IMAGE_SECURITY, "db").unwrap_or_default();
        let dbx = find(&IMAGE_SECURITY, "dbx").unwrap_or_default();
        Self::Enrolled { on, pk, kek, db, dbx }
    }

    /// The five variable events and the separator that closes them.
    pub(crate) fn events(&self, register: Register, depends: &str) -> Vec<Event> {
        let [switch, pk, kek, db, dbx]: [&[u8]; 5] = match self {
            Self::Absent => [&[]; 5],
            Self::Off => [&[0], &[], &[], &[], &[]],
            Self::Enrolled { on, pk, kek, db, dbx } => [if *on { &[1] } else { &[0] }, pk, kek, db, dbx],
        };
        let variables: [(&[u8; 16], &'static str, &[u8]); 5] = [
            (&GLOBAL, "SecureBoot", switch),
            (&GLOBAL, "PK", pk),
            (&GLOBAL, "KEK", kek),
            (&IMAGE_SECURITY, "db", db),
            (&IMAGE_SECURITY, "dbx", dbx),
        ];
        let mut events: Vec<Event> = variables
            .into_iter()
            .map(|(vendor, name, value)| {
                let data = variable_data(vendor, name, value);
                Event::of(register, EventType::EfiVariableDriverConfig, name, data).depending(depends)
            })
            .collect();
        events.push(Event::separator(register));
        events
    }
}

/// `UEFI_VARIABLE_DATA`: vendor, length of name in characters, length of value, name without NUL, value.
fn variable_data(vendor: &[u8; 16], name: &str, value: &[u8]) -> Vec<u8> {
    let name: Vec<u16> = name.encode_utf16().collect();
    let mut data = vendor.to_vec();
    data.extend((name.len() as u64).to_le_bytes());
    data.extend((value.len() as u64).to_le_bytes());
    data.extend(name.into_iter().flat_map(u16::to_le_bytes));
    data.extend(value);
    data
}

/// Finds a variable in a store of authenticated variables (edk2 `VariableFormat.h`).
fn variable<'a>(cfv: &'a [u8], vendor: &[u8; 16], name: &str) -> Option<&'a [u8]> {
    // Volume header: length at 0x20, `_FVH` at 0x28, its own length at 0x30. Then the store's header of 28 bytes.
    if array(cfv, 0x28)? != *b"_FVH" || u64_le(cfv, 0x20)? > cfv.len() as u64 {
        return None;
    }
    let store = cfv.get(usize::from(u16_le(cfv, 0x30)?)..)?;
    if array(store, 0)? != AUTHENTICATED {
        return None;
    }
    let store = span(store, 0, u32_le(store, 16)?.into())?;
    let wanted: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let mut at = 28u64;
    // Each turn goes at least 60 bytes on.
    loop {
        let header = span(store, at, 60)?;
        if array(header, 0)? != [0xaa, 0x55] {
            return None;
        }
        let (name_size, data_size) = (u64::from(u32_le(header, 36)?), u64::from(u32_le(header, 40)?));
        let name_at = at + 60;
        let data_at = name_at + name_size;
        const ADDED: u8 = 0x3f;
        if header.get(2) == Some(&ADDED)
            && array(header, 44)? == *vendor
            && span(store, name_at, name_size)? == wanted.as_slice()
        {
            return span(store, data_at, data_size);
        }
        at = (data_at + data_size).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(variables: &[([u8; 16], &str, u8, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (vendor, name, state, value) in variables {
            let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            list.extend([0xaa, 0x55, *state, 0]);
            list.extend([0; 32]);
            list.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
            list.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            list.extend(vendor);
            list.extend(name);
            list.extend(*value);
            list.resize(list.len().next_multiple_of(4), 0xff);
        }
        let mut cfv = vec![0; 0x48];
        cfv[0x28..0x2c].copy_from_slice(b"_FVH");
        cfv[0x30] = 0x48;
        cfv.extend(AUTHENTICATED);
        cfv.extend(u32::try_from(list.len() + 28 + 64).unwrap().to_le_bytes());
        cfv.extend([0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        cfv.extend(list);
        cfv.extend([0xff; 64]);
        let len = cfv.len() as u64;
        cfv[0x20..0x28].copy_from_slice(&len.to_le_bytes());
        cfv
    }

    #[test]
    fn finds_enrolled_keys() {
        let cfv = store(&[
            (GLOBAL, "PK", 0x3c, b"old"),
            (IMAGE_SECURITY, "PK", 0x3f, b"not this vendor"),
            (GLOBAL, "PK", 0x3f, b"new"),
            (IMAGE_SECURITY, "db", 0x3f, b"may"),
        ]);
        let expected = SecureBoot::Enrolled {
            on: true,
            pk: b"new".to_vec(),
            kek: vec![],
            db: b"may".to_vec(),
            dbx: vec![],
        };
        assert_eq!(SecureBoot::of_cfv(&cfv, Edk2::V2025_02), expected);
        for len in 0..cfv.len() {
            let _ = SecureBoot::of_cfv(&cfv[..len], Edk2::V2025_02);
        }
    }

    #[test]
    fn empty_stores_follow_the_build() {
        assert_eq!(SecureBoot::of_cfv(&[], Edk2::V2025_02), SecureBoot::Absent);
        assert_eq!(SecureBoot::of_cfv(&store(&[]), Edk2::V2022_11), SecureBoot::Off);
        let off = store(&[(ENABLE, "SecureBootEnable", 0x3f, &[0]), (GLOBAL, "PK", 0x3f, b"key")]);
        assert!(matches!(SecureBoot::of_cfv(&off, Edk2::V2025_02), SecureBoot::Enrolled { on: false, .. }));
    }
}
