//! The engine's nftables table.
//!
//! It is replaced as a whole, in one transaction, and then changes by elements of its sets only:
//!
//! ```text
//! bridges       { "gantry0" }                what belongs to us
//! same_bridge   { "gantry0" . "gantry0" }    where containers reach one another (icc)
//! internal      { "br-0123456789ab" }        no way in or out
//! subnets       { 172.17.0.0/24 }            the containers' own, of IPv4
//! hidden4       { 172.17.0.0/24 }            those that nobody outside sends to, and so hidden6
//! open4         { }                          those that everybody may send to (nat-unprotected)
//! masqueraded4  { 172.17.0.0/24 }            those that leave with the host's address
//! uplinks       { "eth0", .. }               see Contents::uplinks, and so uplinks6
//! ports4, ..    { tcp . 80 : 172.17.0.2 . 80 }   published ports, see publish/elements.rs
//!
//! prerouting    raw        iifname != "lo" ip daddr 127.0.0.0/8 drop
//!                          iifname != "lo" ip saddr 127.0.0.0/8 drop
//!                          iifname != @bridges ip daddr @hidden4 drop (and so ip6)
//! incoming      dstnat     fib daddr type local meta nfproto ipv4 goto published4 (and so ipv6)
//! outgoing      dstnat     as incoming, of what the host itself sends
//! published4               dnat ip to ip daddr . meta l4proto . th dport map @addresses4
//!                          dnat ip to meta l4proto . th dport map @ports4
//!                          meta l4proto tcp dnat ip to th dport map @ranges4_tcp (and so udp, sctp)
//! published6               as published4 with the maps of IPv6; what only the proxy can deliver: goto proxy
//! proxy                    meta l4proto tcp redirect to :NNNNN (and so udp), once there is one
//! forward       filter     iifname . oifname @same_bridge accept
//!                          iifname @internal drop
//!                          oifname @internal drop
//!                          oifname @bridges ct state established,related accept
//!                          oifname @bridges ct status dnat accept
//!                          ip daddr @open4 accept (and so ip6)
//!                          oifname @bridges drop
//!                          meta nfproto ipv4 iifname @uplinks oifname @uplinks drop (and so ipv6)
//! postrouting   srcnat     ip saddr @subnets oifname @bridges ct status dnat masquerade
//!                          meta nfproto ipv6 iifname @bridges oifname @bridges ct status dnat masquerade
//!                          ip saddr 127.0.0.0/8 oifname @bridges masquerade
//!                          ip saddr @masqueraded4 oifname != @bridges masquerade (and so ip6)
//! ```
//!
//! So nobody reaches a container's address from outside, by whatever route, and bridges do not reach one another; only
//! what was addressed to a published port of the host is let through. Without icc not even what is routed at the bridge's
//! own address gets through. Loopback addresses come from nowhere but
//! loopback, although bridges may route them (CVE-2020-8558, CVE-2021-20199): a port published on 127.0.0.1 is reached
//! by this host alone. Whoever is on a bridge itself, and whoever uses a loopback address, appears as the bridge's
//! address, since the answer must come back here; all others as who they are.
//! Where containers show their own addresses (`--ip-masq=false`, gateway mode routed), answers to them must pass the raw hook, which comes
//! before connection tracking; the forward hook stops the rest.
//!
//! Beside it is a table of the same name in the bridge family, against forged frames: see [`spoofing`].
//!
//! Others reload the host's firewall (`nft flush ruleset`). Since Linux 6.9 a table can be owned and persistent:
//! it is immune to that, stays when the engine dies and is claimed by the next one. Elsewhere a thread listens for
//! the table's deletion and puts it back.

mod spoofing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use sys::netlink::{Protocol as Netlink, Socket};

use crate::config::{Config, Driver, GatewayMode};
use crate::error::{Context, Error, Result};
use crate::nft::{
    Chain, ChainKind, Direction, Element, Family, KeyType, MapElement, PortKey, Rule, Set, Side,
    Table, TableFamily, Transaction, set_elements,
};
use crate::options::Rules;
use crate::publish::elements::{self, Kind};
use crate::publish::{Mapping, Protocol, Target};
use crate::subnet::Subnet;
use crate::watcher::Watcher;

pub(crate) use spoofing::Guard;

