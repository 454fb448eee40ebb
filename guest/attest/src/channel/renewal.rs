//! Evidence on a channel that stays open: challenges to the peer, answers to the peer's, and when it is too late.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Sleep;

use crate::binding::{Role, exporter_context};
use crate::error::AttestError;
use crate::frame::{FrameError, Kind, NONCE, ROUND, frame};
use crate::limits::Renewal as Rules;
use crate::refusal::Refusal;
use crate::session::{Exporter, Proven, Session, nonce};

/// Gives the exporter of a context; the connection has it.
pub(super) type Export<'a> = &'a dyn Fn(&[u8]) -> Result<Exporter, AttestError>;

/// Where renewal stands, both ways.
pub(super) struct Renewal {
    tick: Pin<Box<Sleep>>,
    theirs: Theirs,
    own: Own,
}

/// The peer's evidence.
struct Theirs {
    /// When the latest that was accepted had been asked for, by the endpoint's uptime: it is no older.
    asked: Duration,
    /// Under which rules it was judged.
    generation: u64,
    /// When to ask again.
    due: Duration,
    /// The generation for which `due` was moved forward.
    hurried: u64,
    /// The latest challenge.
    round: u64,
    challenged: Duration,
    state: State,
}

enum State {
    Idle,
    Challenged { nonce: [u8; NONCE] },
    Judging(JoinHandle<Result<Proven, AttestError>>),
}

/// This side's evidence.
struct Own {
    /// The peer's latest challenge.
    round: u64,
    challenged: Duration,
    /// The answer in the making, and its nonce.
    proving: Option<Proving>,
}

type Proving = ([u8; NONCE], JoinHandle<Result<Vec<u8>, AttestError>>);

impl Renewal {
    /// After a handshake that began at `started` and judged the peer under `generation`.
    pub(super) fn new(rules: &Rules, started: Duration, generation: u64) -> Self {
        let due = started.saturating_add(spread(rules.interval));
        let theirs = Theirs {
            asked: started,
            generation,
            due,
            hurried: generation,
            round: 0,
            challenged: started,
            state: State::Idle,
        };
        let own = Own { round: 0, challenged: started, proving: None };
        Self { tick: Box::pin(tokio::time::sleep(rules.tick())), theirs, own }
    }

    /// Does what there is to do without the peer. Puts frames to be sent at the end of `out`. Gives the peer as it is after
    /// new evidence was accepted.
    pub(super) fn poll(
        &mut self,
        session: &Session,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Proven>, AttestError> {
        while self.tick.as_mut().poll(context).is_ready() {
            let next = tokio::time::Instant::now() + session.endpoint.renewal().tick();
            self.tick.as_mut().reset(next);
            self.theirs.look_at_the_clock(session, out)?;
        }
        self.own.poll(context, out)?;
        self.theirs.poll(session, context)
    }

    /// Takes a control frame of the peer's.
    pub(super) fn take(
        &mut self,
        kind: Kind,
        body: &[u8],
        session: &Session,
        export: Export<'_>,
    ) -> Result<(), AttestError> {
        match kind {
            Kind::Challenge => self.own.challenge(body, session, export),
            Kind::Answer => self.theirs.answer(body, session, export),
            Kind::Unable => self.theirs.unable(body, session),
            other => Err(FrameError::unexpected(other, "data or a control frame").into()),
        }
    }

    /// Asks at the next tick, whatever the interval says.
    pub(super) const fn hurry(&mut self) {
        self.theirs.due = Duration::ZERO;
    }

    /// When the peer's latest accepted evidence had been asked for.
    pub(super) const fn asked(&self) -> Duration {
        self.theirs.asked
    }
}

impl Theirs {
    fn look_at_the_clock(&mut self, session: &Session, out: &mut Vec<u8>) -> Result<(), AttestError> {
        let endpoint = &session.endpoint;
        let (clock, rules) = (endpoint.clock(), endpoint.renewal());
        let now = clock.uptime();
        let (age, limit) = (now.saturating_sub(self.asked), rules.age());
        if age > limit {
            return Err(AttestError::TooOld { age, limit });
        }
        let current = endpoint.generation();
        if let Some(grace) = endpoint.judge().and_then(|judge| judge.grace(self.generation)) {
            let wall = clock.now();
            if wall > grace {
                return Err(AttestError::GracePassed);
            }
            if self.hurried != current {
                self.hurried = current;
                // Somewhere in the first half of what is left, so that there is time to ask twice.
                let left = Duration::from_secs(grace.since(wall).unwrap_or(0) / 2).min(rules.interval);
                self.due = self.due.min(now.saturating_add(fraction(left)));
            }
        }
        let spaced = self.round == 0 || now.saturating_sub(self.challenged) >= rules.spacing;
        if now < self.due || !spaced || !matches!(self.state, State::Idle) {
            return Ok(());
        }
        let nonce = nonce()?;
        self.round = self.round.saturating_add(1);
        self.challenged = now;
        self.state = State::Challenged { nonce };
        out.extend(frame(Kind::Challenge, &[&self.round.to_le_bytes()[..], &nonce].concat())?);
        Ok(())
    }

