//! The whole boot: from the firmware's call of the boot option to the kernel's exit of boot services.

use crate::Digests;
use crate::authenticode::{AuthenticodeError, patched_digests};
use crate::esp::{EspError, locate_uki};
use crate::field::utf16_nul;
use crate::linux_boot::{LinuxBootError, PATCH_AT, patched_header};
use crate::log::{Event, EventType, Log};
use crate::pe::Pe;
use crate::profile::{Edk2, Profile, Stub};
use crate::register::{PcrIndex, Register};
use crate::secure_boot::SecureBoot;
use crate::uki::{Uki, UkiError};

/// What one boot measures, on either kind of machine.
///
/// Both logs come from one pass over the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// With a TPM: PCRs 2 to 9 and 11 to 13. PCR 7 is that of a machine whose variable store is empty, as OVMF's is at first.
    pub vtpm: Log,
    /// In a TD: RTMR1 and RTMR2. RTMR0 and MRTD come from the firmware ([`crate::predict_rtmr0`], [`mrtd()`](crate::mrtd())).
    pub tdx: Log,
}

/// Why a boot cannot be predicted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] EspError),
    /// The image.
    #[error(transparent)]
    Uki(#[from] UkiError),
    /// A kernel that is no EFI image.
    #[error("kernel: {0}")]
    Kernel(#[from] AuthenticodeError),
    /// A kernel that QEMU would not boot this way.
    #[error(transparent)]
    LinuxBoot(#[from] LinuxBootError),
    /// A UKI where a kernel was expected.
    #[error("this kernel is a unified kernel image: use predict_uki, which knows what its stub measures")]
    UkiAsKernel,
    /// A command line that the firmware would convert in its own way.
    #[error("command line byte {offset} is {byte:#04x}: only printable ASCII is the same everywhere")]
    Cmdline {
        /// Where.
        offset: usize,
        /// The byte.
        byte: u8,
    },
}

/// A kernel that the VMM is given directly.
#[derive(Clone, Copy, Debug)]
pub struct DirectBoot<'a> {
    /// `-kernel`: a Linux bzImage with EFI stub.
    pub kernel: &'a [u8],
    /// `-initrd`.
    pub initrd: Option<&'a [u8]>,
    /// `-append`.
    pub cmdline: &'a str,
    /// The machine's memory in bytes: where QEMU patches the kernel, the initrd's address in it depends on this.
    pub memory: u64,
}

/// The boot of a raw disk image: firmware, then the UKI on its EFI system partition, then Linux.
///
/// # Errors
/// When the disk holds no UKI that firmware would boot, or one whose measurement is not known here.
pub fn predict_disk(disk: &[u8], profile: &Profile) -> Result<Prediction, PredictError> {
    let located = locate_uki(disk)?;
    let uki = Uki::parse(&located.bytes)?;
    let mut boot = Recorder::new(profile);
    boot.ready_to_boot();
    boot.record(
        Event::of(boot.pcr(5), EventType::EfiGptEvent, "gpt", located.gpt_event).depending("disk:gpt"),
    );
    boot.record(boot.application("uki", uki.authenticode()?).depending("uki"));
    boot.stub(&uki)?;
    boot.exit_boot_services();
    Ok(boot.prediction)
}

/// The boot of a UKI that the VMM is given as its kernel, without command line or initrd beside it.
///
/// # Errors
/// When the image is not a UKI whose measurement is known here.
pub fn predict_uki(image: &[u8], profile: &Profile) -> Result<Prediction, PredictError> {
    let uki = Uki::parse(image)?;
    let mut boot = Recorder::new(profile);
    boot.record(boot.application("uki", uki.authenticode()?).depending("uki"));
    boot.ready_to_boot();
    boot.stub(&uki)?;
    boot.exit_boot_services();
    Ok(boot.prediction)
}

/// The boot of a kernel that the VMM is given.
///
/// # Errors
/// When the kernel is no EFI image, or the command line is no plain text.
pub fn predict_direct(direct: &DirectBoot<'_>, profile: &Profile) -> Result<Prediction, PredictError> {
    let DirectBoot { kernel, initrd, cmdline, memory } = *direct;
    if let Some((offset, &byte)) =
        cmdline.as_bytes().iter().enumerate().find(|(_, byte)| !(b' '..=b'~').contains(byte))
    {
        return Err(PredictError::Cmdline { offset, byte });
    }
    let pe = Pe::parse(kernel).map_err(AuthenticodeError::from)?;
    if pe.section(".linux").is_some() {
        return Err(PredictError::UkiAsKernel);
    }
    let mut boot = Recorder::new(profile);
    let size = initrd.map(|initrd| initrd.len() as u64);
    let header = if profile.patches_kernel() { patched_header(kernel, size, memory)? } else { None };
    let image = boot
        .application("kernel", patched_digests(&pe, PATCH_AT, header.as_ref().map_or(&[], |header| header))?);
    let image = image.depending("kernel");
    boot.record(match header {
        Some(_) => image.depending("vm:memory").depending("initrd:size"),
        None => image,
    });
    boot.ready_to_boot();
    let options = match (initrd, profile.edk2 >= Edk2::V2026_08) {
        (None, _) => cmdline.to_owned(),
        (Some(_), false) => format!("{cmdline} initrd=initrd"),
        (Some(_), true) => format!("initrd=initrd {cmdline}"),
    };
    if !options.is_empty() {
        boot.load_options(utf16_nul(&options), "cmdline");
    }
    if let Some(initrd) = initrd {
        boot.initrd(Digests::of(initrd), &["initrd"]);
    }
    boot.exit_boot_services();
    Ok(boot.prediction)
}

/// PCRs that a prediction speaks of. 8, 12 and 13 are there because nothing may be in them.
const PCRS: [u8; 11] = [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13];

/// Writes both logs at once.
struct Recorder<'p> {
    profile: &'p Profile,
    prediction: Prediction,
}