const SETS: [Set<'static>; 12] = [
    set("bridges", KeyType::InterfaceName),
    set("same_bridge", KeyType::InterfacePair),
    set("internal", KeyType::InterfaceName),
    set("subnets", KeyType::Ipv4Interval),
    set("hidden4", KeyType::Ipv4Interval),
    set("hidden6", KeyType::Ipv6Interval),
    set("open4", KeyType::Ipv4Interval),
    set("open6", KeyType::Ipv6Interval),
    set("masqueraded4", KeyType::Ipv4Interval),
    set("masqueraded6", KeyType::Ipv6Interval),
    set(UPLINKS, KeyType::InterfaceName),
    set(UPLINKS_IPV6, KeyType::InterfaceName),
];

const fn set(name: &'static str, key: KeyType) -> Set<'static> {
    Set { name, key, data: None }
}

const PROXY: &str = "proxy";
/// Of IPv4.
pub(crate) const UPLINKS: &str = "uplinks";
pub(crate) const UPLINKS_IPV6: &str = "uplinks6";

/// What the table knows of one bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BridgeRules {
    pub(crate) name: String,
    pub(crate) icc: bool,
    pub(crate) internal: bool,
    pub(crate) hidden: Vec<Subnet>,
    pub(crate) open: Vec<Subnet>,
    pub(crate) masqueraded: Vec<Subnet>,
    /// All of them.
    pub(crate) subnets: Vec<Subnet>,
}

impl BridgeRules {
    /// None where the network has no bridge.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let Driver::Bridge(options) = &config.driver else { return None };
        let subnets = |wanted: &dyn Fn(GatewayMode) -> bool| {
            let all = config.pools.iter().map(|pool| pool.subnet);
            all.filter(|subnet| wanted(options.mode(subnet.is_ipv4()))).collect()
        };
        let is_nat = |mode| matches!(mode, GatewayMode::Nat | GatewayMode::NatUnprotected);
        Some(Self {
            name: options.name.clone(),
            icc: options.icc,
            internal: config.internal,
            hidden: subnets(&|mode| mode == GatewayMode::Nat && options.masquerade),
            open: subnets(&|mode| mode == GatewayMode::NatUnprotected),
            masqueraded: subnets(&|mode| is_nat(mode) && options.masquerade),
            subnets: subnets(&|_| true),
        })
    }

    fn elements(&self) -> Vec<(&'static str, Vec<Element>)> {
        let name = || vec![Element::interface(&self.name)];
        let of = |subnets: &[Subnet], is_ipv4: bool| {
            let of_family = subnets.iter().filter(|subnet| subnet.is_ipv4() == is_ipv4);
            of_family.map(|subnet| Element::subnet(*subnet)).collect()
        };
        let mut elements = vec![
            ("bridges", name()),
            ("subnets", of(&self.subnets, true)),
            ("hidden4", of(&self.hidden, true)),
            ("hidden6", of(&self.hidden, false)),
            ("open4", of(&self.open, true)),
            ("open6", of(&self.open, false)),
            ("masqueraded4", of(&self.masqueraded, true)),
            ("masqueraded6", of(&self.masqueraded, false)),
        ];
        if self.icc {
            elements.push(("same_bridge", vec![Element::interface_pair(&self.name, &self.name)]));
        }
        if self.internal {
            elements.push(("internal", name()));
        }
        elements
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) bridges: Vec<BridgeRules>,
    /// The links which the host had when we turned on forwarding for it. Between those it must not begin to route
    /// on our account. (Docker sets the policy of the whole FORWARD chain to DROP then, which breaks others.)
    pub(crate) uplinks: Vec<String>,
    /// The same for IPv6, which has a switch of its own.
    pub(crate) uplinks_ipv6: Vec<String>,
    /// By container.
    pub(crate) published: BTreeMap<String, Publication>,
    /// Where the proxy listens, for what the kernel cannot lead to a container.
    pub(crate) proxy: Option<u16>,
    /// Of bridges, by name.
    pub(crate) guards: BTreeMap<String, Guard>,
    /// How much of it is written.
    pub(crate) rules: Rules,
}

impl Contents {
    /// What the table has for the mapping.
    fn elements(
        &self,
        mapping: &Mapping,
        target: Target,
    ) -> Option<(&'static str, Vec<MapElement>)> {
        let leads = self.rules == Rules::All;
        leads.then(|| elements::elements(mapping, target)).flatten()
    }
}

