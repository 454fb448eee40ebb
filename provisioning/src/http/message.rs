//! Reading one HTTP/1.1 response (RFC 9112) as its bytes come.

use super::{HttpError, Response};

/// Largest status line and header fields together, in bytes.
const HEAD: usize = 32 << 10;
/// Longest line with a chunk's size, in bytes.
const SIZE_LINE: usize = 1 << 10;

pub(super) enum Progress {
    More,
    Done(Response),
}

/// What the head says of the body (section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    status: u16,
    framing: Framing,
}

enum State {
    Head,
    Body(Head),
    ChunkSize(Head),
    Chunk(Head, usize),
    ChunkEnd(Head),
    Trailer(Head),
}

/// A response being read: bytes that are not yet understood, and the body so far.
pub(super) struct Reader {
    limit: usize,
    seen: usize,
    buffer: Vec<u8>,
    body: Vec<u8>,
    state: State,
}

impl Reader {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, seen: 0, buffer: Vec::new(), body: Vec::new(), state: State::Head }
    }

    /// Takes more bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Progress, HttpError> {
        self.seen = self.seen.saturating_add(bytes.len());
        self.buffer.extend_from_slice(bytes);
        loop {
            let state = std::mem::replace(&mut self.state, State::Head);
            match self.step(state)? {
                Next::Go(state) => self.state = state,
                Next::Stay(state) => {
                    self.state = state;
                    return Ok(Progress::More);
                }
                Next::Done(status) => {
                    return Ok(Progress::Done(Response { status, body: std::mem::take(&mut self.body) }));
                }
            }
        }
    }

    /// The connection has ended.
    pub(super) fn end(self) -> Result<Response, HttpError> {
        match self.state {
            State::Body(Head { status, framing: Framing::UntilClose }) => {
                Ok(Response { status, body: self.body })
            }
            _ => Err(HttpError::Truncated(self.seen)),
        }
    }

    /// One step from `state`, as far as the bytes that are there go.
    fn step(&mut self, state: State) -> Result<Next, HttpError> {
        let stay = |state| Ok(Next::Stay(state));
        let go = |state| Ok(Next::Go(state));
        let done = |head: &Head| Ok(Next::Done(head.status));
        match state {
            State::Head => match take_through(&mut self.buffer, b"\r\n\r\n", HEAD, "head")? {
                None => stay(State::Head),
                Some(bytes) => {
                    let head = Head::parse(&bytes)?;
                    match head.framing {
                        // Interim responses (RFC 9110, 15.2) come before the one that was asked for.
                        _ if (100..200).contains(&head.status) => go(State::Head),
                        Framing::None => done(&head),
                        Framing::Length(length) if length > self.limit => Err(self.too_large()),
                        Framing::Chunked => go(State::ChunkSize(head)),
                        Framing::Length(_) | Framing::UntilClose => go(State::Body(head)),
                    }
                }
            },
            State::Body(head) => {
                let wanted = match head.framing {
                    Framing::Length(length) => length.saturating_sub(self.body.len()),
                    _ => usize::MAX,
                };
                if self.take_body(wanted)? == wanted { done(&head) } else { stay(State::Body(head)) }
            }
            State::ChunkSize(head) => match take_through(&mut self.buffer, b"\r\n", SIZE_LINE, "chunk size")?
            {
                None => stay(State::ChunkSize(head)),
                Some(line) => match chunk_size(&line)? {
                    0 => go(State::Trailer(head)),
                    size if size > self.limit.saturating_sub(self.body.len()) => Err(self.too_large()),
                    size => go(State::Chunk(head, size)),
                },
            },
            State::Chunk(head, wanted) => {
                let taken = self.take_body(wanted)?;
                if taken == wanted {
                    go(State::ChunkEnd(head))
                } else {
                    stay(State::Chunk(head, wanted - taken))
                }
            }
            State::ChunkEnd(head) => match self.buffer.first_chunk::<2>() {
                Some(b"\r\n") => {
                    self.buffer.drain(..2);
                    go(State::ChunkSize(head))
                }
                Some(_) => Err(malformed("7.1", "a chunk is longer than its size")),
                None => stay(State::ChunkEnd(head)),
            },
            State::Trailer(head) => match take_through(&mut self.buffer, b"\r\n", HEAD, "trailer")? {
                Some(line) if line.is_empty() => done(&head),
                Some(_) => go(State::Trailer(head)),
                None => stay(State::Trailer(head)),
            },
        }
    }

    /// Moves at most `wanted` bytes to the body; how many it was.
    fn take_body(&mut self, wanted: usize) -> Result<usize, HttpError> {
        let count = wanted.min(self.buffer.len());
        if count > self.limit.saturating_sub(self.body.len()) {
            return Err(self.too_large());
        }
        self.body.extend(self.buffer.drain(..count));
        Ok(count)
    }

    fn too_large(&self) -> HttpError {
        HttpError::TooLarge { part: "body", limit: self.limit }
    }
}

enum Next {
    /// More can be done with the bytes that are there.
    Go(State),
    /// More bytes are needed.
    Stay(State),
    /// The response with this status is complete.
    Done(u16),
}

fn malformed(clause: &'static str, what: &'static str) -> HttpError {
    HttpError::Malformed { clause, what }
}

