//! QMP, the QEMU Machine Protocol: one JSON object a line, over a Unix socket.
//!
//! QEMU's "docs/interop/qmp-spec": a greeting, `qmp_capabilities`, then commands and answers, with
//! events in between.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// Why QEMU could not be spoken to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QmpError {
    /// Nobody listens on the socket.
    #[error("cannot connect to QEMU at {path:?}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to QEMU broke during {during}")]
    Broken {
        /// The command, or `greeting`.
        during: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// QEMU closed it.
    #[error("QEMU closed the connection during {during}")]
    Closed {
        /// The command, or `greeting`.
        during: String,
    },
    /// No answer in time.
    #[error("QEMU did not answer {during} within {} ms", limit.as_millis())]
    TimedOut {
        /// The command, or `greeting`.
        during: String,
        /// How long it had.
        limit: Duration,
    },
    /// QEMU said no.
    #[error("QEMU refused {command}: {class}: {description}")]
    Refused {
        /// The command.
        command: String,
        /// QMP's error class.
        class: String,
        /// QMP's text.
        description: String,
    },
    /// Not QMP.
    #[error("not a QMP message during {during}: {text:?}")]
    Message {
        /// The command, or `greeting`.
        during: String,
        /// The beginning of the line.
        text: String,
    },
}

/// Something that happened in QEMU, told without being asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its name, such as `SHUTDOWN`.
    pub name: String,
    /// Its data.
    pub data: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Greeting {
        #[serde(rename = "QMP")]
        _qmp: Value,
    },
    Event {
        event: String,
        #[serde(default)]
        data: Value,
    },
    Return {
        #[serde(rename = "return")]
        value: Value,
        id: Option<u64>,
    },
    Error {
        error: ErrorBody,
        id: Option<u64>,
    },
}

#[derive(Deserialize)]
struct ErrorBody {
    class: String,
    desc: String,
}

/// A connection that may give commands.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    received: Vec<u8>,
    next_id: u64,
    notices: VecDeque<Notice>,
}

impl Qmp {
    /// Longest message taken, in bytes.
    pub const MESSAGE: usize = 1 << 20;
    /// How many unread notices are kept; older ones are dropped.
    pub const NOTICES: usize = 64;

    /// Connects and negotiates, within `limit`.
    ///
    /// # Errors
    /// When nobody listens, or what listens does not speak QMP in time.
    pub fn connect(path: &Path, limit: Duration) -> Result<Self, QmpError> {
        let stream =
            UnixStream::connect(path).map_err(|source| QmpError::Connect { path: path.into(), source })?;
        let mut qmp = Self { stream, received: Vec::new(), next_id: 1, notices: VecDeque::new() };
        let deadline = Deadline::new("greeting", limit);
        match qmp.message(&deadline)? {
            Message::Greeting { .. } => {}
            _ => return Err(QmpError::Message { during: deadline.during, text: "no greeting".into() }),
        }
        qmp.execute("qmp_capabilities", limit)?;
        Ok(qmp)
    }

    /// Gives a command without arguments and waits for its answer, for at most `limit`.
    ///
    /// # Errors
    /// When QEMU refuses, or does not answer in time or in QMP.
    pub fn execute(&mut self, command: &str, limit: Duration) -> Result<Value, QmpError> {
        let deadline = Deadline::new(command, limit);
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut line = json!({ "execute": command, "id": id }).to_string();
        line.push('\n');
        self.stream
            .set_write_timeout(Some(deadline.left()?))
            .and_then(|()| self.stream.write_all(line.as_bytes()))
            .map_err(|source| deadline.broken(source))?;
        loop {
            match self.message(&deadline)? {
                Message::Return { value, id: Some(answered) } if answered == id => return Ok(value),
                Message::Error { error, id: answered } if answered.is_none_or(|answered| answered == id) => {
                    let command = deadline.during;
                    return Err(QmpError::Refused { command, class: error.class, description: error.desc });
                }
                Message::Event { event, data } => self.remember(Notice { name: event, data }),
                // The answer to a command that was given up on.
                Message::Return { .. } | Message::Error { .. } | Message::Greeting { .. } => {}
            }
        }
    }