/// What is published of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) target: Target,
    pub(crate) mappings: Vec<Mapping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// The kernel lets nobody but us change the table.
    Owned,
    /// We put it back when it was deleted.
    Watched,
}

#[derive(Debug)]
pub(crate) struct Firewall {
    inner: Arc<Mutex<Inner>>,
    /// Listens until the table is removed, if the kernel does not protect it.
    watcher: Mutex<Option<Watcher>>,
}

#[derive(Debug)]
struct Inner {
    /// An owned table belongs to this very socket.
    socket: Socket,
    table: String,
    protection: Protection,
    /// Whether the kernel has tables of the bridge family.
    can_guard: bool,
    contents: Contents,
}

impl Firewall {
    /// Puts up the table, protected by the kernel where it can.
    pub(crate) fn open(table: String, contents: Contents) -> Result<Self> {
        match Self::open_as(Protection::Owned, table.clone(), contents.clone()) {
            Err(Error::Kernel { cause, .. }) if cause.errno == Errno::OPNOTSUPP => {
                Self::open_as(Protection::Watched, table, contents)
            }
            result => result,
        }
    }

    pub(crate) fn open_as(
        protection: Protection,
        table: String,
        contents: Contents,
    ) -> Result<Self> {
        let socket =
            Socket::open(Netlink::Netfilter).context(|| "open a netfilter socket".to_owned())?;
        // Listening begins before the table is there, lest a deletion be missed.
        let is_watched = protection == Protection::Watched && contents.rules != Rules::None;
        let notifications = is_watched.then(Watcher::subscribe).transpose()?;
        let mut inner =
            Inner { socket, table: table.clone(), protection, can_guard: true, contents };
        // One that is there leads to published ports, which are known later: see recover.
        match (inner.contents.rules, inner.is_there()?) {
            (Rules::None, true) => inner.erase()?,
            (Rules::None, false) => {}
            (_, true) => inner.claim()?,
            (_, false) => inner.replace()?,
        }
        let inner = Arc::new(Mutex::new(inner));
        let watcher = notifications.map(|socket| {
            let inner = Arc::clone(&inner);
            Watcher::start(socket, table, move || lock(&inner).restore())
        });
        Ok(Self { inner, watcher: Mutex::new(watcher.transpose()?) })
    }

    /// Replaces what an earlier engine left, at once: at no moment are the published ports not there.
    pub(crate) fn recover(
        &self,
        published: BTreeMap<String, Publication>,
        proxy: Option<u16>,
    ) -> Result<()> {
        let mut inner = lock(&self.inner);
        inner.contents.published = published;
        inner.contents.proxy = proxy;
        inner.replace()
    }

    /// Lets through what is addressed to these ports, besides those of the container that are published already.
    pub(crate) fn publish(&self, container: &str, target: Target, more: &[Mapping]) -> Result<()> {
        let mut inner = lock(&self.inner);
        let mut transaction = Transaction::new(TableFamily::Inet);
        for mapping in more {
            if let Some((map, elements)) = inner.contents.elements(mapping, target) {
                transaction.add_mappings(&inner.table, map, &elements);
            }
        }
        inner.change(transaction, "publish ports")?;
        let publication = Publication { target, mappings: Vec::new() };
        let entry = inner.contents.published.entry(container.to_owned()).or_insert(publication);
        entry.mappings.extend_from_slice(more);
        Ok(())
    }

    /// Takes those back, the container's whole publication with the last one. When this returns no connection can begin
    /// any more.
    pub(crate) fn unpublish(&self, container: &str, mappings: &[Mapping]) -> Result<()> {
        let mut inner = lock(&self.inner);
        let Some(publication) = inner.contents.published.get_mut(container) else { return Ok(()) };
        let target = publication.target;
        publication.mappings.retain(|mapping| !mappings.contains(mapping));
        if publication.mappings.is_empty() {
            inner.contents.published.remove(container);
        }
        let mut transaction = Transaction::new(TableFamily::Inet);
        for mapping in mappings {
            if let Some((map, elements)) = inner.contents.elements(mapping, target) {
                transaction.delete_mappings(&inner.table, map, &elements);
            }
        }
        match inner.change(transaction, "take back published ports") {
            // Somebody changed the table under our hands: as it should be now.
            Err(_) => inner.replace(),
            result => result,
        }
    }

