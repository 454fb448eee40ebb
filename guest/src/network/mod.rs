//! One interface, one IPv4 address by DHCP, for as long as the guest runs.
//!
//! What the network says is the host's word: it decides where packets go, never what is believed.

pub mod dhcp;
pub mod interface;
mod kernel;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::journal::Journal;
use dhcp::{Client, ClientError, Lease};
use interface::Interface;
use kernel::Kernel;
pub use kernel::NetworkError;

/// Where the resolver's configuration goes, without the leading slash.
const RESOLV_CONF: &str = "run/resolv.conf";
/// Between two attempts after a failure that is not the server's silence.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps the network up: loopback, then the first interface with a carrier, then its lease. The current address is
/// sent to `address`. Ends only when `address` has no receiver left.
pub async fn keep_up(root: &Path, journal: &Journal, address: &watch::Sender<Option<Ipv4Addr>>) {
    while !address.is_closed() {
        if let Err(error) = attempt(root, journal, address).await {
            journal.line(&format!("network: {error}"));
        }
        address.send_replace(None);
        sleep(PAUSE).await;
    }
}

/// One life of a lease: from finding an interface to losing its address.
async fn attempt(
    root: &Path,
    journal: &Journal,
    address: &watch::Sender<Option<Ipv4Addr>>,
) -> Result<(), NetworkError> {
    let kernel = Kernel::connect()?;
    kernel.up("lo").await?;
    let interface = first_with_carrier(root, &kernel, journal).await?;
    journal.line(&format!("network: {} has a carrier", interface.name));
    let mut client = client(&interface)?;
    let mut lease = acquire(&mut client, journal).await?;
    loop {
        kernel.apply(&interface, &lease).await?;
        if let Err(error) = std::fs::write(root.join(RESOLV_CONF), lease.resolv_conf()) {
            journal.line(&format!("network: /{RESOLV_CONF}: {error}"));
        }
        address.send_replace(Some(lease.address));
        match client.renew(&lease).await {
            Ok(renewed) if renewed.address == lease.address => lease = renewed,
            Ok(renewed) => {
                kernel.withdraw(&interface, &lease).await?;
                lease = renewed;
            }
            Err(error) => {
                kernel.withdraw(&interface, &lease).await?;
                return Err(error.into());
            }
        }
    }
}

/// Brings every interface up and waits for a carrier on one of them.
async fn first_with_carrier(
    root: &Path,
    kernel: &Kernel,
    journal: &Journal,
) -> Result<Interface, NetworkError> {
    let mut waited = 0_u32;
    loop {
        for interface in interface::list(root) {
            kernel.up(&interface.name).await?;
            if interface::has_carrier(root, &interface) {
                return Ok(interface);
            }
        }
        if waited == 50 {
            journal.line("network: no interface has a carrier yet");
        }
        waited = waited.saturating_add(1);
        sleep(Duration::from_millis(200)).await;
    }
}

/// A DHCP client on this interface alone, whatever addresses and routes there are.
fn client(interface: &Interface) -> Result<Client, NetworkError> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, dhcp::CLIENT_PORT))
        .map_err(NetworkError::Socket)?;
    socket.set_nonblocking(true).map_err(NetworkError::Socket)?;
    let socket = UdpSocket::from_std(socket).map_err(NetworkError::Socket)?;
    socket.bind_device(Some(interface.name.as_bytes())).map_err(NetworkError::Socket)?;
    socket.set_broadcast(true).map_err(NetworkError::Socket)?;
    let everyone = SocketAddr::from((Ipv4Addr::BROADCAST, dhcp::SERVER_PORT));
    Ok(Client::new(socket, everyone, interface.mac))
}

/// Asks until there is a lease. Silence is said once in a while, not every time.
async fn acquire(client: &mut Client, journal: &Journal) -> Result<Lease, ClientError> {
    let mut rounds = 0_u32;
    loop {
        match client.acquire().await {
            Err(error @ (ClientError::Silence | ClientError::Refused)) => {
                if rounds.is_multiple_of(4) {
                    journal.line(&format!("network: {error}; asking again"));
                }
                rounds = rounds.saturating_add(1);
            }
            other => return other,
        }
    }
}
