//! How far a start has come, and how long each part took.

use std::fmt;
use std::time::{Duration, Instant};

/// The parts of a start, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Finding out whether KVM can run a guest here.
    Accelerator,
    /// Making and starting the TPM.
    Tpm,
    /// From QEMU's start to the firmware's handing over to the disk.
    Firmware,
    /// Boot stub and kernel, up to the guest's first word.
    Kernel,
    /// The guest program, up to its being ready.
    Guest,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accelerator => "accelerator",
            Self::Tpm => "tpm",
            Self::Firmware => "firmware",
            Self::Kernel => "kernel",
            Self::Guest => "guest",
        })
    }
}

/// Something to tell whoever waits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A stage has begun.
    Started(Stage),
    /// A stage is over.
    Finished {
        /// Which.
        stage: Stage,
        /// How long it took.
        took: Duration,
        /// What came of it, in a few words.
        detail: String,
    },
    /// The guest program said this on the console (without `hallmark: `).
    Said(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(stage) => write!(f, "{stage} ..."),
            Self::Finished { stage, took, detail } => {
                write!(f, "{stage:<12}{:>7.2} s  {detail}", took.as_secs_f64())
            }
            Self::Said(line) => write!(f, "guest: {line}"),
        }
    }
}

/// What a console line says about the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark<'a> {
    /// The firmware hands over (edk2's `BdsDxe`, or the boot stub's own first word).
    Loading(&'a str),
    /// The firmware found nothing to start.
    NotBootable(&'a str),
    /// The guest program speaks.
    Said(&'a str),
    /// The guest program is ready; what it says about itself.
    Ready(&'a str),
    /// The kernel or the guest program gave up.
    Panicked(&'a str),
}

impl<'a> Mark<'a> {
    /// What a guest's lines begin with. The kernel may have printed before it on the same line.
    const GUEST: &'static str = "hallmark: ";

    /// Reads a line; most lines say nothing.
    #[must_use]
    pub fn of(line: &'a str) -> Option<Self> {
        if line.contains("Kernel panic - not syncing") {
            return Some(Self::Panicked(line));
        }
        if let Some((_, said)) = line.split_once(Self::GUEST) {
            return Some(match said.trim_end() {
                "ready" => Self::Ready(""),
                said if said.starts_with("panic") => Self::Panicked(said),
                said => {
                    said.strip_prefix("ready:").map_or(Self::Said(said), |detail| Self::Ready(detail.trim()))
                }
            });
        }
        let starting = line.strip_prefix("BdsDxe: starting ");
        // What edk2 falls back to when the disk has nothing for it: its own shell, where it has one.
        let shell = starting.is_some_and(|what| what.contains("\"EFI Internal Shell\""));
        if shell || line.starts_with("BdsDxe: No bootable option") {
            return Some(Self::NotBootable(line));
        }
        (starting.is_some() || line.starts_with("EFI stub: ")).then_some(Self::Loading(line))
    }
}

/// Times the stages that a console tells of: one runs until a later one begins.
#[derive(Debug)]
pub(crate) struct StageClock {
    stage: Stage,
    since: Instant,
}

impl StageClock {
    pub(crate) fn start(stage: Stage, tell: &mut dyn FnMut(&Event)) -> Self {
        tell(&Event::Started(stage));
        Self { stage, since: Instant::now() }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Ends the running stage and begins `next`, unless that one has begun already.
    pub(crate) fn advance(&mut self, next: Stage, detail: &str, tell: &mut dyn FnMut(&Event)) {
        if next > self.stage {
            self.finish(detail, tell);
            *self = Self::start(next, tell);
        }
    }

    /// Ends the running stage.
    pub(crate) fn finish(&self, detail: &str, tell: &mut dyn FnMut(&Event)) {
        tell(&Event::Finished { stage: self.stage, took: self.since.elapsed(), detail: detail.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        let starting = r#"BdsDxe: starting Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x1,0x0)"#;
        assert_eq!(Mark::of(starting), Some(Mark::Loading(starting)));
        assert_eq!(Mark::of(r#"BdsDxe: loading Boot0001 "UEFI Misc Device""#), None);
        assert!(matches!(Mark::of("EFI stub: Measured initrd data into PCR 9"), Some(Mark::Loading(_))));
        let none = "BdsDxe: No bootable option or device was found.";
        assert_eq!(Mark::of(none), Some(Mark::NotBootable(none)));
        let shell = r#"BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)"#;
        assert_eq!(Mark::of(shell), Some(Mark::NotBootable(shell)));
        assert_eq!(Mark::of("hallmark: stage: dhcp 1.2"), Some(Mark::Said("stage: dhcp 1.2")));
        assert_eq!(Mark::of("[    1.5] hallmark: stage: dhcp"), Some(Mark::Said("stage: dhcp")));
        assert_eq!(
            Mark::of("hallmark: ready: http 8080 ip 10.0.2.15"),
            Some(Mark::Ready("http 8080 ip 10.0.2.15"))
        );
        assert_eq!(Mark::of("hallmark: ready"), Some(Mark::Ready("")));
        assert_eq!(Mark::of("hallmark: readying"), Some(Mark::Said("readying")));
        assert!(matches!(Mark::of("hallmark: panic: at src/main.rs"), Some(Mark::Panicked(_))));
        assert!(matches!(
            Mark::of("[ 2.0] Kernel panic - not syncing: No working init"),
            Some(Mark::Panicked(_))
        ));
        assert_eq!(Mark::of("[    0.0] Linux version 7.2"), None);
    }

    #[test]
    fn a_stage_that_the_console_skips_is_not_told_of() {
        let mut events = Vec::new();
        let mut tell = |event: &Event| events.push(event.clone());
        let mut clock = StageClock::start(Stage::Firmware, &mut tell);
        clock.advance(Stage::Guest, "", &mut tell);
        clock.advance(Stage::Kernel, "", &mut tell);
        assert_eq!(clock.stage(), Stage::Guest);
        clock.finish("ready", &mut tell);
        let shown: Vec<_> = events.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 4, "{shown:?}");
        assert!(shown[3].starts_with("guest") && shown[3].ends_with("ready"), "{shown:?}");
    }
}