    /// Leads what is published of the container to these addresses, at once; returns what that is.
    pub(crate) fn retarget(&self, container: &str, target: Target) -> Result<Vec<Mapping>> {
        let mut inner = lock(&self.inner);
        let Some(publication) = inner.contents.published.get_mut(container) else {
            return Ok(Vec::new());
        };
        let before = std::mem::replace(&mut publication.target, target);
        let mappings = publication.mappings.clone();
        if before == target {
            return Ok(Vec::new());
        }
        let mut transaction = Transaction::new(TableFamily::Inet);
        for mapping in &mappings {
            if let Some((map, elements)) = inner.contents.elements(mapping, before) {
                transaction.delete_mappings(&inner.table, map, &elements);
            }
        }
        for mapping in &mappings {
            if let Some((map, elements)) = inner.contents.elements(mapping, target) {
                transaction.add_mappings(&inner.table, map, &elements);
            }
        }
        match inner.change(transaction, "lead published ports elsewhere") {
            // Somebody changed the table under our hands: as it should be now.
            Err(_) => inner.replace()?,
            result => result?,
        }
        Ok(mappings)
    }

    /// From now on the host forwards IPv6 on our account: not between these links.
    pub(crate) fn separate_ipv6(&self, uplinks: Vec<String>) -> Result<()> {
        let mut inner = lock(&self.inner);
        let mut transaction = Transaction::new(TableFamily::Inet);
        let elements: Vec<_> = uplinks.iter().map(|name| Element::interface(name)).collect();
        transaction.add_elements(&inner.table, UPLINKS_IPV6, &elements);
        inner.contents.uplinks_ipv6 = uplinks;
        inner.change_or_replace(transaction)
    }

    /// Where the proxy listens from now on.
    pub(crate) fn set_proxy(&self, port: u16) -> Result<()> {
        let mut inner = lock(&self.inner);
        if inner.contents.proxy == Some(port) {
            return Ok(());
        }
        let mut transaction = Transaction::new(TableFamily::Inet);
        transaction.flush_chain(&inner.table, PROXY);
        for rule in proxy_rules(port) {
            transaction.append_rule(&inner.table, PROXY, &rule);
        }
        inner.change(transaction, "direct connections to the proxy")?;
        inner.contents.proxy = Some(port);
        Ok(())
    }

    /// Makes the bridge one of ours.
    pub(crate) fn add_bridge(&self, rules: BridgeRules) -> Result<()> {
        let mut inner = lock(&self.inner);
        let mut transaction = Transaction::new(TableFamily::Inet);
        for (set, elements) in rules.elements() {
            transaction.add_elements(&inner.table, set, &elements);
        }
        inner.contents.bridges.push(rules);
        inner.change_or_replace(transaction)
    }

    /// Before the bridge is gone: its name may then be another's.
    pub(crate) fn remove_bridge(&self, name: &str) -> Result<()> {
        let mut inner = lock(&self.inner);
        let bridges = &mut inner.contents.bridges;
        let Some(index) = bridges.iter().position(|rules| rules.name == name) else {
            return Ok(());
        };
        let rules = bridges.remove(index);
        let mut transaction = Transaction::new(TableFamily::Inet);
        for (set, elements) in rules.elements() {
            transaction.delete_elements(&inner.table, set, &elements);
        }
        inner.change_or_replace(transaction)
    }

    /// Holds a port of a bridge to what is its own. Before anything can be sent by it.
    pub(crate) fn guard(&self, guard: Guard) -> Result<()> {
        let mut inner = lock(&self.inner);
        let mut transaction = Transaction::new(TableFamily::Bridge);
        for (set, elements) in guard.elements() {
            transaction.add_elements(&inner.table, set, &elements);
        }
        inner.contents.guards.insert(guard.port.clone(), guard);
        inner.change_guards(transaction)
    }