    fn answer(&mut self, body: &[u8], session: &Session, export: Export<'_>) -> Result<(), AttestError> {
        let (round, rest) = round(body, "answer")?;
        let (theirs, proof) = rest.split_first_chunk::<NONCE>().ok_or_else(|| malformed("answer"))?;
        let State::Challenged { nonce } = &self.state else {
            return Err(FrameError::unexpected(Kind::Answer, "data: no challenge is open").into());
        };
        if round != self.round {
            return Err(malformed("answer").into());
        }
        let prover = session.role.other();
        let exporter = export(&round_context(prover, session.role, nonce, theirs, round))?;
        let (session, proof) = (session.clone(), proof.to_vec());
        let judging = move || session.judge_again(&proof, &exporter);
        self.state = State::Judging(tokio::task::spawn_blocking(judging));
        Ok(())
    }

    /// The peer cannot prove itself now. It is asked again, and its age decides.
    fn unable(&mut self, body: &[u8], session: &Session) -> Result<(), AttestError> {
        if !matches!(self.state, State::Challenged { .. }) || round(body, "unable")?.0 != self.round {
            return Err(FrameError::unexpected(Kind::Unable, "data: that challenge is not open").into());
        }
        self.state = State::Idle;
        self.due = session.endpoint.clock().uptime().saturating_add(session.endpoint.renewal().interval / 16);
        Ok(())
    }

    fn poll(&mut self, session: &Session, context: &mut Context<'_>) -> Result<Option<Proven>, AttestError> {
        let State::Judging(judging) = &mut self.state else { return Ok(None) };
        let Poll::Ready(judged) = Pin::new(judging).poll(context) else { return Ok(None) };
        self.state = State::Idle;
        let proven = judged.map_err(|error| AttestError::Task(error.to_string()))??;
        self.asked = self.challenged;
        self.generation = proven.generation;
        self.hurried = proven.generation;
        let now = session.endpoint.clock().uptime();
        self.due = now.saturating_add(spread(session.endpoint.renewal().interval));
        Ok(Some(proven))
    }
}

impl Own {
    fn challenge(&mut self, body: &[u8], session: &Session, export: Export<'_>) -> Result<(), AttestError> {
        let (round, theirs) = round(body, "challenge")?;
        let theirs = theirs.try_into().map_err(|_| malformed("challenge"))?;
        if self.proving.is_some() {
            return Err(FrameError::unexpected(Kind::Challenge, "data: the last one is not answered").into());
        }
        if Some(round) != self.round.checked_add(1) {
            return Err(malformed("challenge").into());
        }
        // A quote is dear: a peer cannot have as many as it likes.
        let now = session.endpoint.clock().uptime();
        let since = now.saturating_sub(self.challenged);
        if self.round > 0 && since < session.endpoint.renewal().spacing / 4 {
            return Err(Refusal::new("challenge-too-soon", format!("{since:?} after the last one")).into());
        }
        self.round = round;
        self.challenged = now;
        let own = nonce()?;
        let exporter = export(&round_context(session.role, session.role, &own, theirs, round))?;
        let session = session.clone();
        self.proving = Some((own, tokio::task::spawn_blocking(move || session.prove(&exporter))));
        Ok(())
    }

    fn poll(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), AttestError> {
        let Some((nonce, proving)) = &mut self.proving else { return Ok(()) };
        let Poll::Ready(proof) = Pin::new(proving).poll(context) else { return Ok(()) };
        let round = self.round.to_le_bytes();
        let answer = match proof {
            Ok(Ok(proof)) => frame(Kind::Answer, &[&round[..], nonce, &proof].concat())?,
            Ok(Err(_)) | Err(_) => frame(Kind::Unable, &round)?,
        };
        self.proving = None;
        out.extend(answer);
        Ok(())
    }
}

/// The exporter's context of a round. `own` is the nonce of the side whose role is `side`.
fn round_context(prover: Role, side: Role, own: &[u8; NONCE], theirs: &[u8; NONCE], round: u64) -> Vec<u8> {
    match side {
        Role::Client => exporter_context(prover, own, theirs, Some(round)),
        Role::Server => exporter_context(prover, theirs, own, Some(round)),
    }
}

fn round<'a>(body: &'a [u8], kind: &'static str) -> Result<(u64, &'a [u8]), FrameError> {
    let (round, rest) = body.split_first_chunk::<ROUND>().ok_or_else(|| malformed(kind))?;
    Ok((u64::from_le_bytes(*round), rest))
}

const fn malformed(kind: &'static str) -> FrameError {
    FrameError::Malformed { kind, field: "its round is not the one due" }
}

/// Between three quarters of it and all of it.
fn spread(interval: Duration) -> Duration {
    let quarter = interval / 4;
    interval.saturating_sub(quarter) + fraction(quarter)
}

/// A random part of it. Without randomness none of it: then sessions ask in step, and sooner.
fn fraction(whole: Duration) -> Duration {
    let mut byte = [0];
    match getrandom::fill(&mut byte) {
        Ok(()) => (whole / 256) * u32::from(byte[0]),
        Err(_) => Duration::ZERO,
    }
}
