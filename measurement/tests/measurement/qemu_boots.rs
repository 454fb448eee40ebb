//! Boots that were captured: every event predicted from the inputs, held against the machine's own log and PCRs.

use hallmark_measurement::boot_option::BootOption;
use hallmark_measurement::uki::Uki;
use hallmark_measurement::{
    DirectBoot, Edk2, Kernel, Log, PcrIndex, Prediction, Profile, Register, Stub, Vmm, predict_direct,
    predict_disk, predict_uki,
};

use crate::images::{self, ESP_TYPE, FatKind, section_header};
use crate::logs::{Logged, assert_same_tpm, console_pcrs, read, read_console};
use crate::vectors::{BOOTS, kernel_72, packaged, stub_257, vector};

const GIB: u64 = 1 << 30;
/// QEMU 7.2, OVMF 2025.02, stub 257, kernel 7.2.12.
const QEMU7: Profile =
    Profile { edk2: Edk2::V2025_02, vmm: Vmm::Qemu7, stub: Stub::V257, kernel: Kernel::V7_2 };

fn captured(name: &str) -> Option<Vec<u8>> {
    vector(&format!("{BOOTS}/{name}"))
}

fn pcr(index: u8) -> Register {
    Register::Pcr(PcrIndex::new(index).unwrap())
}

/// Registers as the guest printed them.
fn assert_same_pcrs(predicted: &Log, console: &[u8], but: &[u8]) {
    let printed = console_pcrs(console);
    for (register, value) in predicted.registers() {
        let Register::Pcr(index) = register else { panic!("{register}") };
        if but.contains(&index.get()) {
            continue;
        }
        let [sha256, sha384] =
            ["sha256", "sha384"].map(|bank| printed[&(bank.to_owned(), index.get())].clone());
        assert_eq!(value.sha256.map(hex::encode), Some(sha256), "{register}");
        assert_eq!(value.sha384.map(hex::encode), Some(sha384), "{register}");
    }
}

/// The image of the captured boots was linked with a date in it, so its own hash is the one event that its inputs do not give.
fn replace_uki(predicted: &Prediction, logged: &[Logged]) -> Log {
    let real = logged.iter().find(|event| event.kind == 0x8000_0003).unwrap();
    let mut events = predicted.vtpm.events().to_vec();
    for event in &mut events {
        if event.what == "uki" {
            event.digests = real.digests;
        }
    }
    Log::new(predicted.vtpm.covered(), events)
}

fn uki(stub: &[u8], kernel: &[u8]) -> Option<Vec<u8>> {
    let (osrel, cmdline, initrd) = (captured("osrel")?, captured("cmdline")?, captured("initrd.gz")?);
    let sections: [(&str, &[u8]); 4] =
        [(".osrel", &osrel), (".cmdline", &cmdline), (".initrd", &initrd), (".linux", kernel)];
    Some(images::with_sections(stub, &sections))
}

/// The captured partition table, and a volume of our own in its partition.
fn disk(uki: &[u8]) -> Option<Vec<u8>> {
    let mut disk = captured("gpt-first-1MiB.bin")?;
    let volume = images::fat(FatKind::Fat16, &[("/EFI/BOOT/BOOTX64.EFI", uki)], false);
    disk.extend(volume);
    disk.resize(64 << 20, 0);
    Some(disk)
}

fn disk_boot(name: &str, stub: &[u8], kernel: &[u8], profile: &Profile) -> Option<()> {
    let log = read(&captured(&format!("{name}.log.bin"))?);
    let disk = disk(&uki(stub, kernel)?)?;
    let predicted = predict_disk(&disk, profile).unwrap();
    let predicted = replace_uki(&predicted, &log);
    assert_same_tpm(&predicted, &log);
    assert_same_pcrs(&predicted, &captured(&format!("{name}.out"))?, &[]);
    Some(())
}

#[test]
fn disk257_every_event_and_every_register() {
    let (Some(stub), Some(kernel)) = (stub_257(), kernel_72()) else { return };
    let _ = disk_boot("disk257", &stub, &kernel, &QEMU7);
}

