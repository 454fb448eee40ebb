//! What attestation costs, beside plain TLS in the same run.
//!
//! `cargo bench -p hallmark-attest --bench channels`. Handshakes over loopback TCP, one after the other: TLS 1.3 with
//! certificates on both sides; the same with hellos, proofs of 20 kB and acceptance, and a judge that only says yes; the same with
//! evidence forged for each session and judged by the verifier. **There is no quote latency in it**, which on hardware is what
//! takes longest; the third has the forge's two signatures and base64 instead. Then throughput one way: TLS, and a channel. The two take turns, round by round; printed are medians of rounds, and ratios of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Instant;

use hallmark_attest::{
    Clock, Endpoint, Expect, Gate, Hello, Identity, Judge, Judgement, PeerClaim, PolicyJudge, Prover,
    ProverError, Refusal, SystemClock,
};
use hallmark_evidence::{Binding, BootEvent, Digests, Kind, Register, Source, SourceError, Statement};
use hallmark_forge::TdxCase;
use hallmark_verifier::Policy;
use hallmark_verifier::time::UnixSeconds;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const ROUNDS: usize = 31;
const HANDSHAKES: usize = 20;
const BYTES: usize = 64 << 20;
const CHUNKS: [usize; 3] = [256, 16 << 10, 256 << 10];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    handshakes().await;
    for chunk in CHUNKS {
        throughput(chunk).await;
    }
}

async fn handshakes() {
    let (plain, attested, judged) =
        (Plain::new(), Attested::new(Evidence::Any), Attested::new(Evidence::Forged));
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let times = [
            time(HANDSHAKES, || plain.pair()).await,
            time(HANDSHAKES, || attested.pair()).await,
            time(HANDSHAKES, || judged.pair()).await,
        ];
        // The first warms up.
        for (all, time) in rounds.iter_mut().zip(times).filter(|_| round > 0) {
            all.push(time);
        }
    }
    let [plain, attested, judged] = rounds.map(median);
    println!("handshakes, one after the other (both sides on this machine):");
    for (name, time) in [
        ("TLS 1.3, certificates on both sides", plain),
        ("  and hellos, proofs, acceptance; a judge that says yes", attested),
        ("  and both sides' evidence forged and judged by the verifier", judged),
    ] {
        println!("  {name:<62} {:7.0} us {:7.0}/s  x{:.2}", time * 1e6, 1.0 / time, time / plain);
    }
}

async fn throughput(chunk: usize) {
    let (plain, attested) = (Plain::new(), Attested::new(Evidence::Any));
    let (mut client, mut server) = plain.pair().await;
    let (mut near, mut far) = attested.pair().await;
    let bytes = if chunk < 1024 { BYTES / 16 } else { BYTES };
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let times = [
            carry(&mut client, &mut server, chunk, bytes).await,
            carry(&mut near, &mut far, chunk, bytes).await,
        ];
        for (all, time) in rounds.iter_mut().zip(times).filter(|_| round > 0) {
            all.push(time);
        }
    }
    let [plain, channel] = rounds.map(median);
    let rate = |time: f64| bytes as f64 / time / 1e6;
    println!(
        "throughput, writes of {chunk:>6} bytes: TLS {:6.0} MB/s, channel {:6.0} MB/s, ratio {:.3}",
        rate(plain),
        rate(channel),
        plain / channel
    );
}

async fn carry(
    from: &mut (impl AsyncWrite + Unpin),
    to: &mut (impl AsyncRead + Unpin),
    chunk: usize,
    bytes: usize,
) -> f64 {
    let (block, mut buffer) = (vec![7; chunk], vec![0; 256 << 10]);
    let start = Instant::now();
    let write = async {
        for _ in 0..bytes / chunk {
            from.write_all(&block).await.unwrap();
        }
        from.flush().await.unwrap();
    };
    let read = async {
        let mut left = bytes / chunk * chunk;
        while left > 0 {
            left -= to.read(&mut buffer).await.unwrap();
        }
    };
    tokio::join!(write, read);
    start.elapsed().as_secs_f64()
}

async fn time<T, F: Future<Output = T>>(count: usize, work: impl Fn() -> F) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        work().await;
    }
    start.elapsed().as_secs_f64() / count as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// TLS as an application would use it: Ed25519 certificates on both sides, no resumption.
struct Plain {
    client: TlsConnector,
    server: TlsAcceptor,
}

type TlsPair = (tokio_rustls::client::TlsStream<TcpStream>, tokio_rustls::server::TlsStream<TcpStream>);

