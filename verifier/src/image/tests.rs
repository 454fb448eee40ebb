use serde_json::{Value, json};

use super::{Divergence, Expect, Found, Machine, diff, differing, evaluate};
use crate::event_log::tests::Log;
use crate::event_log::{Bank, BootEvent, EventLog, Kind, Measurements, Register, RegisterValue};
use crate::hex_bytes::HexBytes;
use crate::policy::Policy;
use crate::release::{Family, Release};
use crate::report::{Outcome, Report};

/// A TD's release whose registers follow from these events, and others without.
fn release(events: &[(&str, &str)], pinned: &[(&str, String)]) -> Value {
    let hash = |text: &str| Bank::Sha384.hash(&[text.as_bytes()]);
    let replay = |register: &str| {
        let of = events.iter().filter(|(name, _)| *name == register);
        of.fold(Bank::Sha384.zero(), |value, (_, text)| value.extend(hash(text).as_bytes())).to_string()
    };
    let mut values: Vec<(&str, String)> =
        vec![("mrtd", "01".repeat(48)), ("rtmr1", replay("rtmr1")), ("rtmr2", replay("rtmr2"))];
    values.extend(pinned.iter().cloned());
    let registers: serde_json::Map<_, _> =
        values.iter().map(|(name, value)| ((*name).to_owned(), json!({ "sha384": value }))).collect();
    let validated: serde_json::Map<_, _> =
        registers.keys().map(|name| (name.clone(), json!("none"))).collect();
    let event = |(register, text): &(&str, &str)| {
        json!({"register": register, "event": "EV_IPL", "what": text, "depends": [format!("uki:{text}")],
            "digests": {"sha384": hash(text).to_string()}})
    };
    json!({
        "format": "hallmark/release/1", "name": "n", "version": "1",
        "source": {"commit": "0".repeat(40), "tree": "0".repeat(40)},
        "artefacts": [], "lock_sha256": "0".repeat(64), "toolchain": "t", "builder": "b",
        "expected": [{"platform": "qemu-tdx", "profile": "p", "firmware_sha256": "0".repeat(64),
            "registers": registers, "validated": validated,
            "events": events.iter().map(event).collect::<Vec<_>>()}],
        "manifest_prehash": null, "previous": null,
    })
}

fn parse(value: &Value) -> Release {
    Release::parse(value.to_string().as_bytes()).unwrap()
}

fn log(events: &[(u32, &str)]) -> Vec<u8> {
    let start = Log::new(Kind::Ccel);
    events.iter().fold(start, |log, (index, text)| log.with(*index, 0xd, text.as_bytes(), b"?")).bytes()
}

/// What diverges, as `register position expected found`.
fn walk(must: &[(&str, &str)], is: &[(u32, &str)]) -> Vec<String> {
    let release = parse(&release(must, &[]));
    let bytes = log(is);
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    let name = |found: &Found<'_>| {
        let Found::Logged(event) = found else { panic!() };
        let text = is.iter().find(|(_, text)| event.digests.are_of(text.as_bytes()));
        text.unwrap().1.to_owned()
    };
    let show = |divergence: &Divergence<'_>| {
        assert!(!divergence.to_string().is_empty());
        let expected = divergence.expected.map_or("-", |event| &event.what);
        let found = divergence.found.as_ref().map_or("-".into(), name);
        format!("{} {} {expected} {found}", divergence.register, divergence.position)
    };
    diff(&release.expected()[0], &log, &[]).iter().map(show).collect()
}

const BOOT: &[(&str, &str)] = &[
    ("rtmr1", "gpt"),
    ("rtmr1", "uki"),
    ("rtmr2", ".linux"),
    ("rtmr2", ".cmdline"),
    ("rtmr2", ".initrd"),
    ("rtmr2", "load-options"),
];

#[test]
fn equal_boots_do_not_diverge() {
    let same = [(2, "gpt"), (3, ".linux"), (3, ".cmdline"), (2, "uki"), (3, ".initrd"), (3, "load-options")];
    assert!(walk(BOOT, &same).is_empty());
    // Registers of which the release says nothing.
    assert!(walk(BOOT, &[&same[..], &[(1, "acpi")]].concat()).is_empty());
    // But for the guest's own, which it must leave untouched then.
    assert_eq!(walk(BOOT, &[&same[..], &[(4, "workload")]].concat()), ["rtmr3 0 - workload"]);
}

#[test]
fn the_section_is_named_before_the_file_that_holds_it() {
    let is = [(2, "gpt"), (2, "uki!"), (3, ".linux"), (3, ".cmdline!"), (3, ".initrd"), (3, "load-options!")];
    assert_eq!(
        walk(BOOT, &is),
        ["rtmr2 1 .cmdline .cmdline!", "rtmr2 3 load-options load-options!", "rtmr1 1 uki uki!"]
    );
}

