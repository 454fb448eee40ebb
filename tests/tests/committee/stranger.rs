//! Machines that speak with members as a machine does, and of which something is not as it must be. No program of ours plays
//! one, so this test does: what it faces are processes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallmark_attest::{AttestError, Endpoint, Hello, Identity, Judge, Prover, SourceProver, SystemClock};
use hallmark_committee::member::{MemberFile, Rules};
use hallmark_committee::transport::{
    AttestedDialer, Dialer as _, Limits, Pool, PooledPeers, SlotGate, Target, system_random,
};
use hallmark_committee::{Admitting, Node, PeerRequest, PeerResponse, Peers as _};
use hallmark_evidence::{Binding, Kind, Source, SourceError, Statement};
use hallmark_ledger::cosignature::CosignKey;
use hallmark_ledger::hash::{EMPTY, Hash};
use hallmark_ledger::system::{Admission, slot_message};
use hallmark_simulated::{Measured, SimulatedTd};
use serde_json::Value;

/// What it has of a machine that could be a member.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Evidence {
    /// Everything.
    Good,
    /// Good, but for a bit of the quote's signature.
    Forged,
    /// Good, and of another machine than it says.
    Borrowed,
}

/// A machine without a slot.
pub(super) struct Stranger {
    committee: MemberFile,
    identity: Identity,
    judge: Arc<dyn Judge>,
    td: SimulatedTd,
    collateral: Option<Vec<u8>>,
}

impl Stranger {
    /// One that booted the image of this release, and would take the slot of this file.
    pub(super) fn of(committee: MemberFile, release: &Path) -> Self {
        let rules = Rules::read(&committee.shared, Arc::new(SystemClock::new())).unwrap();
        let td = booted(&serde_json::from_slice(&std::fs::read(release).unwrap()).unwrap());
        let (judge, collateral) = (rules.judge, rules.collateral);
        Self { committee, identity: Identity::generate().unwrap(), judge, td, collateral }
    }

    fn prover(&self, evidence: Evidence) -> Arc<dyn Prover> {
        Arc::new(SourceProver::new(match evidence {
            Evidence::Forged => Box::new(Forged(self.td.clone())),
            Evidence::Good | Evidence::Borrowed => Box::new(self.td.clone()),
        }))
    }

    fn dialer(&self, evidence: Evidence) -> AttestedDialer {
        let hello = Hello::candidate(*self.committee.shared.committee.id().as_bytes(), self.committee.slot);
        let (prover, judge) = (self.prover(evidence), Arc::clone(&self.judge));
        let slots = self.committee.shared.committee.acl().slots().len();
        let gate = SlotGate::shared(slots);
        AttestedDialer::machine(Endpoint::mutual(&self.identity, prover, judge, gate, hello).unwrap())
    }

    fn target(&self, slot: u16) -> Target {
        let address = self.committee.shared.peers[&slot].to_string();
        Target { address, spki_sha256: None, slot: Some(slot) }
    }

    /// The slug with which the member of this slot turns it away, or `a channel`.
    pub(super) fn is_told(&self, evidence: Evidence, slot: u16) -> String {
        runtime().block_on(async {
            let error = match self.dialer(evidence).dial(&self.target(slot)).await {
                Ok(_) => return "a channel".to_owned(),
                Err(error) => error,
            };
            match error.get_ref().and_then(|inner| inner.downcast_ref::<AttestError>()) {
                Some(AttestError::RefusedByPeer { slug }) => slug.to_string(),
                _ => format!("{error:?}"),
            }
        })
    }

    /// What the member of this slot says to its application, with this evidence and signed by this key. The channel is good.
    pub(super) fn applies(&self, evidence: Evidence, key: &CosignKey, to: u16) -> String {
        runtime().block_on(async {
            let (_, member) = self.dialer(Evidence::Good).dial(&self.target(to)).await.unwrap();
            let node = Node {
                slot: to,
                address: self.target(to).address,
                spki_sha256: member.spki_sha256,
                cosign_key: [0; 32],
            };
            let pool = Pool::new(Arc::new(self.dialer(Evidence::Good)), Limits::default(), system_random());
            let request = PeerRequest::Admit(Box::new(self.application(evidence, key)));
            let within = Duration::from_secs(20);
            match PooledPeers::new(Arc::new(pool)).call(0, &node, request, within).await {
                Ok(PeerResponse::Admitted { node }) => format!("admitted as {node}"),
                Ok(other) => format!("{other:?}"),
                Err(error) => error.to_string(),
            }
        })
    }

    fn application(&self, with: Evidence, key: &CosignKey) -> Admitting {
        let mut admission = Admission {
            slot: self.committee.slot,
            // RFC 8032, 7.1, test 1.
            cosign_key: hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
                .unwrap()
                .try_into()
                .unwrap(),
            spki: self.identity.spki_der().to_vec(),
            hpke_key: None,
            checkpoint_size: 0,
            checkpoint_root: EMPTY,
            evidence: EMPTY,
            collateral: self.collateral.as_ref().map(Hash::of),
            time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
            slot_signature: [0; 64],
            replaces: None,
        };
        let group = self.committee.shared.committee.id();
        let mut statement = admission.statement(group, 0);
        if with == Evidence::Borrowed {
            statement.spki_sha256 = [7; 32];
        }
        let evidence = self.prover(with).evidence(&statement.binding()).unwrap();
        admission.evidence = Hash::of(&evidence);
        let (spki_sha256, cosign_key) = (admission.spki_sha256(), admission.cosign_key);
        let message = slot_message(&group, 0, admission.slot, &cosign_key, &spki_sha256, &admission.evidence);
        admission.slot_signature = key.sign(&message);
        let address = self.committee.listen.to_string();
        Admitting { admission, evidence, collateral: self.collateral.clone(), address }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A TD that measured what the release predicts.
fn booted(release: &Value) -> SimulatedTd {
    let sha384 =
        |digest: &Value| -> [u8; 48] { hex::decode(digest.as_str().unwrap()).unwrap().try_into().unwrap() };
    let expected = &release["expected"][0];
    let events: Vec<Measured> = expected["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| {
            let rtmr = match event["register"].as_str().unwrap() {
                "rtmr1" => 1,
                "rtmr2" => 2,
                _ => return None,
            };
            let name = event["event"].as_str().unwrap().to_owned();
            Some(Measured { rtmr, event: name, sha384: sha384(&event["digests"]["sha384"]) })
        })
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    SimulatedTd::boot(sha384(&expected["registers"]["mrtd"]["sha384"]), &events, now).unwrap()
}

/// The operator's key in this file: it ends in the seed, as hex.
pub(super) fn operator(file: &Path) -> CosignKey {
    let text = std::fs::read_to_string(file).unwrap();
    let seed = text.split_whitespace().next_back().unwrap();
    CosignKey::from_seed(&hex::decode(seed).unwrap().try_into().unwrap())
}

/// Quotes what the machine would, under a signature that is not its.
struct Forged(SimulatedTd);

impl Source for Forged {
    fn kind(&self) -> Kind {
        Kind::Tdx
    }

    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
        let mut statement = self.0.state(binding)?;
        // Intel TDX DCAP Quoting Library API, A.3: header 48, TD 1.0 body 584, length 4; then the signature, r and s.
        statement.quote[48 + 584 + 4 + 40] ^= 1;
        Ok(statement)
    }
}