/// Takes what comes before `end`, and `end`, if both are there.
fn take_through(
    buffer: &mut Vec<u8>,
    end: &[u8],
    limit: usize,
    part: &'static str,
) -> Result<Option<Vec<u8>>, HttpError> {
    let Some(at) = buffer.windows(end.len()).take(limit).position(|window| window == end) else {
        let full = buffer.len() > limit;
        return if full { Err(HttpError::TooLarge { part, limit }) } else { Ok(None) };
    };
    let rest = buffer.split_off(at.saturating_add(end.len()));
    let mut taken = std::mem::replace(buffer, rest);
    taken.truncate(at);
    Ok(Some(taken))
}

/// A chunk's size in hex, its extensions ignored (section 7.1).
fn chunk_size(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let text =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or(malformed("7.1", "a chunk's size is no number"))
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, HttpError> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("2.2", "the head is not text"))?;
        let mut lines = text.split("\r\n");
        let status = status(lines.next().unwrap_or_default())?;
        let mut length = None;
        let mut chunked = false;
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(malformed("5", "a field line without a colon"))?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(malformed("5.1", "a field's name has a space or nothing in it"));
            }
            let value = value.trim_matches([' ', '\t']);
            if name.eq_ignore_ascii_case("transfer-encoding") {
                if !value.eq_ignore_ascii_case("chunked") || chunked {
                    return Err(malformed("6.1", "a transfer coding other than chunked, once"));
                }
                chunked = true;
            } else if name.eq_ignore_ascii_case("content-length") {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let number = digits.then(|| value.parse::<usize>().ok()).flatten();
                let number = number.ok_or(malformed("6.2", "a content length that is no number"))?;
                if length.is_some_and(|known| known != number) {
                    return Err(malformed("6.3", "two content lengths"));
                }
                length = Some(number);
            }
        }
        let framing = match (status, chunked, length) {
            // A length beside chunks is how requests are smuggled (section 11.2).
            (_, true, Some(_)) => return Err(malformed("6.1", "chunked and a content length")),
            (100..200 | 204 | 304, ..) => Framing::None,
            (_, true, None) => Framing::Chunked,
            (_, false, Some(length)) => Framing::Length(length),
            (_, false, None) => Framing::UntilClose,
        };
        Ok(Self { status, framing })
    }
}

/// The status line (section 4).
fn status(line: &str) -> Result<u16, HttpError> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let rest = rest.ok_or(malformed("2.3", "not HTTP/1.1 or HTTP/1.0"))?;
    let code = rest.split(' ').next().unwrap_or_default();
    let number = code.parse::<u16>().ok().filter(|number| code.len() == 3 && *number >= 100);
    number.ok_or(malformed("4", "a status code that is not three digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response that `bytes` are, fed in pieces of `step`.
    fn read(bytes: &[u8], step: usize) -> Result<Response, HttpError> {
        let mut reader = Reader::new(1000);
        for piece in bytes.chunks(step) {
            if let Progress::Done(response) = reader.feed(piece)? {
                return Ok(response);
            }
        }
        reader.end()
    }

    fn whole(bytes: &[u8]) -> Result<Response, HttpError> {
        let response = read(bytes, usize::MAX);
        for step in [1, 2, 3, 7] {
            match (&response, read(bytes, step)) {
                (Ok(one), Ok(other)) => assert_eq!(*one, other),
                (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
                (one, other) => panic!("{one:?} in one piece, {other:?} in pieces of {step}"),
            }
        }
        response
    }

    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n";
    const LENGTH: &[u8] = b"HTTP/1.1 503 Busy\r\ncontent-length:11\r\nRetry-After: 1\r\n\r\nhello world";

    #[test]
    fn every_framing() {
        assert_eq!(whole(CHUNKED).unwrap(), Response { status: 200, body: b"hello world".to_vec() });
        assert_eq!(whole(LENGTH).unwrap(), Response { status: 503, body: b"hello world".to_vec() });
        assert_eq!(whole(b"HTTP/1.0 200 OK\r\n\r\nhello").unwrap().body, b"hello");
        assert_eq!(whole(b"HTTP/1.1 204 None\r\n\r\n").unwrap().status, 204);
        assert_eq!(whole(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").unwrap().body, b"");
        assert_eq!(whole(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx").unwrap().body, b"x");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for bytes in [
            &b"SSH-2.0-OpenSSH\r\n\r\n"[..],
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 +20 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello",
            b"HTTP/1.1 200 OK\r\nX: \xff\r\n\r\n",
        ] {
            assert!(matches!(whole(bytes), Err(HttpError::Malformed { .. })), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_kept() {
        for bytes in [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_vec(),
            [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 1001]].concat(),
            [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; HEAD]].concat(),
        ] {
            assert!(matches!(read(&bytes, 100), Err(HttpError::TooLarge { .. })));
        }
    }

    #[test]
    fn truncations_and_flipped_bytes_do_no_harm() {
        for message in [CHUNKED, LENGTH] {
            for length in 0..message.len() {
                assert!(matches!(whole(&message[..length]), Err(HttpError::Truncated(_))), "{length}");
            }
            for at in 0..message.len() {
                for bit in 0..8 {
                    let mut message = message.to_vec();
                    message[at] ^= 1 << bit;
                    if let Ok(response) = whole(&message) {
                        assert!(response.body.len() <= message.len());
                    }
                }
            }
        }
    }
}
