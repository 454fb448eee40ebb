//! Evidence, event log, release and binding.

use serde_json::{Value, json};

use super::{Row, tdx, vtpm};
use crate::boot::Image;
use crate::event_log::{Digests, EV_IPL, EV_PLATFORM_CONFIG_FLAGS, EV_SEPARATOR, Event, LogKind};
use crate::evidence::BootEvent;
use crate::release::{Banks, Expected};
use crate::tdx::TdxCase;
use crate::vtpm::VtpmCase;

fn field(case: &mut TdxCase, name: &str, value: Value) {
    case.evidence.extra.insert(name.into(), value);
}

pub(super) const EVIDENCE: &[Row] = &[
    tdx("evidence-format", "an unknown field", |c| field(c, "note", json!("SIMULATED"))),
    tdx("evidence-format", "empty", |c| c.evidence.raw = Some(Vec::new())),
    tdx("evidence-format", "an unknown kind", |c| field(c, "kind", json!("sgx"))),
    tdx("evidence-format", "no quote", |c| field(c, "quote", Value::Null)),
    tdx("evidence-format", "a nonce of 31 bytes", |c| c.evidence.nonce = Some(vec![0x5a; 31])),
    tdx("evidence-format", "a binding of 63 bytes", |c| c.evidence.binding = Some(vec![0; 63])),
    tdx("evidence-format", "a log that is not base64", |c| field(c, "event_log", json!("*"))),
    tdx("evidence-format", "an attestation key in a TD's evidence", |c| field(c, "ak", json!("AAAA"))),
    tdx("evidence-format", "a boot event of a register that is the firmware's", |c| {
        for event in &mut c.boot_events {
            event.register = "rtmr2".into();
        }
    }),
    tdx("evidence-format", "a TPM's boot event in a TD's evidence", |c| {
        for event in &mut c.boot_events {
            event.register = "pcr14".into();
        }
    }),
    vtpm("evidence-format", "no attestation key in a TPM's evidence", |c| {
        c.evidence.extra.insert("ak".into(), Value::Null);
    }),
    tdx("evidence-format", "another file", |c| c.evidence.raw = Some(b"SIMULATED".to_vec())),
    tdx("layer-accepted", "a policy that does not take TDX", |c| c.policy.accept_tdx = Some(false)),
    tdx("layer-accepted", "a SEV-SNP report", |c| {
        field(c, "kind", json!("snp"));
        c.boot_events.clear();
    }),
    vtpm("layer-accepted", "a policy that does not take vTPMs", |c| c.policy.accept_vtpm = Some(false)),
];

pub(super) const EVENT_LOG: &[Row] = &[
    tdx("event-log-format", "cut in the middle of an event", |c| c.log.truncate = Some(200)),
    tdx("event-log-format", "no Spec ID event", |c| c.log.spec_id = Some(vec![0; 33])),
    tdx("event-log-format", "a bank that nobody knows", |c| {
        let mut spec_id = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0".to_vec();
        spec_id.extend([0x99, 0x99, 48, 0, 0]);
        c.log.spec_id = Some(spec_id);
    }),
    tdx("event-log-format", "something after the padding", |c| c.log.padding.push(1)),
    tdx("event-log-format", "not a log", |c| c.log.raw = Some(b"SIMULATED".to_vec())),
    vtpm("event-log-format", "of a TPM, cut in the middle of an event", |c| c.log.truncate = Some(200)),
    tdx("event-log-replay", "RTMR3 was extended with something else", |c| {
        c.quote.body.rtmr = [None, None, None, Some([3; 48])];
        expected(c, |expected| {
            let rtmr3 = Banks { sha256: None, sha384: Some("03".repeat(48)) };
            expected.registers.insert("rtmr3".into(), rtmr3);
            expected.validated.insert("rtmr3".into(), "none".into());
        });
    }),
    tdx("event-log-replay", "a boot event is left out", |c| {
        booted(c);
        c.boot_events.clear();
    }),
    tdx("event-log-replay", "a boot event is told twice", |c| {
        booted(c);
        c.boot_events = [&c.boot_events[..], &c.boot_events[..]].concat();
    }),
    tdx("event-log-replay", "an event of RTMR1 stands twice", |c| {
        booted(c);
        if let Some(event) = c.log.events.iter().find(|event| event.register == 2).cloned() {
            c.log.events.push(event);
        }
    }),
    tdx("event-log-replay", "an event of RTMR2 is left out", |c| {
        booted(c);
        if let Some(at) = c.log.events.iter().position(|event| event.register == 3) {
            c.log.events.remove(at);
        }
    }),
    tdx("event-log-replay", "the events of RTMR1 in another order", |c| {
        booted(c);
        c.log.events.reverse();
        c.log.events.sort_by_key(|event| event.register != 2);
    }),
    vtpm("event-log-replay", "PCR 14 was extended with something else", |c| {
        let mut registers = c.registers();
        registers.insert(14, Digests::of(b"SIMULATED"));
        c.registers = Some(registers);
    }),
    vtpm("event-log-replay", "an event of PCR 1 is left out", |c| {
        c.registers = Some(c.registers());
        if let Some(at) = c.log.events.iter().position(|event| event.register == 1) {
            c.log.events.remove(at);
        }
    }),
    vtpm("event-log-replay", "in the SHA-256 bank alone", |c| {
        c.registers = Some(c.registers());
        for event in of_pcr1(c) {
            event.digests.sha256 = [7; 32];
        }
    }),
    vtpm("event-log-replay", "in the SHA-384 bank alone", |c| {
        c.registers = Some(c.registers());
        for event in of_pcr1(c) {
            event.digests.sha384 = [7; 48];
        }
    }),
];

