//! Clients that put pairs one after another, and remember what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hallmark_committee::client::{Client, ClientError, Decided, Options, collection};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Pair;

use super::processes::Processes;

const LONG: Duration = Duration::from_secs(60);

/// A load that runs until it is stopped.
pub(super) struct Load {
    over: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

fn client(committee: &Processes) -> Client {
    let mut options = Options::default();
    options.connect = Duration::from_secs(5);
    options.request = Duration::from_secs(5);
    options.submit = Duration::from_secs(10);
    let files = [0, 1, 2].map(|slot| committee.file(slot));
    let [first, ..] = &files;
    let addresses = files.iter().map(|file| file.http.to_string());
    Client::new(first.shared.committee.clone(), addresses, options)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl Load {
    pub(super) fn on(committee: &Processes) -> Self {
        let client = client(committee);
        let (over, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stop, count) = (Arc::clone(&over), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let lanes = (0..4u8).map(|lane| {
                    let (client, stop, count) = (client.clone(), Arc::clone(&stop), Arc::clone(&count));
                    tokio::spawn(async move { puts(&client, lane, &stop, &count).await })
                });
                let lanes: Vec<_> = lanes.collect();
                let mut all = Vec::new();
                for lane in lanes {
                    all.extend(lane.await.unwrap());
                }
                all
            })
        });
        Self { over, acknowledged, thread }
    }

    /// Waits for more acknowledgements than there are now.
    pub(super) fn goes_on(&self) {
        let (deadline, due) = (Instant::now() + LONG, self.acknowledged.load(Ordering::Relaxed) + 20);
        while self.acknowledged.load(Ordering::Relaxed) < due {
            assert!(!self.thread.is_finished(), "the load ended by itself");
            assert!(Instant::now() < deadline, "nothing is acknowledged any more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it; the keys that were acknowledged.
    pub(super) fn stop(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// One client id: a number for each put, the key is its number, the value as well.
async fn puts(client: &Client, lane: u8, over: &AtomicBool, count: &AtomicUsize) -> Vec<String> {
    let id = ClientId::new([lane + 1; 32]);
    let mut acknowledged = Vec::new();
    for nonce in 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{lane}-{nonce}");
        match client.submit(id, nonce, "pairs", put(&key)).await {
            Ok(receipt) => {
                assert_eq!(receipt.decided, Decided::Committed);
                acknowledged.push(key);
                count.fetch_add(1, Ordering::Relaxed);
            }
            // Open, or not taken: it is no acknowledgement, whichever comes of it.
            Err(error) => assert!(is_honest(&error), "{error}"),
        }
    }
    acknowledged
}

/// What members that restart may say. A proof that does not hold, two histories or a retired committee is none of it.
fn is_honest(error: &ClientError) -> bool {
    !matches!(error, ClientError::Forked(_) | ClientError::Unproven { .. } | ClientError::Retired { .. })
}

fn put(key: &str) -> String {
    format!(r#"{{"op":"put","key":"{key}","value":"{key}"}}"#)
}

/// Asserts that a client who knows nothing yet reads every one of these, and can write.
pub(super) fn holds(committee: &Processes, acknowledged: &[String]) {
    assert!(!acknowledged.is_empty());
    let client = client(committee);
    runtime().block_on(async {
        let written = client.submit(ClientId::new([99; 32]), 1, "pairs", put("after")).await.unwrap();
        assert_eq!(written.decided, Decided::Committed);
        let pairs = collection::<Pair>(&client, "pairs");
        let after = pairs.get_fresh("after").await.unwrap().unwrap();
        assert_eq!(after.body.value.as_deref(), Some("after"));
        for key in acknowledged {
            let found = pairs.get(key).await.unwrap();
            let found = found.unwrap_or_else(|| panic!("{key} was acknowledged and is gone"));
            assert_eq!(found.body.value.as_deref(), Some(key.as_str()));
        }
    });
}
