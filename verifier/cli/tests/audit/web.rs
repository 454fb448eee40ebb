//! The same log over plain HTTP, from servers that do as they should and from some that do not.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use super::folder;
use super::forged_ledger::Ledger;
use crate::assay::{Ran, assay};

/// How a server answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// With the files of the folder.
    Files,
    /// With another address.
    Elsewhere,
    /// With bytes that do not end.
    Endless,
    /// With an error.
    Broken,
}

/// Serves a folder on loopback, one request a connection, for as long as the test runs; the address.
fn serve(root: PathBuf, manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away is none of this server's concern.
            let _ = answer(stream.unwrap(), &root, manner);
        }
    });
    address
}

fn answer(mut stream: TcpStream, root: &std::path::Path, manner: Manner) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap()?;
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let path = request.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
    match (manner, fs::read(root.join(path))) {
        (Manner::Files, Ok(bytes)) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                bytes.len()
            )?;
            stream.write_all(&bytes)
        }
        (Manner::Files, Err(_)) => {
            write!(stream, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
        (Manner::Elsewhere, _) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
        }
        (Manner::Endless, _) => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b'a'; 4096])?;
            }
        }
        (Manner::Broken, _) => {
            write!(stream, "HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
    }
}

/// What a server does to its files.
type Change = &'static dyn Fn(&Path, &Ledger);

fn audit(manner: Manner) -> Ran {
    audit_with(manner, |_, _| {})
}

/// With this done to the files before they are served.
fn audit_with(manner: Manner, change: impl FnOnce(&Path, &Ledger)) -> Ran {
    let (folder, mut ledger) = (folder(), Ledger::found());
    (0..300).for_each(|nonce| {
        ledger.pair(1, nonce);
    });
    ledger.write(&folder.path().join("log"), &ledger.checkpoint(&[0, 1]));
    change(&folder.path().join("log"), &ledger);
    let address = serve(folder.path().join("log"), manner);
    let group = ledger.group.to_string();
    let asked =
        ["audit", &address, "--group", &group, "--release", "release.json", "--policy", "policy.toml"];
    assay(folder.path(), &asked)
}

#[test]
fn a_server_is_as_good_as_a_folder() {
    let ran = audit(Manner::Files);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("verdict: simulated\n"), "{}", ran.out);
}

/// What was read over the network is a log in a folder, and says the same there; the server may be gone.
#[test]
fn a_copy_is_as_good_as_a_server() {
    let (folder, mut ledger) = (folder(), Ledger::found());
    (0..600).for_each(|nonce| {
        ledger.pair(1, nonce);
    });
    ledger.write(&folder.path().join("log"), &ledger.checkpoint(&[0, 1]));
    fs::write(folder.path().join("receipt.json"), ledger.receipt(40, &[1, 2])).unwrap();
    let address = serve(folder.path().join("log"), Manner::Files);
    let group = ledger.group.to_string();
    let terms = ["--group", &group, "--release", "release.json", "--policy", "policy.toml"];
    let run = |log: &str, more: &[&str]| {
        assay(folder.path(), &[&["audit", log, "--checkpoint", "receipt.json"][..], &terms, more].concat())
    };
    let first = run(&address, &["--save", "copy"]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    fs::remove_dir_all(folder.path().join("log")).unwrap();
    let again = run("copy", &[]);
    assert_eq!((again.code, &again.out), (0, &first.out), "{}", again.err);
    // Into what is there nothing is put.
    let ran = run("copy", &["--save", "copy"]);
    assert_eq!((ran.out.as_str(), ran.code), ("verdict: undecided\n", 2), "{}", ran.err);
    assert!(ran.err.starts_with("error: save: "), "{}", ran.err);
}

const BUNDLE: &str = "tile/entries/000";

/// Files that a server changed are refused, like a folder's.
#[test]
fn a_server_that_lies_is_found_out() {
    let cases: [(&str, Change); 4] = [
        ("log-hash", &|log, _| {
            let mut bytes = fs::read(log.join(BUNDLE)).unwrap();
            bytes[9] ^= 1;
            fs::write(log.join(BUNDLE), bytes).unwrap();
        }),
        ("log-incomplete", &|log, _| fs::remove_file(log.join(BUNDLE)).unwrap()),
        ("checkpoint-quorum", &|log, ledger| {
            fs::write(log.join("checkpoint"), ledger.checkpoint(&[2])).unwrap();
        }),
        // Fewer entries under what was signed over all of them.
        ("log-incomplete", &|log, ledger| {
            let mut shorter = ledger.clone();
            shorter.leaves.pop();
            fs::remove_dir_all(log).unwrap();
            shorter.write(log, &ledger.checkpoint(&[0, 1]));
        }),
    ];
    for (code, change) in cases {
        let ran = audit_with(Manner::Files, change);
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(ran.out.starts_with("verdict: refused\n"), "{}", ran.out);
        assert!(ran.err.starts_with(&format!("error: {code}: ")), "{}", ran.err);
    }
}

#[test]
fn a_server_that_misbehaves_leaves_it_undecided() {
    for (manner, says) in
        [(Manner::Elsewhere, "status 302"), (Manner::Endless, "checkpoint: "), (Manner::Broken, "status 500")]
    {
        let ran = audit(manner);
        assert_eq!((ran.out.as_str(), ran.code), ("verdict: undecided\n", 2), "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 3, "{}", ran.err);
    }
}

#[test]
fn nobody_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = assay(folder().path(), &["audit", &format!("http://{free}"), "--structure"]);
    assert_eq!((ran.out.as_str(), ran.code), ("verdict: undecided\n", 2), "{}", ran.err);
    assert!(ran.err.starts_with("error: input: cannot read the log"), "{}", ran.err);
}
