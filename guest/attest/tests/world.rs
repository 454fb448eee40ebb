//! Machines, a judge and clocks to test with.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallmark_attest::{
    AttestError, Channel, Clock, Endpoint, Expect, Gate, Hello, Identity, Judge, Limits, Peer, PeerClaim,
    PeerKey, PolicyJudge, Prover, ProverError, Refusal, SeedHolder, SourceProver,
};
use hallmark_forge::TdxCase;
use hallmark_simulated::ForgedTd;
use hallmark_verifier::Policy;
use hallmark_verifier::time::UnixSeconds;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};

pub const GROUP: [u8; 32] = [7; 32];
pub const FOREVER: UnixSeconds = UnixSeconds(u64::MAX);

pub fn td(change: impl FnOnce(&mut TdxCase)) -> Arc<dyn Prover> {
    let mut case = TdxCase::default();
    change(&mut case);
    Arc::new(SourceProver::new(Box::new(ForgedTd(case))))
}

pub fn honest_td() -> Arc<dyn Prover> {
    td(|_| {})
}

/// Clocks that stand still until they are moved.
pub struct ManualClock {
    now: AtomicU64,
    uptime: AtomicU64,
}

impl ManualClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicU64::new(hallmark_forge::NOW), uptime: AtomicU64::new(1_000_000) })
    }

    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(by.as_secs(), Ordering::SeqCst);
        self.uptime.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.now.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.uptime.load(Ordering::SeqCst))
    }
}

/// Lets everyone in but those it was told about.
#[derive(Default)]
pub struct Doorman {
    pub expelled: Mutex<Vec<u64>>,
    pub asked: AtomicUsize,
}

impl Gate for Doorman {
    fn admit(&self, claim: &PeerClaim) -> Result<(), Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match claim.hello.node {
            Some(node) if self.expelled.lock().unwrap().contains(&node) => {
                Err(Refusal::new("not-in-roster", format!("node {node}")))
            }
            _ => Ok(()),
        }
    }
}

/// Keeps every piece of evidence it makes.
pub struct Recorder(pub Arc<dyn Prover>, pub Mutex<Vec<Vec<u8>>>);

impl Recorder {
    pub fn new(prover: Arc<dyn Prover>) -> Arc<Self> {
        Arc::new(Self(prover, Mutex::default()))
    }
}

impl Prover for Recorder {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, ProverError> {
        let evidence = self.0.evidence(report_data)?;
        self.1.lock().unwrap().push(evidence.clone());
        Ok(evidence)
    }
}

pub struct World {
    pub clock: Arc<ManualClock>,
    pub judge: Arc<PolicyJudge>,
    pub gate: Arc<Doorman>,
}

impl World {
    pub fn new() -> Self {
        let clock = ManualClock::new();
        let forged = TdxCase::default().make();
        let policy = Policy::parse(&forged.policy).unwrap();
        let judge = PolicyJudge::new(policy, &[forged.release], clock.clone()).unwrap();
        judge.add_collateral(&forged.collateral.unwrap(), FOREVER).unwrap();
        Self { clock, judge: Arc::new(judge), gate: Arc::default() }
    }

    pub fn judge(&self) -> Arc<dyn Judge> {
        self.judge.clone()
    }

    pub fn member(&self, hello: Hello, prover: Arc<dyn Prover>) -> Endpoint {
        let identity = Identity::generate().unwrap();
        Endpoint::mutual(&identity, prover, self.judge(), self.gate.clone(), hello)
            .unwrap()
            .with_clock(self.clock.clone())
            .with_limits(Limits { handshake: Duration::from_secs(20), ..Limits::default() })
    }

    /// Slot 0, node 10.
    pub fn server(&self) -> Endpoint {
        self.member(Hello::member(GROUP, 0, 10), honest_td())
    }

    /// Slot 1, node 11.
    pub fn client(&self) -> Endpoint {
        self.member(Hello::member(GROUP, 1, 11), honest_td())
    }
}

/// Operators, by one key.
pub struct Operators(pub [u8; 32]);

impl Gate for Operators {
    fn admit(&self, claim: &PeerClaim) -> Result<(), Refusal> {
        match claim.key {
            PeerKey::Held(key) if key == self.0 => Ok(()),
            _ => Err(Refusal::new("not-an-operator", "another key")),
        }
    }

    fn confirm(&self, peer: &Peer) -> Result<(), Refusal> {
        assert!(peer.judgement().is_none());
        Ok(())
    }
}

impl World {
    /// Slot 0, node 10, for laptops with this key.
    pub fn host(&self, operator: [u8; 32], prover: Arc<dyn Prover>) -> Endpoint {
        let identity = Identity::generate().unwrap();
        Endpoint::host(&identity, prover, Arc::new(Operators(operator)), Hello::member(GROUP, 0, 10))
            .unwrap()
            .with_clock(self.clock.clone())
    }

    /// A laptop with the key of this seed.
    pub fn visitor(&self, seed: u8) -> Endpoint {
        let holder = Arc::new(SeedHolder::new(&[seed; 32]));
        Endpoint::visitor(holder, self.judge(), self.gate.clone(), Hello::of_group(GROUP))
            .unwrap()
            .with_clock(self.clock.clone())
    }
}

pub type Outcome = Result<Channel<DuplexStream>, AttestError>;

/// Connects two endpoints.
pub async fn meet(client: &Endpoint, server: &Endpoint, expect: &Expect) -> (Outcome, Outcome) {
    let (near, far) = duplex(1 << 16);
    let (client, server, expect) = (client.clone(), server.clone(), *expect);
    let connecting = tokio::spawn(async move { client.connect(near, &expect).await });
    let accepted = server.accept(far).await;
    (connecting.await.unwrap(), accepted)
}

pub async fn met(client: &Endpoint, server: &Endpoint) -> (Channel<DuplexStream>, Channel<DuplexStream>) {
    let (client, server) = meet(client, server, &Expect::ANYONE).await;
    (client.unwrap(), server.unwrap())
}

/// The slug of a side that got no channel.
pub fn slug(outcome: &Outcome) -> &str {
    outcome.as_ref().err().map_or("a channel", AttestError::slug)
}

/// What the other side said.
pub fn told(outcome: &Outcome) -> String {
    match outcome {
        Err(AttestError::RefusedByPeer { slug }) => slug.to_string(),
        other => format!("{other:?}"),
    }
}

/// Sends bytes one way and reads them at the other end.
pub async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    from: &mut Channel<S>,
    to: &mut Channel<S>,
    bytes: &[u8],
) {
    let mut got = vec![0; bytes.len()];
    let send = async {
        from.write_all(bytes).await.unwrap();
        from.flush().await.unwrap();
    };
    let ((), read) = tokio::join!(send, to.read_exact(&mut got));
    read.unwrap();
    assert!(got == bytes);
}
