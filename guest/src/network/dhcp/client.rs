//! The client's side of the conversation: RFC 2131 §4.4, without the states that a guest never needs.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::lease::{Lease, LeaseError};
use super::message::{Message, MessageType, option};

/// How long each question of a round waits for its answer (RFC 2131 §4.1: doubling).
const WAITS: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(16)];
/// Longest message read: an Ethernet frame's.
const LONGEST: usize = 1500;
/// What we ask for (RFC 2132 §9.8).
const PARAMETERS: [u8; 8] = [
    option::SUBNET_MASK,
    option::CLASSLESS_ROUTES,
    option::ROUTER,
    option::NAME_SERVER,
    option::MTU,
    option::LEASE_TIME,
    option::T1,
    option::T2,
];

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No server answers.
    #[error("dhcp: no answer")]
    Silence,
    /// The server said no (DHCPNAK).
    #[error("dhcp: the server refuses")]
    Refused,
    /// The server's answer cannot be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The socket failed.
    #[error("dhcp: {0}")]
    Socket(#[from] io::Error),
    /// The kernel gave no random number.
    #[error("dhcp: random: {0}")]
    Random(rustix::io::Errno),
}

/// A client on one socket.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    /// Where questions to everyone go.
    everyone: SocketAddr,
    mac: [u8; 6],
}

impl Client {
    /// A client that asks `everyone` (broadcast, port 67) over `socket`.
    #[must_use]
    pub const fn new(socket: UdpSocket, everyone: SocketAddr, mac: [u8; 6]) -> Self {
        Self { socket, everyone, mac }
    }

    /// One round of asking for an address: discover, offer, request, acknowledgement.
    ///
    /// # Errors
    /// No answer, no, or an answer that cannot be used.
    pub async fn acquire(&mut self) -> Result<Lease, ClientError> {
        let xid = random()?;
        let discover = self.question(MessageType::Discover, xid);
        let offer = self.ask(discover, self.everyone, &WAITS, &[MessageType::Offer]).await?;
        let offered = Lease::parse(&offer)?;
        let request = self
            .question(MessageType::Request, xid)
            .with(option::REQUESTED_ADDRESS, &offered.address.octets())
            .with(option::SERVER, &offered.server.octets());
        self.conclude(request, self.everyone, &WAITS).await
    }

    /// Waits until the lease wants renewing, and renews it: its server from T1 on, any server from T2 on.
    ///
    /// # Errors
    /// The lease ran out, or was refused. Its address must not be used any more.
    pub async fn renew(&mut self, lease: &Lease) -> Result<Lease, ClientError> {
        let start = Instant::now();
        let server = SocketAddr::new(IpAddr::V4(lease.server), self.everyone.port());
        for (from, until, to) in [(lease.t1, lease.t2, server), (lease.t2, lease.expiry, self.everyone)] {
            sleep_until(start + from).await;
            // One question a minute at most (RFC 2131 §4.4.5), half of what is left at the beginning.
            let mut wait = (until.saturating_sub(from) / 2).max(Duration::from_secs(1));
            while start.elapsed() < until {
                let wait_now = wait.min(until.saturating_sub(start.elapsed()));
                let mut request = self.question(MessageType::Request, random()?);
                request.client = lease.address;
                request.broadcast = false;
                match self.conclude(request, to, &[wait_now]).await {
                    Err(ClientError::Silence) => {}
                    // The network may be gone for a while: that is silence too, if a quick one.
                    Err(ClientError::Socket(_)) => tokio::time::sleep(wait_now).await,
                    other => return other,
                }
                wait = (wait / 2).max(Duration::from_secs(60));
            }
        }
        Err(ClientError::Silence)
    }

    fn question(&self, kind: MessageType, xid: u32) -> Message {
        let [a, b, c, d, e, f] = self.mac;
        let mut message = Message::from_client(kind, xid, self.mac)
            .with(option::CLIENT_ID, &[1, a, b, c, d, e, f])
            .with(option::MAX_SIZE, &u16::try_from(LONGEST).unwrap_or(u16::MAX).to_be_bytes())
            .with(option::PARAMETERS, &PARAMETERS);
        // Without an address we hear broadcasts only.
        message.broadcast = true;
        message
    }

    async fn conclude(
        &self,
        request: Message,
        to: SocketAddr,
        waits: &[Duration],
    ) -> Result<Lease, ClientError> {
        let answer = self.ask(request, to, waits, &[MessageType::Ack, MessageType::Nak]).await?;
        match answer.kind {
            MessageType::Ack => Ok(Lease::parse(&answer)?),
            _ => Err(ClientError::Refused),
        }
    }

