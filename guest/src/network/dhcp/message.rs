//! Messages: RFC 2131 §2 (the fixed part), RFC 2132 (options), RFC 3396 (long options).

use std::net::Ipv4Addr;

/// Length of the fixed part, without the cookie.
const FIXED: usize = 236;
/// RFC 2131 §3: what options begin with.
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// RFC 2131 §2, `flags`: answer by broadcast, since we have no address yet.
const BROADCAST: u16 = 0x8000;
/// BOOTP relays drop anything shorter (RFC 1542 §2.1).
const LEAST: usize = 300;

/// Option codes in use (RFC 2132; 121: RFC 3442).
pub(super) mod option {
    pub(in super::super) const SUBNET_MASK: u8 = 1;
    pub(in super::super) const ROUTER: u8 = 3;
    pub(in super::super) const NAME_SERVER: u8 = 6;
    pub(in super::super) const MTU: u8 = 26;
    pub(in super::super) const REQUESTED_ADDRESS: u8 = 50;
    pub(in super::super) const LEASE_TIME: u8 = 51;
    pub(in super::super) const MESSAGE_TYPE: u8 = 53;
    pub(in super::super) const SERVER: u8 = 54;
    pub(in super::super) const PARAMETERS: u8 = 55;
    pub(in super::super) const MAX_SIZE: u8 = 57;
    pub(in super::super) const T1: u8 = 58;
    pub(in super::super) const T2: u8 = 59;
    pub(in super::super) const CLIENT_ID: u8 = 61;
    pub(in super::super) const CLASSLESS_ROUTES: u8 = 121;
    pub(super) const PAD: u8 = 0;
    pub(super) const END: u8 = 255;
}

/// DHCP message types in use (RFC 2132 §9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageType {
    /// Client: who is there?
    Discover = 1,
    /// Server: I am, and you could have this.
    Offer = 2,
    /// Client: then I take it; or: may I keep it?
    Request = 3,
    /// Server: it is yours.
    Ack = 5,
    /// Server: it is not.
    Nak = 6,
}

impl MessageType {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Discover),
            2 => Some(Self::Offer),
            3 => Some(Self::Request),
            5 => Some(Self::Ack),
            6 => Some(Self::Nak),
            _ => None,
        }
    }
}

/// Why bytes are no message that we can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Shorter than the fixed part and the cookie.
    #[error("{0} bytes; 240 at least (RFC 2131 §2)")]
    Short(usize),
    /// The cookie is another one: BOOTP, or something else.
    #[error("options begin with {0:02x?} (RFC 2131 §3)")]
    Cookie([u8; 4]),
    /// Not an Ethernet message: `htype`, `hlen`.
    #[error("hardware type {kind}, address length {length}; 1 and 6 are Ethernet's (RFC 2131 §2)")]
    Hardware {
        /// `htype`.
        kind: u8,
        /// `hlen`.
        length: u8,
    },
    /// An option runs past the end.
    #[error("option {code} at offset {offset} runs past the end (RFC 2132 §2)")]
    Option {
        /// Its code.
        code: u8,
        /// Where it begins.
        offset: usize,
    },
    /// No message type, or one that is not in use.
    #[error("message type {0:?} (RFC 2132 §9.6)")]
    Type(Option<u8>),
}

/// A DHCP message: what of it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether it comes from a server (`op` 2).
    pub is_reply: bool,
    /// Ties an answer to its question.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// Whether the answer shall be broadcast.
    pub broadcast: bool,
    /// `ciaddr`: the client's address, if it has one.
    pub client: Ipv4Addr,
    /// `yiaddr`: the address given.
    pub yours: Ipv4Addr,
    /// `chaddr`: whom it is for.
    pub mac: [u8; 6],
    /// What it says.
    pub kind: MessageType,
    /// Options but the message type, in order; the pieces of a long one joined (RFC 3396).
    pub(super) options: Vec<(u8, Vec<u8>)>,
}

