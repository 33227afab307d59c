//! Network namespaces for containers, prepared before they are needed.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use sys::netlink::{Batch, Protocol, Socket};

use crate::error::{Context, Result};
use crate::route;
use crate::subnet::Subnet;

/// The name of a container's first interface.
pub(crate) const CONTAINER_LINK: &str = "eth0";

/// A namespace with loopback up, and the means to configure it from outside: a socket and an open file belong to
/// the namespace they were opened in.
pub(crate) struct Sandbox {
    pub(crate) netns: OwnedFd,
    route: Socket,
    /// Whether links made from now on have IPv6 disabled; none where the kernel has no IPv6.
    disable_ipv6: Option<fs::File>,
}

impl Sandbox {
    pub(crate) fn new() -> Result<Self> {
        let (netns, (route, disable_ipv6)) =
            sys::netns::create(prepare).context(|| "create a network namespace".to_owned())?;
        Ok(Self { netns, route, disable_ipv6 })
    }

    /// The name that a link must have which is put into the namespace.
    pub(crate) fn link_name(&self) -> &'static str {
        CONTAINER_LINK
    }

    /// Brings up the container's link, which is there, with its address and the default route.
    pub(crate) fn configure(
        &mut self,
        ip: Ipv4Addr,
        subnet: Subnet,
        gateway: Ipv4Addr,
    ) -> Result<()> {
        let action = || format!("give the container the address {ip}");
        let link = route::link_index(&mut self.route, CONTAINER_LINK).context(action)?;
        let mut batch = Batch::default();
        route::add_address(&mut batch, link, ip, subnet);
        route::set_link_up(&mut batch, link);
        route::add_default_route(&mut batch, gateway);
        self.route.transact(batch).context(action)?;
        self.allow_ipv6_on_later_links().context(action)
    }

    /// As in Docker, only our own link is without IPv6, not those that a container makes for itself.
    fn allow_ipv6_on_later_links(&self) -> io::Result<()> {
        // The kernel heeds writes at the beginning only.
        self.disable_ipv6.as_ref().map_or(Ok(()), |file| file.write_all_at(b"0", 0))
    }
}

/// Runs inside the namespace. Links are born with IPv6 off and deaf to router advertisements (CVE-2020-13401);
/// loopback, which is there already, keeps ::1.
fn prepare() -> io::Result<(Socket, Option<fs::File>)> {
    let mut route = Socket::open(Protocol::Route)?;
    let mut batch = Batch::default();
    route::set_loopback_up(&mut batch);
    route.transact(batch)?;
    let disable_ipv6 =
        OpenOptions::new().write(true).open("/proc/sys/net/ipv6/conf/default/disable_ipv6");
    let disable_ipv6 = match disable_ipv6 {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((route, None)),
        result => result?,
    };
    disable_ipv6.write_all_at(b"1", 0)?;
    fs::write("/proc/sys/net/ipv6/conf/default/accept_ra", "0")?;
    Ok((route, Some(disable_ipv6)))
}
