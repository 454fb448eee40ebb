//! The trial guest: a 64 KiB firmware of our own, 115 bytes of it code.
//!
//! The last 64 KiB of a firmware are also visible at F000:0000, where the code below sits; the processor
//! starts at F000:FFF0 (Intel SDM volume 3, 11.1.4). Page tables at 0x1000 map the first 2 MiB onto
//! themselves; then PAE, EFER.LME and paging are turned on (SDM volume 3, 11.8.5).

/// What it says on the first serial port.
pub(super) const WORD: &str = "hallmark-trial";
/// The port that it writes [`EXIT`] to.
pub(super) const EXIT_PORT: u16 = 0xf4;
const EXIT: u8 = 0x2a;
/// What QEMU's `isa-debug-exit` makes of it.
pub(super) const EXIT_STATUS: i32 = (EXIT as i32) << 1 | 1;

const SIZE: usize = 0x1_0000;
const GDTR_AT: usize = 0x90;
const WORD_AT: usize = 0xa0;
const GDT_AT: usize = 0xc0;
const RESET_AT: usize = 0xfff0;

#[rustfmt::skip]
const CODE: &[u8] = &[
    // 16-bit, at F000:0000
    0xfa,                                           // cli
    0xfc,                                           // cld
    0x66, 0x31, 0xc0,                               // xor eax, eax
    0x8e, 0xd8,                                     // mov ds, ax
    0x8e, 0xc0,                                     // mov es, ax
    0xbf, 0x00, 0x10,                               // mov di, 0x1000
    0xb9, 0x00, 0x0c,                               // mov cx, 0xc00
    0x66, 0xf3, 0xab,                               // rep stosd                ; three empty tables
    0xc7, 0x06, 0x00, 0x10, 0x03, 0x20,             // mov word [0x1000], 0x2003 ; PML4[0]: present, writable
    0xc7, 0x06, 0x00, 0x20, 0x03, 0x30,             // mov word [0x2000], 0x3003 ; PDPT[0]
    0xc7, 0x06, 0x00, 0x30, 0x83, 0x00,             // mov word [0x3000], 0x0083 ; PD[0]: a 2 MiB page at 0
    0x2e, 0x66, 0x0f, 0x01, 0x16, 0x90, 0x00,       // lgdt [cs:0x90]
    0x0f, 0x20, 0xe0,                               // mov eax, cr4
    0x0c, 0x20,                                     // or al, 0x20              ; PAE
    0x0f, 0x22, 0xe0,                               // mov cr4, eax
    0x66, 0xb8, 0x00, 0x10, 0x00, 0x00,             // mov eax, 0x1000
    0x0f, 0x22, 0xd8,                               // mov cr3, eax
    0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0,             // mov ecx, 0xc0000080      ; EFER
    0x0f, 0x32,                                     // rdmsr
    0x80, 0xcc, 0x01,                               // or ah, 1                 ; LME
    0x0f, 0x30,                                     // wrmsr
    0x0f, 0x20, 0xc0,                               // mov eax, cr0
    0x66, 0x0d, 0x01, 0x00, 0x00, 0x80,             // or eax, 0x80000001       ; PG, PE
    0x0f, 0x22, 0xc0,                               // mov cr0, eax
    0x66, 0xea, 0x5d, 0x00, 0x0f, 0x00, 0x08, 0x00, // jmp 8:0xf005d
    // 64-bit, at 0xf005d
    0x66, 0xba, 0xf8, 0x03,                         // mov dx, 0x3f8
    0xbe, 0xa0, 0x00, 0x0f, 0x00,                   // mov esi, 0xf00a0
    0xac,                                           // next: lodsb
    0x84, 0xc0,                                     // test al, al
    0x74, 0x03,                                     // jz done
    0xee,                                           // out dx, al
    0xeb, 0xf8,                                     // jmp next
    0xb0, EXIT,                                     // done: mov al, EXIT
    0xe6, 0xf4,                                     // out 0xf4, al
    0xf4,                                           // stop: hlt
    0xeb, 0xfd,                                     // jmp stop
];

/// Limit 15, base 0xf00c0.
const GDTR: [u8; 6] = [0x0f, 0x00, 0xc0, 0x00, 0x0f, 0x00];
/// The null descriptor and a 64-bit code segment.
const GDT: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x9a, 0x20, 0];
/// jmp F000:0000
const RESET: [u8; 5] = [0xea, 0x00, 0x00, 0x00, 0xf0];

/// The firmware file. What is not written stops the processor.
pub(super) fn rom() -> Vec<u8> {
    let mut rom = vec![0xf4; SIZE];
    let word = [WORD.as_bytes(), &[0]].concat();
    let parts: [(usize, &[u8]); 5] =
        [(0, CODE), (GDTR_AT, &GDTR), (WORD_AT, &word), (GDT_AT, &GDT), (RESET_AT, &RESET)];
    for (at, part) in parts {
        for (to, from) in rom.iter_mut().skip(at).zip(part) {
            *to = *from;
        }
    }
    rom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_do_not_overlap() {
        assert!(CODE.len() <= GDTR_AT && GDTR_AT + GDTR.len() <= WORD_AT);
        assert!(WORD_AT + WORD.len() < GDT_AT && GDT_AT + GDT.len() <= RESET_AT);
        let rom = rom();
        assert_eq!(rom.len(), SIZE);
        assert!(rom[..CODE.len()] == *CODE && rom[GDT_AT..][..16] == GDT && rom[RESET_AT..][..5] == RESET);
    }
}
