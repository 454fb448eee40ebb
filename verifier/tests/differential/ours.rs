//! Our word, under a policy as lax as dcap-qvl's defaults where it has none.

use std::collections::BTreeSet;

use hallmark_verifier::binding::Ask;
use hallmark_verifier::collateral::{Collateral, VerifiedCollateral};
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::image::Expect;
use hallmark_verifier::platform::Platform;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::quote::{Quote, TdReport};
use hallmark_verifier::quoting_enclave::QuotingEnclave;
use hallmark_verifier::refusal::Refusal;
use hallmark_verifier::report::Outcome;
use hallmark_verifier::tdx::Authentic;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict;
use hallmark_verifier::verify::{Request, verify};

use super::case::{Case, Root};
use super::word::Word;

/// What dcap-qvl does not ask is not asked here: advisories, age, who configured the TD. What it asks by default,
/// such as SEPT_VE_DISABLE, is.
fn policy(case: &Case) -> Policy {
    let simulated = match &*case.root {
        Root::Intel => String::new(),
        Root::Simulated { spki_sha256, .. } => format!("\"{}\"", hex::encode(spki_sha256)),
    };
    let advisories: Vec<String> = advisories(&case.collateral)
        .iter()
        .map(|id| format!("{{ id = \"{id}\", until = \"2999-01-01T00:00:00Z\" }}"))
        .collect();
    let text = format!(
        "format = \"hallmark/policy/1\"\n\
         [roots]\n\
         simulated = [{simulated}]\n\
         [tdx]\n\
         tcb = [\"UpToDate\", \"SWHardeningNeeded\", \"ConfigurationNeeded\", \
         \"ConfigurationAndSWHardeningNeeded\", \"OutOfDate\", \"OutOfDateConfigurationNeeded\"]\n\
         advisories = [{}]\n\
         mr_config_id = \"any\"\n\
         mr_owner = \"any\"\n\
         mr_owner_config = \"any\"\n\
         [collateral]\n\
         max_age_days = 100000\n",
        advisories.join(", "),
    );
    Policy::parse(&text).unwrap()
}

/// The advisories that the collateral names, wherever they stand in it.
fn advisories(collateral: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(collateral);
    text.match_indices("INTEL-SA-")
        .map(|(at, prefix)| {
            let digits = text[at + prefix.len()..].chars().take_while(char::is_ascii_digit);
            prefix.chars().chain(digits).collect()
        })
        .collect()
}

/// What the full report says; the stages have to say the same.
pub(crate) fn word(case: &Case) -> Word {
    let policy = policy(case);
    let now = UnixSeconds(case.now);
    let verdict = verify(&Request {
        evidence: &case.quote,
        collateral: Some(&case.collateral),
        expect: Expect::AnyImage,
        binding: Ask::Unbound,
        policy: &policy,
        now,
        historical: true,
    });
    let word = match verdict.word() {
        verdict::Word::Authentic | verdict::Word::Simulated => {
            let tcb = verdict.tcb().expect("what holds has a TCB");
            Word::Holds { status: tcb.status.word().into(), advisories: tcb.advisories.clone() }
        }
        verdict::Word::Refused => {
            let lines = verdict.checks().into_iter().filter(|line| line.outcome == Outcome::Fail);
            Word::Refused(lines.map(|line| line.slug.into()).collect())
        }
        other => panic!("{other:?} is no answer: {}", case.what),
    };
    let staged = staged(case, &policy, now);
    assert!(same(&word, &staged), "{}: the report says {word:?}, the stages {staged:?}", case.what);
    word
}

/// Equal, but that the stages end at the first one that fails.
fn same(whole: &Word, staged: &Word) -> bool {
    match (whole, staged) {
        (Word::Refused(all), Word::Refused(some)) => some.iter().all(|slug| all.contains(slug)),
        _ => whole == staged,
    }
}

/// The whole way, stage by stage.
fn staged(case: &Case, policy: &Policy, now: UnixSeconds) -> Word {
    let quote = match Quote::parse(&case.quote) {
        Ok(quote) => quote,
        // What is no evidence at all does not come to be a quote.
        Err(_) if Evidence::parse(&case.quote).is_err() => return Word::refused("evidence-format"),
        Err(error) => return Word::refused(error.slug()),
    };
    let Ok(collateral) = Collateral::parse(&case.collateral) else {
        return Word::refused("collateral-format");
    };
    of(collateral.verify(policy, now).and_then(|collateral| collateral.authenticate(&quote, policy, now)))
}

fn of(authentic: Result<Authentic<TdReport<'_>>, Refusal>) -> Word {
    match authentic {
        Ok(authentic) => Word::Holds {
            status: authentic.tcb().status.word().into(),
            advisories: authentic.tcb().advisories.clone(),
        },
        Err(refusal) => Word::Refused(refusal.failures().map(|line| line.slug.into()).collect()),
    }
}

/// What is kept of a case that holds.
pub(crate) struct Kept {
    policy: Policy,
    collateral: VerifiedCollateral,
    platform: Platform,
    enclave: QuotingEnclave,
}

impl Kept {
    pub(crate) fn of(case: &Case) -> Self {
        let (policy, now) = (policy(case), UnixSeconds(case.now));
        let quote = Quote::parse(&case.quote).unwrap();
        let collateral = Collateral::parse(&case.collateral).unwrap().verify(&policy, now).unwrap();
        let platform = collateral.platform(&quote, &policy, now).unwrap();
        let enclave = platform.quoting_enclave(&collateral, &quote, &policy, now).unwrap();
        Self { policy, collateral, platform, enclave }
    }

    /// What each of the kept stages says of another quote, at another instant.
    pub(crate) fn words(&self, case: &Case) -> Vec<Word> {
        let now = UnixSeconds(case.now);
        let quote = match Quote::parse(&case.quote) {
            Ok(quote) => quote,
            Err(error) => return vec![Word::refused(error.slug())],
        };
        vec![
            of(self.collateral.authenticate(&quote, &self.policy, now)),
            of(self.platform.authenticate(&self.collateral, &quote, &self.policy, now)),
            of(self.enclave.authenticate(&self.collateral, &quote, &self.policy, now)),
        ]
    }
}