/// What booted and what was released is settled: whatever the log says from now on.
fn booted(case: &mut TdxCase) {
    case.quote.body.rtmr = case.registers().map(Some);
    case.released = Some(case.log.events.clone());
    case.released_boot_events = Some(case.boot_events.clone());
}

/// What a tenant brings, and a machine extends before it runs.
fn workload(register: &str) -> BootEvent {
    let digests = Digests::of(b"SIMULATED workload");
    BootEvent { event: "SIMULATED workload".into(), digests, ..BootEvent::boot_toml(register) }
}

fn of_pcr1(case: &mut VtpmCase) -> impl Iterator<Item = &mut Event> {
    case.log.events.iter_mut().filter(|event| event.register == 1)
}

pub(super) const IMAGE: &[Row] = &[
    tdx("release-format", "another format", |c| c.release.format = "hallmark/release/2".into()),
    tdx("release-format", "an unknown field", |c| {
        c.release.extra.insert("note".into(), json!("SIMULATED"));
    }),
    tdx("release-format", "nothing expected", |c| {
        c.release.extra.insert("expected".into(), json!([]));
    }),
    tdx("release-format", "a commit of 39 digits", |c| c.release.source.commit = "0".repeat(39)),
    tdx("release-format", "a register that its events do not lead to", |c| {
        expected(c, |expected| drop(expected.events.pop()));
    }),
    tdx("release-format", "no MRTD", |c| {
        expected(c, |expected| {
            expected.registers.remove("mrtd");
            expected.validated.remove("mrtd");
        });
    }),
    tdx("release-format", "an RTMR2 that nothing is measured into", |c| {
        expected(c, |expected| {
            expected.events.retain(|event| event.register != "rtmr2");
            let zero = Banks { sha256: None, sha384: Some("0".repeat(96)) };
            expected.registers.insert("rtmr2".into(), zero);
        });
    }),
    vtpm("release-format", "a vTPM's, which takes any load options", |c| {
        let all = [&c.log.events[..], &[BootEvent::boot_toml("pcr14").event(14)]].concat();
        c.release.expected = vec![Expected::of(LogKind::Tcg2, None, &all, &[4, 9, 11, 13, 14])];
    }),
    tdx("release-format", "a value that was validated by nothing known", |c| {
        expected(c, |expected| {
            expected.validated.insert("mrtd".into(), "certainly".into());
        });
    }),
    tdx("release-format", "not JSON", |c| c.release.raw = Some(b"SIMULATED".to_vec())),
    tdx("image-mismatch", "another initrd", |c| released(c, |image| image.initrd.push('!'))),
    tdx("image-mismatch", "another command line", |c| released(c, |image| image.cmdline.push('!'))),
    tdx("image-mismatch", "another kernel", |c| released(c, |image| image.linux.push('!'))),
    tdx("image-mismatch", "another disk", |c| released(c, |image| image.gpt.push('!'))),
    tdx("image-mismatch", "another firmware", |c| c.released_mr_td = Some([9; 48])),
    vtpm("image-mismatch", "another initrd, by a vTPM", |c| released_vtpm(c, |image| image.initrd.push('!'))),
    vtpm("image-mismatch", "another command line, by a vTPM", |c| {
        released_vtpm(c, |image| image.cmdline.push('!'));
    }),
    tdx("image-mismatch", "a workload ran that the release does not list", |c| {
        c.released_boot_events = Some(c.boot_events.clone());
        c.boot_events.push(workload("rtmr3"));
    }),
    tdx("image-mismatch", "a workload ran, and the release says nothing of RTMR3", |c| {
        c.boot_events = vec![workload("rtmr3")];
        expected(c, |_| ());
    }),
    vtpm("image-mismatch", "a workload ran, by a vTPM", |c| {
        c.released_boot_events = Some(c.boot_events.clone());
        c.boot_events.push(workload("pcr14"));
    }),
    vtpm("image-mismatch", "a workload ran, and the release says nothing of PCR 14", |c| {
        c.release.expected = vec![Expected::of(LogKind::Tcg2, None, &c.log.events, &[4, 9, 11, 12, 13])];
    }),
    vtpm("image-mismatch", "load options beside the UKI", |c| {
        c.released = Some(c.log.events.clone());
        c.log.events.push(Event::new(12, EV_IPL, b"", b"init=/bin/sh", "load-options", &[]));
    }),
    tdx("acpi-pinned", "another TD HOB, under a release that does not pin RTMR0", |c| {
        without_rtmr0(c);
        c.policy.acpi = Some(unexplained(c));
        if let Some(hob) = c.log.events.first_mut() {
            hob.digests = Digests::of(b"SIMULATED TD HOB with tables");
        }
    }),
    tdx("acpi-pinned", "good tables told after the boot, none at it", |c| {
        without_rtmr0(c);
        c.policy.acpi = Some(unexplained(c));
        c.log.events.sort_by_key(|event| event.kind == EV_PLATFORM_CONFIG_FLAGS);
    }),
    tdx("acpi-pinned", "the tables in another order", |c| {
        let mut acpi = c.acpi();
        acpi.reverse();
        c.policy.acpi = Some(acpi);
    }),
    tdx("acpi-pinned", "a table of the policy's that is not there", |c| {
        let mut acpi = c.acpi();
        acpi.push([9; 48]);
        c.policy.acpi = Some(acpi);
    }),
    tdx("acpi-pinned", "other tables in the policy", |c| c.policy.acpi = Some(vec![[9; 48]])),
    tdx("acpi-pinned", "one table is not in the policy", |c| {
        let mut acpi = c.acpi();
        acpi.pop();
        c.policy.acpi = Some(acpi);
    }),
];

