//! The judge that asks the verifier: a policy, the releases that count, and verified collateral.
//!
//! Session evidence is judged anew each time. What is kept is what costs signatures and is not of the session: collateral, and
//! the platforms and quoting enclaves seen under it; the verifier asks dates, revocation and policy of them again at every use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hallmark_verifier::binding::Ask;
use hallmark_verifier::certificate::Certificate;
use hallmark_verifier::collateral::{Collateral, CollateralError, VerifiedCollateral};
use hallmark_verifier::event_log::Measurements;
use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::image::{Expect, differing};
use hallmark_verifier::pck_extension::PckExtension;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::quoting_enclave::QuotingEnclave;
use hallmark_verifier::release::{Release, ReleaseError};
use hallmark_verifier::report::Outcome;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::{Policy, Request, Verdict, Word, pem, verify, verify_known};

use crate::clock::Clock;
use crate::judge::{Judge, Judgement};
use crate::refusal::{Refusal, Slug};

/// The most releases that count at a time.
const RELEASES_MAX: usize = 64;
/// The most families of platforms whose collateral is kept.
const FAMILIES_MAX: usize = 64;
/// The most quoting enclaves that are remembered.
const ENCLAVES_MAX: usize = 1024;
/// The most changes whose grace dates are kept apart.
const CHANGES_MAX: usize = 64;

/// What a positive word means here: every one of these was asked, and held.
const ASKED: [&str; 4] = ["release-format", "image-mismatch", "acpi-pinned", "binding-mismatch"];

/// Judges evidence by a policy, against pinned releases.
///
/// What counts: `accepted`; or `simulated` where the policy names the simulated root, and then image, ACPI tables and binding
/// must have been checked just as for `accepted`. A debug or migratable TD, registers that no pinned release has, and RTMR3
/// with events that the release does not list are refused under every policy.
pub struct PolicyJudge {
    clock: Arc<dyn Clock>,
    rules: RwLock<Arc<Rules>>,
    generation: AtomicU64,
    enclaves: Mutex<HashMap<[u8; 64], QuotingEnclave>>,
}

#[derive(Clone)]
struct Rules {
    policy: Policy,
    releases: Vec<Pinned>,
    collateral: Vec<VerifiedCollateral>,
    /// Each change's generation, and until when sessions judged before it live. In order.
    changes: Vec<(u64, UnixSeconds)>,
}

#[derive(Clone)]
struct Pinned {
    sha256: [u8; 32],
    json: Arc<[u8]>,
}

