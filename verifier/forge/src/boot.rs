//! The boot that the default cases tell of: firmware, a UKI from an ESP, systemd-stub, Linux.
//!
//! The events are in the order and of the types that real logs have; what they measure is text that
//! says SIMULATED.

use crate::event_log::{
    EV_EFI_ACTION, EV_EFI_BOOT_SERVICES_APPLICATION, EV_EFI_GPT_EVENT, EV_EFI_HANDOFF_TABLES2,
    EV_EFI_PLATFORM_FIRMWARE_BLOB, EV_EFI_PLATFORM_FIRMWARE_BLOB2, EV_EFI_VARIABLE_BOOT,
    EV_EFI_VARIABLE_DRIVER_CONFIG, EV_EVENT_TAG, EV_IPL, EV_PLATFORM_CONFIG_FLAGS, EV_S_CRTM_VERSION,
    EV_SEPARATOR, Event, LogKind,
};

const SEPARATOR: [u8; 4] = [0; 4];
/// EFI_GLOBAL_VARIABLE, 8be4df61-93ca-11d2-aa0d-00e098032b8c, as stored.
const GLOBAL_VARIABLE: [u8; 16] =
    [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c];

/// What is booted: change one and the events that measure it change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `.linux`.
    pub linux: String,
    /// `.osrel`.
    pub osrel: String,
    /// `.cmdline`.
    pub cmdline: String,
    /// `.initrd`.
    pub initrd: String,
    /// `.sbat`.
    pub sbat: String,
    /// The partition table.
    pub gpt: String,
    /// The ACPI tables that the host hands in: loader, RSDP, tables.
    pub acpi: [String; 3],
}

impl Default for Image {
    fn default() -> Self {
        let simulated = |what: &str| format!("SIMULATED {what}");
        Self {
            linux: simulated("kernel"),
            osrel: "ID=simulated".into(),
            cmdline: "console=ttyS0 simulated".into(),
            initrd: simulated("initrd"),
            sbat: "sbat,1,SIMULATED".into(),
            gpt: simulated("disk"),
            acpi: ["loader", "rsdp", "tables"].map(|what| simulated(&format!("ACPI {what}"))),
        }
    }
}

impl Image {
    /// The events of booting it.
    #[must_use]
    pub fn events(&self, kind: LogKind) -> Vec<Event> {
        match kind {
            LogKind::Ccel => self.td(),
            LogKind::Tcg2 => self.tpm(),
        }
    }

    /// PCR 1 and 7 are RTMR0, 2 to 6 RTMR1, 8 to 15 RTMR2; the index in the log is one more.
    fn td(&self) -> Vec<Event> {
        let mut events = vec![
            Event::new(
                1,
                EV_EFI_HANDOFF_TABLES2,
                b"\x09TdxTable\0",
                b"SIMULATED TD HOB",
                "td-hob",
                &["vm:memory"],
            ),
            Event::new(1, EV_EFI_PLATFORM_FIRMWARE_BLOB2, b"\x03CFV", b"SIMULATED CFV", "cfv", &["firmware"]),
            secure_boot(1),
            separator(1),
        ];
        events.extend(self.acpi_tables(1));
        events.push(boot_order(1));
        events.extend(self.loader(2, 2, Some(2)));
        events.extend(self.stub(3, 2, 3));
        events.extend(exit_boot_services(2));
        events
    }

