//! Other people's tools agree that our formats are theirs. A tool that is not there is a skip, said aloud.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use hallmark_image::{cpio, disk, initrd::initrd, synthetic};

use crate::synthetic_image;

/// Runs a tool; `None` when it is not installed.
fn tool(name: &str, arguments: &[&str], input: &[u8]) -> Option<(bool, String)> {
    // sbin is not on everybody's path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let child = Command::new(name)
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no {name}");
        return None;
    };
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text))
}

fn with_file(bytes: &[u8], check: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    check(&path);
}

/// The EFI system partition of a disk of ours.
fn esp(disk: &[u8]) -> &[u8] {
    &disk[1 << 20..disk.len() - (1 << 20)]
}

#[test]
fn the_partition_table_is_sound() {
    with_file(&synthetic_image(b"guest").disk, |path| {
        let path = path.to_str().unwrap();
        if let Some((ok, text)) = tool("sgdisk", &["--verify", path], b"") {
            assert!(ok && text.contains("No problems found"), "{text}");
            let (_, text) = tool("sgdisk", &["--info=1", path], b"").unwrap();
            assert!(text.contains("EFI system partition") && text.contains("First sector: 2048"), "{text}");
        }
        if let Some((ok, text)) = tool("sfdisk", &["--verify", path], b"") {
            assert!(ok && text.contains("No errors detected"), "{text}");
        }
    });
}

#[test]
fn the_file_system_is_sound_and_holds_the_uki() {
    let image = synthetic_image(&[7; 100_000]);
    with_file(esp(&image.disk), |path| {
        let path = path.to_str().unwrap();
        if let Some((ok, text)) = tool("fsck.vfat", &["-n", "-v", path], b"") {
            assert!(ok && text.contains("32 reserved sectors"), "{text}");
            assert!(!text.contains("differences") && !text.contains("wrong"), "{text}");
        }
        if let Some((ok, text)) = tool("mdir", &["-i", path, "-/", "-b", "::"], b"") {
            assert!(ok && text.contains("::/EFI/BOOT/BOOTX64.EFI"), "{text}");
        }
        let out = format!("{path}.efi");
        if let Some((ok, text)) = tool("mcopy", &["-i", path, "::/EFI/BOOT/BOOTX64.EFI", &out], b"") {
            assert!(ok, "{text}");
            assert!(fs::read(&out).unwrap() == image.uki);
        }
    });
    // A file that fills its clusters exactly, and one that is a byte longer.
    for size in [512 * 200, 512 * 200 + 1] {
        let disk = disk::disk(&vec![1; size]).unwrap();
        with_file(esp(&disk), |path| {
            if let Some((ok, text)) = tool("fsck.vfat", &["-n", path.to_str().unwrap()], b"") {
                assert!(ok, "{text}");
            }
        });
    }
}

#[test]
fn the_initrd_unpacks() {
    let archive = initrd(b"#!guest", &[]).unwrap();
    let Some((ok, text)) = tool("cpio", &["--list", "--verbose", "--numeric-uid-gid"], &archive) else {
        return;
    };
    assert!(ok, "{text}");
    let modes = [
        ("-rwxr-xr-x", "init"),
        ("drwxr-xr-x", "dev"),
        ("drwxr-xr-x", "modules"),
        ("-rw-r--r--", "modules/order"),
        ("drwxrwxrwt", "tmp"),
    ];
    for (mode, path) in modes {
        let found = text
            .lines()
            .any(|l| l.starts_with(mode) && l.ends_with(&format!(" {path}")) && l.contains("1970"));
        assert!(found, "{mode} {path} in\n{text}");
    }
}

#[test]
fn cpio_says_the_same_bytes() {
    // GNU cpio, given the same tree with times and owners set to nought, writes the same archive but for inodes.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("init"), b"12345").unwrap();
    let mut tree = cpio::Tree::new();
    tree.file("init", 0o644, b"12345".to_vec()).unwrap();
    let child = Command::new("cpio")
        .args(["--create", "--format=newc", "--reproducible", "--owner=+0:+0", "--quiet"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no cpio");
        return;
    };
    child.stdin.take().unwrap().write_all(b"init\n").unwrap();
    let theirs = child.wait_with_output().unwrap().stdout.to_ascii_lowercase();
    let ours = tree.archive().to_ascii_lowercase();
    let blank = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[6..14].fill(b'_'); // inode
        bytes[46..54].fill(b'_'); // time
        bytes[62..94].fill(b'_'); // device numbers
        bytes
    };
    assert_eq!(
        String::from_utf8_lossy(&blank(&theirs[..ours.len()])),
        String::from_utf8_lossy(&blank(&ours))
    );
    assert!(theirs[ours.len()..].iter().all(|&b| b == 0));
}

#[test]
fn the_uki_is_a_pe_image_with_its_sections() {
    with_file(&synthetic_image(b"guest").uki, |path| {
        let path = path.to_str().unwrap();
        let Some((ok, text)) = tool("objdump", &["-h", "-p", path], b"") else { return };
        assert!(ok && text.contains("pei-x86-64") && text.contains("EFI application"), "{text}");
        for name in [".text", ".sbat", ".osrel", ".cmdline", ".uname", ".initrd", ".linux"] {
            assert!(text.contains(name), "{name} in\n{text}");
        }
        let out = format!("{path}.linux");
        let dump = format!(".linux={out}");
        let (ok, text) =
            tool("objcopy", &["--dump-section", &dump, path, &format!("{path}.copy")], b"").unwrap();
        assert!(ok, "{text}");
        let kernel = synthetic::kernel();
        assert!(fs::read(&out).unwrap()[..kernel.len()] == kernel);
    });
}
