//! The two files of a member: what all members of a committee share, and what is this one's own.
//!
//! Both are strict: a field that is not known is an error, since a word that was meant to restrict something and is misspelt
//! must not be passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallmark_coalition::{Acl, Committee, Recovery, UniqueId};
use serde::Deserialize;
use thiserror::Error;

use super::address::Address;
use super::ticket_rule::{RuleText, TicketRule};

/// The longest configuration file, in bytes.
const MOST: u64 = 256 << 10;

/// What all members share.
#[derive(Debug, Clone)]
pub struct CommitteeFile {
    /// The identity: root, references, content, access rules.
    pub committee: Committee,
    /// Root, references and content of it, as a genesis names them.
    pub identity: (UniqueId, Vec<UniqueId>, UniqueId),
    /// The machine that it replicates, by name.
    pub machine: String,
    /// Where each slot's machine is reached by the others.
    pub peers: BTreeMap<u16, Address>,
    /// The policy that members' evidence is judged by.
    pub policy: PathBuf,
    /// The releases whose image a member may run; at least one.
    pub releases: Vec<PathBuf>,
    /// Intel's or AMD's collateral, where the evidence does not bring its own.
    pub collateral: Option<PathBuf>,
    /// Who may write. The access rules have this rule's signature.
    pub tickets: TicketRule,
}

