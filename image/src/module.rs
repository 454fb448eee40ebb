//! One kernel module: an ELF file whose `.modinfo` section says its name and what it depends on.
//!
//! The kernel's own signature stays on the file untouched; that it is there is checked, that it is good is the
//! kernel's business when it loads the module.

use std::io::Read as _;

/// What a signed module ends with (`MODULE_SIGNATURE_MARKER` in `linux/module_signature.h`, without a NUL).
const SIGNATURE_MARKER: &[u8] = b"~Module signature appended~\n";

/// Largest module, unpacked.
pub const MAX_MODULE: u64 = 64 << 20;

/// A module, unpacked, with the facts of its `.modinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    name: String,
    depends: Vec<String>,
    release: String,
    bytes: Vec<u8>,
}

impl Module {
    /// Reads a module as packaged: plain ELF or xz.
    ///
    /// # Errors
    /// When it cannot be unpacked, is no 64-bit little-endian ELF with a `.modinfo`, or is not signed.
    pub fn parse(packaged: &[u8]) -> Result<Self, ModuleError> {
        let bytes = if packaged.starts_with(b"\xfd7zXZ\0") {
            let mut bytes = Vec::new();
            lzma_rust2::XzReader::new_mem_limit(packaged, false, 128 << 10)
                .take(MAX_MODULE + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| ModuleError::Xz(e.to_string()))?;
            bytes
        } else {
            packaged.to_vec()
        };
        if bytes.len() as u64 > MAX_MODULE {
            return Err(ModuleError::TooLarge);
        }
        if !bytes.ends_with(SIGNATURE_MARKER) {
            return Err(ModuleError::Unsigned);
        }
        let modinfo = section(&bytes, b".modinfo").ok_or(ModuleError::NoModinfo)?;
        let (mut name, mut depends, mut release) = (None, Vec::new(), None);
        for field in modinfo.split(|&b| b == 0) {
            let Some((key, value)) = std::str::from_utf8(field).ok().and_then(|f| f.split_once('=')) else {
                continue;
            };
            match key {
                "name" => name = Some(value.to_owned()),
                "depends" => depends.extend(value.split(',').filter(|d| !d.is_empty()).map(logical)),
                "vermagic" => release = value.split(' ').next().map(str::to_owned),
                _ => {}
            }
        }
        Ok(Self {
            name: logical(&name.ok_or(ModuleError::Field("name"))?),
            depends,
            release: release.ok_or(ModuleError::Field("vermagic"))?,
            bytes,
        })
    }

    /// The logical name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logical names of the modules that must be loaded before.
    pub fn depends(&self) -> &[String] {
        &self.depends
    }

    /// The kernel release it was built for: the first word of `vermagic`.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The ELF file with its signature.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The logical name of a file or module name: file names may have `-` where the module has `_`.
pub fn logical(name: &str) -> String {
    name.replace('-', "_")
}

/// A section of a 64-bit little-endian ELF file (System V gABI, chapter 4, "Sections").
fn section<'a>(elf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // e_ident: magic, ELFCLASS64, ELFDATA2LSB.
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let table = usize::try_from(u64_at(elf, 0x28)?).ok()?;
    let entry_size = usize::from(u16_at(elf, 0x3a)?);
    let count = usize::from(u16_at(elf, 0x3c)?);
    let names = usize::from(u16_at(elf, 0x3e)?);
    if entry_size != 64 {
        return None;
    }
    let header =
        |index: usize| elf.get(table.checked_add(index.checked_mul(entry_size)?)?..)?.first_chunk::<64>();
    let body = |header: &[u8; 64]| {
        let offset = usize::try_from(u64_at(header, 0x18)?).ok()?;
        let size = usize::try_from(u64_at(header, 0x20)?).ok()?;
        elf.get(offset..offset.checked_add(size)?)
    };
    let strings = body(header(names)?)?;
    (0..count).find_map(|index| {
        let header = header(index)?;
        let start = usize::try_from(u32_at(header, 0)?).ok()?;
        let found = strings.get(start..)?.split(|&b| b == 0).next()?;
        if found == name { body(header) } else { None }
    })
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// Why bytes are no kernel module.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// xz that does not unpack.
    #[error("kernel module: xz: {0}")]
    Xz(String),
    /// Over [`MAX_MODULE`].
    #[error("kernel module: larger than {MAX_MODULE} bytes unpacked")]
    TooLarge,
    /// No signature at the end: a kernel under lockdown would refuse it.
    #[error("kernel module: does not end with the marker of a module signature")]
    Unsigned,
    /// No 64-bit ELF, or no `.modinfo`.
    #[error("kernel module: no .modinfo section in a 64-bit little-endian ELF file")]
    NoModinfo,
    /// A field that every module has.
    #[error("kernel module: .modinfo has no {0}=")]
    Field(&'static str),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A module that is nothing but a `.modinfo` and the signature marker.
    pub(crate) fn elf(name: &str, depends: &str) -> Vec<u8> {
        let modinfo =
            format!("license=GPL\0name={name}\0depends={depends}\0vermagic=7.2.12-test SMP preempt \0");
        let strings = b"\0.modinfo\0.shstrtab\0";
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(64, 0);
        let modinfo_at = out.len();
        out.extend(modinfo.as_bytes());
        let strings_at = out.len();
        out.extend(strings);
        let table = out.len();
        out[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        out[0x3a..0x3c].copy_from_slice(&64u16.to_le_bytes());
        out[0x3c..0x3e].copy_from_slice(&3u16.to_le_bytes());
        out[0x3e..0x40].copy_from_slice(&2u16.to_le_bytes());
        for (name, offset, size) in
            [(0u32, 0, 0), (1, modinfo_at, modinfo.len()), (11, strings_at, strings.len())]
        {
            let mut header = [0; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(offset as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(size as u64).to_le_bytes());
            out.extend(header);
        }
        out.extend(SIGNATURE_MARKER);
        out
    }

    #[test]
    fn modinfo_is_read_from_elf_and_from_xz() {
        let elf = elf("virtio_net", "net-failover,virtio");
        let module = Module::parse(&elf).unwrap();
        assert_eq!(
            (module.name(), module.depends(), module.release()),
            ("virtio_net", &["net_failover".to_owned(), "virtio".to_owned()][..], "7.2.12-test")
        );
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        std::io::Write::write_all(&mut xz, &elf).unwrap();
        assert_eq!(Module::parse(&xz.finish().unwrap()).unwrap(), module);
    }

    #[test]
    fn unsigned_and_broken_modules_are_refused() {
        let good = elf("a", "");
        assert_eq!(Module::parse(&good[..good.len() - 1]), Err(ModuleError::Unsigned));
        assert_eq!(Module::parse(SIGNATURE_MARKER), Err(ModuleError::NoModinfo));
        assert!(matches!(Module::parse(b"\xfd7zXZ\0"), Err(ModuleError::Xz(_))));
        for index in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[index] ^= 1 << bit;
                let _ = Module::parse(&bad);
            }
            let mut cut = good[..index].to_vec();
            cut.extend(SIGNATURE_MARKER);
            let _ = Module::parse(&cut);
        }
    }
}
