//! One connection a peer, made when somebody asks and made again when it broke.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::{Backoff, Random};
use super::call::CallError;
use super::frame::Topic;
use super::outgoing::Outgoing;
use super::{Dialer, Limits, Target};

/// Links that are kept at most. A committee has 31 slots; what is above that are machines that are gone.
const MOST: usize = 128;

/// Connections to peers.
pub struct Pool {
    dialer: Arc<dyn Dialer>,
    limits: Limits,
    random: Random,
    links: Mutex<BTreeMap<Target, Arc<Link>>>,
    patient: bool,
}

/// What is known of a peer's connection.
#[derive(Clone)]
enum State {
    /// Nobody asked for it yet, or it is being made.
    Making,
    /// The last attempt failed; the next comes by itself if somebody asks.
    Waiting(Arc<str>),
    /// It is there.
    Made(Arc<Outgoing>),
}

struct Link {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    used: Mutex<Instant>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pool {
    /// A pool that connects through `dialer`.
    #[must_use]
    pub fn new(dialer: Arc<dyn Dialer>, limits: Limits, random: Random) -> Self {
        Self { dialer, limits, random, links: Mutex::default(), patient: false }
    }

    /// Has a request wait for the next attempt to connect, instead of failing at once while the last one's backoff lasts: what failed before the
    /// question says nothing about now. For people, who ask seldom; a peer that asks all the time is better told at once.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    /// Asks a peer, connecting first if need be.
    ///
    /// # Errors
    /// [`CallError`]; see [`CallError::is_unclear`] for whether the peer may have acted.
    pub async fn call(
        &self,
        target: &Target,
        topic: Topic,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let link = self.link(target);
        let mut connection = None;
        let mut heard = 0;
        let asked = async {
            let made = link.connection(target, self.patient).await?;
            heard = made.heard();
            connection.insert(Arc::clone(&made)).call(topic, body).await
        };
        if let Ok(answer) = timeout(within, asked).await {
            return answer;
        }
        // Silence since the question: the other end is gone without a word, and a new connection may do better.
        if let Some(connection) = connection.filter(|connection| connection.heard() == heard) {
            connection.close();
        }
        Err(CallError::TimedOut(within))
    }

    fn link(&self, target: &Target) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if !links.contains_key(target) && links.len() >= MOST {
            let oldest = links.iter().min_by_key(|(_, link)| link.used()).map(|(target, _)| target.clone());
            oldest.and_then(|oldest| links.remove(&oldest));
        }
        let link = links.entry(target.clone()).or_insert_with(|| Arc::new(self.start(target.clone())));
        *link.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Arc::clone(link)
    }

    fn start(&self, target: Target) -> Link {
        let (tell, state) = watch::channel(State::Making);
        let wanted = Arc::new(Notify::new());
        let keep = keep(
            target,
            Arc::clone(&self.dialer),
            self.limits,
            Arc::clone(&self.random),
            tell,
            Arc::clone(&wanted),
        );
        let task = tokio::spawn(keep).abort_handle();
        Link { state, wanted, used: Mutex::new(Instant::now()), task }
    }
}

impl Link {
    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, once it is made; the last failure while its backoff lasts.
    async fn connection(&self, target: &Target, patient: bool) -> Result<Arc<Outgoing>, CallError> {
        self.wanted.notify_one();
        let unreachable =
            |why: &str| CallError::Unreachable { address: target.address.clone(), why: why.into() };
        let mut state = self.state.clone();
        if patient && matches!(&*state.borrow_and_update(), State::Waiting(_)) {
            state.changed().await.map_err(|_| unreachable("it is stopping"))?;
        }
        let settled = |state: &State| match state {
            State::Making => false,
            State::Waiting(_) => true,
            State::Made(made) => !made.is_over(),
        };
        let state = state.wait_for(settled).await.map_err(|_| unreachable("the member is stopping"))?;
        match &*state {
            State::Made(made) => Ok(Arc::clone(made)),
            State::Waiting(why) => Err(unreachable(why)),
            State::Making => Err(unreachable("not connected")),
        }
    }
}

/// Makes the connection whenever it is wanted and not there.
async fn keep(
    target: Target,
    dialer: Arc<dyn Dialer>,
    limits: Limits,
    random: Random,
    tell: watch::Sender<State>,
    wanted: Arc<Notify>,
) {
    let mut backoff = Backoff::new(limits.backoff, limits.backoff_most);
    loop {
        wanted.notified().await;
        tell.send_replace(State::Making);
        // It runs in a task of its own, so a caller with little time does not cut a handshake short.
        let dialled = match timeout(limits.dial, dialer.dial(&target)).await {
            Ok(dialled) => dialled.and_then(|(stream, found)| target.check(&found).map(|()| stream)),
            Err(_) => Err(std::io::Error::other(format!("no connection within {:?}", limits.dial))),
        };
        match dialled {
            Ok(stream) => {
                backoff.reset();
                let made = Arc::new(Outgoing::open(stream, limits));
                tell.send_replace(State::Made(Arc::clone(&made)));
                made.over().await;
                tell.send_replace(State::Making);
            }
            Err(error) => {
                tracing::debug!(%error, address = target.address, "a peer is not reached");
                tell.send_replace(State::Waiting(error.to_string().into()));
                sleep(backoff.next(random())).await;
            }
        }
    }
}