/// The one entry of the release, changed.
fn expected(case: &mut TdxCase, change: fn(&mut Expected)) {
    let mr_td = Some(case.quote.body.mr_td);
    let mut expected = Expected::of(LogKind::Ccel, mr_td, &case.log.events, &[1, 2, 3]);
    change(&mut expected);
    case.release.expected = vec![expected];
}

/// The release leaves RTMR0 to the policy, as ours do.
fn without_rtmr0(case: &mut TdxCase) {
    let mr_td = Some(case.quote.body.mr_td);
    let all = [&case.log.events[..], &[BootEvent::boot_toml("rtmr3").event(4)]].concat();
    case.release.expected = vec![Expected::of(LogKind::Ccel, mr_td, &all, &[2, 3, 4])];
}

/// What `tdx.acpi` has to list then: all of RTMR0 but separators.
fn unexplained(case: &TdxCase) -> Vec<[u8; 48]> {
    let counts = |event: &&Event| event.register == 1 && event.kind != EV_SEPARATOR;
    case.log.events.iter().filter(counts).map(|event| event.digests.sha384).collect()
}

/// The release is of an image that did not boot.
fn released(case: &mut TdxCase, change: fn(&mut Image)) {
    let mut image = Image::default();
    change(&mut image);
    case.released = Some(image.events(LogKind::Ccel));
}

fn released_vtpm(case: &mut VtpmCase, change: fn(&mut Image)) {
    let mut image = Image::default();
    change(&mut image);
    case.released = Some(image.events(LogKind::Tcg2));
}

pub(super) const BINDING: &[Row] = &[
    tdx("binding-mismatch", "the answer to another nonce", |c| c.answered_nonce = Some([1; 32])),
    tdx("binding-mismatch", "another file is bound", |c| {
        c.bound_file = Some(b"SIMULATED file".to_vec());
        c.answered_file = Some(b"SIMULATED other file".to_vec());
    }),
    vtpm("binding-mismatch", "the answer to another nonce, by a vTPM", |c| c.answered_nonce = Some([1; 32])),
    // It may be evidence of another domain, and is no answer to this question.
    tdx("evidence-consistent", "no nonce", |c| field(c, "nonce", Value::Null)),
    tdx("evidence-consistent", "a nonce beside the quote that is not the quote's", |c| {
        c.evidence.nonce = Some(vec![1; 32]);
    }),
    tdx("evidence-consistent", "a binding beside the quote that is not the quote's", |c| {
        c.evidence.binding = Some(vec![1; 64]);
    }),
    vtpm("evidence-consistent", "a nonce beside a TPM's quote that is not the quote's", |c| {
        c.evidence.nonce = Some(vec![1; 32]);
    }),
];