#[test]
fn what_is_missing_or_more_is_told_as_such() {
    let rest = [(2, "gpt"), (2, "uki")];
    let with = |more: &[(u32, &str)]| walk(BOOT, &[&rest[..], more].concat());
    let all = [(3, ".linux"), (3, ".cmdline"), (3, ".initrd"), (3, "load-options")];
    assert_eq!(with(&[all[0], all[2], all[3]]), ["rtmr2 1 .cmdline -"]);
    assert_eq!(with(&all[..3]), ["rtmr2 3 load-options -"]);
    assert_eq!(with(&[all[0], (3, "addon"), all[1], all[2], all[3]]), ["rtmr2 1 - addon"]);
    assert_eq!(with(&[&all[..], &[(3, "late")]].concat()), ["rtmr2 4 - late"]);
    // Something more and something else at once.
    assert_eq!(
        with(&[(3, "addon"), all[0], (3, "x"), all[2], all[3]]),
        ["rtmr2 0 - addon", "rtmr2 1 .cmdline x"]
    );
    assert_eq!(walk(BOOT, &[]).len(), BOOT.len());
    assert_eq!(with(&[all[0], all[0], all[1], all[2], all[3]]), ["rtmr2 1 - .linux"]);
}

#[test]
fn a_long_log_is_walked_in_time() {
    let names: Vec<String> = (0..3000).map(|index| format!("event {index}")).collect();
    let mut must: Vec<(&str, &str)> = names.iter().map(|name| ("rtmr2", &name[..])).collect();
    must.push(("rtmr1", "uki"));
    let mut is: Vec<(u32, &str)> = names.iter().rev().map(|name| (3, &name[..])).collect();
    is.push((2, "uki"));
    assert_eq!(walk_count(&must, &is), 3000);
    let other: Vec<(u32, &str)> = (0..40_000).map(|_| (3, "other")).collect();
    assert_eq!(walk_count(BOOT, &other), 40_000 + 2);
}

fn walk_count(must: &[(&str, &str)], is: &[(u32, &str)]) -> usize {
    let release = parse(&release(must, &[]));
    let bytes = log(is);
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    diff(&release.expected()[0], &log, &[]).len()
}

#[test]
fn a_register_that_must_stay_untouched_is_walked_without_events() {
    let release = parse(&release(BOOT, &[("rtmr3", "0".repeat(96))]));
    let bytes = log(&[]);
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    let own = BootEvent {
        register: Register::Rtmr(3),
        name: "boot.toml".into(),
        digests: RegisterValue { sha256: None, sha384: Some([1; 48]) },
    };
    let boot_events = [own];
    let divergences = diff(&release.expected()[0], &log, &boot_events);
    let extra = divergences.iter().find(|divergence| divergence.register == Register::Rtmr(3)).unwrap();
    assert!(matches!((extra.expected, extra.found), (None, Some(Found::Booted(_)))));
    assert_eq!(
        extra.to_string(),
        "rtmr3: \"boot.toml\" (event 1): the machine measured it, the release does not have it"
    );
}

struct Boot<'a> {
    rtmr0: [u8; 48],
    log: Option<&'a EventLog<'a>>,
}

/// The report of a machine that booted `BOOT`, held against a release, under a policy.
fn report(expect: &Expect<'_>, boot: &Boot<'_>, policy: &str) -> Report {
    let policy = Policy::parse(&format!("format = \"hallmark/policy/1\"\n[tdx]\n{policy}")).unwrap();
    let value = |register| {
        let Value::String(hex) = &release(BOOT, &[])["expected"][0]["registers"][register]["sha384"] else {
            panic!()
        };
        HexBytes::<48>::parse(hex).unwrap().0
    };
    let measurements = Measurements::of_td([1; 48], [boot.rtmr0, value("rtmr1"), value("rtmr2"), [0; 48]]);
    let machine = Machine {
        family: Family::Tdx,
        measurements: Some(&measurements),
        event_log: boot.log,
        boot_events: &[],
    };
    let mut report = Report::new();
    evaluate(expect, &machine, &policy, &mut report);
    report
}

#[test]
fn every_bank_of_every_register_must_be_equal() {
    let release = parse(&release(BOOT, &[("rtmr0", "02".repeat(48))]));
    let entry = &release.expected()[0];
    let value = |register| entry.register(register).unwrap().sha384.unwrap();
    let (rtmr1, rtmr2) = (value(Register::Rtmr(1)), value(Register::Rtmr(2)));
    let td = |mr_td, rtmr0| Measurements::of_td(mr_td, [rtmr0, rtmr1, rtmr2, [0; 48]]);
    assert!(differing(entry, &td([1; 48], [2; 48])).is_empty());
    assert_eq!(differing(entry, &td([0; 48], [2; 48])), [Register::Mrtd]);
    assert_eq!(differing(entry, &td([0; 48], [0; 48])), [Register::Mrtd, Register::Rtmr(0)]);
    // The guest's own register is untouched, or as the release has it.
    let ran = Measurements::of_td([1; 48], [[2; 48], rtmr1, rtmr2, [9; 48]]);
    assert_eq!(differing(entry, &ran), [Register::Rtmr(3)]);
    let listed = parse(&self::release(BOOT, &[("rtmr3", "09".repeat(48))]));
    let listed = &listed.expected()[0];
    assert!(differing(listed, &ran).iter().all(|register| *register != Register::Rtmr(3)));
    assert!(differing(listed, &td([1; 48], [2; 48])).contains(&Register::Rtmr(3)));
    // Registers that are not there are not equal.
    assert_eq!(differing(entry, &Measurements::default()).len(), 5);
}