    /// The notices that came in during commands, oldest first.
    pub fn notices(&mut self) -> impl Iterator<Item = Notice> + '_ {
        self.notices.drain(..)
    }

    fn remember(&mut self, notice: Notice) {
        if self.notices.len() >= Self::NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    fn message(&mut self, deadline: &Deadline) -> Result<Message, QmpError> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|_| deadline.not_qmp(&line));
            }
            if self.received.len() > Self::MESSAGE {
                return Err(deadline.not_qmp(&self.received));
            }
            self.stream.set_read_timeout(Some(deadline.left()?)).map_err(|source| deadline.broken(source))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(QmpError::Closed { during: deadline.during.clone() }),
                Ok(count) => self.received.extend(chunk.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(deadline.broken(error)),
            }
        }
    }
}

struct Deadline {
    during: String,
    limit: Duration,
    end: Instant,
}

impl Deadline {
    fn new(during: &str, limit: Duration) -> Self {
        let now = Instant::now();
        Self { during: during.into(), limit, end: now.checked_add(limit).unwrap_or(now) }
    }

    fn left(&self) -> Result<Duration, QmpError> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.timed_out()) } else { Ok(left) }
    }

    fn timed_out(&self) -> QmpError {
        QmpError::TimedOut { during: self.during.clone(), limit: self.limit }
    }

    fn broken(&self, source: io::Error) -> QmpError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timed_out(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                QmpError::Closed { during: self.during.clone() }
            }
            _ => QmpError::Broken { during: self.during.clone(), source },
        }
    }

    fn not_qmp(&self, line: &[u8]) -> QmpError {
        let text = crate::console::printable(line).chars().take(120).collect();
        QmpError::Message { during: self.during.clone(), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::net::UnixListener;
    use std::thread;

    const GREETING: &str = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";
    const LIMIT: Duration = Duration::from_secs(5);

    /// A QEMU that says `script` whatever it is asked, and closes when it was not asked anything for `patience`.
    fn says(script: Vec<u8>, patience: u64) -> (Scratch, PathBuf) {
        let scratch = Scratch::new().unwrap();
        let path = scratch.socket("qmp").unwrap().as_path().to_owned();
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(&script);
            stream.set_read_timeout(Some(Duration::from_millis(patience))).unwrap();
            while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
        });
        (scratch, path)
    }

    #[test]
    fn commands_answers_and_notices() {
        let script = format!(
            "{GREETING}{{\"return\": {{}}, \"id\": 1}}\n{{\"timestamp\": {{}}, \"event\": \"STOP\"}}\n\
             {{\"return\": \"late\", \"id\": 1}}\n{{\"return\": {{\"status\": \"paused\"}}, \"id\": 2}}\n\
             {{\"id\": 3, \"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"no\"}}}}\n"
        );
        let (_scratch, path) = says(script.into(), 1000);
        let mut qmp = Qmp::connect(&path, LIMIT).unwrap();
        assert_eq!(qmp.execute("query-status", LIMIT).unwrap(), json!({ "status": "paused" }));
        assert_eq!(qmp.notices().map(|notice| notice.name).collect::<Vec<_>>(), ["STOP"]);
        let error = qmp.execute("fly", LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refused fly: CommandNotFound: no");
        assert!(matches!(qmp.execute("quit", LIMIT), Err(QmpError::Closed { .. })));
    }

    #[test]
    fn silence_and_garbage() {
        let (_scratch, path) = says(Vec::new(), 1000);
        let error = Qmp::connect(&path, Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, QmpError::TimedOut { .. }), "{error}");
        let (_scratch, path) = says(b"SSH-2.0-x\x1b[31m\n".to_vec(), 20);
        assert!(
            matches!(Qmp::connect(&path, LIMIT), Err(QmpError::Message { text, .. }) if text == "SSH-2.0-x")
        );
        let (_scratch, path) = says(vec![b'{'; Qmp::MESSAGE + 4097], 20);
        assert!(matches!(Qmp::connect(&path, LIMIT), Err(QmpError::Message { .. })));
        let nobody = Scratch::new().unwrap();
        assert!(matches!(Qmp::connect(&nobody.path().join("qmp"), LIMIT), Err(QmpError::Connect { .. })));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let script = format!("{GREETING}{{\"return\": {{}}, \"id\": 1}}\n");
        for length in 0..script.len() {
            let (_scratch, path) = says(script.as_bytes()[..length].to_vec(), 20);
            assert!(Qmp::connect(&path, LIMIT).is_err(), "{length}");
        }
    }
}