impl Plain {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["bench.invalid".into()]).unwrap().self_signed(&key).unwrap();
        let private = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let roots = Arc::new(roots);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients =
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let chain = vec![certificate.der().clone()];
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.clone(), private())
            .unwrap();
        client.resumption = rustls::client::Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, private())
            .unwrap();
        server.send_tls13_tickets = 0;
        Self { client: Arc::new(client).into(), server: Arc::new(server).into() }
    }

    async fn pair(&self) -> TlsPair {
        let (near, far) = sockets().await;
        let name = "bench.invalid".try_into().unwrap();
        let server = self.server.clone();
        let accepting = tokio::spawn(async move { server.accept(far).await.unwrap() });
        let mut client = self.client.connect(name, near).await.unwrap();
        let mut server = accepting.await.unwrap();
        // A client is done before the server has looked at its certificate: one byte each way, as a channel has it.
        client.write_all(b"x").await.unwrap();
        server.read_u8().await.unwrap();
        server.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
        (client, server)
    }
}

#[derive(Clone, Copy)]
enum Evidence {
    /// Some bytes, which the judge takes.
    Any,
    /// A forged quote, made anew for each session and judged by the verifier.
    Forged,
}

struct Attested {
    client: Endpoint,
    server: Endpoint,
}

struct Everyone;

impl Gate for Everyone {
    fn admit(&self, _: &PeerClaim) -> Result<(), Refusal> {
        Ok(())
    }
}

struct Same(Vec<u8>);

impl Prover for Same {
    fn evidence(&self, _: &[u8; 64]) -> Result<Vec<u8>, ProverError> {
        Ok(self.0.clone())
    }
}

struct Yes;

impl Judge for Yes {
    fn judge(&self, _: &[u8], _: &[u8; 64]) -> Result<Judgement, Refusal> {
        Ok(Judgement {
            word: hallmark_verifier::Word::Simulated,
            release: None,
            platform: None,
            trust: Vec::new(),
            measurements: hallmark_verifier::event_log::Measurements::default(),
        })
    }
}

struct Td(TdxCase);

impl Source for Td {
    fn kind(&self) -> Kind {
        Kind::Tdx
    }

    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
        self.0.quote.body.report_data = Some(*binding.report_data());
        let event = |event: &hallmark_forge::evidence::BootEvent| BootEvent {
            register: Register::Rtmr3,
            event: event.event.clone(),
            digests: Digests::new(None, &event.digests.sha384),
        };
        Ok(Statement {
            quote: self.0.make().quote,
            event_log: self.0.log.bytes(),
            boot_events: self.0.boot_events.iter().map(event).collect(),
            ..Statement::default()
        })
    }
}

struct Then(SystemClock);

impl Clock for Then {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(hallmark_forge::NOW)
    }

    fn uptime(&self) -> std::time::Duration {
        self.0.uptime()
    }
}

impl Attested {
    fn new(evidence: Evidence) -> Self {
        let (prover, judge): (Arc<dyn Prover>, Arc<dyn Judge>) = match evidence {
            Evidence::Any => (Arc::new(Same(vec![b' '; 20_000])), Arc::new(Yes)),
            Evidence::Forged => {
                let forged = TdxCase::default().make();
                let policy = Policy::parse(&forged.policy).unwrap();
                let clock = Arc::new(Then(SystemClock::new()));
                let judge = PolicyJudge::new(policy, &[forged.release], clock).unwrap();
                judge.add_collateral(&forged.collateral.unwrap(), UnixSeconds(u64::MAX)).unwrap();
                let prover = hallmark_attest::SourceProver::new(Box::new(Td(TdxCase::default())));
                (Arc::new(prover), Arc::new(judge))
            }
        };
        let endpoint = |slot| {
            let identity = Identity::generate().unwrap();
            let hello = Hello::candidate([7; 32], slot);
            Endpoint::mutual(&identity, prover.clone(), judge.clone(), Arc::new(Everyone), hello).unwrap()
        };
        Self { client: endpoint(0), server: endpoint(1) }
    }

    async fn pair(&self) -> (hallmark_attest::Channel<TcpStream>, hallmark_attest::Channel<TcpStream>) {
        let (near, far) = sockets().await;
        let server = self.server.clone();
        let accepting = tokio::spawn(async move { server.accept(far).await.unwrap() });
        let client = self.client.connect(near, &Expect::ANYONE).await.unwrap();
        (client, accepting.await.unwrap())
    }
}
