//! Evidence in a log, judged again as at the time that the log names.

use hallmark_ledger::hash::Hash;
use hallmark_verifier::binding::Ask;
use hallmark_verifier::image::Expect;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::report::Outcome;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::{Verdict, Word};
use hallmark_verifier::verify::{Request, verify};

/// A release document that the auditor has.
pub(super) struct Document {
    pub(super) sha256: Hash,
    pub(super) bytes: Vec<u8>,
}

/// What the auditor accepts.
pub(super) struct Terms {
    pub(super) policy: Policy,
    /// SHA-256 of its file; none where it is the default.
    pub(super) policy_sha256: Option<Hash>,
    pub(super) releases: Vec<Document>,
    /// Which image runs is not asked.
    pub(super) any_image: bool,
}

/// Evidence, and what it must be bound to.
pub(super) struct Exhibit<'a> {
    pub(super) evidence: &'a [u8],
    pub(super) collateral: Option<&'a [u8]>,
    pub(super) binding: [u8; 64],
    pub(super) time: u64,
}

/// What came of it.
pub(super) enum Judged {
    /// `accepted`, `authentic` or `simulated`; and the platform, where that is known.
    Held { word: Word, platform: Option<[u8; 32]> },
    /// A check failed: its slug and what was found.
    Refused { code: &'static str, why: String },
    /// Something was missing.
    Undecided(String),
}

impl Terms {
    /// Judges a machine that must run one of the releases `counted`.
    pub(super) fn judge_member(&self, exhibit: &Exhibit<'_>, counted: &[Hash]) -> Judged {
        if self.any_image {
            return self.judge_any(exhibit);
        }
        let mut refused = None;
        for release in self.releases.iter().filter(|release| counted.contains(&release.sha256)) {
            match outcome(&self.verdict(exhibit, Expect::Release(&release.bytes))) {
                held @ Judged::Held { .. } => return held,
                other => refused = refused.or(Some(other)),
            }
        }
        let absent: Vec<String> = counted
            .iter()
            .filter(|hash| self.releases.iter().all(|release| release.sha256 != **hash))
            .map(|hash| hex::encode(hash.as_bytes()))
            .collect();
        match refused {
            // It may be of a release that was not given; any other refusal would be the same with it.
            Some(Judged::Refused { code: "image-mismatch", .. }) | None if !absent.is_empty() => {
                Judged::Undecided(format!("no --release file has SHA-256 {}", absent.join(" or ")))
            }
            Some(judged) => judged,
            None => Judged::Undecided("the log names no release that counted then".to_owned()),
        }
    }

    /// Judges evidence of any image.
    pub(super) fn judge_any(&self, exhibit: &Exhibit<'_>) -> Judged {
        outcome(&self.verdict(exhibit, Expect::AnyImage))
    }

    fn verdict(&self, exhibit: &Exhibit<'_>, expect: Expect<'_>) -> Verdict {
        verify(&Request {
            evidence: exhibit.evidence,
            collateral: exhibit.collateral,
            expect,
            binding: Ask::ReportData(exhibit.binding),
            policy: &self.policy,
            now: UnixSeconds(exhibit.time),
            historical: true,
        })
    }
}

fn outcome(verdict: &Verdict) -> Judged {
    let lines = verdict.checks();
    match verdict.word() {
        Word::Refused => {
            let failed = lines.iter().find(|line| Some(line.slug) == verdict.code());
            let why = failed.map(|line| line.detail.clone()).unwrap_or_default();
            Judged::Refused { code: verdict.code().unwrap_or("refused"), why }
        }
        Word::Undecided => {
            let open = lines.iter().find(|line| line.outcome == Outcome::NotRun);
            Judged::Undecided(
                open.map_or_else(|| "no check was run".to_owned(), |l| format!("{}: {}", l.slug, l.detail)),
            )
        }
        word => Judged::Held { word, platform: verdict.platform().copied() },
    }
}
