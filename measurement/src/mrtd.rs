//! MRTD: the TDX module's running hash over the pages a TD starts with.
//!
//! Intel TDX Module ABI, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND. Checked by independent implementations on real firmware, not on
//! hardware.

use sha2::{Digest as _, Sha384};

use crate::Firmware;
use crate::tdvf::{PAGE, Section};

/// Bytes of a page that one TDH.MR.EXTEND takes.
const CHUNK: usize = 256;

/// The order in which a VMM adds and extends the pages of a section. MRTD differs between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageOrder {
    /// Each page is added, then extended: KVM's `KVM_TDX_INIT_MEM_REGION` (QEMU 9 and later, Google Cloud).
    PageByPage,
    /// All pages of a section are added, then all are extended: the patched QEMU 8.
    SectionBySection,
}

/// The MRTD of a TD that starts with this firmware.
///
/// It covers the firmware and nothing of the image that it boots: never pin it alone.
#[must_use]
pub fn mrtd(firmware: &Firmware<'_>, order: PageOrder) -> [u8; 48] {
    let mut hash = Sha384::new();
    for section in firmware.sections().iter().filter(|section| !section.augment) {
        match order {
            PageOrder::PageByPage => pages(section).for_each(|page| {
                add(&mut hash, &page);
                extend(&mut hash, section, &page);
            }),
            PageOrder::SectionBySection => {
                pages(section).for_each(|page| add(&mut hash, &page));
                pages(section).for_each(|page| extend(&mut hash, section, &page));
            }
        }
    }
    hash.finalize().into()
}

struct Page<'a> {
    address: u64,
    /// Up to a page of contents; what is missing is zero.
    contents: &'a [u8],
}

fn pages<'a>(section: &Section<'a>) -> impl Iterator<Item = Page<'a>> + use<'a> {
    let Section { contents, address, memory, .. } = *section;
    let mut rest = contents;
    (0..memory / PAGE).map(move |index| {
        let (contents, after) = rest.split_at_checked(4096).unwrap_or((rest, &[]));
        rest = after;
        Page { address: address.saturating_add(index.saturating_mul(PAGE)), contents }
    })
}

/// The 128 bytes that go before: an operation's name, and the address it works on at 16.
fn operation(name: &[u8], address: u64) -> [u8; 128] {
    let mut block = [0; 128];
    let bytes = name.iter().copied().chain(std::iter::repeat(0)).take(16).chain(address.to_le_bytes());
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    block
}

fn add(hash: &mut Sha384, page: &Page<'_>) {
    hash.update(operation(b"MEM.PAGE.ADD", page.address));
}

fn extend(hash: &mut Sha384, section: &Section<'_>, page: &Page<'_>) {
    if !section.extend {
        return;
    }
    let mut rest = page.contents;
    for offset in (0..PAGE).step_by(CHUNK) {
        hash.update(operation(b"MR.EXTEND", page.address.saturating_add(offset)));
        let (chunk, after) = rest.split_at_checked(CHUNK).unwrap_or((rest, &[]));
        hash.update(chunk);
        const ZEROS: [u8; CHUNK] = [0; CHUNK];
        hash.update(ZEROS.get(chunk.len()..).unwrap_or_default());
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tdvf::tests::{ENTRIES, synthetic};

    /// The definition, spelled out over a flat memory.
    fn by_definition(image: &[u8], one_pass: bool) -> [u8; 48] {
        let mut all = Vec::new();
        let op = |name: &str, address: u64| {
            let mut block = vec![0u8; 128];
            block[..name.len()].copy_from_slice(name.as_bytes());
            block[16..24].copy_from_slice(&address.to_le_bytes());
            block
        };
        for (offset, raw, address, memory, _, attributes) in ENTRIES {
            let mut bytes = image[offset as usize..(offset + raw) as usize].to_vec();
            bytes.resize(usize::try_from(memory).unwrap(), 0);
            let (mut adds, mut extends) = (Vec::new(), Vec::new());
            for (number, page) in bytes.chunks(4096).enumerate() {
                let at = address + 4096 * number as u64;
                let mut extend = Vec::new();
                if attributes == 1 {
                    for (part, chunk) in page.chunks(256).enumerate() {
                        extend.extend(op("MR.EXTEND", at + 256 * part as u64));
                        extend.extend(chunk);
                    }
                }
                adds.push(op("MEM.PAGE.ADD", at));
                extends.push(extend);
            }
            if one_pass {
                for (add, extend) in adds.into_iter().zip(extends) {
                    all.extend(add);
                    all.extend(extend);
                }
            } else {
                all.extend(adds.concat());
                all.extend(extends.concat());
            }
        }
        Sha384::digest(all).into()
    }

    #[test]
    fn equals_the_definition_in_both_orders() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        assert_eq!(mrtd(&firmware, PageOrder::PageByPage), by_definition(&image, true));
        assert_eq!(mrtd(&firmware, PageOrder::SectionBySection), by_definition(&image, false));
    }

    #[test]
    fn synthetic_golden() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        assert_eq!(hex::encode(mrtd(&firmware, PageOrder::PageByPage)), GOLDEN.0);
        assert_eq!(hex::encode(mrtd(&firmware, PageOrder::SectionBySection)), GOLDEN.1);
    }

    /// By another program, from the definition.
    const GOLDEN: (&str, &str) = (
        "8ced3b1a632ddb54a60be53a7a63600e986724b7b827210a3ba224b2abf5097ea038baf29fa0ae61742c9b2042f1c68a",
        "152208f0e7f6239cb74f1011631d65891031d524c4b3a4e7439709437f549e9980c549bbb01b1e68c75486f184b327c3",
    );

    #[test]
    fn every_measured_byte_counts_and_no_other() {
        let mut image = synthetic(&ENTRIES);
        let before = mrtd(&Firmware::parse(&image).unwrap(), PageOrder::PageByPage);
        image[0x800] ^= 1; // in the CFV, which is added and not extended
        assert_eq!(mrtd(&Firmware::parse(&image).unwrap(), PageOrder::PageByPage), before);
        image[0x1234] ^= 1; // in the BFV
        assert_ne!(mrtd(&Firmware::parse(&image).unwrap(), PageOrder::PageByPage), before);
    }
}
