//! A guest for tests: a 64 KiB firmware that says a text on the serial port, waits for the power button
//! and powers off, in 85 bytes of real mode. A real QEMU runs it in well under a second.

#[rustfmt::skip]
const CODE: &[u8] = &[
    0xfa,                                     // cli
    0x31, 0xc0, 0x8e, 0xd0,                   // xor ax, ax; mov ss, ax
    // ICH9 LPC bridge (0:1f.0): PMBASE (0x40) = 0x600, ACPI_CNTL (0x44) = ACPI_EN
    0xba, 0xf8, 0x0c,                         // mov dx, 0xcf8
    0x66, 0xb8, 0x40, 0xf8, 0x00, 0x80,       // mov eax, 0x8000f840
    0x66, 0xef,                               // out dx, eax
    0xba, 0xfc, 0x0c,                         // mov dx, 0xcfc
    0x66, 0xb8, 0x01, 0x06, 0x00, 0x00,       // mov eax, 0x601
    0x66, 0xef,                               // out dx, eax
    0xba, 0xf8, 0x0c,                         // mov dx, 0xcf8
    0x66, 0xb8, 0x44, 0xf8, 0x00, 0x80,       // mov eax, 0x8000f844
    0x66, 0xef,                               // out dx, eax
    0xba, 0xfc, 0x0c,                         // mov dx, 0xcfc
    0xb0, 0x80, 0xee,                         // mov al, 0x80; out dx, al
    // PM1_EN: PWRBTN_EN (ACPI 4.8.3.1.2)
    0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef, // mov dx, 0x602; mov ax, 0x100; out dx, ax
    // the text at F000:0100
    0xbe, 0x00, 0x01,                         // mov si, 0x100
    0xba, 0xf8, 0x03,                         // mov dx, 0x3f8
    0x2e, 0xac,                               // next: lodsb cs:[si]
    0x84, 0xc0, 0x74, 0x03,                   // test al, al; jz wait
    0xee, 0xeb, 0xf7,                         // out dx, al; jmp next
    // PM1_STS: PWRBTN_STS
    0xba, 0x00, 0x06,                         // wait: mov dx, 0x600
    0xed, 0xf6, 0xc4, 0x01, 0x74, 0xfa,       // again: in ax, dx; test ah, 1; jz again
    // PM1_CNT: SLP_EN, SLP_TYP 0 (q35's S5)
    0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, // mov dx, 0x604; mov ax, 0x2000; out dx, ax
    0xf4, 0xeb, 0xfd,                         // stop: hlt; jmp stop
];

/// The guest, with what it says.
pub(crate) fn saying(text: &str) -> Vec<u8> {
    let mut rom = vec![0xf4; 0x1_0000];
    rom[..CODE.len()].copy_from_slice(CODE);
    assert!(text.len() < 0x1000);
    rom[0x100..][..text.len()].copy_from_slice(text.as_bytes());
    rom[0x100 + text.len()] = 0;
    rom[0xfff0..0xfff5].copy_from_slice(&[0xea, 0x00, 0x00, 0x00, 0xf0]);
    rom
}

/// The same that ignores the power button: it stops where the other begins to wait.
pub(crate) fn deaf(text: &str) -> Vec<u8> {
    let mut rom = saying(text);
    let wait = 0x42;
    assert_eq!(rom[wait..wait + 3], [0xba, 0x00, 0x06]);
    rom[wait..wait + 3].copy_from_slice(&[0xf4, 0xeb, 0xfd]);
    rom
}

/// The same that resets (port 0xcf9) instead of waiting.
pub(crate) fn resetting(text: &str) -> Vec<u8> {
    let mut rom = saying(text);
    // mov dx, 0xcf9; mov al, 6; out dx, al; hlt
    rom[0x42..0x49].copy_from_slice(&[0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4]);
    rom
}
