// Sizes here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::ima::Template;
use super::{
    Bank, BootEvent, Digest, EventLog, EventLogError, EventType, Kind, Measurements, Register, RegisterValue,
};

/// A file of the vectors; None, aloud, where they are not there.
pub(crate) fn vector(path: &str) -> Option<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("HALLMARK_VECTORS").map_or(beside, Into::into);
    if !folder.is_dir() {
        println!("skipped: no vectors");
        return None;
    }
    Some(std::fs::read(folder.join(path)).expect(path))
}

const EVENTLOGS: &str = "by-source/google+go-eventlog/testdata/eventlogs/ccel";

/// A log made by hand, so that every field can be wrong.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) kind: Kind,
    pub(crate) events: Vec<(u32, u32, Vec<u8>, Vec<u8>)>,
}

impl Log {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, events: Vec::new() }
    }

    /// An event whose digests are of `measured`.
    pub(crate) fn with(mut self, index: u32, event_type: u32, measured: &[u8], data: &[u8]) -> Self {
        self.events.push((index, event_type, measured.into(), data.into()));
        self
    }

    fn banks(&self) -> &'static [Bank] {
        match self.kind {
            Kind::Ccel => &[Bank::Sha384],
            Kind::Tcg2 => &[Bank::Sha256, Bank::Sha384],
        }
    }

    fn spec_id(&self) -> Vec<u8> {
        let mut data = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
        data.extend((self.banks().len() as u32).to_le_bytes());
        for bank in self.banks() {
            data.extend(bank.algorithm().to_le_bytes());
            data.extend((bank.size() as u16).to_le_bytes());
        }
        data.push(0);
        let mut log = [0_u32, 3].map(u32::to_le_bytes).concat();
        log.extend([0; 20]);
        log.extend((data.len() as u32).to_le_bytes());
        log.extend(data);
        log
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut log = self.spec_id();
        for (index, event_type, measured, data) in &self.events {
            let count = self.banks().len() as u32;
            log.extend([*index, *event_type, count].map(u32::to_le_bytes).concat());
            for bank in self.banks() {
                log.extend(bank.algorithm().to_le_bytes());
                log.extend(bank.hash(&[measured]).as_bytes());
            }
            log.extend((data.len() as u32).to_le_bytes());
            log.extend(data);
        }
        log
    }
}

fn tcg2() -> Log {
    Log::new(Kind::Tcg2)
        .with(0, 3, b"", b"StartupLocality\0\x03")
        .with(0, 8, b"1\0", b"1\0")
        .with(11, 0xd, b".linux\0", b".\0l\0i\0n\0u\0x\0\0\0")
        .with(11, 0xd, b"the kernel", b".\0l\0i\0n\0u\0x\0\0\0")
}

fn ccel() -> Log {
    Log::new(Kind::Ccel).with(1, 4, &[0; 4], &[0; 4]).with(3, 0xd, b"linux /k", b"grub_cmd: linux /k\0")
}

