//! Channels, with evidence that counts and with proofs that are nothing.

use std::sync::Arc;

use hallmark_attest::{
    Channel, Endpoint, Expect, Hello, Identity, Judge, Judgement, Prover, ProverError, Refusal, SeedHolder,
};
use hallmark_verifier::Word;
use hallmark_verifier::event_log::Measurements;

use crate::counted::{Counted, Wire};
use crate::world::{GROUP, World, honest_td};

/// Some bytes.
struct Hollow;

impl Prover for Hollow {
    fn evidence(&self, _: &[u8; 64]) -> Result<Vec<u8>, ProverError> {
        Ok(vec![b' '; 20_000])
    }
}

/// Takes them.
struct Yes;

impl Judge for Yes {
    fn judge(&self, _: &[u8], _: &[u8; 64]) -> Result<Judgement, Refusal> {
        Ok(Judgement {
            word: Word::Simulated,
            release: None,
            platform: None,
            trust: Vec::new(),
            measurements: Measurements::default(),
        })
    }
}

/// Two endpoints.
pub struct Attested {
    client: Endpoint,
    server: Endpoint,
}

impl Attested {
    /// The protocol alone.
    pub fn hollow(mutual: bool) -> Self {
        Self::new(mutual, || (Arc::new(Hollow), Arc::new(Yes)))
    }

    /// Each session has its evidence, and the verifier judges it.
    pub fn judged(mutual: bool) -> Self {
        let world = World::new();
        Self::new(mutual, || (honest_td(), world.judge()))
    }

    fn new(mutual: bool, rules: impl Fn() -> (Arc<dyn Prover>, Arc<dyn Judge>)) -> Self {
        let World { gate, clock, .. } = World::new();
        let member = |slot| {
            let (prover, judge) = rules();
            let identity = Identity::generate().unwrap();
            Endpoint::mutual(&identity, prover, judge, gate.clone(), Hello::candidate(GROUP, slot)).unwrap()
        };
        let (client, server) = if mutual {
            (member(0), member(1))
        } else {
            let ((prover, judge), identity) = (rules(), Identity::generate().unwrap());
            let holder = Arc::new(SeedHolder::new(&[1; 32]));
            let hello = Hello::candidate(GROUP, 1);
            (
                Endpoint::visitor(holder, judge, gate.clone(), Hello::of_group(GROUP)).unwrap(),
                Endpoint::host(&identity, prover, gate, hello).unwrap(),
            )
        };
        Self { client: client.with_clock(clock.clone()), server: server.with_clock(clock) }
    }

    /// A new channel.
    pub async fn pair(&self, wire: &Wire) -> (Channel<Counted>, Channel<Counted>) {
        let (near, far) = wire.sockets().await;
        let server = self.server.clone();
        let accepting = tokio::spawn(async move { server.accept(far).await.unwrap() });
        let client = self.client.connect(near, &Expect::ANYONE).await.unwrap();
        (client, accepting.await.unwrap())
    }
}
