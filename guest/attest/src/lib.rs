//! Attested channels: TLS 1.3 whose ends prove what they run.
//!
//! # What it does not check or promise
//!
//! - **A certificate proves nothing here.** It carries a key; evidence is bound to the key, and to the TLS session.
//! - **It does not know who belongs to a group**: the [`Gate`] does. Evidence says what runs, not whose it is.
//! - **It convinces nobody else, and nobody later.** What an auditor must be able to check needs a second quote, bound to a
//!   statement instead of a session; a [`Prover`] makes it.
//! - **It does not judge by itself**: a [`Judge`] does, by rules that the relying party gave it. [`PolicyJudge`] is the one that
//!   asks the verifier.
//! - **It hides neither who speaks with whom nor how much.**
//! - **It does not protect against its own host's clock.** Certificates and collateral are judged at the instant that the
//!   [`Clock`] says.
//! - **There is no task behind a channel.** Challenges are answered while it is read.
//!
//! # The way of a session
//!
//! TLS 1.3 with a self-signed certificate on either side (`hallmark/1`; no resumption, tickets or early data), then frames: hellos
//! (a fresh nonce and a context), evidence bound to this session ([`binding`]), acceptance. A [`Channel`] exists once both sides
//! have accepted; until then nothing of the protocol above can be sent or received, because there is nothing to send it through.
//!
//! ```no_run
//! use std::sync::Arc;
//! use hallmark_attest::{Endpoint, Expect, Gate, Hello, Identity, Judge, Prover};
//! # async fn f(prover: Arc<dyn Prover>, judge: Arc<dyn Judge>, gate: Arc<dyn Gate>, stream: tokio::io::DuplexStream)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::generate()?;
//! let endpoint = Endpoint::mutual(&identity, prover, judge, gate, Hello::member([7; 32], 0, 12))?;
//! let channel = endpoint.connect(stream, &Expect { slot: Some(1), ..Expect::ANYONE }).await?;
//! println!("speaks with {:?}", channel.peer().hello());
//! # Ok(())
//! # }
//! ```

pub mod binding;

mod channel;
mod clock;
mod endpoint;
mod error;
mod frame;
mod gate;
mod greeting;
mod handshake;
mod hello;
mod holder;
mod identity;
mod judge;
mod limits;
mod peer;
mod policy_judge;
mod prover;
mod refusal;
mod session;
mod tls;

pub use binding::Role;
pub use channel::{Channel, failure_of};
pub use clock::{Clock, SystemClock};
pub use endpoint::{Endpoint, Expect};
pub use error::{AttestError, Stage};
pub use frame::FrameError;
pub use gate::{Gate, PeerClaim};
pub use greeting::Mode;
pub use hello::Hello;
pub use holder::{Holder, HolderError, SeedHolder};
pub use identity::{Identity, IdentityError};
pub use judge::{Judge, Judgement};
pub use limits::{Limits, Renewal};
pub use peer::{Peer, PeerKey};
pub use policy_judge::{PolicyJudge, PolicyJudgeError};
pub use prover::{Prover, ProverError, SourceProver};
pub use refusal::{Refusal, Slug};
pub use tls::ALPN;