#[test]
fn the_cos_log_explains_its_quote_and_its_copy_does_not() {
    let Some(quote) = vector("by-source/google+go-tdx-guest/testing/testdata/ccel/cos-113-tdx-quote.dat")
    else {
        return;
    };
    // TD quote body: after 48 bytes of header; RTMR0 at 0x148.
    let rtmrs: Vec<_> = quote[48 + 0x148..48 + 0x208].chunks(48).collect();
    let registers = |path: &str| {
        let bytes = vector(path).unwrap();
        let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
        assert_eq!(log.events().len(), 43, "{path}");
        let replay = log.replay(Bank::Sha384).unwrap();
        replay.iter().map(|(_, value)| value.as_bytes().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(registers(&format!("{EVENTLOGS}/cos-113-intel-tdx.bin")), rtmrs);
    assert_eq!(registers("by-source/google+go-tdx-guest/testing/testdata/ccel/ccel_data.dat"), rtmrs);
    for copy in ["", "-unpadded"] {
        let other = registers(&format!("{EVENTLOGS}/cos-113-intel-tdx-dupe-separator{copy}.bin"));
        assert_ne!(other, rtmrs);
        // The separator that was moved from RTMR1 to RTMR0 changes these two alone.
        assert_eq!(other[2..], rtmrs[2..]);
    }
}

#[test]
fn real_logs_replay_to_what_others_found() {
    // The first 8 bytes of each register, from the vectors' INDEX.tsv.
    type Case<'a> = (&'a str, Kind, usize, &'a [(Register, &'a str)]);
    let cases: [Case<'_>; 4] = [
        (
            "by-source/confidential-containers+trustee/deps/verifier/test_data/CCEL_data",
            Kind::Ccel,
            5,
            &[(Register::Rtmr(0), "2dc712306a963ead"), (Register::Rtmr(1), "0fa3be56af61208b")],
        ),
        (
            "by-source/confidential-containers+trustee/deps/verifier/test_data/CCEL_data_ovmf",
            Kind::Ccel,
            20,
            &[
                (Register::Rtmr(0), "8566f998798db094"),
                (Register::Rtmr(1), "775b9f6bfe99f8a3"),
                (Register::Rtmr(2), "94eaf7a7bf398ed8"),
            ],
        ),
        (
            "by-source/google+go-eventlog/testdata/eventlogs/ccel/CCEL_unpadded.data.bin",
            Kind::Ccel,
            19,
            &[
                (Register::Rtmr(0), "8083cd6898cc52a9"),
                (Register::Rtmr(1), "6484f0d72c03521c"),
                (Register::Rtmr(2), "c3e7ed9d7e909b29"),
            ],
        ),
        (
            "by-source/google+go-tpm-tools/internal/test/eventlogs/ubuntu-2404-amd-sevsnp.bin",
            Kind::Tcg2,
            116,
            &[
                (Register::Pcr(0), "99df1a2dd3bb13ae"),
                (Register::Pcr(4), "49eedb642cab80ea"),
                (Register::Pcr(8), "34bf8e6139061cdf"),
                (Register::Pcr(9), "6c1ed7e6ebcad3ed"),
                (Register::Pcr(14), "937437d072980100"),
                (Register::Pcr(15), "0000000000000000"),
            ],
        ),
    ];
    for (path, kind, events, registers) in cases {
        let Some(bytes) = vector(path) else { return };
        let log = EventLog::parse(&bytes, kind).unwrap();
        assert_eq!(log.events().len(), events, "{path}");
        let replay = log.replay(Bank::Sha384).unwrap();
        for (register, start) in registers {
            assert!(replay.get(*register).unwrap().to_string().starts_with(start), "{path} {register}");
        }
    }
}

#[test]
fn booted_machines_logs_replay_to_their_pcrs_in_both_banks() {
    for boot in ["disk257", "disk252", "dk61", "dk72", "dkuki"] {
        let Some(bytes) = vector(&format!("measurement/qemu-boots/{boot}.log.bin")) else { return };
        let pcrs =
            String::from_utf8(vector(&format!("measurement/qemu-boots/{boot}.pcrs.tsv")).unwrap()).unwrap();
        let log = EventLog::parse(&bytes, Kind::Tcg2).unwrap();
        assert_eq!(log.banks(), [Bank::Sha256, Bank::Sha384]);
        let bank = |bank| log.replay(bank).unwrap();
        // The kernels of these boots are Debian's: IMA has measured its boot aggregate.
        let replays = Template::Sig.measured(&bank(Bank::Sha256), [bank(Bank::Sha256), bank(Bank::Sha384)]);
        let mut compared = 0;
        for line in pcrs.lines() {
            let [bank, pcr, value] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let replay = replays.iter().find(|replay| replay.bank().to_string() == bank).unwrap();
            let register = Register::Pcr(pcr.parse().unwrap());
            // Linux 6.1 had no SHA-384 when IMA started, and extended a padded SHA-1 in that bank.
            if ["disk252", "dk61"].contains(&boot)
                && (register, replay.bank()) == (Register::Pcr(10), Bank::Sha384)
            {
                continue;
            }
            if let Some(replayed) = replay.get(register) {
                assert_eq!(replayed.to_string(), value.to_lowercase(), "{boot} {} {register}", replay.bank());
                compared += 1;
            }
        }
        assert!(compared >= 31, "{boot}");
    }
}

