//! Connections, within limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Answerer;

/// What one asker can take from the others.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; more wait in the kernel's backlog.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head: usize,
    /// Number of header fields.
    pub fields: usize,
    /// Time for the head to arrive.
    pub head_time: Duration,
    /// Time for a whole connection.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: 8192, // hyper's least
            fields: 32,
            head_time: Duration::from_secs(5),
            time: Duration::from_secs(60),
        }
    }
}

/// Answers connections until dropped. One request a connection: askers are few and far between.
pub async fn serve(listener: TcpListener, answerer: Arc<Answerer>, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors or memory, or a connection gone before it was taken: none is ours to mend.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let answerer = Arc::clone(&answerer);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(|request| {
                let answerer = Arc::clone(&answerer);
                async move { Ok::<_, Infallible>(answerer.answer(&request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head_time)
                .max_buf_size(limits.head)
                .max_headers(limits.fields)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Errors are the asker's: a broken request, a broken connection.
            let _ = tokio::time::timeout(limits.time, connection).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Binding, Kind, Source, SourceError, Statement};
    use crate::journal::Journal;
    use crate::kernel_modules::Report;
    use crate::status::Status;
    use std::net::{Ipv4Addr, SocketAddr};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// Answers with the binding, after a while; an odd first byte of it fails.
    struct Fake(Duration);

    impl Source for Fake {
        fn kind(&self) -> Kind {
            Kind::Vtpm
        }
        fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
            std::thread::sleep(self.0);
            if binding.report_data()
                == Binding::new(&crate::evidence::Nonce::new([0xff; 32]), &[0; 32]).report_data()
            {
                return Err(SourceError::Simulated("asked to fail".into()));
            }
            Ok(Statement { quote: binding.report_data().to_vec(), ..Statement::default() })
        }
    }

    async fn start(source: Option<Box<dyn Source>>, limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let journal = Journal::default();
        journal.line("said before");
        let modules = Report { loaded: vec!["virtio_net".into()], ..Report::default() };
        let status = Status::new(journal, source.as_ref().map(|source| source.kind()), modules);
        status.set_addresses(vec![Ipv4Addr::new(10, 0, 2, 15)]);
        tokio::spawn(serve(listener, Arc::new(Answerer::new(Arc::new(status), source)), limits));
        address
    }

    async fn exchange(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn get(address: SocketAddr, target: &str) -> (u16, String, String) {
        let answer =
            exchange(address, format!("GET {target} HTTP/1.1\r\nHost: guest\r\n\r\n").as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    fn quick() -> Option<Box<dyn Source>> {
        Some(Box::new(Fake(Duration::ZERO)))
    }

    #[tokio::test]
    async fn status_says_what_it_knows() {
        let address = start(quick(), Limits::default()).await;
        let (status, head, body) = get(address, "/status").await;
        assert_eq!(status, 200);
        assert!(head.contains("application/json") && head.contains("no-store"), "{head}");
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["version"], crate::version::GUEST_VERSION);
        assert_eq!(value["evidence"], "vtpm");
        assert_eq!(value["addresses"][0], "10.0.2.15");
        assert_eq!(value["modules"]["loaded"][0], "virtio_net");
        assert!(value["log"][0].as_str().unwrap().ends_with("said before"));
        assert!(value["uptime_seconds"].as_f64().unwrap() > 0.0);
    }

    #[tokio::test]
    async fn evidence_answers_its_nonce() {
        let address = start(quick(), Limits::default()).await;
        let (status, _, body) = get(address, &format!("/evidence?nonce={}", "07".repeat(32))).await;
        assert_eq!(status, 200);
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["kind"], "vtpm");
        assert_eq!(value["quote"], value["binding"]);
    }

    #[tokio::test]
    async fn refusals_have_three_lines_and_a_status() {
        let address = start(quick(), Limits::default()).await;
        let none = start(None, Limits::default()).await;
        let nonce = |byte: &str| format!("/evidence?nonce={}", byte.repeat(32));
        for (address, target, status, slug) in [
            (address, "/evidence".to_owned(), 400, "bad-nonce"),
            (address, "/evidence?nonce=12".to_owned(), 400, "bad-nonce"),
            (address, format!("{}&bound=00", nonce("00")), 400, "bad-nonce"),
            (address, nonce("ff"), 500, "evidence-failed"),
            (address, "/nothing%20here".to_owned(), 404, "not-found"),
            (none, nonce("00"), 501, "no-platform"),
        ] {
            let (found, head, body) = get(address, &target).await;
            assert_eq!(found, status, "{target}: {body}");
            assert!(head.contains("text/plain"), "{head}");
            let lines: Vec<_> = body.lines().collect();
            assert_eq!(lines.len(), 3, "{body}");
            assert!(lines[0].starts_with(&format!("error: {slug}: ")), "{body}");
            assert!(lines[1].starts_with("why: ") && lines[2].starts_with("hint: "), "{body}");
        }
        let post = exchange(address, b"POST /status HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n").await;
        assert!(
            post.starts_with("HTTP/1.1 405") && post.to_ascii_lowercase().contains("allow: get"),
            "{post}"
        );
    }

    #[tokio::test]
    async fn a_busy_platform_says_when_to_come_back() {
        let address = start(Some(Box::new(Fake(Duration::from_secs(6)))), Limits::default()).await;
        let target = format!("/evidence?nonce={}", "01".repeat(32));
        let (first, second) = tokio::join!(get(address, &target), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            get(address, &target).await
        });
        assert_eq!(first.0, 200);
        assert_eq!(second.0, 503, "{}", second.2);
        assert!(second.1.contains("retry-after: 2"));
    }

    #[tokio::test]
    async fn slow_and_large_heads_are_cut_off() {
        let limits = Limits { head_time: Duration::from_millis(200), connections: 2, ..Limits::default() };
        let address = start(quick(), limits).await;
        // Two that say nothing take every place, but not for long.
        let mut idle = Vec::new();
        for _ in 0..2 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        assert_eq!(get(address, "/status").await.0, 200);
        let large = format!("GET /status HTTP/1.1\r\nHost: g\r\nX: {}\r\n\r\n", "x".repeat(100_000));
        assert!(!exchange(address, large.as_bytes()).await.contains("200 OK"));
        let many = format!("GET /status HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
        assert!(!exchange(address, many.as_bytes()).await.contains("200 OK"));
        assert!(!exchange(address, b"\x16\x03\x01\x02\x00nonsense\r\n\r\n").await.contains("200 OK"));
        assert_eq!(get(address, "/status").await.0, 200);
    }
}
