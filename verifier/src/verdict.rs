//! What came out: one word, why, and everything that was found on the way (SPECIFICATION, section 4).

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::event_log::{Measurements, RegisterValue};
use crate::hex_bytes::HexBytes;
use crate::report::{Line, Report};
use crate::tcb::Tcb;

/// The word of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// Everything asked held, image and binding included.
    Accepted,
    /// What was asked held; the image or the binding was not asked, or ACPI is not pinned.
    Authentic,
    /// It held, under a test root that the policy names.
    Simulated,
    /// A check failed.
    Refused,
    /// An input is missing or unreadable.
    Undecided,
}

impl Word {
    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Authentic => "authentic",
            Self::Simulated => "simulated",
            Self::Refused => "refused",
            Self::Undecided => "undecided",
        }
    }

    /// The exit code of a program that ends with it: 0 yes, 1 no, 2 could not tell.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Accepted | Self::Authentic | Self::Simulated => 0,
            Self::Refused => 1,
            Self::Undecided => 2,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A verdict. Only [`verify()`](crate::verify()) and [`verify_known`](crate::verify_known) make one.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub(crate) word: Word,
    pub(crate) historical: bool,
    pub(crate) trust: Vec<&'static str>,
    pub(crate) tcb: Option<Tcb>,
    pub(crate) platform: Option<[u8; 32]>,
    pub(crate) measurements: Measurements,
    pub(crate) report_data: Option<Vec<u8>>,
    pub(crate) report: Report,
}

impl Verdict {
    /// The word.
    #[must_use]
    pub const fn word(&self) -> Word {
        self.word
    }

    /// The slug of the first failed check in the table's order, if the word is `refused`.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.report.first_failure().map(|line| line.slug)
    }

    /// Whether it is about another instant than the present.
    #[must_use]
    pub const fn historical(&self) -> bool {
        self.historical
    }

    /// Who must be trusted beside the hardware's maker: `host` for a vTPM, `simulated-root` for test evidence.
    #[must_use]
    pub fn trust(&self) -> &[&'static str] {
        &self.trust
    }

    /// Where a TDX platform stands; `None` where that is not proven.
    #[must_use]
    pub const fn tcb(&self) -> Option<&Tcb> {
        self.tcb.as_ref()
    }

    /// The identity of a TDX platform's key, by which machines are told apart; `None` where it is not proven.
    /// (Quote bytes never tell anything apart: ECDSA signatures are malleable.)
    #[must_use]
    pub const fn platform(&self) -> Option<&[u8; 32]> {
        self.platform.as_ref()
    }

    /// The registers that a genuine quote proves. Empty where there is none.
    #[must_use]
    pub const fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// What a genuine quote carries for its guest: a TD's report_data, a TPM's extraData.
    #[must_use]
    pub fn report_data(&self) -> Option<&[u8]> {
        self.report_data.as_deref()
    }

    /// Every check of the table, in its order.
    #[must_use]
    pub fn checks(&self) -> Vec<Line> {
        self.report.lines()
    }

    /// The verdict as one JSON object (SPECIFICATION, section 4).
    #[must_use]
    pub fn to_json(&self) -> String {
        let checks = self.checks();
        let document = Document {
            verdict: self.word.as_str(),
            code: self.code(),
            historical: self.historical,
            trust: &self.trust,
            tcb: self.tcb.as_ref().map(|tcb| TcbDocument {
                status: tcb.status.word(),
                advisories: tcb.advisories.iter().map(String::as_str).collect(),
                date: tcb.date.to_string(),
            }),
            measurements: Registers(&self.measurements),
            report_data: self.report_data.as_ref().map(hex::encode),
            checks: checks
                .iter()
                .map(|line| CheckDocument {
                    id: line.slug,
                    result: line.outcome.word(),
                    detail: &line.detail,
                })
                .collect(),
        };
        // Strings, numbers and maps with string keys: there is nothing in it that JSON cannot say.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    verdict: &'static str,
    code: Option<&'static str>,
    historical: bool,
    trust: &'a [&'static str],
    tcb: Option<TcbDocument<'a>>,
    measurements: Registers<'a>,
    report_data: Option<String>,
    checks: Vec<CheckDocument<'a>>,
}

#[derive(Serialize)]
struct TcbDocument<'a> {
    status: &'static str,
    advisories: Vec<&'a str>,
    date: String,
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    id: &'static str,
    result: &'static str,
    detail: &'a str,
}

/// Registers by name: a TD's are SHA-384 and stand as one string, a PCR has its banks.
struct Registers<'a>(&'a Measurements);

impl Serialize for Registers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (register, value) in self.0.iter() {
            let name = register.to_string();
            match (register.is_td(), value.sha384) {
                (true, Some(sha384)) => map.serialize_entry(&name, &HexBytes(sha384).to_string())?,
                _ => map.serialize_entry(&name, &Banks::of(value))?,
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Banks {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha384: Option<String>,
}

impl Banks {
    fn of(value: &RegisterValue) -> Self {
        Self {
            sha256: value.sha256.map(|bytes| HexBytes(bytes).to_string()),
            sha384: value.sha384.map(|bytes| HexBytes(bytes).to_string()),
        }
    }
}