#[test]
fn a_table_is_no_log() {
    let Some(bytes) = vector(&format!("{EVENTLOGS}/CCEL.bin")) else { return };
    assert!(matches!(EventLog::parse(&bytes, Kind::Ccel), Err(EventLogError::SpecId { offset: 0, .. })));
    let Some(bytes) = vector("measurement/qemu-boots/dk61.log.bin") else { return };
    assert!(matches!(
        EventLog::parse(&bytes, Kind::Ccel),
        Err(EventLogError::CcelAlgorithm { count: 2, .. })
    ));
}

#[test]
fn text_is_authenticated_by_its_own_hash_alone() {
    let bytes = tcg2().bytes();
    let log = EventLog::parse(&bytes, Kind::Tcg2).unwrap();
    let texts: Vec<_> = log.events().iter().map(super::Event::authenticated_text).collect();
    // An event that extends nothing, a version, the name of a section, the section.
    assert_eq!(texts[0], None);
    assert_eq!(texts[1].as_deref(), Some(&b"1\0"[..]));
    assert_eq!(texts[2].as_deref(), Some(&b".linux\0"[..]));
    assert_eq!(texts[3], None);

    let bytes = ccel().bytes();
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    assert_eq!(log.events()[0].authenticated_text().as_deref(), Some(&[0; 4][..]));
    assert_eq!(log.events()[1].authenticated_text().as_deref(), Some(&b"linux /k"[..]));

    // A boot variable: its value is hashed; one whose lengths do not agree is not.
    let variable = |length: u64| {
        let mut data = vec![7; 16];
        data.extend(4_u64.to_le_bytes());
        data.extend(length.to_le_bytes());
        data.extend(b"B\0o\0o\0t\0value");
        data
    };
    for (length, proven) in [(5, Some(&b"value"[..])), (6, None), (u64::MAX, None)] {
        let bytes = Log::new(Kind::Ccel).with(1, 0x8000_0002, b"value", &variable(length)).bytes();
        let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
        assert_eq!(log.events()[0].authenticated_text().as_deref(), proven);
    }
}