/// What is one member's own.
#[derive(Debug, Clone)]
pub struct MemberFile {
    /// The shared file, read.
    pub shared: CommitteeFile,
    /// The slot it wants.
    pub slot: u16,
    /// Where it listens for its peers and for operators.
    pub listen: Address,
    /// Where it serves clients.
    pub http: Address,
    /// Its folder. A cache: whatever is in it is checked, and none of it is a vote.
    pub data: PathBuf,
    /// The slot operator's key, for tests and demonstrations: a member that holds it can be replaced by whoever reads its disk.
    pub slot_key: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not what its format says.
    #[error("{path}: {why}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, at which field.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitteeText {
    format: String,
    machine: String,
    committee: IdentityText,
    acl: AclText,
    tickets: Option<RuleText>,
    peers: Vec<PeerText>,
    trust: TrustText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityText {
    root: UniqueId,
    #[serde(default)]
    refs: Vec<UniqueId>,
    content: UniqueId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AclText {
    slots: Vec<UniqueId>,
    quorum: u16,
    #[serde(default)]
    recovery: Recovery,
    /// The signature that the ticket rule must have, if it is said twice.
    tickets: Option<UniqueId>,
}

impl AclText {
    /// The access rules with this ticket rule.
    fn with(self, tickets: &TicketRule) -> Result<Acl, String> {
        let got = tickets.validator().signature();
        if let Some(want) = self.tickets.filter(|want| *want != got) {
            return Err(format!(
                "acl.tickets: {want}, and the rule in [tickets] ({tickets}) has {got}: a member does not choose whom its committee lets write"
            ));
        }
        let slots = self.slots.iter().map(|key| *key.as_bytes()).collect();
        Acl::new(slots, self.quorum, self.recovery, got).map_err(|error| format!("acl.{error}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerText {
    slot: u16,
    address: Address,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustText {
    policy: PathBuf,
    releases: Vec<PathBuf>,
    collateral: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberText {
    format: String,
    committee: PathBuf,
    slot: u16,
    listen: Address,
    http: Address,
    data: PathBuf,
    slot_key: Option<PathBuf>,
}

impl CommitteeFile {
    /// Reads the file at `path`. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`FileError`], naming the field.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text: CommitteeText = toml_at(path)?;
        let wrong = |why: String| FileError::Malformed { path: path.display().to_string(), why };
        is_format(&text.format, "hallmark/committee/1").map_err(wrong)?;
        let tickets = text.tickets.map(TicketRule::read).transpose().map_err(wrong)?.unwrap_or_default();
        let acl = text.acl.with(&tickets).map_err(wrong)?;
        let n = acl.slots().len();
        let mut peers = BTreeMap::new();
        for (at, peer) in text.peers.into_iter().enumerate() {
            if usize::from(peer.slot) >= n {
                return Err(wrong(format!("peers[{at}].slot: {} of {n} slots", peer.slot)));
            }
            if peers.insert(peer.slot, peer.address).is_some() {
                return Err(wrong(format!("peers[{at}].slot: {} has an address already", peer.slot)));
            }
        }
        if peers.len() != n {
            return Err(wrong(format!("peers: {} of {n} slots have an address; all need one", peers.len())));
        }
        if text.trust.releases.is_empty() {
            return Err(wrong("trust.releases: none; no machine could be a member".into()));
        }
        let IdentityText { root, refs, content } = text.committee;
        Ok(Self {
            committee: Committee::new(root, refs.clone(), content, acl),
            identity: (root, refs, content),
            machine: text.machine,
            peers,
            policy: beside(path, &text.trust.policy),
            releases: text.trust.releases.iter().map(|release| beside(path, release)).collect(),
            collateral: text.trust.collateral.map(|collateral| beside(path, &collateral)),
            tickets,
        })
    }
}

impl MemberFile {
    /// Reads the file at `path`, and the shared one that it names. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`FileError`], naming the field.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text: MemberText = toml_at(path)?;
        let wrong = |why: String| FileError::Malformed { path: path.display().to_string(), why };
        is_format(&text.format, "hallmark/member/1").map_err(wrong)?;
        let shared = CommitteeFile::read(&beside(path, &text.committee))?;
        let n = shared.committee.acl().slots().len();
        if usize::from(text.slot) >= n {
            return Err(wrong(format!("slot: {} of {n} slots", text.slot)));
        }
        Ok(Self {
            shared,
            slot: text.slot,
            listen: text.listen,
            http: text.http,
            data: beside(path, &text.data),
            slot_key: text.slot_key.map(|key| beside(path, &key)),
        })
    }
}

fn is_format(found: &str, due: &str) -> Result<(), String> {
    if found == due { Ok(()) } else { Err(format!("format: {found:?}; this program reads {due:?}")) }
}

fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().map_or_else(|| path.to_path_buf(), |folder| folder.join(path))
}

fn toml_at<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, FileError> {
    let shown = path.display().to_string();
    let bytes = bounded(path, MOST)?;
    let wrong = |why: String| FileError::Malformed { path: shown.clone(), why };
    let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// A file of at most `most` bytes.
///
/// # Errors
/// [`FileError`], where it cannot be read or is longer.
pub fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    use std::io::Read as _;
    let shown = || path.display().to_string();
    let fail = |error| FileError::Read { path: shown(), error };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(fail)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(FileError::Malformed { path: shown(), why: format!("longer than {most} bytes") });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::member::SlotKey;

    fn keys(n: u8) -> String {
        let keys = (1..=n).map(|seed| format!("{:?}", hex::encode(SlotKey::from_seed(&[seed; 32]).public())));
        keys.collect::<Vec<_>>().join(", ")
    }

    fn shared() -> String {
        let id = "ab".repeat(32);
        let head = format!(
            "format = \"hallmark/committee/1\"\nmachine = \"kv\"\n[committee]\nroot = \"{id}\"\ncontent = \"{id}\"\n\
             [acl]\nquorum = 2\nslots = [{}]\n",
            keys(3)
        );
        let peers = (0..3).map(|n| format!("[[peers]]\nslot = {n}\naddress = \"127.0.0.1:{}\"\n", 7700 + n));
        let trust = "[trust]\npolicy = \"policy.toml\"\nreleases = [\"release.json\"]\n";
        head + &peers.collect::<String>() + trust
    }

    const OWN: &str = "format = \"hallmark/member/1\"\ncommittee = \"committee.toml\"\nslot = 1\n\
         listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\ndata = \"data\"\n";

    fn read(shared: &str, own: &str) -> Result<MemberFile, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("committee.toml"), shared).unwrap();
        std::fs::write(folder.path().join("member.toml"), own).unwrap();
        let file = MemberFile::read(&folder.path().join("member.toml")).map_err(|e| e.to_string())?;
        assert!(file.data.starts_with(folder.path()), "paths are relative to the file's folder");
        assert!(file.shared.policy.starts_with(folder.path()));
        Ok(file)
    }

    #[test]
    fn both_files_are_read() {
        let file = read(&shared(), OWN).unwrap();
        assert_eq!((file.slot, file.shared.committee.acl().quorum(), file.shared.peers.len()), (1, 2, 3));
        assert!(file.slot_key.is_none());
    }

    #[test]
    fn what_is_misspelt_missing_or_out_of_range_is_named() {
        let says = |shared: &str, own: &str, due: &str| {
            let error = read(shared, own).unwrap_err();
            assert!(error.contains(due), "{error} should name {due}");
        };
        says(&shared(), &OWN.replace("slot = 1", "slot = 3"), "slot: 3 of 3");
        says(&shared(), &format!("{OWN}simulated = true\n"), "unknown field");
        says(&shared(), &OWN.replace("member/1", "member/2"), "format");
        says(&shared(), &OWN.replace("127.0.0.1:0", "127.0.0.1"), "no address");
        says(&shared().replace("quorum = 2", "quorum = 1"), OWN, "quorum");
        says(&shared().replace("slot = 2", "slot = 1"), OWN, "peers[2].slot");
        says(&shared().replace("slot = 2", "slot = 9"), OWN, "peers[2].slot");
        says(&shared().replace("[\"release.json\"]", "[]"), OWN, "trust.releases");
        says(&shared().replace("[trust]", "[trust]\nany_image = true"), OWN, "unknown field");
        says(&shared().replace("[committee]", "[committee]\nrefs = [\"xyz\"]"), OWN, "refs");
    }

    fn issuer(life: u32) -> String {
        format!(
            "[[tickets.issuers]]\nroot = \"{}\"\nname = \"desk\"\nkeys = [{}]\nscopes = [\"settle\"]\nmax_lifetime = {life}\n",
            "ef".repeat(32),
            keys(1)
        )
    }

    #[test]
    fn a_ticket_rule_is_part_of_the_group_and_no_file_has_one_without_the_other() {
        let open = read(&shared(), OWN).unwrap().shared;
        let of = |life: u32| read(&(shared() + &issuer(life)), OWN).unwrap().shared;
        let (hour, day) = (of(3600), of(86_400));
        let ids = [open.committee.id(), hour.committee.id(), day.committee.id()];
        assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
        assert_eq!(hour.committee.acl().tickets(), hour.tickets.validator().signature());

        let pinned = |signature: UniqueId, rule: &str| {
            let acl = format!("quorum = 2\ntickets = \"{signature}\"");
            read(&(shared().replace("quorum = 2", &acl) + rule), OWN)
        };
        let signature = hour.committee.acl().tickets();
        assert_eq!(pinned(signature, &issuer(3600)).unwrap().shared.committee.id(), ids[1]);
        for rule in [issuer(86_400), String::new()] {
            let error = pinned(signature, &rule).unwrap_err();
            assert!(error.contains("acl.tickets"), "{error}");
        }
        let error = pinned(open.committee.acl().tickets(), &issuer(3600)).unwrap_err();
        assert!(error.contains("acl.tickets"), "{error}");
    }
}
