//! The certificate table that an SEV-SNP host hands over beside a report.
//!
//! AMD SEV-ES Guest-Hypervisor Communication Block Standardization (56421), 4.1.8.1, table 8: entries of a
//! 16-byte GUID, a u32 offset and a u32 length (little-endian), ended by an entry of zeros; then the DER. The
//! host made it, so only its shape is checked here.

/// The GUIDs of a chain, leaf first. VCEK and VLEK are alternatives.
const CHAIN: [[u8; 16]; 4] = [
    hex_guid(0x63da_758d_e664_4564_adc5_f4b9_3be8_accd), // VCEK
    hex_guid(0xa807_4bc2_a25a_483e_aae6_39c0_45a0_b8a1), // VLEK
    hex_guid(0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782), // ASK
    hex_guid(0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae), // ARK
];

/// Length of one entry.
const ENTRY: usize = 24;

const fn hex_guid(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

/// Why a table is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The entries run to the end of the table without a terminator.
    #[error("SNP certificate table: no terminating entry in {0} bytes (GHCB 4.1.8.1)")]
    Unterminated(usize),
    /// An entry points outside the table.
    #[error("SNP certificate table: entry {entry} names bytes {offset}..+{length} of {table} (GHCB 4.1.8.1)")]
    Range {
        /// Index of the entry.
        entry: usize,
        /// Its offset field.
        offset: u32,
        /// Its length field.
        length: u32,
        /// Length of the table.
        table: usize,
    },
}

/// The certificates (DER) of the report's key, leaf first. Entries of other kinds (a CRL) are left out. An
/// empty table gives none.
///
/// # Errors
/// No terminator, or an entry that points outside the table.
pub fn chain(table: &[u8]) -> Result<Vec<Vec<u8>>, TableError> {
    if table.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: [Option<&[u8]>; CHAIN.len()] = [None; CHAIN.len()];
    let mut rest = table;
    let mut entry = 0_usize;
    loop {
        let Some((head, tail)) = rest.split_first_chunk::<ENTRY>() else {
            return Err(TableError::Unterminated(table.len()));
        };
        if head == &[0; ENTRY] {
            return Ok(found.into_iter().flatten().map(<[u8]>::to_vec).collect());
        }
        let [g @ .., o0, o1, o2, o3, l0, l1, l2, l3] = head;
        let (offset, length) =
            (u32::from_le_bytes([*o0, *o1, *o2, *o3]), u32::from_le_bytes([*l0, *l1, *l2, *l3]));
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| start.checked_add(usize::try_from(length).ok()?).map(|end| start..end))
            .and_then(|range| table.get(range))
            .ok_or(TableError::Range { entry, offset, length, table: table.len() })?;
        if let Some(slot) = CHAIN.iter().position(|guid| guid == g).and_then(|at| found.get_mut(at)) {
            *slot = Some(bytes);
        }
        rest = tail;
        entry = entry.saturating_add(1);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A well-formed table.
    pub(crate) fn table(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut head, mut body) = (Vec::new(), Vec::new());
        let start = (entries.len() + 1) * ENTRY;
        for (guid, der) in entries {
            head.extend(hex::decode(guid.replace('-', "")).unwrap());
            head.extend(u32::try_from(start + body.len()).unwrap().to_le_bytes());
            head.extend(u32::try_from(der.len()).unwrap().to_le_bytes());
            body.extend_from_slice(der);
        }
        head.extend([0; ENTRY]);
        head.extend(body);
        head
    }

    const VLEK: &str = "a8074bc2-a25a-483e-aae6-39c045a0b8a1";
    const ASK: &str = "4ab7b379-bbac-4fe4-a02f-05aef327c782";
    const ARK: &str = "c0b406a4-a803-4952-9743-3fb6014cd0ae";
    const CRL: &str = "92f81bc3-5811-4d3d-97ff-d19f88dc67ea";

    #[test]
    fn leaf_comes_first_whatever_the_table_s_order() {
        let bytes = table(&[(ARK, b"ark"), (CRL, b"crl"), (VLEK, b"vlek"), (ASK, b"ask")]);
        assert_eq!(chain(&bytes).unwrap(), [b"vlek".as_slice(), b"ask", b"ark"]);
        assert!(chain(&[]).unwrap().is_empty());
        assert!(chain(&[0; 4096]).unwrap().is_empty(), "a host without certificates gives zeros");
    }

    #[test]
    fn every_truncation_and_wild_range_is_an_error() {
        let bytes = table(&[(VLEK, b"vlek"), (ASK, b"ask")]);
        for length in 1..bytes.len() {
            assert!(chain(&bytes[..length]).is_err(), "{length}");
        }
        for at in 16..24 {
            let mut wild = bytes.clone();
            wild[at] = 0xff;
            assert!(chain(&wild).is_err(), "{at}");
        }
    }
}
