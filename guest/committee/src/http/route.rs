//! Which question a request is: method, path and query become one value, or a refusal that names the field.

use hyper::{Method, StatusCode};

use super::problem::{Problem, printable};
use crate::service::SubmissionId;

/// Longest key of a collection, in bytes, after decoding.
const MAX_KEY: usize = 1024;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The newest cosigned checkpoint; with a challenge, this member's word that it is its newest.
    Checkpoint {
        /// The nonce to sign.
        challenge: Option<[u8; 32]>,
        /// Wait until the checkpoint covers this size.
        size: Option<u64>,
    },
    /// A tile or an entry bundle, by its C2SP path without the leading slash.
    Tile(String),
    /// A proof that one size extends another.
    Consistency {
        /// The smaller size.
        old: u64,
        /// The larger size.
        new: u64,
    },
    /// Entries from an index on.
    Entries {
        /// The first.
        from: u64,
        /// At most this many.
        limit: Option<usize>,
    },
    /// A stream from a sequence number on.
    Stream {
        /// Its surface.
        name: String,
        /// The first sequence number.
        from: u64,
        /// At most this many, where not followed.
        limit: Option<usize>,
        /// Whether to go on as entries come.
        follow: bool,
        /// Whether each line carries its inclusion proof.
        proofs: bool,
    },
    /// The last entry of a key.
    Collection {
        /// Its surface.
        name: String,
        /// The key.
        key: String,
        /// The nonce for which the member signs its answer.
        challenge: Option<[u8; 32]>,
    },
    /// Who may cosign now.
    Roster,
    /// With what evidence each of them was admitted.
    Evidence,
    /// The evidence that one machine was admitted with, as it stands in the ledger.
    EvidenceOf {
        /// Its node id.
        node: u64,
        /// Its collateral instead.
        collateral: bool,
    },
    /// Prometheus text.
    Metrics,
    /// What this member knows of itself.
    Status,
    /// A command.
    Submit {
        /// The surface.
        surface: String,
    },
    /// Commands.
    SubmitTogether,
    /// What became of a submission.
    Fate(SubmissionId),
    /// The same, and if it is open, that it never be applied.
    Settle(SubmissionId),
}

impl Route {
    /// Reads method, path and query.
    pub(crate) fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Problem> {
        let mut query = Query::parse(query)?;
        let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let get = || expect(method, &[Method::GET, Method::HEAD], "GET, HEAD");
        let post = || expect(method, &[Method::POST], "POST");
        let route = match parts.as_slice() {
            ["checkpoint"] => {
                get()?;
                Self::Checkpoint { challenge: query.bytes32("challenge")?, size: query.number("size")? }
            }
            ["tile", ..] => {
                get()?;
                Self::Tile(path.trim_start_matches('/').to_owned())
            }
            ["consistency"] => {
                get()?;
                Self::Consistency { old: query.required("from")?, new: query.required("to")? }
            }
            ["entries"] => {
                get()?;
                Self::Entries { from: query.number("from")?.unwrap_or(0), limit: query.count("limit")? }
            }
            ["streams", name] => {
                get()?;
                Self::Stream {
                    name: decode("surface", name, MAX_KEY)?,
                    from: query.number("from")?.unwrap_or(0),
                    limit: query.count("limit")?,
                    follow: query.flag("follow")?,
                    proofs: query.flag("proofs")?,
                }
            }
            ["collections", name, key] => {
                get()?;
                Self::Collection {
                    name: decode("surface", name, MAX_KEY)?,
                    key: decode("key", key, MAX_KEY)?,
                    challenge: query.bytes32("challenge")?,
                }
            }
            ["roster"] => get().map(|()| Self::Roster)?,
            ["evidence"] => get().map(|()| Self::Evidence)?,
            ["evidence", node] => get()
                .and_then(|()| number("node", node))
                .map(|node| Self::EvidenceOf { node, collateral: false })?,
            ["evidence", node, "collateral"] => get()
                .and_then(|()| number("node", node))
                .map(|node| Self::EvidenceOf { node, collateral: true })?,
            ["metrics"] => get().map(|()| Self::Metrics)?,
            ["status"] => get().map(|()| Self::Status)?,
            ["submit"] => post().map(|()| Self::SubmitTogether)?,
            ["submit", surface] => {
                post()?;
                Self::Submit { surface: decode("surface", surface, MAX_KEY)? }
            }
            ["fate", epoch, client, nonce] => {
                expect(method, &[Method::GET, Method::HEAD, Method::POST], "GET, HEAD, POST")?;
                let id = SubmissionId {
                    epoch: number("epoch", epoch)?,
                    client: client.parse().map_err(|error| Problem::malformed("client", error))?,
                    nonce: number("nonce", nonce)?,
                };
                if *method == Method::POST { Self::Settle(id) } else { Self::Fate(id) }
            }
            _ => return Err(not_found(path)),
        };
        query.end()?;
        Ok(route)
    }

