//! The engine's nftables table.
//!
//! It is replaced as a whole, in one transaction, and then changes by elements of its sets only:
//!
//! ```text
//! bridges       { "gantry0" }                what belongs to us
//! same_bridge   { "gantry0" . "gantry0" }    bridged frames, seen here where br_netfilter is on
//! masqueraded   { 172.17.0.0/24 }            subnets that leave with the host's address
//! uplinks       { "eth0", .. }               see Contents::uplinks
//!
//! prerouting    raw        iifname != @bridges ip daddr @masqueraded drop
//! forward       filter     iifname . oifname @same_bridge accept
//!                          oifname @bridges ct state established,related accept
//!                          oifname @bridges drop
//!                          iifname @uplinks oifname @uplinks drop
//! postrouting   srcnat     ip saddr @masqueraded oifname != @bridges masquerade
//! ```
//!
//! So nobody reaches a container's address from outside, by whatever route, and bridges do not reach one another.
//! Where containers show their own addresses (`--ip-masq=false`), answers to them must pass the raw hook, which comes
//! before connection tracking; the forward hook stops the rest.
//!
//! Others reload the host's firewall (`nft flush ruleset`). Since Linux 6.9 a table can be owned and persistent:
//! it is immune to that, stays when the engine dies and is claimed by the next one. Elsewhere a thread listens for
//! the table's deletion and puts it back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use sys::netlink::{Protocol, Socket};

use crate::error::{Context, Error, Result};
use crate::nft::{
    Chain, ChainKind, Direction, Element, KeyType, Rule, Set, Side, Table, Transaction,
    set_elements,
};
use crate::subnet::Subnet;
use crate::watcher::Watcher;

const SETS: [Set<'static>; 4] = [
    Set { name: "bridges", key: KeyType::InterfaceName },
    Set { name: "same_bridge", key: KeyType::InterfacePair },
    Set { name: "masqueraded", key: KeyType::Ipv4Interval },
    Set { name: "uplinks", key: KeyType::InterfaceName },
];

/// What the table knows of one bridge.
#[derive(Clone, Debug)]
pub(crate) struct BridgeRules {
    pub(crate) name: String,
    pub(crate) subnet: Subnet,
    pub(crate) masquerade: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) bridges: Vec<BridgeRules>,
    /// The links which the host had when we turned on forwarding for it. Between those it must not begin to route
    /// on our account. (Docker sets the policy of the whole FORWARD chain to DROP then, which breaks others.)
    pub(crate) uplinks: Vec<String>,
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
    contents: Contents,
}

impl Firewall {
    /// Puts up the table, protected by the kernel where it can.
    pub(crate) fn open(table: String, contents: Contents) -> Result<Self> {
        match Self::open_as(Protection::Owned, table.clone(), contents.clone()) {
            Err(Error::Kernel { source, .. }) if source.errno == Errno::OPNOTSUPP => {
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
            Socket::open(Protocol::Netfilter).context(|| "open a netfilter socket".to_owned())?;
        // Listening begins before the table is there, lest a deletion be missed.
        let notifications =
            (protection == Protection::Watched).then(Watcher::subscribe).transpose()?;
        let mut inner = Inner { socket, table: table.clone(), protection, contents };
        inner.replace()?;
        let inner = Arc::new(Mutex::new(inner));
        let watcher = notifications.map(|socket| {
            let inner = Arc::clone(&inner);
            Watcher::start(socket, table, move || lock(&inner).restore())
        });
        Ok(Self { inner, watcher: Mutex::new(watcher.transpose()?) })
    }

    /// Removes the table.
    pub(crate) fn remove(&self) -> Result<()> {
        // First of all: it would put the table back.
        drop(lock(&self.watcher).take());
        let mut inner = lock(&self.inner);
        let mut transaction = Transaction::new();
        transaction.delete_table(&inner.table);
        let table = inner.table.clone();
        match transaction.commit(&mut inner.socket) {
            Err(error) if error.errno == Errno::NOENT => Ok(()),
            result => result.context(|| format!("remove the firewall table {table}")),
        }
    }
}

/// The uplinks in a table that an earlier engine left; none if there is no such table.
pub(crate) fn recorded_uplinks(table: &str) -> Result<Vec<String>> {
    let action = || format!("read the firewall table {table}");
    let mut socket = Socket::open(Protocol::Netfilter).context(action)?;
    let keys = set_elements(&mut socket, table, "uplinks").context(action)?;
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

    /// Replaces whatever table of our name is there, an older version's included.
    fn replace(&mut self) -> Result<()> {
        let mut transaction = Transaction::new();
        transaction.ensure_table(self.table());
        transaction.delete_table(&self.table);
        transaction.create_table(self.table());
        self.fill(&mut transaction);
        // Position 0 is the transaction's begin: refused there, we lack the right to change any table.
        match transaction.commit(&mut self.socket) {
            Err(error) if error.errno == Errno::PERM && error.message > 0 => {
                Err(Error::TableOwned(self.table.clone()))
            }
            result => result.context(|| format!("set up the firewall table {}", self.table)),
        }
    }

    /// Puts the table back if it is gone.
    fn restore(&mut self) -> Result<()> {
        let mut transaction = Transaction::new();
        transaction.create_table(self.table());
        self.fill(&mut transaction);
        match transaction.commit(&mut self.socket) {
            Err(error) if error.errno == Errno::EXIST => Ok(()),
            result => result.context(|| format!("put back the firewall table {}", self.table)),
        }
    }

    fn fill(&self, transaction: &mut Transaction) {
        let table = &self.table;
        for (id, set) in (1..).zip(&SETS) {
            transaction.create_set(table, set, id);
        }
        for (chain, rules) in chains() {
            transaction.create_chain(table, &chain);
            rules.iter().for_each(|rule| transaction.append_rule(table, chain.name, rule));
        }
        for bridge in &self.contents.bridges {
            transaction.add_elements(table, "bridges", &[Element::interface(&bridge.name)]);
            transaction.add_elements(
                table,
                "same_bridge",
                &[Element::interface_pair(&bridge.name, &bridge.name)],
            );
            if bridge.masquerade {
                transaction.add_elements(table, "masqueraded", &[Element::subnet(bridge.subnet)]);
            }
        }
        let uplinks: Vec<_> =
            self.contents.uplinks.iter().map(|name| Element::interface(name)).collect();
        transaction.add_elements(table, "uplinks", &uplinks);
    }
}

fn chains() -> [(Chain<'static>, Vec<Rule>); 3] {
    use Direction::{In, Out};
    let prerouting = Chain { name: "prerouting", kind: ChainKind::RawPrerouting };
    let forward = Chain { name: "forward", kind: ChainKind::Forward };
    let postrouting = Chain { name: "postrouting", kind: ChainKind::PostroutingNat };
    [
        (
            prerouting,
            vec![
                Rule::new()
                    .interface_not_in(In, "bridges")
                    .address_in(Side::Destination, "masqueraded")
                    .drop(),
            ],
        ),
        (
            forward,
            vec![
                Rule::new().interfaces_in("same_bridge").accept(),
                Rule::new().interface_in(Out, "bridges").reply().accept(),
                Rule::new().interface_in(Out, "bridges").drop(),
                Rule::new().interface_in(In, "uplinks").interface_in(Out, "uplinks").drop(),
            ],
        ),
        (
            postrouting,
            vec![
                Rule::new()
                    .address_in(Side::Source, "masqueraded")
                    .interface_not_in(Out, "bridges")
                    .masquerade(),
            ],
        ),
    ]
}
