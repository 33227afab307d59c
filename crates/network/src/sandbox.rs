//! Network namespaces for containers, prepared before they are needed, or entered while they are in use.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use sys::netlink::{Batch, Protocol, Socket};

use crate::Interface;
use crate::default_route::default_interfaces;
use crate::error::{Context, Result};
use crate::{dns, route};

/// The kernel takes down the namespace of a container that has ended in some 20 ms, many at once in more.
const PATIENCE: Duration = Duration::from_secs(5);

/// A namespace and the means to configure it from outside: a socket and an open file belong to the namespace they were
/// opened in.
pub(crate) struct Sandbox {
    pub(crate) netns: OwnedFd,
    route: Socket,
    /// None where the kernel has no IPv6.
    ipv6: Option<Ipv6Switch>,
    /// Of a new namespace.
    dns: Option<dns::Prepared>,
}

/// Whether links made from now on are without IPv6.
struct Ipv6Switch {
    file: fs::File,
    is_off: bool,
}

impl Sandbox {
    /// A new namespace with loopback up.
    pub(crate) fn new() -> Result<Self> {
        let (netns, (route, ipv6, dns)) =
            sys::netns::create(prepare).context(|| "create a network namespace".to_owned())?;
        Ok(Self { netns, route, ipv6, dns: Some(dns) })
    }

    /// That of a container that runs.
    pub(crate) fn enter(netns: BorrowedFd<'_>) -> Result<Self> {
        let action = || "enter the container's network namespace".to_owned();
        let (route, ipv6) =
            sys::netns::within(netns, || Ok((Socket::open(Protocol::Route)?, switch()?)))
                .context(action)?;
        let netns = netns.try_clone_to_owned().context(action)?;
        Ok(Self { netns, route, ipv6, dns: None })
    }

    /// Makes the container's name server one that it finds.
    pub(crate) fn open_dns(&mut self) -> Result<dns::Sockets> {
        let prepared = match self.dns.take() {
            Some(prepared) => prepared,
            None => sys::netns::within(self.netns.as_fd(), dns::Prepared::new)
                .context(|| "make the sockets of the container's name server".to_owned())?,
        };
        prepared.lead()
    }

    /// To be called before a link is put into the namespace: links are born without IPv6 unless they have an address.
    pub(crate) fn expect(&mut self, interface: &Interface) -> Result<()> {
        self.switch_ipv6(interface.ipv6.is_none())
    }

    /// Brings up the link, which is there, with its addresses.
    pub(crate) fn configure(&mut self, interface: &Interface) -> Result<()> {
        let action =
            || format!("give the container its addresses on network {}", interface.network);
        let link = route::link_index(&mut self.route, &interface.name).context(action)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.bring_up(link, interface) {
                // That of a container that has just ended, where links share a parent: it is taken down with its
                // namespace, of which the kernel tells nobody.
                Err(error)
                    if error.errno == Errno::ADDRINUSE
                        && interface.host_link.is_empty()
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(2));
                }
                result => return result.context(action),
            }
        }
    }

    fn bring_up(&mut self, link: u32, interface: &Interface) -> Result<(), sys::netlink::Error> {
        let mut batch = Batch::default();
        if let Some(address) = interface.ipv4 {
            route::add_address(&mut batch, link, address.ip.into(), address.prefix_len);
        }
        if let Some(address) = interface.ipv6 {
            route::add_address(&mut batch, link, address.ip.into(), address.prefix_len);
        }
        for ip in &interface.link_local {
            route::add_address(&mut batch, link, *ip, if ip.is_ipv4() { 16 } else { 64 });
        }
        route::set_link_up(&mut batch, link);
        self.route.transact(batch).map(drop)
    }

    /// Sends by these interfaces what is for no network of theirs; `before` are those of the last time.
    pub(crate) fn route(&mut self, before: &[Interface], now: &[Interface]) -> Result<()> {
        let action = || "set the container's default route".to_owned();
        let (before, now) = (default_interfaces(before), default_interfaces(now));
        let families = [(before.0, now.0, true), (before.1, now.1, false)];
        let mut batch = Batch::default();
        for (before, now, is_ipv4) in families {
            match (before, now) {
                (before, now) if before == now => {}
                // It may have gone with its link.
                (_, None) => self.forget_default(is_ipv4).context(action)?,
                (_, Some(interface)) => {
                    self.set_default(&mut batch, interface, is_ipv4).context(action)?
                }
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.route.transact(batch).map(drop).context(action)
    }

    /// As in Docker, only our own links are without IPv6, not those that a container makes for itself.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.switch_ipv6(false)
    }

    /// Deletes a link that has no other end.
    pub(crate) fn delete(&mut self, link: &str) -> Result<()> {
        let mut batch = Batch::default();
        route::delete_link(&mut batch, link);
        match self.route.transact(batch) {
            Err(error) if error.errno == Errno::NODEV => Ok(()),
            result => result.map(drop).context(|| format!("delete the container's link {link}")),
        }
    }

    fn set_default(
        &mut self,
        batch: &mut Batch,
        interface: &Interface,
        is_ipv4: bool,
    ) -> Result<(), sys::netlink::Error> {
        let gateway = match is_ipv4 {
            true => interface.ipv4.and_then(|address| address.gateway).map(IpAddr::V4),
            false => interface.ipv6.and_then(|address| address.gateway).map(IpAddr::V6),
        };
        match gateway {
            Some(gateway) => route::set_default_route(batch, gateway),
            None => {
                let link = route::link_index(&mut self.route, &interface.name)?;
                route::set_default_link(batch, is_ipv4, link);
            }
        }
        Ok(())
    }

    fn forget_default(&mut self, is_ipv4: bool) -> Result<(), sys::netlink::Error> {
        let mut batch = Batch::default();
        route::remove_default_route(&mut batch, is_ipv4);
        match self.route.transact(batch) {
            Err(error) if error.errno == Errno::SRCH => Ok(()),
            result => result.map(drop),
        }
    }

    fn switch_ipv6(&mut self, off: bool) -> Result<()> {
        let Some(switch) = self.ipv6.as_mut().filter(|switch| switch.is_off != off) else {
            return Ok(());
        };
        switch.is_off = off;
        // The kernel heeds writes at the beginning only.
        let value = if off { b"1" } else { b"0" };
        switch
            .file
            .write_all_at(value, 0)
            .context(|| "switch IPv6 for a container's links".to_owned())
    }
}

/// Runs inside the namespace. Links are born with IPv6 off and deaf to router advertisements (CVE-2020-13401);
/// loopback, which is there already, keeps ::1.
fn prepare() -> io::Result<(Socket, Option<Ipv6Switch>, dns::Prepared)> {
    let mut route = Socket::open(Protocol::Route)?;
    let mut batch = Batch::default();
    route::set_loopback_up(&mut batch);
    route.transact(batch)?;
    let dns = dns::Prepared::new()?;
    let Some(mut switch) = switch()? else { return Ok((route, None, dns)) };
    switch.file.write_all_at(b"1", 0)?;
    switch.is_off = true;
    fs::write("/proc/sys/net/ipv6/conf/default/accept_ra", "0")?;
    Ok((route, Some(switch), dns))
}

/// Runs inside the namespace.
fn switch() -> io::Result<Option<Ipv6Switch>> {
    let path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => Ok(Some(Ipv6Switch { file: file?, is_off: false })),
    }
}
