//! The log from its first entry to its checkpoint.

use std::collections::BTreeMap;

use hallmark_coalition::{Recovery, UniqueId};
use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::note::Note;
use hallmark_ledger::reader::{LogReader, ReaderError, TileError};
use hallmark_ledger::replay::{Obligation, Replay, ReplayError};
use hallmark_ledger::source::{Source, SourceError};
use hallmark_ledger::tile::{self, Coordinates, Kind, WIDTH};

use super::findings::{self, Findings};
use super::kept::{self, Kept};
use super::members::Witnesses;
use super::page;
use super::progress::Progress;
use super::quotes::Terms;
use crate::complaint::Complaint;

/// What is asked of a log.
pub(super) struct Question<'a> {
    pub(super) group: Option<UniqueId>,
    /// None where quotes are not to be judged.
    pub(super) terms: Option<&'a Terms>,
    /// Checkpoints from elsewhere, by name.
    pub(super) kept: &'a [(String, Vec<u8>)],
}

/// Why an audit did not come to the end of the log.
enum Stop {
    /// A row failed, and what is behind it cannot be read.
    Fault(&'static str, String),
    /// The source gave nothing, so that nobody can tell.
    Unable(SourceError),
}

impl From<ReaderError> for Stop {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::Tile(TileError::Source(error)) => Self::Unable(error),
            ReaderError::Tile(TileError::Missing { .. }) => Self::Fault("log-incomplete", error.to_string()),
            _ => Self::Fault("log-hash", error.to_string()),
        }
    }
}

impl From<ReplayError> for Stop {
    fn from(error: ReplayError) -> Self {
        Self::Fault(error.fault.slug(), error.to_string())
    }
}

/// Audits. What was found on the way to a fault is kept.
pub(super) fn audit(
    source: &dyn Source,
    question: &Question<'_>,
) -> Result<(Findings, page::Log), Complaint> {
    let mut audit = Audit {
        findings: Findings::new(),
        log: page::Log::default(),
        replay: Replay::new(),
        witnesses: Witnesses::new(question.terms),
        counts: Counts::default(),
        kept: Vec::new(),
    };
    if question.group.is_none() {
        audit.findings.leave_out("whose log it is (--group)".to_owned());
    }
    match audit.run(source, question) {
        Ok(()) => {}
        Err(Stop::Fault(slug, detail)) => audit.findings.fail(slug, detail),
        Err(Stop::Unable(error)) => {
            let hint = "check the address, the folder and its permissions, and try again";
            return Err(Complaint::unable("input", "cannot read the log", error, hint));
        }
    }
    Ok((audit.findings, audit.log))
}

/// What the figures are made of.
#[derive(Default)]
struct Counts {
    tiles: u64,
    admissions: u64,
    roots: u64,
    snapshots: u64,
    pointers: u64,
    automatic: u64,
    retired: Option<String>,
}

struct Audit<'a> {
    findings: Findings,
    log: page::Log,
    replay: Replay,
    witnesses: Witnesses<'a>,
    counts: Counts,
    kept: Vec<Kept>,
}

