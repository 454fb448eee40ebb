//! GUIDs in the byte order of UEFI: first three fields little endian, the rest as written.

/// The 16 bytes of `{a}-{b}-{c}-{d[0..2]}-{d[2..8]}` (UEFI 2.10, appendix A).
pub(crate) const fn guid(a: u32, b: u16, c: u16, d: [u8; 8]) -> [u8; 16] {
    let [a0, a1, a2, a3] = a.to_le_bytes();
    let [b0, b1] = b.to_le_bytes();
    let [c0, c1] = c.to_le_bytes();
    let [d0, d1, d2, d3, d4, d5, d6, d7] = d;
    [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7]
}
