//! What a server's acknowledgement gives, checked.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::message::{Message, option};

/// Shortest lease honoured: less would keep the guest busy renewing.
const LEAST: u32 = 60;
/// Longest: RFC 2131's infinity (0xffffffff) is asked about now and then as well.
const MOST: u32 = 7 * 24 * 3600;
/// Name servers that resolv.conf takes.
const NAME_SERVERS: usize = 3;
/// Routes taken.
const ROUTES: usize = 16;
/// Smallest MTU that carries IPv4 (RFC 791); the option's own floor is 68.
const MTU_LEAST: u16 = 576;

/// A route: to `destination/prefix`, by `gateway` or directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The network.
    pub destination: Ipv4Addr,
    /// Its prefix length, 0 to 32.
    pub prefix: u8,
    /// The next hop; none for one that is on the link.
    pub gateway: Option<Ipv4Addr>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {}/{}", self.destination, self.prefix)?;
        self.gateway.map_or(Ok(()), |gateway| write!(f, " by {gateway}"))
    }
}

/// Why an acknowledgement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// No host can have this address.
    #[error("dhcp: address {0} cannot be a host's (RFC 2131 §2, yiaddr)")]
    Address(Ipv4Addr),
    /// No mask, or one with holes.
    #[error("dhcp: subnet mask {0:?} (RFC 2132 §3.3)")]
    Mask(Option<Ipv4Addr>),
    /// No server identifier.
    #[error("dhcp: no server identifier (RFC 2132 §9.7)")]
    Server,
    /// No lease time.
    #[error("dhcp: no lease time (RFC 2132 §9.2)")]
    Time,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Our address.
    pub address: Ipv4Addr,
    /// Prefix length of its subnet.
    pub prefix: u8,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// When to ask that server again.
    pub t1: Duration,
    /// When to ask any server.
    pub t2: Duration,
    /// When the address is lost.
    pub expiry: Duration,
    /// The interface's MTU, if the server names one.
    pub mtu: Option<u16>,
    router: Option<Ipv4Addr>,
    classless: Vec<Route>,
    name_servers: Vec<Ipv4Addr>,
}

impl Lease {
    /// Reads an offer or an acknowledgement.
    ///
    /// # Errors
    /// One that lacks what RFC 2131 §4.3.1 demands, or whose address or mask is impossible.
    pub fn parse(message: &Message) -> Result<Self, LeaseError> {
        let address = message.yours;
        if address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.is_broadcast()
        {
            return Err(LeaseError::Address(address));
        }
        let mask = message.address(option::SUBNET_MASK);
        let prefix = mask.and_then(prefix).ok_or(LeaseError::Mask(mask))?;
        let server = message.address(option::SERVER).ok_or(LeaseError::Server)?;
        let seconds = |code| message.array::<4>(code).map(u32::from_be_bytes);
        let expiry = seconds(option::LEASE_TIME).ok_or(LeaseError::Time)?.clamp(LEAST, MOST);
        // RFC 2131 §4.4.5: half and seven eighths, unless the server has an order of its own.
        let t2 = seconds(option::T2).filter(|t2| *t2 < expiry).unwrap_or(expiry / 8 * 7).max(LEAST / 2);
        let t1 = seconds(option::T1).filter(|t1| *t1 < t2).unwrap_or(t2 / 7 * 4).max(LEAST / 4);
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Ok(Self {
            address,
            prefix,
            server,
            t1: seconds(t1),
            t2: seconds(t2),
            expiry: seconds(expiry),
            mtu: message.array(option::MTU).map(u16::from_be_bytes).filter(|mtu| *mtu >= MTU_LEAST),
            router: message
                .addresses(option::ROUTER)
                .first()
                .copied()
                .filter(|router| !router.is_unspecified()),
            classless: classless(message.option(option::CLASSLESS_ROUTES).unwrap_or_default()),
            name_servers: message.addresses(option::NAME_SERVER).into_iter().take(NAME_SERVERS).collect(),
        })
    }

    /// The routes to set, those on the link first. Classless routes replace the router (RFC 3442).
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let default =
            |gateway| Route { destination: Ipv4Addr::UNSPECIFIED, prefix: 0, gateway: Some(gateway) };
        if self.classless.is_empty() {
            return self.router.map(default).into_iter().collect();
        }
        let mut routes = self.classless.clone();
        routes.sort_by_key(|route| route.gateway.is_some());
        routes
    }

    /// The resolver's configuration.
    #[must_use]
    pub fn resolv_conf(&self) -> String {
        self.name_servers.iter().map(|server| format!("nameserver {server}\n")).collect()
    }
}

/// The length of a mask without holes.
fn prefix(mask: Ipv4Addr) -> Option<u8> {
    let ones = mask.to_bits().leading_ones();
    (mask.to_bits().count_ones() == ones).then_some(ones).and_then(|ones| u8::try_from(ones).ok())
}