#[test]
fn disk252_every_event_and_every_register() {
    let (Some(stub), Some(kernel)) = (
        packaged("systemd-boot-efi_252", "usr/lib/systemd/boot/efi/linuxx64.efi.stub"),
        packaged("linux-image-6.1.0-56-cloud-amd64_", "boot/vmlinuz-6.1.0-56-cloud-amd64"),
    ) else {
        return;
    };
    let profile = Profile { edk2: Edk2::V2022_11, vmm: Vmm::Qemu7, stub: Stub::V252, kernel: Kernel::V6_1 };
    let _ = disk_boot("disk252", &stub, &kernel, &profile);
}

#[test]
fn dkuki_every_event_and_every_register() {
    let (Some(stub), Some(kernel), Some(log)) = (stub_257(), kernel_72(), captured("dkuki.log.bin")) else {
        return;
    };
    let Some(image) = uki(&stub, &kernel) else { return };
    let log = read(&log);
    let predicted = replace_uki(&predict_uki(&image, &QEMU7).unwrap(), &log);
    assert_same_tpm(&predicted, &log);
    assert_same_pcrs(&predicted, &captured("dkuki.out").unwrap(), &[]);
}

fn direct(kernel: &[u8], console: &[u8], profile: &Profile) {
    let Some(initrd) = captured("initrd.gz") else { return };
    let direct =
        DirectBoot { kernel, initrd: Some(&initrd), cmdline: "console=ttyS0 panic=-1 lab.id=2", memory: GIB };
    let predicted = predict_direct(&direct, profile).unwrap();
    assert_same_tpm(&predicted.vtpm, &read_console(console));
    assert_same_pcrs(&predicted.vtpm, console, &[]);
}

/// QEMU 7.2 writes into the kernel's setup header.
#[test]
fn dk72_every_event_and_every_register() {
    let (Some(kernel), Some(console)) = (kernel_72(), captured("dk72.out")) else { return };
    direct(&kernel, &console, &QEMU7);
}

fn kernel_61() -> Option<Vec<u8>> {
    packaged("linux-image-6.1.0-56-cloud-amd64_", "boot/vmlinuz-6.1.0-56-cloud-amd64")
}

#[test]
fn dk61_every_event_and_every_register() {
    let (Some(kernel), Some(console)) = (kernel_61(), captured("dk61.out")) else { return };
    direct(&kernel, &console, &Profile { kernel: Kernel::V6_1, ..QEMU7 });
}

/// QEMU 10 does not, and edk2 2026.08 turns the command line around.
#[test]
fn q10_every_event_and_every_register() {
    let Some(kernel) = kernel_61() else { return };
    for (name, edk2) in [("q10_2502.out", Edk2::V2025_02), ("q10_2608.out", Edk2::V2026_08)] {
        let Some(console) = captured(name) else { return };
        direct(&kernel, &console, &Profile { edk2, vmm: Vmm::Qemu, stub: Stub::V257, kernel: Kernel::V6_1 });
    }
}

/// Without the 6.1 kernel: all but its own hash, which is then taken from the log.
#[test]
fn direct_boots_but_for_the_kernel() {
    let Some(initrd) = captured("initrd.gz") else { return };
    let boots = [
        ("dk61.out", Edk2::V2025_02, Vmm::Qemu7),
        ("q10_2502.out", Edk2::V2025_02, Vmm::Qemu),
        ("q10_2608.out", Edk2::V2026_08, Vmm::Qemu),
    ];
    for (name, edk2, vmm) in boots {
        let profile = Profile { edk2, vmm, stub: Stub::V257, kernel: Kernel::V6_1 };
        let kernel = images::kernel();
        let direct = DirectBoot {
            kernel: &kernel,
            initrd: Some(&initrd),
            cmdline: "console=ttyS0 panic=-1 lab.id=2",
            memory: GIB,
        };
        let predicted = predict_direct(&direct, &profile).unwrap().vtpm;
        let Some(console) = captured(name) else { return };
        let log = read_console(&console);
        for register in [2, 3, 5, 6, 7, 8, 9, 11, 12, 13].map(pcr) {
            let Register::Pcr(index) = register else { panic!() };
            let of: Vec<_> = log.iter().filter(|event| event.index == u32::from(index.get())).collect();
            crate::logs::assert_same(register, predicted.of(register), &of);
        }
        assert_same_pcrs(&predicted, &console, &[4]);
    }
}