impl Audit<'_> {
    fn run(&mut self, source: &dyn Source, question: &Question<'_>) -> Result<(), Stop> {
        let bytes = source.read(tile::CHECKPOINT, tile::MAX_CHECKPOINT).map_err(Stop::Unable)?;
        let bytes = bytes.ok_or_else(|| Stop::Fault("log-incomplete", "checkpoint: not there".to_owned()))?;
        let head = head(&bytes).map_err(|why| Stop::Fault("checkpoint-malformed", why))?;
        self.findings.pass(findings::CHECKPOINT, format!("{}, size {}", head.origin, head.size));
        (self.log.origin, self.log.size, self.log.root) =
            (head.origin.clone(), head.size, head.root.to_string());
        (self.log.epoch, self.log.recoveries) = (head.epoch, head.recoveries);
        for (name, bytes) in question.kept {
            self.kept.push(Kept::read(name, bytes));
        }

        let reader = LogReader::open(source, head.size, head.root)?;
        self.entries(&reader, question)?;
        // The whole tree was read through the root, so this cannot differ; a reader of ours that failed would show here.
        if self.replay.root() != head.root {
            let (got, want) = (self.replay.root(), head.root);
            return Err(Stop::Fault(
                "log-hash",
                format!("the entries come to {got}, the checkpoint says {want}"),
            ));
        }
        let signed = self.replay.checkpoint(&bytes)?;
        self.figures(&signed);
        let members = self.witnesses.known();
        kept::judge(&self.kept, &self.replay, &reader, members, &mut self.findings)?;
        self.members(&signed);
        Ok(())
    }

    fn entries<S: Source>(&mut self, reader: &LogReader<S>, question: &Question<'_>) -> Result<(), Stop> {
        let mut progress = Progress::new(reader.size());
        let mut leaves = Vec::new();
        for (index, bytes) in (0..).zip(reader.entries(0)) {
            let bytes = bytes?;
            leaves.push(hash::leaf(&bytes));
            let entry = Entry::of(bytes)
                .map_err(|error| Stop::Fault("entry-format", format!("entry {index}: {error}")))?;
            *self.log.surfaces.entry(entry.surface().to_owned()).or_default() += 1;
            for obligation in self.replay.push(index, &entry)? {
                self.meet(obligation, reader)?;
            }
            if index == 0 {
                self.whose(question)?;
            }
            if leaves.len() == 256 {
                self.tile(reader, index / WIDTH, &leaves)?;
                leaves.clear();
            }
            progress.at(index);
        }
        Ok(())
    }

    /// Readers trust the tile above the leaves'; others may use that one, so it is held against the leaves too.
    fn tile<S: Source>(&mut self, reader: &LogReader<S>, index: u64, leaves: &[Hash]) -> Result<(), Stop> {
        let place = Coordinates::full(Kind::Hashes(0), index);
        let path = place.to_string();
        let bytes = reader.source().read(&path, place.limit()).map_err(Stop::Unable)?;
        let bytes = bytes.ok_or_else(|| Stop::Fault("log-incomplete", format!("{path}: not there")))?;
        if !leaves.iter().flat_map(Hash::as_bytes).eq(&bytes) {
            return Err(Stop::Fault("log-hash", format!("{path}: not the hashes of its entries")));
        }
        self.counts.tiles += 1;
        Ok(())
    }

    /// What the genesis says the committee is.
    fn whose(&mut self, question: &Question<'_>) -> Result<(), Stop> {
        let Some(genesis) = self.replay.genesis() else { return Ok(()) };
        let group = genesis.group();
        self.log.group = group.to_string();
        (self.log.slots, self.log.quorum) = (genesis.acl.slots().len(), genesis.acl.quorum());
        self.log.recovery = match genesis.acl.recovery() {
            Recovery::Operators => "operators",
            Recovery::Automatic => "automatic",
        };
        match question.group {
            Some(asked) if asked != group => {
                Err(Stop::Fault("group-mismatch", format!("the genesis is of {group}, asked was {asked}")))
            }
            _ => Ok(()),
        }
    }

    fn meet<S: Source>(&mut self, obligation: Obligation, reader: &LogReader<S>) -> Result<(), Stop> {
        match obligation {
            Obligation::Statement { .. } => {
                self.counts.admissions += 1;
                self.witnesses.statement(obligation, &mut self.findings);
            }
            Obligation::Endorsement { .. } => self.witnesses.endorsement(obligation, &mut self.findings),
            Obligation::Root { index, size, root } => {
                let is = reader.root_at(size)?;
                if is != root {
                    let detail =
                        format!("entry {index}: the tree of {size} has root {is}, the statement says {root}");
                    self.findings.fail("statement-root", detail);
                }
                self.counts.roots += 1;
            }
            Obligation::Snapshot { .. } => self.counts.snapshots += 1,
            Obligation::Pointer { .. } => self.counts.pointers += 1,
            Obligation::AutomaticRecovery { .. } => self.counts.automatic += 1,
            Obligation::Retired { index, effective_at, replacement } => {
                let then =
                    replacement.map_or_else(|| "nobody follows".to_owned(), |id| format!("{id} follows"));
                self.counts.retired =
                    Some(format!("entry {index}, effective at {effective_at} ms since 1970; {then}"));
            }
            // What a later version of the ledger leaves to check, and this program does not know.
            _ => self
                .findings
                .fail("ledger-order", "the ledger leaves something to check that this program does not know"),
        }
        Ok(())
    }

    /// The replay came to its end: what held, and how often.
    fn figures(&mut self, signed: &SignedCheckpoint) {
        let Counts { tiles, admissions, roots, snapshots, pointers, automatic, retired } = &self.counts;
        let (findings, log) = (&mut self.findings, &self.log);
        let of = |surface: &str| log.surfaces.get(surface).copied().unwrap_or(0);
        let size = log.size;
        findings.pass(
            findings::LOG,
            format!("{size} entries hash to the root; {tiles} full tiles of leaves compared"),
        );
        findings.pass(findings::GENESIS, format!("group {}", log.group));
        let surfaces = log.surfaces.len();
        findings.pass(
            findings::ENTRIES,
            format!("{surfaces} surfaces count from 0; every submission has one answer"),
        );
        let (expelled, equivocations) = (of("committee.expulsion"), of("committee.equivocation"));
        findings.pass(
            findings::MEMBERS,
            format!("{admissions} admissions, each signed by its slot's operator, no key twice; {expelled} expulsions, {equivocations} equivocations"),
        );
        self.witnesses.figures(*roots, findings);
        let (releases, counted) = (of("committee.release"), self.replay.releases().count());
        findings.pass(findings::OPERATORS, format!("{releases} changes of releases; {counted} count now"));
        let recoveries = of("committee.recovery");
        let automatic = match automatic {
            0 => String::new(),
            some => format!("; {some} automatic: what survived is what the hosts' disks had"),
        };
        findings.pass(findings::RECOVERIES, format!("{recoveries}{automatic}"));
        findings.pass(
            findings::SNAPSHOTS,
            format!("{snapshots} noted; the machine's state is not computed here"),
        );
        findings.pass(findings::RETIREMENT, retired.clone().unwrap_or_else(|| "none".to_owned()));
        let (got, want) = (signed.cosignatures().len(), log.quorum);
        findings.pass(
            findings::COSIGNATURES,
            format!("{got} of {} members at size {size}; {want} are needed", log.slots),
        );
        if *pointers > 0 {
            findings.leave_out(format!("the ledgers of others that {pointers} entries point to"));
        }
    }

    /// Who is in the slots at the end.
    fn members(&mut self, signed: &SignedCheckpoint) {
        let Some(roster) = self.replay.roster() else { return };
        let mut platforms: BTreeMap<[u8; 32], Vec<u16>> = BTreeMap::new();
        for member in roster.members.values() {
            let cosigned = signed.cosignatures().iter().find(|c| c.node == member.node).map(|c| c.time);
            let judged = self.witnesses.judged(member.node);
            if let Some(platform) = judged.and_then(|judged| judged.platform) {
                platforms.entry(platform).or_default().push(member.slot);
            }
            let quote = judged.map(|judged| judged.word.as_str());
            self.log.members.push(page::Member { slot: member.slot, node: member.node, cosigned, quote });
        }
        self.log.shared_platform = platforms.into_values().filter(|slots| slots.len() > 1).collect();
    }
}

/// What the note says; nobody's signature is checked yet.
pub(super) fn head(bytes: &[u8]) -> Result<Checkpoint, String> {
    let note = Note::parse(bytes).map_err(|error| error.to_string())?;
    Checkpoint::parse(note.text()).map_err(|error| error.to_string())
}