impl<'p> Recorder<'p> {
    fn new(profile: &'p Profile) -> Self {
        let pcrs = PCRS.map(|pcr| Register::Pcr(PcrIndex::known(pcr)));
        let mut vtpm = Log::covering(&pcrs);
        for event in
            SecureBoot::unenrolled(profile.edk2).events(Register::Pcr(PcrIndex::known(7)), "firmware")
        {
            vtpm.push(event);
        }
        let tdx = Log::covering(&[Register::Rtmr1, Register::Rtmr2]);
        Self { profile, prediction: Prediction { vtpm, tdx } }
    }

    fn pcr(&self, index: u8) -> Register {
        Register::Pcr(PcrIndex::known(index))
    }

    /// An EFI application that the firmware loads.
    fn application(&self, what: &'static str, digests: Digests) -> Event {
        Event::new(self.pcr(4), EventType::EfiBootServicesApplication, what, digests)
    }

    /// Into the TPM, and into the TDX register that stands for its PCR.
    fn record(&mut self, event: Event) {
        if let Register::Pcr(pcr) = event.register
            && let Some(register) = pcr.tdx()
        {
            let digests = event.digests.sha384_only();
            self.prediction.tdx.push(Event { register, digests, ..event.clone() });
        }
        self.prediction.vtpm.push(event);
    }

    fn record_if(&mut self, tdx: bool, event: Event) {
        if tdx { self.record(event) } else { self.prediction.vtpm.push(event) }
    }

    fn action(&mut self, pcr: u8, what: &'static str, text: &str) {
        self.record(Event::of(self.pcr(pcr), EventType::EfiAction, what, text.as_bytes().to_vec()));
    }

    /// Boot manager: the option is called, the firmware's phase ends in every register.
    fn ready_to_boot(&mut self) {
        self.action(4, "calling-efi-application", "Calling EFI Application from Boot Option");
        for pcr in 2..=6 {
            self.prediction.vtpm.push(Event::separator(self.pcr(pcr)));
        }
        if self.profile.edk2.separates_rtmr1() {
            let mut separator = Event::separator(Register::Rtmr1);
            separator.digests = separator.digests.sha384_only();
            self.prediction.tdx.push(separator);
        }
    }

    /// systemd-stub: its sections, then the kernel inside, with what the kernel measures of its options and initrd.
    fn stub(&mut self, uki: &Uki<'_>) -> Result<(), UkiError> {
        let stub = self.profile.stub;
        let tdx = stub == Stub::V257;
        for (name, section) in uki.measured(stub) {
            let mut text = name.as_bytes().to_vec();
            text.push(0);
            self.record_if(tdx, Event::of(self.pcr(11), EventType::Ipl, name, text));
            let contents = Event::new(self.pcr(11), EventType::Ipl, name, Uki::section_digests(section));
            self.record_if(tdx, contents.depending(format!("uki:{name}")));
        }
        self.record(
            self.application("linux-authenticode", uki.linux_authenticode()?).depending("uki:.linux"),
        );
        if let Some(options) = uki.load_options(stub)? {
            self.load_options(options, "uki:.cmdline");
        }
        if let Some(digests) = uki.initrd_digests(stub) {
            let inputs: &[&str] = if tdx { &["uki:.initrd", "uki:.osrel"] } else { &["uki:.initrd"] };
            self.initrd(digests, inputs);
        }
        Ok(())
    }

    fn load_options(&mut self, options: Vec<u8>, input: &str) {
        let event = Event::of(self.pcr(9), EventType::EventTag, "load-options", options).depending(input);
        self.record_if(self.profile.kernel.measures_tdx(), event);
    }

    fn initrd(&mut self, digests: Digests, inputs: &[&str]) {
        let mut event = Event::new(self.pcr(9), EventType::EventTag, "linux-initrd", digests);
        for &input in inputs {
            event = event.depending(input);
        }
        self.record_if(self.profile.kernel.measures_tdx(), event);
    }

    fn exit_boot_services(&mut self) {
        self.action(5, "exit-boot-services-invocation", "Exit Boot Services Invocation");
        self.action(
            5,
            "exit-boot-services-returned-with-success",
            "Exit Boot Services Returned with Success",
        );
    }
}