/// Rules that cannot be judged by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyJudgeError {
    /// No release, or too many.
    #[error("{0} releases: 1 to {RELEASES_MAX} may count; without one no image could be told from another")]
    Releases(usize),
    /// A release that is none.
    #[error("release {index}: {error}")]
    Release {
        /// Which, from 0.
        index: usize,
        /// What is wrong.
        error: ReleaseError,
    },
    /// Collateral that cannot be read.
    #[error(transparent)]
    Collateral(#[from] CollateralError),
    /// Collateral that does not hold under the policy now.
    #[error("collateral: {0}")]
    Refused(#[from] hallmark_verifier::refusal::Refusal),
    /// Collateral of too many families of platforms.
    #[error("collateral of more than {FAMILIES_MAX} families of platforms (FMSPC)")]
    Families,
    /// Collateral that is older than what is there.
    #[error("collateral with tcbEvaluationDataNumber {new}, and {kept} is known already: no way back")]
    Older {
        /// What was given.
        new: u32,
        /// What is there.
        kept: u32,
    },
}

impl PolicyJudge {
    /// A judge by this policy, for machines that run one of these releases (release.json, each as published).
    ///
    /// # Errors
    /// No release, or one that cannot be read.
    pub fn new(
        policy: Policy,
        releases: &[Vec<u8>],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PolicyJudgeError> {
        let rules = Rules { policy, releases: pin(releases)?, collateral: Vec::new(), changes: Vec::new() };
        Ok(Self {
            clock,
            rules: RwLock::new(Arc::new(rules)),
            generation: AtomicU64::new(0),
            enclaves: Mutex::default(),
        })
    }

    /// Adds Intel's collateral for a family of platforms, or renews it. Where it tells of a TCB recovery, that is a change:
    /// sessions judged before it live until `grace_until`.
    ///
    /// # Errors
    /// It does not hold under the policy now, or is older than what is there.
    pub fn add_collateral(&self, json: &[u8], grace_until: UnixSeconds) -> Result<(), PolicyJudgeError> {
        let parsed = Collateral::parse(json)?;
        let new = parsed.verify(&self.rules().policy, self.clock.now())?;
        self.change(|rules| {
            let family = |it: &VerifiedCollateral| (it.tcb_info().fmspc, it.tcb_info().pce_id);
            let number = |it: &VerifiedCollateral| {
                (it.tcb_info().evaluation_data_number, it.qe_identity().evaluation_data_number)
            };
            if let Some(kept) = rules.collateral.iter_mut().find(|kept| family(kept) == family(&new)) {
                let ((tcb, qe), (kept_tcb, kept_qe)) = (number(&new), number(kept));
                for (new, kept) in [(tcb, kept_tcb), (qe, kept_qe)] {
                    if new < kept {
                        return Err(PolicyJudgeError::Older { new, kept });
                    }
                }
                *kept = new;
                return Ok(((tcb, qe) != (kept_tcb, kept_qe)).then_some(grace_until));
            }
            if rules.collateral.len() >= FAMILIES_MAX {
                return Err(PolicyJudgeError::Families);
            }
            rules.collateral.push(new);
            Ok(None)
        })
    }

    /// Judges by another policy from now on. Sessions judged before live until `grace_until`, unless they are judged anew.
    pub fn set_policy(&self, policy: Policy, grace_until: UnixSeconds) {
        // The closure does not fail: nothing is there to be reported.
        let _ = self.change(|rules| {
            rules.policy = policy;
            Ok(Some(grace_until))
        });
    }

    /// Lets these releases count from now on and no others. Sessions judged before live until `grace_until`, unless they are
    /// judged anew.
    ///
    /// # Errors
    /// No release, or one that cannot be read: then nothing has changed.
    pub fn set_releases(
        &self,
        releases: &[Vec<u8>],
        grace_until: UnixSeconds,
    ) -> Result<(), PolicyJudgeError> {
        let pinned = pin(releases)?;
        self.change(|rules| {
            rules.releases = pinned;
            Ok(Some(grace_until))
        })
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the rules. What `work` gives is the grace date, if it is a change that sessions must be judged anew for.
    fn change(
        &self,
        work: impl FnOnce(&mut Rules) -> Result<Option<UnixSeconds>, PolicyJudgeError>,
    ) -> Result<(), PolicyJudgeError> {
        let mut kept = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let mut rules = (**kept).clone();
        let grace = work(&mut rules)?;
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(grace) = grace {
            rules.changes.push((generation + 1, grace));
            while let [(_, first), (next, second), ..] = *rules.changes
                && rules.changes.len() > CHANGES_MAX
            {
                // The two oldest become one, and the sooner date counts for both.
                rules.changes.splice(..2, [(next, first.min(second))]);
            }
        }
        *kept = Arc::new(rules);
        // After the rules: whoever reads the new generation judges by the new rules.
        if grace.is_some() {
            self.generation.store(generation + 1, Ordering::Release);
        }
        Ok(())
    }

    /// The quoting enclave of the quote, if it was seen before.
    fn enclave(&self, quote: &Quote<'_>) -> Option<QuotingEnclave> {
        let enclaves = self.enclaves.lock().unwrap_or_else(PoisonError::into_inner);
        enclaves.get(quote.signature_data().attestation_key).filter(|it| it.is_of(quote)).cloned()
    }

    fn remember(
        &self,
        quote: &Quote<'_>,
        collateral: &VerifiedCollateral,
        policy: &Policy,
        now: UnixSeconds,
    ) {
        let Ok(platform) = collateral.platform(quote, policy, now) else { return };
        let Ok(enclave) = platform.quoting_enclave(collateral, quote, policy, now) else { return };
        let mut enclaves = self.enclaves.lock().unwrap_or_else(PoisonError::into_inner);
        if enclaves.len() >= ENCLAVES_MAX {
            enclaves.clear();
        }
        enclaves.insert(*quote.signature_data().attestation_key, enclave);
    }
}

impl Judge for PolicyJudge {
    fn judge(&self, evidence: &[u8], report_data: &[u8; 64]) -> Result<Judgement, Refusal> {
        let rules = self.rules();
        let now = self.clock.now();
        let parsed = Evidence::parse(evidence).map_err(|error| refusal("evidence-format", &error))?;
        let quote = match &parsed {
            Evidence::Tdx(tdx) => {
                Some(Quote::parse(&tdx.quote).map_err(|error| refusal(error.slug(), &error))?)
            }
            _ => None,
        };
        let collateral = quote.as_ref().map(|quote| rules.collateral(quote)).transpose()?;
        let enclave = quote.as_ref().and_then(|quote| self.enclave(quote));
        let judge = |release: &Pinned| {
            let request = Request {
                evidence,
                collateral: None,
                expect: Expect::Release(&release.json),
                binding: Ask::ReportData(*report_data),
                policy: &rules.policy,
                now,
                historical: false,
            };
            match collateral {
                Some(collateral) => verify_known(&request, collateral, enclave.as_ref()),
                None => verify(&request),
            }
        };
        let mut refused = None;
        for release in &rules.releases {
            let verdict = judge(release);
            match counts(&verdict) {
                Ok(()) => {
                    if let (Some(quote), Some(collateral), None) = (&quote, collateral, &enclave) {
                        self.remember(quote, collateral, &rules.policy, now);
                    }
                    return Ok(Judgement {
                        word: verdict.word(),
                        release: Some(release.sha256),
                        platform: verdict.platform().copied(),
                        trust: verdict.trust().to_vec(),
                        measurements: verdict.measurements().clone(),
                    });
                }
                // It is not this release's image: it may be another's.
                Err(refusal) if refusal.slug.as_str() == "image-mismatch" => {
                    if let Some(workload) = workload(release, verdict.measurements()) {
                        refused = Some(workload);
                    } else if refused.is_none() {
                        refused = Some(refusal);
                    }
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(refused.unwrap_or_else(|| Refusal::new("image-mismatch", "no release counts")))
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn grace(&self, judged: u64) -> Option<UnixSeconds> {
        if judged >= self.generation() {
            return None;
        }
        self.rules()
            .changes
            .iter()
            .filter(|(generation, _)| *generation > judged)
            .map(|(_, grace)| *grace)
            .min()
    }
}

impl Rules {
    /// The collateral of the quote's family of platforms. The chain in the quote is not believed for it: the verifier
    /// compares the family again once it is.
    fn collateral(&self, quote: &Quote<'_>) -> Result<&VerifiedCollateral, Refusal> {
        let extension = pck_extension(quote).ok_or_else(|| {
            Refusal::new(
                "pck-chain",
                "the quote's first certificate does not say of which family its platform is",
            )
        })?;
        let family = |it: &&VerifiedCollateral| {
            (it.tcb_info().fmspc, it.tcb_info().pce_id) == (extension.fmspc, extension.pce_id)
        };
        self.collateral.iter().find(family).ok_or_else(|| {
            let fmspc = hex::encode(extension.fmspc);
            Refusal::new(
                "collateral-missing",
                format!("there is no collateral for platforms of FMSPC {fmspc}"),
            )
        })
    }
}

fn pck_extension(quote: &Quote<'_>) -> Option<PckExtension> {
    let pem = pem::certificates(quote.signature_data().pck_chain).ok()?;
    let pck = Certificate::parse(pem.into_iter().next()?).ok()?;
    PckExtension::parse(pck.extensions().sgx.as_deref()?).ok()
}

/// Whether the verdict is one that counts, and otherwise why not.
fn counts(verdict: &Verdict) -> Result<(), Refusal> {
    let checks = verdict.checks();
    let detail = |slug: &str| checks.iter().find(|line| line.slug == slug).map_or("", |line| &*line.detail);
    match verdict.word() {
        Word::Refused => {
            let slug = verdict.code().unwrap_or("refused");
            Err(refusal(slug, &detail(slug)))
        }
        Word::Accepted => Ok(()),
        // A simulated root is no reason to ask less; `authentic` lacks one of these.
        Word::Simulated | Word::Authentic => {
            let lacks =
                |slug: &&str| !checks.iter().any(|line| line.slug == *slug && line.outcome == Outcome::Pass);
            match ASKED.into_iter().find(lacks) {
                Some(slug) => Err(Refusal::new(slug, format!("not shown: {}", detail(slug)))),
                None if verdict.word() == Word::Authentic => {
                    Err(Refusal::new("not-accepted", "the verdict is authentic, and accepted is due"))
                }
                None => Ok(()),
            }
        }
        Word::Undecided => Err(Refusal::new("undecided", "a check that is due could not be run")),
    }
}

/// Where the image is the release's in everything but the register that the guest itself extends.
fn workload(release: &Pinned, measurements: &Measurements) -> Option<Refusal> {
    let release = Release::parse(&release.json).ok()?;
    let only = |entry: &&hallmark_verifier::release::Expected| {
        differing(entry, measurements) == [entry.family().guest_register()]
    };
    let register = release.expected().iter().find(only)?.family().guest_register();
    let why = format!(
        "the image is the release's, and {register} has events that it does not list: a workload runs there"
    );
    Some(Refusal::new("workload-event", why))
}

fn pin(releases: &[Vec<u8>]) -> Result<Vec<Pinned>, PolicyJudgeError> {
    if releases.is_empty() || releases.len() > RELEASES_MAX {
        return Err(PolicyJudgeError::Releases(releases.len()));
    }
    let pin = |(index, json): (usize, &Vec<u8>)| {
        let release = Release::parse(json).map_err(|error| PolicyJudgeError::Release { index, error })?;
        Ok(Pinned { sha256: *release.sha256(), json: json.as_slice().into() })
    };
    releases.iter().enumerate().map(pin).collect()
}

fn refusal(slug: &str, why: &impl ToString) -> Refusal {
    let slug = Slug::parse(slug.as_bytes()).unwrap_or_else(|| Slug::new("refused"));
    Refusal { slug, why: why.to_string() }
}

impl std::fmt::Debug for PolicyJudge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules = self.rules();
        f.debug_struct("PolicyJudge")
            .field("releases", &rules.releases.len())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