impl Message {
    /// A client's message without options.
    #[must_use]
    pub const fn from_client(kind: MessageType, xid: u32, mac: [u8; 6]) -> Self {
        Self {
            is_reply: false,
            xid,
            secs: 0,
            broadcast: false,
            client: Ipv4Addr::UNSPECIFIED,
            yours: Ipv4Addr::UNSPECIFIED,
            mac,
            kind,
            options: Vec::new(),
        }
    }

    /// Adds an option. At most 255 bytes each are written.
    #[must_use]
    pub fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    /// An option's value.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().find(|(found, _)| *found == code).map(|(_, value)| value.as_slice())
    }

    /// An option that is an array of fixed length, such as an address or a number.
    pub(super) fn array<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        self.option(code)?.try_into().ok()
    }

    /// An option that is an address.
    pub(super) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.array::<4>(code).map(Ipv4Addr::from)
    }

    /// An option that is a list of addresses; a partial one at the end is dropped.
    pub(super) fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        let (whole, _) = self.option(code).unwrap_or_default().as_chunks::<4>();
        whole.iter().map(|octets| Ipv4Addr::from(*octets)).collect()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Bytes that are not a DHCP message for Ethernet.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let short = || MessageError::Short(bytes.len());
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>().ok_or_else(short)?;
        let (cookie, mut rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        if cookie != &COOKIE {
            return Err(MessageError::Cookie(*cookie));
        }
        let [
            op,
            kind,
            length,
            _hops,
            x0,
            x1,
            x2,
            x3,
            s0,
            s1,
            f0,
            f1,
            c0,
            c1,
            c2,
            c3,
            y0,
            y1,
            y2,
            y3,
            tail @ ..,
        ] = fixed;
        if (*kind, *length) != (1, 6) {
            return Err(MessageError::Hardware { kind: *kind, length: *length });
        }
        // siaddr and giaddr are of no use here.
        let [_, _, _, _, _, _, _, _, m0, m1, m2, m3, m4, m5, ..] = tail;
        let mut options: Vec<(u8, Vec<u8>)> = Vec::new();
        while let Some((&code, after)) = rest.split_first() {
            if code == option::END {
                break;
            }
            rest = after;
            if code == option::PAD {
                continue;
            }
            let offset = bytes.len().saturating_sub(rest.len()).saturating_sub(1);
            let past = MessageError::Option { code, offset };
            let (&length, after) = rest.split_first().ok_or_else(|| past.clone())?;
            let (value, after) = after.split_at_checked(length.into()).ok_or(past)?;
            rest = after;
            match options.iter_mut().find(|(found, _)| *found == code) {
                Some((_, joined)) => joined.extend_from_slice(value),
                None => options.push((code, value.to_vec())),
            }
        }
        let at = options.iter().position(|(code, _)| *code == option::MESSAGE_TYPE);
        let said = at.map(|at| options.remove(at).1).and_then(|value| value.first().copied());
        let kind = said.and_then(MessageType::from_code).ok_or(MessageError::Type(said))?;
        Ok(Self {
            is_reply: *op == 2,
            xid: u32::from_be_bytes([*x0, *x1, *x2, *x3]),
            secs: u16::from_be_bytes([*s0, *s1]),
            broadcast: u16::from_be_bytes([*f0, *f1]) & BROADCAST != 0,
            client: Ipv4Addr::new(*c0, *c1, *c2, *c3),
            yours: Ipv4Addr::new(*y0, *y1, *y2, *y3),
            mac: [*m0, *m1, *m2, *m3, *m4, *m5],
            kind,
            options,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEAST);
        bytes.extend([if self.is_reply { 2 } else { 1 }, 1, 6, 0]);
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend(self.secs.to_be_bytes());
        bytes.extend(if self.broadcast { BROADCAST } else { 0 }.to_be_bytes());
        bytes.extend(self.client.octets());
        bytes.extend(self.yours.octets());
        bytes.extend([0; 8]);
        bytes.extend(self.mac);
        bytes.resize(FIXED, 0);
        bytes.extend(COOKIE);
        bytes.extend([option::MESSAGE_TYPE, 1, self.kind as u8]);
        for (code, value) in &self.options {
            let value = value.get(..255).unwrap_or(value);
            bytes.push(*code);
            bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(value);
        }
        bytes.push(option::END);
        if bytes.len() < LEAST {
            bytes.resize(LEAST, 0);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcproto::{Decodable, Decoder, Encodable, v4};

    const MAC: [u8; 6] = [0x52, 0x54, 0, 1, 2, 3];

    /// A server's acknowledgement as another implementation writes it.
    fn foreign() -> Vec<u8> {
        let mut message = v4::Message::new_with_id(
            7,
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::new(10, 0, 2, 15),
            Ipv4Addr::new(10, 0, 2, 2),
            Ipv4Addr::UNSPECIFIED,
            &MAC,
        );
        message.set_opcode(v4::Opcode::BootReply);
        message.opts_mut().insert(v4::DhcpOption::MessageType(v4::MessageType::Ack));
        message.opts_mut().insert(v4::DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)));
        message.opts_mut().insert(v4::DhcpOption::DomainNameServer(vec![Ipv4Addr::LOCALHOST; 70]));
        message.to_vec().unwrap()
    }

    #[test]
    fn reads_what_another_implementation_writes() {
        let message = Message::parse(&foreign()).unwrap();
        assert!(message.is_reply && !message.broadcast);
        assert_eq!((message.xid, message.mac, message.kind), (7, MAC, MessageType::Ack));
        assert_eq!(message.yours, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(message.address(option::SUBNET_MASK), Some(Ipv4Addr::new(255, 255, 255, 0)));
        assert_eq!(message.addresses(option::NAME_SERVER).len(), 70, "a long option is joined");
    }

    #[test]
    fn another_implementation_reads_what_we_write() {
        let mut ours = Message::from_client(MessageType::Request, 0xdead_beef, MAC)
            .with(option::REQUESTED_ADDRESS, &[10, 0, 2, 15])
            .with(option::CLIENT_ID, &[1, 0x52, 0x54, 0, 1, 2, 3]);
        ours.broadcast = true;
        ours.secs = 3;
        let bytes = ours.to_bytes();
        assert!(bytes.len() >= LEAST);
        let theirs = v4::Message::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!((theirs.opcode(), theirs.xid(), theirs.secs()), (v4::Opcode::BootRequest, 0xdead_beef, 3));
        assert!(theirs.flags().broadcast());
        assert_eq!(theirs.chaddr(), MAC);
        assert!(theirs.opts().has_msg_type(v4::MessageType::Request));
        let requested = theirs.opts().get(v4::OptionCode::RequestedIpAddress);
        assert_eq!(requested, Some(&v4::DhcpOption::RequestedIpAddress(Ipv4Addr::new(10, 0, 2, 15))));
        assert_eq!(Message::parse(&bytes).unwrap(), ours);
    }

    #[test]
    fn no_bytes_panic() {
        let bytes = foreign();
        for length in 0..bytes.len() - 1 {
            let _ = Message::parse(&bytes[..length]);
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Ok(message) = Message::parse(&changed) {
                    let _ = super::super::Lease::parse(&message);
                }
            }
        }
        assert_eq!(Message::parse(&[]), Err(MessageError::Short(0)));
        let mut hardware = bytes.clone();
        hardware[2] = 200;
        assert_eq!(Message::parse(&hardware), Err(MessageError::Hardware { kind: 1, length: 200 }));
        let mut cookie = bytes;
        cookie[236] = 0;
        assert!(matches!(Message::parse(&cookie), Err(MessageError::Cookie(_))));
    }
}
