//! What the host's firewall does with a packet: the rules of all tables are followed as far as they can be told.
//!
//! Conditions on what is known of the packet are decided, sets are looked into; anything else (rates, marks, matches of
//! iptables) may or may not be met. So a chain drops the packet, lets it through, or may drop it. Nothing is sent.

mod walk;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Context, Result};
use crate::nft::Ruleset;
use crate::publish::Protocol;

/// The first packet of a connection, at some point of its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub protocol: Protocol,
    /// None if it may be anybody's.
    pub source: Option<IpAddr>,
    pub destination: IpAddr,
    pub port: u16,
    /// The link it comes by.
    pub input: Option<String>,
    /// The link it leaves by.
    pub output: Option<String>,
    /// Whether its destination was changed on the way (`ct status dnat`).
    pub redirected: bool,
}

/// A point of a packet's way through the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    fn number(self) -> u32 {
        match self {
            Self::Prerouting => 0,
            Self::Input => 1,
            Self::Forward => 2,
            Self::Output => 3,
            Self::Postrouting => 4,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

/// A chain that stands in the packet's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// `ip filter FORWARD`
    pub chain: String,
    pub keeper: Keeper,
    /// Whether it certainly drops the packet.
    pub is_certain: bool,
    /// `by its policy`, `by rule 3`, `by rule 1 of chain DOCKER-USER`
    pub by: String,
}

/// Who keeps the table that a chain is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The engine that asks.
    Own,
    /// ufw, by whose command more is let through.
    Ufw,
    Other,
}

/// Those at one hook, in the order in which they see the packet. Reads the rules of the calling thread's namespace.
pub fn obstacles(hook: Hook, packet: &Packet, own_table: &str) -> Result<Vec<Obstacle>> {
    let action = || "read the firewall's rules".to_owned();
    let mut rules = Ruleset::read().context(action)?;
    // Whichever links it comes and leaves by, they are no engine's bridges; whoever sends it is neither on one nor at a
    // loopback address.
    let elsewhere = |link: &Option<String>| link.clone().or(Some("-".to_owned()));
    let (input, output) = (elsewhere(&packet.input), elsewhere(&packet.output));
    let anybody = match packet.destination {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    };
    let source = packet.source.or(Some(anybody));
    let from_outside = Packet { input, output, source, ..packet.clone() };
    let bases = rules.bases.clone();
    let at_hook = bases.iter().filter(|base| base.hook == hook.number());
    let found = at_hook.filter_map(|base| {
        let keeper = match () {
            () if base.name.table == own_table => Keeper::Own,
            () if rules.has_ufw(&base.name) => Keeper::Ufw,
            () => Keeper::Other,
        };
        let packet = if is_engine(&base.name.table) { &from_outside } else { packet };
        let (is_certain, by) = walk::dropped(&mut rules, base, packet)?;
        Some(Obstacle { chain: base.name.to_string(), keeper, is_certain, by })
    });
    Ok(found.collect())
}

fn is_engine(table: &str) -> bool {
    table.starts_with("gantry-")
}