    /// A name for metrics: few and fixed, whatever is asked.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Checkpoint { .. } => "checkpoint",
            Self::Tile(_) => "tile",
            Self::Consistency { .. } => "consistency",
            Self::Entries { .. } => "entries",
            Self::Stream { .. } => "streams",
            Self::Collection { .. } => "collections",
            Self::Roster => "roster",
            Self::Evidence | Self::EvidenceOf { .. } => "evidence",
            Self::Metrics => "metrics",
            Self::Status => "status",
            Self::Submit { .. } => "submit",
            Self::SubmitTogether => "submit-together",
            Self::Fate(_) => "fate",
            Self::Settle(_) => "settle",
        }
    }
}

fn expect(method: &Method, taken: &[Method], allow: &'static str) -> Result<(), Problem> {
    if taken.contains(method) {
        return Ok(());
    }
    let why = format!("method: {} is not taken here", printable(method.as_str()));
    let hint = "the Allow header says which methods are";
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "bad-method", why, hint).allow(allow))
}

fn not_found(path: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        format!("path: there is no {}", printable(path)),
        "a committee answers /checkpoint /tile/... /consistency /entries /streams/NAME /collections/NAME/KEY /roster /evidence /evidence/NODE /status /metrics, POST /submit/NAME, POST /submit, /fate/EPOCH/CLIENT/NONCE",
    )
}

/// A decimal number in its one spelling.
fn number(field: &str, text: &str) -> Result<u64, Problem> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if canonical && digits => Ok(number),
        _ => Err(Problem::malformed(field, format!("a decimal number below 2^64; got {}", printable(text)))),
    }
}

/// Percent-decoding into UTF-8 without control characters.
fn decode(field: &str, text: &str, most: usize) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len().min(most));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => return Err(Problem::malformed(field, "a percent sign without two hex digits")),
            }
        } else {
            byte
        };
        if bytes.len() == most {
            return Err(Problem::malformed(field, format!("more than {most} bytes")));
        }
        bytes.push(decoded);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => Err(Problem::malformed(field, "empty")),
        Ok(text) if text.chars().any(char::is_control) => {
            Err(Problem::malformed(field, "control characters"))
        }
        Ok(text) => Ok(text),
        Err(error) => Err(Problem::malformed(field, error)),
    }
}

