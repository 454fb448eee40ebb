//! A reader of TCG event logs, enough to compare predictions with.

use std::collections::BTreeMap;

use hallmark_measurement::{Digests, Event, Log, Register};

#[derive(Clone, Debug)]
pub(crate) struct Logged {
    /// PCR, or RTMR + 1 in a CCEL.
    pub(crate) index: u32,
    pub(crate) kind: u32,
    pub(crate) digests: Digests,
    pub(crate) data: Vec<u8>,
}

/// Events after the header, EV_NO_ACTION left out.
pub(crate) fn read(log: &[u8]) -> Vec<Logged> {
    let word = |at: usize| log.get(at..at + 4).map(|b| u32::from_le_bytes(b.try_into().unwrap()));
    let mut at = 32 + word(28).unwrap() as usize;
    let mut events = Vec::new();
    while let (Some(index), Some(kind), Some(count)) = (word(at), word(at + 4), word(at + 8)) {
        // A CCEL is padded with ones or zeros.
        if kind == u32::MAX || count == 0 {
            break;
        }
        at += 12;
        let mut digests = Digests::UNKNOWN;
        for _ in 0..count {
            let algorithm = u16::from_le_bytes(log[at..at + 2].try_into().unwrap());
            at += 2;
            match algorithm {
                4 => at += 20,
                0xb => {
                    digests.sha256 = Some(log[at..at + 32].try_into().unwrap());
                    at += 32;
                }
                0xc => {
                    digests.sha384 = Some(log[at..at + 48].try_into().unwrap());
                    at += 48;
                }
                0xd => at += 64,
                other => panic!("algorithm {other:#x}"),
            }
        }
        let size = word(at).unwrap() as usize;
        at += 4;
        if kind != 3 {
            events.push(Logged { index, kind, digests, data: log[at..at + size].to_vec() });
        }
        at += size;
    }
    events
}

/// The log on the console of a captured boot.
pub(crate) fn read_console(console: &[u8]) -> Vec<Logged> {
    let text = String::from_utf8_lossy(console);
    let encoded = text.rsplit_once("=LOG").unwrap().1.split("=END").next().unwrap();
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0);
    for byte in encoded.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff).try_into().unwrap());
        }
    }
    read(&bytes)
}

/// PCR values printed on the console of a captured boot: `=PCR sha384`, then lines `0 HEX`.
pub(crate) fn console_pcrs(console: &[u8]) -> BTreeMap<(String, u8), String> {
    let mut pcrs = BTreeMap::new();
    let mut bank = None;
    for line in String::from_utf8_lossy(console).lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("=PCR ") {
            bank = Some(name.to_owned());
        } else if line.starts_with('=') {
            bank = None;
        } else if let (Some(bank), Some((number, value))) = (&bank, line.split_once(' ')) {
            pcrs.insert((bank.clone(), number.parse().unwrap()), value.to_lowercase());
        }
    }
    pcrs
}

/// Compares the events of one register, and says which is the first that differs.
pub(crate) fn assert_same<'a>(
    register: Register,
    predicted: impl Iterator<Item = &'a Event>,
    logged: &[&Logged],
) {
    let predicted: Vec<_> = predicted.collect();
    for (number, (mine, real)) in predicted.iter().zip(logged).enumerate() {
        let text = String::from_utf8_lossy(&real.data[..real.data.len().min(60)]);
        let at = format!(
            "{register} event {number}: predicted {} {}, logged {:#x} {text:?}",
            mine.kind, mine.what, real.kind
        );
        assert_eq!(mine.kind.value(), real.kind, "{at}");
        assert_eq!(mine.digests, real.digests, "{at}");
    }
    assert_eq!(predicted.len(), logged.len(), "{register}: number of events");
}

/// Compares a TPM prediction with a log, PCR by PCR, and the registers that both give.
pub(crate) fn assert_same_tpm(predicted: &Log, logged: &[Logged]) {
    for &register in predicted.covered() {
        let Register::Pcr(pcr) = register else { panic!("{register} in a TPM's log") };
        let of: Vec<_> = logged.iter().filter(|event| event.index == u32::from(pcr.get())).collect();
        assert_same(register, predicted.of(register), &of);
    }
}