    fn tpm(&self) -> Vec<Event> {
        let version: Vec<u8> = "SIMULATED\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut events = vec![
            Event::new(0, EV_S_CRTM_VERSION, &version, &version, "crtm-version", &["firmware"]),
            Event::new(
                0,
                EV_EFI_PLATFORM_FIRMWARE_BLOB,
                &[0; 16],
                b"SIMULATED firmware",
                "firmware-volume",
                &["firmware"],
            ),
            secure_boot(7),
            separator(7),
        ];
        events.extend(self.acpi_tables(1));
        events.push(boot_order(1));
        events.push(calling(4));
        events.extend((0..=6).map(separator));
        events.extend(self.loader(4, 5, None));
        events.extend(self.stub(11, 4, 9));
        events.extend(exit_boot_services(5));
        events
    }

    fn acpi_tables(&self, register: u32) -> Vec<Event> {
        let names = ["acpi-loader", "acpi-rsdp", "acpi-tables"];
        let table = |(what, bytes): (&str, &String)| {
            Event::new(register, EV_PLATFORM_CONFIG_FLAGS, b"ACPI DATA", bytes.as_bytes(), what, &["vm:acpi"])
        };
        names.into_iter().zip(&self.acpi).map(table).collect()
    }

    /// From the boot option to the UKI. On a TD all of it lands in one register.
    fn loader(&self, application: u32, gpt: u32, ready_to_boot: Option<u32>) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(register) = ready_to_boot {
            events.extend([calling(register), separator(register)]);
        }
        events.push(Event::new(
            gpt,
            EV_EFI_GPT_EVENT,
            self.gpt.as_bytes(),
            self.gpt.as_bytes(),
            "gpt",
            &["disk:gpt"],
        ));
        let sections =
            [&self.linux, &self.osrel, &self.cmdline, &self.initrd, &self.sbat].map(String::as_str);
        events.push(loaded(application, sections.join("\0").as_bytes(), "uki", &["uki"]));
        events
    }

    /// Name, then data, of every section; then the kernel is started and measures what it was given.
    fn stub(&self, sections: u32, application: u32, kernel: u32) -> Vec<Event> {
        let mut events = Vec::new();
        for (name, data) in [
            (".linux", &self.linux),
            (".osrel", &self.osrel),
            (".cmdline", &self.cmdline),
            (".initrd", &self.initrd),
            (".sbat", &self.sbat),
        ] {
            let text: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            let depends = format!("uki:{name}");
            let named = [name.as_bytes(), b"\0"].concat();
            events.push(Event::new(sections, EV_IPL, &text, &named, &format!("{name} name"), &[]));
            events.push(Event::new(sections, EV_IPL, &text, data.as_bytes(), name, &[&depends]));
        }
        events.push(loaded(application, self.linux.as_bytes(), ".linux", &["uki:.linux"]));
        let options: Vec<u8> = self.cmdline.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let tag = |id: [u8; 4], text: &[u8]| {
            let length = u32::try_from(text.len()).unwrap_or(0);
            [&id[..], &length.to_le_bytes(), text].concat()
        };
        events.push(Event::new(
            kernel,
            EV_EVENT_TAG,
            &tag([0xed, 0x22, 0x3b, 0x8f], b"LOADED_IMAGE::LoadOptions\0"),
            &options,
            "load-options",
            &["uki:.cmdline"],
        ));
        events.push(Event::new(
            kernel,
            EV_EVENT_TAG,
            &tag([0xec, 0x22, 0x3b, 0x8f], b"Linux initrd\0"),
            self.initrd.as_bytes(),
            "linux-initrd",
            &["uki:.initrd"],
        ));
        events
    }
}

fn separator(register: u32) -> Event {
    Event::new(register, EV_SEPARATOR, &SEPARATOR, &SEPARATOR, "separator", &[])
}

fn action(register: u32, text: &str, what: &str) -> Event {
    Event::new(register, EV_EFI_ACTION, text.as_bytes(), text.as_bytes(), what, &[])
}

fn calling(register: u32) -> Event {
    action(register, "Calling EFI Application from Boot Option", "boot-option")
}

fn exit_boot_services(register: u32) -> [Event; 2] {
    [
        action(register, "Exit Boot Services Invocation", "exit-boot-services"),
        action(register, "Exit Boot Services Returned with Success", "exit-boot-services-done"),
    ]
}

/// UEFI_VARIABLE_DATA (PFP, 10.2.6): the variable SecureBoot, empty. All of it is hashed.
fn secure_boot(register: u32) -> Event {
    let data = variable("SecureBoot", &[]);
    Event::new(register, EV_EFI_VARIABLE_DRIVER_CONFIG, &data, &data, "SecureBoot", &["firmware"])
}

/// Of a boot variable the value alone is hashed.
fn boot_order(register: u32) -> Event {
    let data = variable("BootOrder", &[0, 0]);
    Event::new(register, EV_EFI_VARIABLE_BOOT, &data, &[0, 0], "BootOrder", &["vm:boot"])
}

fn variable(name: &str, value: &[u8]) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let length = |n: usize| u64::try_from(n).unwrap_or(0).to_le_bytes();
    let name: Vec<u8> = units.iter().copied().flat_map(u16::to_le_bytes).collect();
    [&GLOBAL_VARIABLE[..], &length(units.len()), &length(value.len()), &name, value].concat()
}

/// UEFI_IMAGE_LOAD_EVENT (PFP, 10.2.3) with an empty device path.
fn loaded(register: u32, image: &[u8], what: &str, depends: &[&str]) -> Event {
    const END_OF_DEVICE_PATH: [u8; 4] = [0x7f, 0xff, 4, 0];
    let mut data = [0_u64, 0, 0, 4].map(u64::to_le_bytes).concat();
    data.extend(END_OF_DEVICE_PATH);
    Event::new(register, EV_EFI_BOOT_SERVICES_APPLICATION, &data, image, what, depends)
}
