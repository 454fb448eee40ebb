//! Links, addresses and routes by rtnetlink.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};

use super::dhcp::{ClientError, Lease, Route};
use super::interface::Interface;

/// Why the network is not up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// No netlink socket.
    #[error("netlink: {0}")]
    Netlink(io::Error),
    /// The kernel refused a change.
    #[error("{change}: {error}")]
    Refused {
        /// What was to be changed.
        change: String,
        /// What the kernel said.
        error: rtnetlink::Error,
    },
    /// The DHCP socket could not be made.
    #[error("dhcp socket: {0}")]
    Socket(io::Error),
    /// No lease, or none any more.
    #[error(transparent)]
    Dhcp(#[from] ClientError),
}

/// A netlink connection, served in the background until this is dropped.
pub(super) struct Kernel {
    handle: Handle,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Kernel {
    pub(super) fn connect() -> Result<Self, NetworkError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::Netlink)?;
        Ok(Self { handle, server: tokio::spawn(connection) })
    }

    pub(super) async fn up(&self, name: &str) -> Result<(), NetworkError> {
        let link = LinkUnspec::new_with_name(name).up().build();
        self.handle.link().set(link).execute().await.map_err(refused(|| format!("{name} up")))
    }

    /// Gives the interface the lease's address, MTU and routes; what is there already is replaced.
    pub(super) async fn apply(&self, interface: &Interface, lease: &Lease) -> Result<(), NetworkError> {
        let (name, index) = (&interface.name, interface.index);
        if let Some(mtu) = lease.mtu {
            let link = LinkUnspec::new_with_index(index).mtu(mtu.into()).build();
            let change = self.handle.link().set(link).execute().await;
            change.map_err(refused(|| format!("{name} mtu {mtu}")))?;
        }
        let address = self.handle.address().add(index, IpAddr::V4(lease.address), lease.prefix).replace();
        address
            .execute()
            .await
            .map_err(refused(|| format!("{name} address {}/{}", lease.address, lease.prefix)))?;
        for route in lease.routes() {
            let message = self.route(index, lease.address, route);
            let change = self.handle.route().add(message).replace().execute().await;
            change.map_err(refused(|| format!("{name} {route}")))?;
        }
        Ok(())
    }

    fn route(
        &self,
        index: u32,
        source: Ipv4Addr,
        route: Route,
    ) -> rtnetlink::packet_route::route::RouteMessage {
        let mut builder = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(index).pref_source(source);
        if route.prefix > 0 {
            builder = builder.destination_prefix(route.destination, route.prefix);
        }
        match route.gateway {
            // "onlink" lets a gateway be outside the subnet: GCP hands out /32 addresses.
            Some(gateway) => builder.gateway(gateway).onlink().build(),
            None => builder.scope(RouteScope::Link).build(),
        }
    }

    /// Takes the lease's address away; its routes go with it.
    pub(super) async fn withdraw(&self, interface: &Interface, lease: &Lease) -> Result<(), NetworkError> {
        let what = || format!("{} withdraw {}", interface.name, lease.address);
        let mut addresses = self.handle.address().get().set_link_index_filter(interface.index).execute();
        while let Some(message) = addresses.try_next().await.map_err(refused(what))? {
            if is(&message, lease.address) {
                self.handle.address().del(message).execute().await.map_err(refused(what))?;
            }
        }
        Ok(())
    }
}

fn is(message: &AddressMessage, address: Ipv4Addr) -> bool {
    message.header.family == AddressFamily::Inet
        && message.attributes.contains(&AddressAttribute::Local(IpAddr::V4(address)))
}

fn refused(change: impl Fn() -> String) -> impl Fn(rtnetlink::Error) -> NetworkError {
    move |error| NetworkError::Refused { change: change(), error }
}