/// The query's parameters; one that is not asked for is refused, so that a misspelt one is not ignored.
struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    fn parse(query: Option<&'a str>) -> Result<Self, Problem> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if pairs.len() == 8 {
                return Err(Problem::malformed("query", "more than 8 parameters"));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::malformed(&printable(name), "given twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn number(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        self.take(name).map(|text| number(name, text)).transpose()
    }

    fn required(&mut self, name: &str) -> Result<u64, Problem> {
        self.number(name)?.ok_or_else(|| Problem::malformed(name, "missing: a decimal number"))
    }

    fn count(&mut self, name: &str) -> Result<Option<usize>, Problem> {
        let count = self.number(name)?;
        match count {
            Some(0) => Err(Problem::malformed(name, "at least 1")),
            _ => Ok(count.map(|count| usize::try_from(count).unwrap_or(usize::MAX))),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name) {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(Problem::malformed(name, format!("0 or 1; got {}", printable(other)))),
        }
    }

    fn bytes32(&mut self, name: &str) -> Result<Option<[u8; 32]>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(_) => {
                Err(Problem::malformed(name, format!("64 hex digits; got {} bytes of text", text.len())))
            }
        }
    }

    fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::malformed(&printable(name), "not a parameter of this path")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Result<Route, Problem> {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Route::parse(&Method::GET, path, query)
    }

    fn refused(target: &str) -> (u16, String) {
        let problem = get(target).unwrap_err();
        (problem.status().as_u16(), format!("{problem:?}"))
    }

    #[test]
    fn questions_are_read() {
        assert_eq!(get("/checkpoint").unwrap(), Route::Checkpoint { challenge: None, size: None });
        let nonce = "5a".repeat(32);
        assert_eq!(
            get(&format!("/checkpoint?challenge={nonce}&size=12")).unwrap(),
            Route::Checkpoint { challenge: Some([0x5a; 32]), size: Some(12) }
        );
        assert_eq!(get("/tile/0/x001/067").unwrap(), Route::Tile("tile/0/x001/067".into()));
        assert_eq!(
            get("/streams/committee.genesis?follow=1&from=7&proofs=1").unwrap(),
            Route::Stream {
                name: "committee.genesis".into(),
                from: 7,
                limit: None,
                follow: true,
                proofs: true
            }
        );
        assert_eq!(
            get("/collections/pairs/a%2Fb%20%c3%a9").unwrap(),
            Route::Collection { name: "pairs".into(), key: "a/b \u{e9}".into(), challenge: None }
        );
        let client = "0b".repeat(32);
        assert_eq!(
            get(&format!("/fate/3/{client}/18446744073709551615")).unwrap(),
            Route::Fate(SubmissionId { epoch: 3, client: client.parse().unwrap(), nonce: u64::MAX })
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (target, status, word) in [
            ("/nothing", 404, "not-found"),
            ("/streams/", 400, "surface: empty"),
            ("/collections/pairs/", 400, "key: empty"),
            ("/collections/pairs/%f", 400, "key: a percent sign"),
            ("/collections/pairs/%ff", 400, "key: invalid utf-8"),
            ("/collections/pairs/%0a", 400, "key: control"),
            ("/checkpoint?challenge=12", 400, "challenge: 64 hex"),
            ("/checkpoint?chalenge=12", 400, "chalenge: not a parameter"),
            ("/entries?from=01", 400, "from: a decimal"),
            ("/entries?from=+1", 400, "from: a decimal"),
            ("/entries?from=18446744073709551616", 400, "from: a decimal"),
            ("/entries?limit=0", 400, "limit: at least 1"),
            ("/entries?from=1&from=2", 400, "from: given twice"),
            ("/streams/a?follow=yes", 400, "follow: 0 or 1"),
            ("/fate/1/abc/1", 400, "client: "),
            ("/evidence?nonce=12", 400, "nonce: not a parameter"),
            ("/evidence/x", 400, "node: a decimal"),
            ("/evidence/1/quote", 404, "not-found"),
            ("/admit", 404, "not-found"),
            ("/submit/pairs", 405, "bad-method"),
        ] {
            let (found, text) = refused(target);
            assert_eq!(found, status, "{target}: {text}");
            assert!(text.contains(word), "{target}: {text}");
        }
        let long = format!("/collections/pairs/{}", "%61".repeat(MAX_KEY + 1));
        assert!(refused(&long).1.contains("key: more than"));
    }
}