    /// Once nothing can be sent by these ports any more; those that are not guarded are passed over.
    pub(crate) fn unguard<'a>(&self, ports: impl Iterator<Item = &'a str>) -> Result<()> {
        let mut inner = lock(&self.inner);
        let mut transaction = Transaction::new(TableFamily::Bridge);
        for port in ports {
            let Some(guard) = inner.contents.guards.remove(port) else { continue };
            for (set, elements) in guard.elements() {
                transaction.delete_elements(&inner.table, set, &elements);
            }
        }
        inner.change_guards(transaction)
    }

    /// Removes the tables.
    pub(crate) fn remove(&self) -> Result<()> {
        // First of all: it would put them back.
        drop(lock(&self.watcher).take());
        let mut inner = lock(&self.inner);
        let table = inner.table.clone();
        for family in inner.families() {
            let mut transaction = Transaction::new(family);
            transaction.delete_table(&table);
            match transaction.commit(&mut inner.socket) {
                Err(error) if error.errno == Errno::NOENT => {}
                result => result.context(|| format!("remove the firewall table {table}"))?,
            }
        }
        Ok(())
    }
}

/// The uplinks in a table that an earlier engine left, of one of the two sets; none if there is no such table.
pub(crate) fn recorded_uplinks(table: &str, set: &str) -> Result<Vec<String>> {
    let action = || format!("read the firewall table {table}");
    let mut socket = Socket::open(Netlink::Netfilter).context(action)?;
    let keys = set_elements(&mut socket, table, set).context(action)?;
    let name = |key: Vec<u8>| String::from_utf8_lossy(&key).trim_end_matches('\0').to_owned();
    Ok(keys.into_iter().map(name).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn table(&self) -> Table<'_> {
        let flags = match self.protection {
            Protection::Owned => Table::OWNER | Table::PERSIST,
            Protection::Watched => 0,
        };
        Table { name: &self.table, flags }
    }

    fn is_there(&mut self) -> Result<bool> {
        let action = || format!("look for the firewall table {}", self.table);
        let bridges = set_elements(&mut self.socket, &self.table, "bridges").context(action)?;
        Ok(!bridges.is_empty())
    }

    fn change(&mut self, transaction: Transaction, action: &str) -> Result<()> {
        if transaction.is_empty() || self.contents.rules == Rules::None {
            return Ok(());
        }
        transaction
            .commit(&mut self.socket)
            .context(|| format!("{action} in the firewall table {}", self.table))
    }

    /// Where that fails somebody else has changed the table: it is made anew.
    fn change_or_replace(&mut self, transaction: Transaction) -> Result<()> {
        match self.change(transaction, "change a network") {
            Err(_) => self.replace(),
            result => result,
        }
    }

    fn change_guards(&mut self, transaction: Transaction) -> Result<()> {
        if !self.can_guard {
            return Ok(());
        }
        match self.change(transaction, "change who is guarded") {
            Err(_) => self.set_up(TableFamily::Bridge, Self::replacement),
            result => result,
        }
    }

    /// Those of the tables that we have.
    fn families(&self) -> impl Iterator<Item = TableFamily> + use<> {
        let inet = (self.contents.rules != Rules::None).then_some(TableFamily::Inet);
        let bridge = inet.and(self.can_guard.then_some(TableFamily::Bridge));
        inet.into_iter().chain(bridge)
    }

    /// Replaces whatever tables of our name are there, an older version's included.
    fn replace(&mut self) -> Result<()> {
        self.families().try_for_each(|family| self.set_up(family, Self::replacement))
    }

    fn replacement(&self, transaction: &mut Transaction, family: TableFamily) {
        transaction.ensure_table(self.table());
        transaction.delete_table(&self.table);
        transaction.create_table(self.table());
        self.fill(transaction, family);
    }

    /// Makes the tables that are there ours as they are, which also tells whether the kernel protects them.
    fn claim(&mut self) -> Result<()> {
        let ensured = |inner: &Self, transaction: &mut Transaction, _| {
            transaction.ensure_table(inner.table());
        };
        self.families().try_for_each(|family| self.set_up(family, ensured))
    }

    /// Removes what an engine left that wrote tables.
    fn erase(&mut self) -> Result<()> {
        let erasure = |inner: &Self, transaction: &mut Transaction, _| {
            transaction.ensure_table(inner.table());
            transaction.delete_table(&inner.table);
        };
        [TableFamily::Inet, TableFamily::Bridge]
            .into_iter()
            .try_for_each(|family| self.set_up(family, erasure))
    }

    /// A kernel may lack the bridge family: it goes without guards.
    fn set_up(
        &mut self,
        family: TableFamily,
        write: impl Fn(&Self, &mut Transaction, TableFamily),
    ) -> Result<()> {
        let mut transaction = Transaction::new(family);
        write(self, &mut transaction, family);
        match transaction.commit(&mut self.socket) {
            // Position 0 is the transaction's begin: refused there, we lack the right to change any table.
            Err(error) if error.errno == Errno::PERM && error.message > 0 => {
                Err(Error::TableOwned(self.table.clone()))
            }
            Err(error) if family == TableFamily::Bridge && is_missing(error.errno) => {
                self.can_guard = false;
                tracing::warn!("containers may forge addresses: no tables for bridges: {error}");
                Ok(())
            }
            result => result.context(|| format!("set up the firewall table {}", self.table)),
        }
    }

    /// Puts the tables back that are gone.
    fn restore(&mut self) -> Result<()> {
        for family in self.families() {
            let mut transaction = Transaction::new(family);
            transaction.create_table(self.table());
            self.fill(&mut transaction, family);
            match transaction.commit(&mut self.socket) {
                Err(error) if error.errno == Errno::EXIST => {}
                result => {
                    result.context(|| format!("put back the firewall table {}", self.table))?;
                }
            }
        }
        Ok(())
    }

    fn fill(&self, transaction: &mut Transaction, family: TableFamily) {
        match family {
            TableFamily::Inet => self.fill_inet(transaction),
            TableFamily::Bridge => self.fill_bridge(transaction),
        }
    }

    fn fill_bridge(&self, transaction: &mut Transaction) {
        self.write_table(transaction, spoofing::SETS, &spoofing::chains());
        for (set, elements) in self.contents.guards.values().flat_map(Guard::elements) {
            transaction.add_elements(&self.table, set, &elements);
        }
    }

    fn write_table(
        &self,
        transaction: &mut Transaction,
        sets: impl IntoIterator<Item = Set<'static>>,
        chains: &[(Chain<'static>, Vec<Rule>)],
    ) {
        let table = &self.table;
        for (id, set) in (1..).zip(sets) {
            transaction.create_set(table, &set, id);
        }
        // Before the rules, which name chains.
        chains.iter().for_each(|(chain, _)| transaction.create_chain(table, chain));
        for (chain, rules) in chains {
            rules.iter().for_each(|rule| transaction.append_rule(table, chain.name, rule));
        }
    }

    fn fill_inet(&self, transaction: &mut Transaction) {
        let table = &self.table;
        self.write_table(transaction, SETS.into_iter().chain(elements::maps()), &chains());
        if let Some(port) = self.contents.proxy {
            proxy_rules(port).iter().for_each(|rule| transaction.append_rule(table, PROXY, rule));
        }
        for Publication { target, mappings } in self.contents.published.values() {
            let elements =
                mappings.iter().filter_map(|mapping| self.contents.elements(mapping, *target));
            elements.for_each(|(map, elements)| transaction.add_mappings(table, map, &elements));
        }
        for (set, elements) in self.contents.bridges.iter().flat_map(BridgeRules::elements) {
            transaction.add_elements(table, set, &elements);
        }
        let Contents { uplinks, uplinks_ipv6, .. } = &self.contents;
        for (set, links) in [(UPLINKS, uplinks), (UPLINKS_IPV6, uplinks_ipv6)] {
            let links: Vec<_> = links.iter().map(|name| Element::interface(name)).collect();
            transaction.add_elements(table, set, &links);
        }
    }
}

/// What a kernel says that was built without a family.
fn is_missing(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::AFNOSUPPORT | Errno::NOENT)
}

fn chains() -> Vec<(Chain<'static>, Vec<Rule>)> {
    use Direction::{In, Out};
    let chain = |name, kind| Chain { name, kind };
    let published = |rule: fn() -> Rule| {
        vec![
            rule().family(Family::Ipv4).goto("published4"),
            rule().family(Family::Ipv6).goto("published6"),
        ]
    };
    vec![
        (chain(PROXY, ChainKind::Called), Vec::new()),
        (chain("published4", ChainKind::Called), published4()),
        (chain("published6", ChainKind::Called), published6()),
        (
            chain("prerouting", ChainKind::RawPrerouting),
            vec![
                Rule::new().not_from_loopback().loopback_address(Side::Destination).drop(),
                Rule::new().not_from_loopback().loopback_address(Side::Source).drop(),
                from_outside(Family::Ipv4, "hidden4").drop(),
                from_outside(Family::Ipv6, "hidden6").drop(),
            ],
        ),
        (
            chain("incoming", ChainKind::PreroutingNat),
            published(|| Rule::new().destination_is_local()),
        ),
        (chain("outgoing", ChainKind::OutputNat), published(|| Rule::new().destination_is_local())),
        (
            chain("forward", ChainKind::Forward),
            vec![
                Rule::new().interfaces_in("same_bridge").accept(),
                Rule::new().interface_in(In, "internal").drop(),
                Rule::new().interface_in(Out, "internal").drop(),
                Rule::new().interface_in(Out, "bridges").reply().accept(),
                Rule::new().interface_in(Out, "bridges").redirected().accept(),
                Rule::new().address_in(Family::Ipv4, Side::Destination, "open4").accept(),
                Rule::new().address_in(Family::Ipv6, Side::Destination, "open6").accept(),
                Rule::new().interface_in(Out, "bridges").drop(),
                between(Family::Ipv4, UPLINKS).drop(),
                between(Family::Ipv6, UPLINKS_IPV6).drop(),
            ],
        ),
        (
            chain("postrouting", ChainKind::PostroutingNat),
            vec![
                // Not by the interface: where br_netfilter is on, such packets are bridged and have none.
                Rule::new()
                    .address_in(Family::Ipv4, Side::Source, "subnets")
                    .interface_in(Out, "bridges")
                    .redirected()
                    .masquerade(),
                Rule::new()
                    .family(Family::Ipv6)
                    .interface_in(In, "bridges")
                    .interface_in(Out, "bridges")
                    .redirected()
                    .masquerade(),
                Rule::new()
                    .loopback_address(Side::Source)
                    .interface_in(Out, "bridges")
                    .masquerade(),
                leaving(Family::Ipv4, "masqueraded4").masquerade(),
                leaving(Family::Ipv6, "masqueraded6").masquerade(),
            ],
        ),
    ]
}

/// What goes from one of the links to another.
fn between(family: Family, links: &str) -> Rule {
    let rule = Rule::new().family(family).interface_in(Direction::In, links);
    rule.interface_in(Direction::Out, links)
}

/// What comes from elsewhere for a subnet of ours.
fn from_outside(family: Family, subnets: &str) -> Rule {
    let outside = Rule::new().interface_not_in(Direction::In, "bridges");
    outside.address_in(family, Side::Destination, subnets)
}

/// What goes elsewhere from a subnet of ours.
fn leaving(family: Family, subnets: &str) -> Rule {
    let from = Rule::new().address_in(family, Side::Source, subnets);
    from.interface_not_in(Direction::Out, "bridges")
}

/// The rule up to the look-up in that map, and by what it is asked.
fn asking(rule: Rule, family: Family, maps: elements::Family, kind: Kind) -> (Rule, PortKey) {
    let map = maps.map(kind);
    let (rule, key) = match kind {
        Kind::Addresses => (rule, PortKey::AddressProtocolAndPort),
        Kind::Ports => (rule, PortKey::ProtocolAndPort),
        Kind::Ranges(protocol) => (rule.transport(protocol.number()), PortKey::Port),
    };
    (rule.look_up_port(family, key, map), key)
}

fn changing_destinations(family: Family, maps: elements::Family) -> impl Iterator<Item = Rule> {
    Kind::ALL.into_iter().map(move |kind| {
        let (rule, key) = asking(Rule::new(), family, maps, kind);
        rule.change_destination(family, key)
    })
}

fn published4() -> Vec<Rule> {
    changing_destinations(Family::Ipv4, elements::Family::V4).collect()
}

/// The kernel never lets ::1 out of the host, and does not translate between families: that is the proxy's.
fn published6() -> Vec<Rule> {
    let by_proxy = |rule: fn() -> Rule, maps| {
        Kind::ALL
            .into_iter()
            .map(move |kind| asking(rule(), Family::Ipv6, maps, kind).0.goto(PROXY))
    };
    by_proxy(|| Rule::new().destination_is_loopback_ipv6(), elements::Family::V6)
        .chain(by_proxy(Rule::new, elements::Family::V6ToV4))
        .chain(changing_destinations(Family::Ipv6, elements::Family::V6))
        .collect()
}

fn proxy_rules(port: u16) -> [Rule; 2] {
    [Protocol::Tcp, Protocol::Udp]
        .map(|protocol| Rule::new().transport(protocol.number()).redirect(port))
}