    /// Sends until an answer of one of these kinds comes. Anything else on the wire is passed over.
    async fn ask(
        &self,
        mut question: Message,
        to: SocketAddr,
        waits: &[Duration],
        kinds: &[MessageType],
    ) -> Result<Message, ClientError> {
        let start = Instant::now();
        for wait in waits {
            question.secs = u16::try_from(start.elapsed().as_secs()).unwrap_or(u16::MAX);
            self.socket.send_to(&question.to_bytes(), to).await?;
            let deadline = Instant::now() + *wait;
            let mut buffer = [0; LONGEST];
            while let Ok(received) = timeout_at(deadline, self.socket.recv(&mut buffer)).await {
                // An ICMP error about an earlier datagram shows here; the answer may still come.
                let Ok(length) = received else { continue };
                let Ok(answer) = Message::parse(buffer.get(..length).unwrap_or_default()) else { continue };
                let ours = answer.is_reply && answer.xid == question.xid && answer.mac == self.mac;
                if ours && kinds.contains(&answer.kind) {
                    return Ok(answer);
                }
            }
        }
        Err(ClientError::Silence)
    }
}

/// A transaction id. It keeps strangers' answers out no better than their guess.
fn random() -> Result<u32, ClientError> {
    let mut bytes = [0; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(ClientError::Random)?;
    Ok(u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::lease::tests::ack;
    use super::*;
    use std::net::Ipv4Addr;

    const MAC: [u8; 6] = [2; 6];

    /// Plays a server: for each question, sends what `answers` makes of it.
    async fn play(answers: fn(&Message, usize) -> Vec<Vec<u8>>) -> Result<(Client, Lease), ClientError> {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = Client::new(socket, server.local_addr().unwrap(), MAC);
        tokio::spawn(async move {
            let mut buffer = [0; 2000];
            for round in 0.. {
                let (length, from) = server.recv_from(&mut buffer).await.unwrap();
                let question = Message::parse(&buffer[..length]).unwrap();
                assert!(!question.is_reply);
                for answer in answers(&question, round) {
                    server.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let lease = client.acquire().await?;
        Ok((client, lease))
    }

    fn answer(question: &Message, kind: MessageType) -> Message {
        Message { xid: question.xid, kind, ..ack() }
    }

    fn honest(question: &Message, _: usize) -> Vec<Vec<u8>> {
        let kind = match question.kind {
            MessageType::Discover => MessageType::Offer,
            _ => MessageType::Ack,
        };
        vec![answer(question, kind).to_bytes()]
    }

    #[tokio::test]
    async fn an_honest_server_gives_a_lease() {
        let (_, lease) = play(honest).await.unwrap();
        assert_eq!(lease.address, Ipv4Addr::new(10, 0, 2, 15));
    }

    #[tokio::test]
    async fn strangers_and_noise_are_passed_over() {
        let noisy = |question: &Message, round| {
            let mut stranger = answer(question, MessageType::Offer);
            stranger.mac = [9; 6];
            let mut late = answer(question, MessageType::Offer);
            late.xid = question.xid.wrapping_add(1);
            let mut question_back = answer(question, MessageType::Offer);
            question_back.is_reply = false;
            let noise =
                [vec![], vec![0; 1400], stranger.to_bytes(), late.to_bytes(), question_back.to_bytes()];
            noise.into_iter().chain(honest(question, round)).collect()
        };
        assert!(play(noisy).await.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_is_one() {
        let refuses = |question: &Message, _| match question.kind {
            MessageType::Discover => honest(question, 0),
            _ => vec![answer(question, MessageType::Nak).to_bytes()],
        };
        assert!(matches!(play(refuses).await, Err(ClientError::Refused)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_round() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = Client::new(socket, nobody.local_addr().unwrap(), MAC);
        let start = Instant::now();
        assert!(matches!(client.acquire().await, Err(ClientError::Silence)));
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_at_t1_and_lost_at_its_end() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = Client::new(socket, nobody.local_addr().unwrap(), MAC);
        let mut lease = Lease::parse(&ack()).unwrap();
        lease.server = Ipv4Addr::LOCALHOST;
        let start = Instant::now();
        assert!(matches!(client.renew(&lease).await, Err(ClientError::Silence)));
        assert_eq!(start.elapsed().as_secs(), lease.expiry.as_secs());

        // The first question comes at T1, by unicast, with the address as ciaddr.
        let mut buffer = [0; 2000];
        let length = nobody.recv(&mut buffer).await.unwrap();
        let question = Message::parse(&buffer[..length]).unwrap();
        assert_eq!((question.client, question.broadcast), (lease.address, false));
        assert!(
            question.option(option::SERVER).is_none() && question.option(option::REQUESTED_ADDRESS).is_none()
        );
    }
}