#[test]
fn in_a_real_log_commands_are_proven_and_files_are_not() {
    let Some(bytes) = vector(&format!("{EVENTLOGS}/cos-113-intel-tdx.bin")) else { return };
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    let text = |start: &[u8]| {
        let event = log.events().iter().find(|event| event.data.starts_with(start)).unwrap();
        event.authenticated_text().map(|text| String::from_utf8_lossy(&text).into_owned())
    };
    assert_eq!(text(b"Exit Boot Services Invocation").as_deref(), Some("Exit Boot Services Invocation"));
    assert_eq!(text(b"grub_cmd: set timeout=0").as_deref(), Some("set timeout=0"));
    assert!(text(b"kernel_cmdline: ").unwrap().starts_with("/syslinux/vmlinuz.A init="));
    // The names of files and tables: what was hashed is their content.
    for name in ["/syslinux/vmlinuz.A", "/efi/boot/grub.cfg", "MokList\0", "ACPI DATA", "\tTdxTable"] {
        assert_eq!(text(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn acpi_events_are_found_whatever_they_are_called() {
    let Some(mut bytes) = vector(&format!("{EVENTLOGS}/cos-113-intel-tdx.bin")) else { return };
    let find = |bytes: &[u8], known: &[[u8; 48]]| {
        let log = EventLog::parse(bytes, Kind::Ccel).unwrap();
        let events = log.acpi_events(|digest| known.contains(digest));
        events.iter().map(|event| (event.offset, event.digest)).collect::<Vec<_>>()
    };
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    let digests: Vec<_> =
        log.extends(Register::Rtmr(0)).map(|event| *event.digests.sha384().unwrap()).collect();
    let acpi: Vec<_> = log
        .events()
        .iter()
        .filter(|event| event.event_type == EventType::PLATFORM_CONFIG_FLAGS)
        .map(|event| (event.offset, *event.digests.sha384().unwrap()))
        .collect();
    assert_eq!(acpi.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [8647, 8722, 8797]);
    // Everything explained but ACPI; then all explained: the label still counts.
    let others: Vec<_> =
        digests.iter().filter(|digest| !acpi.iter().any(|(_, acpi)| acpi == *digest)).copied().collect();
    assert_eq!(find(&bytes, &others), acpi);
    assert_eq!(find(&bytes, &digests), acpi);
    // Nothing explained: all but the separator counts, TD HOB and CFV before it as well.
    let separator = Bank::Sha384.hash(&[&[0; 4]]);
    let separators = digests.iter().filter(|digest| digest[..] == *separator.as_bytes()).count();
    assert_eq!(separators, 1);
    assert_eq!(find(&bytes, &[]).len(), digests.len() - separators);
    // AML that rewrites the label of its own table changes nothing.
    let table = acpi[2].0;
    bytes[table + 4..table + 8].copy_from_slice(&EventType::EFI_VARIABLE_BOOT.0.to_le_bytes());
    assert_eq!(find(&bytes, &others), acpi);
}

#[test]
fn a_startup_locality_is_what_pcr_0_starts_from() {
    let first = |log: &Log, bank: Bank| {
        let bytes = log.bytes();
        let log = EventLog::parse(&bytes, Kind::Tcg2).unwrap();
        *log.replay(bank).unwrap().get(Register::Pcr(0)).unwrap()
    };
    for locality in [0, 3, 4] {
        let data = [&b"StartupLocality\0"[..], &[locality]].concat();
        let log = Log::new(Kind::Tcg2).with(0, 3, b"", &data).with(0, 4, &[0; 4], &[0; 4]);
        let mut start = [0; 48];
        start[47] = locality;
        let expected = Bank::Sha384.hash(&[&start, Bank::Sha384.hash(&[&[0; 4]]).as_bytes()]);
        assert_eq!(first(&log, Bank::Sha384), expected);
    }
    let fault = |log: Log| match EventLog::parse(&log.bytes(), Kind::Tcg2) {
        Err(EventLogError::StartupLocality { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let told = |log: Log, data: &[u8]| log.with(0, 3, b"", &[b"StartupLocality\0", data].concat());
    let new = || Log::new(Kind::Tcg2);
    assert_eq!(fault(told(new(), &[1])), "none of 0, 3 and 4");
    assert_eq!(fault(told(new(), &[])), "not one byte long");
    assert_eq!(fault(told(told(new(), &[3]), &[3])), "told twice");
    assert_eq!(fault(told(new().with(0, 8, b"1", b"1"), &[3])), "told after PCR 0 was extended");
}

#[test]
fn boot_events_come_after_the_log() {
    let bytes = ccel().bytes();
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    let event = |sha384| BootEvent {
        register: Register::Rtmr(3),
        name: "boot.toml".into(),
        digests: RegisterValue { sha256: None, sha384 },
    };
    let events = [event(Some([1; 48])), event(Some([2; 48]))];
    let replay = log.replay_with(Bank::Sha384, &events).unwrap();
    let expected = Digest::Sha384([0; 48]).extend(&[1; 48]).extend(&[2; 48]);
    assert_eq!(replay.get(Register::Rtmr(3)), Some(&expected));
    assert_eq!(replay.get(Register::Rtmr(0)), log.replay(Bank::Sha384).unwrap().get(Register::Rtmr(0)));
    assert_eq!(log.replay_with(Bank::Sha384, &[event(None)]), None);
    assert_eq!(log.replay(Bank::Sha256), None);
    let measurements = Measurements::of_replays([&replay]);
    assert_eq!(measurements.get(Register::Rtmr(3)).unwrap().get(Bank::Sha384), Some(expected));
    assert_eq!(measurements.iter().count(), 4);
}

#[test]
fn padding_is_all_zero_or_all_ff_and_a_tds_alone() {
    let bytes = ccel().bytes();
    for (filler, length) in [(0x00, 1), (0x00, 11), (0x00, 5000), (0xff, 3), (0xff, 5000)] {
        let padded = [&bytes[..], &vec![filler; length]].concat();
        let log = EventLog::parse(&padded, Kind::Ccel).unwrap();
        assert_eq!((log.padding(), log.events().len()), (length, 2));
        let mut spoilt = padded.clone();
        *spoilt.last_mut().unwrap() ^= 1;
        assert!(EventLog::parse(&spoilt, Kind::Ccel).is_err(), "{filler} {length}");
        assert!(EventLog::parse(&[&tcg2().bytes()[..], &vec![filler; length]].concat(), Kind::Tcg2).is_err());
    }
    let behind = [&bytes[..], &[0; 64], &bytes[65..]].concat();
    assert!(matches!(EventLog::parse(&behind, Kind::Ccel), Err(EventLogError::Trailing { .. })));
}

#[test]
fn what_is_not_declared_or_not_a_register_is_refused() {
    let parse = |bytes: &[u8], kind| EventLog::parse(bytes, kind).map(|log| log.events().len());
    // Registers.
    for (kind, index, event_type) in [
        (Kind::Tcg2, 24, 4),
        (Kind::Tcg2, u32::MAX, 3),
        (Kind::Ccel, 0, 4),
        (Kind::Ccel, 5, 4),
        (Kind::Ccel, 256, 4),
    ] {
        let bytes = Log::new(kind).with(index, event_type, b"", b"").bytes();
        let error = parse(&bytes, kind).unwrap_err();
        assert!(matches!(error, EventLogError::RegisterIndex { index: i, .. } if i == index), "{error}");
    }
    assert_eq!(parse(&Log::new(Kind::Ccel).with(0, 3, b"", b"").bytes(), Kind::Ccel), Ok(1));
    // The Spec ID event of a Tcg2 log: signature at 32, version at 53, count at 56, algorithms at 60, size at 28.
    let good = tcg2().bytes();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        parse(&bytes, Kind::Tcg2).unwrap_err()
    };
    assert!(matches!(with(0, 1), EventLogError::SpecId { field: "pcrIndex", .. }));
    assert!(matches!(with(4, 4), EventLogError::SpecId { field: "eventType", .. }));
    assert!(matches!(with(8, 4), EventLogError::SpecId { field: "digest", .. }));
    assert!(matches!(with(46, b'2'), EventLogError::SpecId { field: "signature", .. }));
    assert!(matches!(with(53, 1), EventLogError::SpecId { field: "specVersionMajor", .. }));
    assert!(matches!(with(28, 1), EventLogError::SpecIdLength { .. }));
    assert!(matches!(with(56, 0), EventLogError::AlgorithmCount { count: 0, .. }));
    assert!(matches!(with(59, 0xff), EventLogError::AlgorithmCount { .. }));
    assert!(matches!(with(60, 0x12), EventLogError::Algorithm { offset: 60, id: 0x12 }));
    assert!(matches!(with(62, 31), EventLogError::AlgorithmSize { size: 31, .. }));
    assert!(matches!(with(60, 0x0c), EventLogError::AlgorithmSize { bank: Bank::Sha384, .. }));
    // The first event at 69: count at 77, first algorithm at 81.
    assert!(matches!(with(77, 1), EventLogError::DigestCount { offset: 69, count: 1, declared: 2 }));
    assert!(matches!(with(81, 0x04), EventLogError::Undeclared { offset: 81, bank: Bank::Sha1 }));
    assert!(matches!(with(81, 0x13), EventLogError::Algorithm { offset: 81, id: 0x13 }));
    // A size that runs past the end is no allocation.
    assert!(matches!(with(81 + 34 + 50 + 3, 0xff), EventLogError::Truncated { field: "event", .. }));
}

#[test]
fn a_sha1_digest_alone_proves_no_text() {
    // A log of SHA-1 alone, as old firmware keeps it.
    let mut log = [0_u32, 3].map(u32::to_le_bytes).concat();
    log.extend([0; 20]);
    log.extend(33_u32.to_le_bytes());
    log.extend(b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x04\0\x14\0\0");
    log.extend([0_u32, 8, 1].map(u32::to_le_bytes).concat());
    log.extend([4, 0]);
    log.extend(Bank::Sha1.hash(&[b"text"]).as_bytes());
    log.extend([4, 0, 0, 0]);
    log.extend(b"text");
    let log = EventLog::parse(&log, Kind::Tcg2).unwrap();
    assert_eq!(log.banks(), [Bank::Sha1]);
    assert_eq!(log.events()[0].authenticated_text(), None);
    assert!(log.replay(Bank::Sha1).is_some() && log.replay(Bank::Sha256).is_none());
}

#[test]
fn every_cut_and_every_flipped_byte_is_an_answer() {
    for (log, kind) in [(tcg2(), Kind::Tcg2), (ccel(), Kind::Ccel)] {
        let bytes = log.bytes();
        let whole = EventLog::parse(&bytes, kind).unwrap();
        let ends: BTreeMap<usize, usize> =
            whole.events().iter().enumerate().map(|(count, event)| (event.offset, count)).collect();
        for length in 0..bytes.len() {
            // A cut between two events is a shorter log; any other is an error.
            let cut = EventLog::parse(&bytes[..length], kind).map(|log| log.events().len());
            assert_eq!(cut.ok(), ends.get(&length).copied(), "{length}");
        }
        for at in 0..bytes.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= bit;
                if let Ok(log) = EventLog::parse(&flipped, kind) {
                    log.events().iter().for_each(|event| drop(event.authenticated_text()));
                    assert!(log.replay(Bank::Sha384).is_some());
                }
            }
        }
    }
}

#[test]
fn a_long_log_takes_linear_time() {
    // Events without data, as many as fit; a reader that looked back at each would not end in time.
    let mut log = Log::new(Kind::Ccel);
    log.events = vec![(1, 4, vec![0; 4], Vec::new()); 40_000];
    let bytes = log.bytes();
    let log = EventLog::parse(&bytes, Kind::Ccel).unwrap();
    assert_eq!(log.events().len(), 40_000);
    assert!(log.acpi_events(|_| false).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_do_not_panic(tail in proptest::collection::vec(any::<u8>(), 0..400), keep in 0_usize..200) {
        for (log, kind) in [(tcg2(), Kind::Tcg2), (ccel(), Kind::Ccel)] {
            let mut bytes = log.bytes();
            bytes.truncate(keep);
            bytes.extend(&tail);
            let _ = EventLog::parse(&bytes, kind);
        }
    }

    #[test]
    fn a_replay_is_the_fold_of_its_events(events in proptest::collection::vec((0_u32..16, any::<[u8; 4]>()), 0..20)) {
        let mut log = Log::new(Kind::Tcg2);
        let mut expected = BTreeMap::new();
        for (index, data) in &events {
            log = log.with(*index, 0x5, data, data);
            let value = expected.entry(*index).or_insert(Bank::Sha256.zero());
            *value = value.extend(Bank::Sha256.hash(&[data]).as_bytes());
        }
        let bytes = log.bytes();
        let log = EventLog::parse(&bytes, Kind::Tcg2).unwrap();
        for (register, value) in log.replay(Bank::Sha256).unwrap().iter() {
            let Register::Pcr(index) = register else { unreachable!() };
            prop_assert_eq!(*value, expected.get(&u32::from(index)).copied().unwrap_or(Bank::Sha256.zero()));
        }
    }
}