/// RFC 3442: width, significant octets of the destination, router. Stops at the first that is malformed.
fn classless(mut bytes: &[u8]) -> Vec<Route> {
    let mut routes = Vec::new();
    while let Some((route, rest)) = classless_route(bytes).filter(|_| routes.len() < ROUTES) {
        routes.push(route);
        bytes = rest;
    }
    routes
}

fn classless_route(bytes: &[u8]) -> Option<(Route, &[u8])> {
    let (&prefix, rest) = bytes.split_first()?;
    if prefix > 32 {
        return None;
    }
    let (significant, rest) = rest.split_at_checked(usize::from(prefix).div_ceil(8))?;
    let (router, rest) = rest.split_first_chunk::<4>()?;
    let mut octets = [0; 4];
    octets.iter_mut().zip(significant).for_each(|(octet, byte)| *octet = *byte);
    // Bits beyond the width must not count, or the kernel refuses the route.
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
    let destination = Ipv4Addr::from_bits(u32::from_be_bytes(octets) & mask);
    let gateway = Some(Ipv4Addr::from(*router)).filter(|gateway| !gateway.is_unspecified());
    Some((Route { destination, prefix, gateway }, rest))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::network::dhcp::MessageType;

    pub(crate) fn ack() -> Message {
        let mut message = Message::from_client(MessageType::Ack, 1, [2; 6])
            .with(option::SUBNET_MASK, &[255, 255, 255, 0])
            .with(option::SERVER, &[10, 0, 2, 2])
            .with(option::LEASE_TIME, &86_400_u32.to_be_bytes())
            .with(option::ROUTER, &[10, 0, 2, 2])
            .with(option::NAME_SERVER, &[10, 0, 2, 3]);
        message.is_reply = true;
        message.yours = Ipv4Addr::new(10, 0, 2, 15);
        message
    }

    #[test]
    fn qemu_s_lease() {
        let lease = Lease::parse(&ack()).unwrap();
        assert_eq!((lease.address, lease.prefix), (Ipv4Addr::new(10, 0, 2, 15), 24));
        assert_eq!(
            (lease.t1.as_secs(), lease.t2.as_secs(), lease.expiry.as_secs()),
            (43_200, 75_600, 86_400)
        );
        assert_eq!(lease.resolv_conf(), "nameserver 10.0.2.3\n");
        let routes: Vec<_> = lease.routes().iter().map(Route::to_string).collect();
        assert_eq!(routes, ["route 0.0.0.0/0 by 10.0.2.2"]);
    }

    #[test]
    fn gcp_s_lease_has_a_32_and_classless_routes() {
        let mut message = ack()
            .with(option::CLASSLESS_ROUTES, &[0, 10, 128, 0, 1, 32, 10, 128, 0, 1, 0, 0, 0, 0, 33])
            .with(option::MTU, &1460_u16.to_be_bytes());
        message.options.retain(|(code, _)| *code != option::SUBNET_MASK);
        let message = message.with(option::SUBNET_MASK, &[255; 4]);
        let lease = Lease::parse(&message).unwrap();
        assert_eq!((lease.prefix, lease.mtu), (32, Some(1460)));
        let routes: Vec<_> = lease.routes().iter().map(Route::to_string).collect();
        assert_eq!(routes, ["route 10.128.0.1/32", "route 0.0.0.0/0 by 10.128.0.1"]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let without = |code| {
            let mut message = ack();
            message.options.retain(|(found, _)| *found != code);
            message
        };
        assert_eq!(Lease::parse(&without(option::SERVER)), Err(LeaseError::Server));
        assert_eq!(Lease::parse(&without(option::LEASE_TIME)), Err(LeaseError::Time));
        assert_eq!(Lease::parse(&without(option::SUBNET_MASK)), Err(LeaseError::Mask(None)));
        let holes = without(option::SUBNET_MASK).with(option::SUBNET_MASK, &[255, 0, 255, 0]);
        assert!(matches!(Lease::parse(&holes), Err(LeaseError::Mask(Some(_)))));
        let mut nobody = ack();
        nobody.yours = Ipv4Addr::BROADCAST;
        assert!(matches!(Lease::parse(&nobody), Err(LeaseError::Address(_))));
    }

    #[test]
    fn times_are_bounded_and_ordered() {
        for time in [0, 1, 59, 60, 1000, u32::MAX] {
            for t in [0, 30, 999, u32::MAX] {
                let mut message = ack();
                message.options.retain(|(code, _)| *code != option::LEASE_TIME);
                let message = message
                    .with(option::LEASE_TIME, &time.to_be_bytes())
                    .with(option::T1, &t.to_be_bytes())
                    .with(option::T2, &t.to_be_bytes());
                let lease = Lease::parse(&message).unwrap();
                assert!(lease.t1 < lease.t2 && lease.t2 < lease.expiry, "{lease:?}");
                assert!(lease.t1.as_secs() >= 15);
            }
        }
    }
}