#[test]
fn a_release_of_other_machines_does_not_match() {
    let bytes = release(BOOT, &[]).to_string();
    let policy = Policy::default();
    let measurements = Measurements::default();
    let machine = Machine {
        family: Family::Vtpm,
        measurements: Some(&measurements),
        event_log: None,
        boot_events: &[],
    };
    let mut report = Report::new();
    evaluate(&Expect::Release(bytes.as_bytes()), &machine, &policy, &mut report);
    assert_eq!(report.outcome("image-mismatch"), Outcome::Fail);
    assert_eq!(report.outcome("acpi-pinned"), Outcome::NotRun);
    let mut report = Report::new();
    evaluate(&Expect::AnyImage, &machine, &policy, &mut report);
    assert!(!report.has_failed() && report.outcome("image-mismatch") == Outcome::NotRun);
    evaluate(&Expect::Release(b"{"), &machine, &policy, &mut report);
    assert_eq!(report.outcome("release-format"), Outcome::Fail);
}

#[test]
fn acpi_is_pinned_by_the_policy_or_confined_by_the_release() {
    use Outcome::{Fail, NotRun, Pass};
    let hash = |bytes: &[u8]| Bank::Sha384.hash(&[bytes]);
    let pin = |texts: &[&str]| {
        let digests: Vec<_> = texts.iter().map(|text| format!("\"{}\"", hash(text.as_bytes()))).collect();
        format!("acpi = [{}]", digests.join(", "))
    };
    // TD HOB, separator, two ACPI events of which one lies about its type, a boot variable.
    let bytes = Log::new(Kind::Ccel)
        .with(1, 0x8000_000b, b"hob", b"")
        .with(1, 0x4, &[0; 4], &[0; 4])
        .with(1, 0xa, b"rsdp", b"ACPI DATA")
        .with(1, 0x8000_0002, b"tables", b"tables")
        .with(1, 0x8000_0002, b"boot", b"")
        .bytes();
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    let Some(crate::event_log::Digest::Sha384(rtmr0)) =
        log.replay(Bank::Sha384).unwrap().get(Register::Rtmr(0)).copied()
    else {
        panic!()
    };
    let boot = Boot { rtmr0, log: Some(&log) };
    let outcome = |release: &Value, boot: &Boot<'_>, policy: &str| {
        let bytes = release.to_string();
        let report = report(&Expect::Release(bytes.as_bytes()), boot, policy);
        assert_eq!(report.outcome("image-mismatch"), Pass);
        report.outcome("acpi-pinned")
    };
    let bare = release(BOOT, &[]);
    let listed = release(&[BOOT, &[("rtmr0", "hob"), ("rtmr0", "boot")]].concat(), &[]);
    let whole = release(BOOT, &[("rtmr0", hex::encode(rtmr0))]);
    for (release, policy, expected) in [
        (&bare, String::new(), NotRun),
        (&bare, pin(&["hob", "rsdp", "tables", "boot"]), Pass),
        // A TD HOB can carry tables; a boot variable that nothing explains may be one.
        (&bare, pin(&["rsdp", "tables", "boot"]), Fail),
        (&bare, pin(&["hob", "rsdp", "tables"]), Fail),
        // In order, and all of them.
        (&bare, pin(&["hob", "tables", "rsdp", "boot"]), Fail),
        (&bare, pin(&["hob", "rsdp", "tables", "boot", "more"]), Fail),
        (&listed, pin(&["rsdp", "tables"]), Pass),
        (&listed, pin(&["rsdp"]), Fail),
        (&listed, pin(&["tables"]), Fail),
        // All of RTMR0 is pinned: what is labelled ACPI is asked of the policy as well.
        (&whole, pin(&["rsdp"]), Pass),
        (&whole, pin(&["other"]), Fail),
    ] {
        assert_eq!(outcome(release, &boot, &policy), expected, "{policy}");
    }
    assert_eq!(outcome(&bare, &Boot { rtmr0, log: None }, &pin(&["rsdp"])), NotRun);
    let confined = format!("acpi_confined = [\"{}\"]", Bank::Sha256.hash(&[bare.to_string().as_bytes()]));
    assert_eq!(outcome(&bare, &Boot { rtmr0, log: None }, &confined), Pass);
    assert_eq!(outcome(&listed, &boot, &confined), NotRun);
    // No ACPI at all, where the policy asks for some.
    let none = Log::new(Kind::Ccel).with(1, 0x4, &[0; 4], &[0; 4]).bytes();
    let none = EventLog::parse(&none, Kind::Ccel).unwrap();
    assert_eq!(outcome(&bare, &Boot { rtmr0, log: Some(&none) }, &pin(&["rsdp"])), Fail);
}
