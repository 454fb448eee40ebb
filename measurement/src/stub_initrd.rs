//! The small archives that systemd-stub appends to a UKI's initrd, byte for byte.
//!
//! Linux, "initramfs buffer format" (newc cpio), as systemd's `cpio.c` fills it in.

/// Sections that end up as a file, in the stub's order.
pub(crate) const FILES: [(&str, &str); 3] = [
    (".pcrsig", "tpm2-pcr-signature.json"),
    (".pcrpkey", "tpm2-pcr-public-key.pem"),
    (".osrel", "os-release"),
];

/// Where they go.
const DIRECTORY: &str = ".extra";
const DIRECTORY_MODE: u32 = 0o040_555;
const FILE_MODE: u32 = 0o100_444;

/// The end of an archive: all fields zero but the link count and, in upper case, the name's size.
const TRAILER: &[u8] = b"070701\
    00000000000000000000000000000000\
    00000001\
    000000000000000000000000000000000000000000000000\
    0000000B\
    00000000\
    TRAILER!!!\0\0\0\0";

/// A cpio of `.extra/` and one file in it, whose contents are `contents` and `zeros` zeros.
pub(crate) fn archive(file: &str, contents: &[u8], zeros: usize) -> Vec<u8> {
    let size = contents.len() + zeros;
    let mut cpio = Vec::with_capacity(512 + size);
    header(&mut cpio, 1, DIRECTORY_MODE, 0, DIRECTORY);
    header(&mut cpio, 2, FILE_MODE, size, &format!("{DIRECTORY}/{file}"));
    cpio.extend(contents);
    cpio.resize(cpio.len() + zeros, 0);
    align(&mut cpio);
    cpio.extend(TRAILER);
    cpio
}

/// One entry's header and name. Fields: inode, mode, uid, gid, nlink, mtime, size, four device numbers, name size, check.
fn header(cpio: &mut Vec<u8>, inode: u32, mode: u32, size: usize, name: &str) {
    cpio.extend(b"070701");
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let fields = [inode.into(), mode.into(), 0, 0, 1, 0, size, 0, 0, 0, 0, name.len() as u64 + 1, 0];
    for field in fields {
        cpio.extend(format!("{field:08x}").into_bytes());
    }
    cpio.extend(name.as_bytes());
    cpio.push(0);
    align(cpio);
}

fn align(cpio: &mut Vec<u8>) {
    cpio.resize(cpio.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let cpio = archive("os-release", b"ID=lab\n", 0);
        let text = String::from_utf8(cpio.clone()).unwrap();
        let entries: Vec<_> = text.split("070701").skip(1).collect();
        assert_eq!(
            entries[0],
            "000000010000416d0000000000000000000000010000000000000000000000000000000000000000000000000000000700000000.extra\0\0\0\0"
        );
        assert!(entries[1].starts_with("0000000200008124000000000000000000000001000000000000000700000000"));
        assert!(
            entries[1].ends_with(".extra/os-release\0\0\0\0\0ID=lab\n\0")
                || entries[1].contains("ID=lab\n\0")
        );
        let words: Vec<_> =
            entries[2].as_bytes()[..104].chunks(8).map(|word| std::str::from_utf8(word).unwrap()).collect();
        assert_eq!(words.len(), 13);
        assert_eq!((words[4], words[11]), ("00000001", "0000000B"));
        assert_eq!(words.iter().filter(|word| **word == "00000000").count(), 11);
        assert_eq!(&entries[2][104..], "TRAILER!!!\0\0\0\0");
        assert!(cpio.len().is_multiple_of(4));
    }
}