/// The boot options of a captured disk boot, and of edk2 2026.08.
#[test]
fn boot_options_are_as_logged() {
    let (Some(disk), Some(new)) = (captured("disk257.log.bin"), captured("q10_2608.out")) else { return };
    let options = |log: Vec<Logged>| -> Vec<Vec<u8>> {
        let boot = log.into_iter().filter(|event| event.kind == 0x8000_0002);
        // Vendor, two lengths, the name "Boot####", then the value.
        boot.skip(1).map(|event| event.data[32 + 16..].to_vec()).collect()
    };
    assert_eq!(
        options(read(&disk)),
        [BootOption::ui_app(), BootOption::virtio_disk(1, 0), BootOption::internal_shell()]
            .map(|o| o.bytes().to_vec())
    );
    assert_eq!(
        options(read_console(&new)),
        [BootOption::boot_manager_menu(), BootOption::firmware_setup()].map(|o| o.bytes().to_vec())
    );
}

/// What the same image measures in a TD, as far as a TPM boot can show it: the digests are the same, in the registers that
/// stand for the PCRs.
#[test]
fn a_td_measures_the_same_digests() {
    let (Some(stub), Some(kernel), Some(log)) = (stub_257(), kernel_72(), captured("disk257.log.bin")) else {
        return;
    };
    let Some(disk) = uki(&stub, &kernel).and_then(|uki| disk(&uki)) else { return };
    let predicted = predict_disk(&disk, &Profile::HALLMARK).unwrap();
    let log = read(&log);
    let rtmr2: Vec<_> = log
        .iter()
        .filter(|event| (8..=15).contains(&event.index))
        .map(|event| event.digests.sha384)
        .collect();
    let mine: Vec<_> = predicted.tdx.of(Register::Rtmr2).map(|event| event.digests.sha384).collect();
    assert_eq!(mine, rtmr2);
    let what: Vec<_> = predicted.tdx.of(Register::Rtmr1).map(|event| event.what.as_ref()).collect();
    assert_eq!(
        what,
        [
            "calling-efi-application",
            "separator",
            "gpt",
            "uki",
            "linux-authenticode",
            "exit-boot-services-invocation",
            "exit-boot-services-returned-with-success"
        ]
    );
}

#[test]
fn the_kernel_inside_is_found() {
    let (Some(stub), Some(kernel)) = (stub_257(), kernel_72()) else { return };
    let Some(image) = uki(&stub, &kernel) else { return };
    assert_eq!(Uki::parse(&image).unwrap().linux(), kernel);
}

/// An image made to be odd: memory larger than the file's data, a command line to be trimmed, microcode, a key, bytes after the
/// last section, a file in pieces on its volume.
fn odd_disk() -> Option<Vec<u8>> {
    let (stub, kernel) = (stub_257()?, kernel_72()?);
    let mut initrd = captured("initrd.gz")?;
    initrd.extend([0; 3]);
    // An empty archive.
    let mut ucode = b"070701".to_vec();
    for field in 0..13 {
        ucode.extend(match field {
            4 => b"00000001",
            11 => b"0000000B",
            _ => b"00000000",
        });
    }
    ucode.extend(b"TRAILER!!!\0\0\0\0\0\0");
    let sections: [(&str, &[u8]); 7] = [
        (".osrel", b"ID=lab\nVERSION_ID=12\n"),
        (".cmdline", b" \tconsole=ttyS0\tpanic=-1  lab.id=9 \n\0junk"),
        (".initrd", &initrd),
        (".ucode", &ucode),
        (".uname", b"7.2.12"),
        (".pcrpkey", b"a key"),
        (".linux", &kernel),
    ];
    let mut image = images::with_sections(&stub, &sections);
    for (name, size) in [(".osrel", 700u32), (".uname", 7)] {
        let at = section_header(&image, name);
        image[at + 8..at + 12].copy_from_slice(&size.to_le_bytes());
    }
    image.extend(b"trailing data");
    let volume = images::fat(FatKind::Fat16, &[("/EFI/BOOT/BOOTX64.EFI", &image)], true);
    Some(images::gpt(&[(ESP_TYPE, &volume)]))
}

/// That disk was booted once (QEMU 7.2, OVMF 2025.02, swtpm); this is the log of it, in which every event is predicted, the
/// image's own hash with them. A change of this test's builders changes the image, and asks for a new boot.
#[test]
fn odd_image_every_event() {
    let Some(disk) = odd_disk() else { return };
    let predicted = predict_disk(&disk, &QEMU7).unwrap();
    assert_same_tpm(&predicted.vtpm, &read(include_bytes!("odd-image.log.bin")));
}
