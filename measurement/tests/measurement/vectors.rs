//! Real inputs, where this machine has them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

fn folder(variable: &str, beside: &str) -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path =
        std::env::var_os(variable).map_or_else(|| workspace.join("../shared").join(beside), PathBuf::from);
    path.is_dir().then_some(path)
}

/// A file of the vectors; `None`, said aloud, where there are none.
pub(crate) fn vector(path: &str) -> Option<Vec<u8>> {
    let Some(folder) = folder("HALLMARK_VECTORS", "vectors") else {
        println!("skipped: no vectors");
        return None;
    };
    Some(fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// A file of a Debian package whose name begins so; `None`, said aloud, where the package is not there.
pub(crate) fn packaged(package: &str, path: &str) -> Option<Vec<u8>> {
    // Unpacking is what these tests would mostly wait for.
    static UNPACKED: Mutex<BTreeMap<String, Option<Vec<u8>>>> = Mutex::new(BTreeMap::new());
    let mut unpacked = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let contents =
        unpacked.entry(format!("{package} {path}")).or_insert_with(|| unpack(package, path)).clone();
    if contents.is_none() {
        println!("skipped: no package {package}*");
    }
    contents
}

fn unpack(package: &str, path: &str) -> Option<Vec<u8>> {
    let begins =
        |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(package));
    let mut files: Vec<_> = fs::read_dir(folder("HALLMARK_DEB_CACHE", "debs")?)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let deb = fs::read(files.into_iter().find(begins)?).unwrap();
    let xz = ar_member(&deb, "data.tar.xz").expect("a package compressed with xz");
    let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(xz, true));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().strip_prefix("./").is_ok_and(|name| name == Path::new(path)) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            return Some(bytes);
        }
    }
    panic!("{package} has no {path}");
}

fn ar_member<'a>(deb: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = deb.strip_prefix(b"!<arch>\n")?;
    while rest.len() >= 60 {
        let (header, after) = rest.split_at(60);
        let size: usize = std::str::from_utf8(&header[48..58]).ok()?.trim().parse().ok()?;
        if std::str::from_utf8(&header[..16]).ok()?.trim().trim_end_matches('/') == name {
            return Some(&after[..size]);
        }
        rest = &after[size.next_multiple_of(2)..];
    }
    None
}

pub(crate) const BOOTS: &str = "measurement/qemu-boots";

/// The kernel of most captured boots.
pub(crate) fn kernel_72() -> Option<Vec<u8>> {
    packaged("linux-binary-7.2.12", "usr/lib/modules/7.2.12+deb13-cloud-amd64/vmlinuz")
}

pub(crate) fn stub_257() -> Option<Vec<u8>> {
    packaged("systemd-boot-efi_257", "usr/lib/systemd/boot/efi/linuxx64.efi.stub")
}

pub(crate) fn ovmf_2025_02() -> Option<Vec<u8>> {
    packaged("ovmf_2025.02", "usr/share/ovmf/OVMF.fd")
}

pub(crate) fn ovmf_tdx_2026_08() -> Option<Vec<u8>> {
    packaged("ovmf-inteltdx_2026.08", "usr/share/ovmf/OVMF.inteltdx.ms.fd")
}
