//! The rules of everybody in the namespace, read as they are, for whoever asks what becomes of a packet.

use std::collections::HashMap;

use rustix::io::Errno;
use sys::netlink::attributes::{Attributes, find, items};
use sys::netlink::{Error, Protocol, Socket};

use super::message::header;

const SUBSYSTEM: u16 = 10;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_SET: u16 = 10;
const GET_ELEMENTS: u16 = 13;
const FAMILIES: [(u8, &str); 3] = [(1, "inet"), (2, "ip"), (10, "ip6")];

/// A chain, by the number of its family, its table and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChainName {
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) chain: String,
}

/// Where packets enter the rules.
#[derive(Clone, Debug)]
pub(crate) struct BaseChain {
    pub(crate) name: ChainName,
    pub(crate) hook: u32,
    pub(crate) priority: i32,
    pub(crate) drops: bool,
}

/// A name and its attributes.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
}

pub(crate) type Rule = Vec<Expression>;

/// Chains and rules of the families that see IP; sets are asked for one by one.
pub(crate) struct Ruleset {
    socket: Socket,
    pub(crate) bases: Vec<BaseChain>,
    rules: HashMap<ChainName, Vec<Rule>>,
    /// By family, table and name.
    key_lengths: HashMap<(u8, String, String), usize>,
}

/// What a set or a map says of a key.
pub(crate) enum Lookup {
    There(Vec<u8>),
    Absent,
}

impl ChainName {
    fn read(payload: &[u8], attribute: u16) -> Option<Self> {
        let (family, attributes) = (*payload.first()?, payload.get(4..)?);
        FAMILIES.iter().find(|(number, _)| *number == family)?;
        Some(Self { family, table: text(attributes, 1)?, chain: text(attributes, attribute)? })
    }

    pub(crate) fn beside(&self, chain: &str) -> Self {
        Self { chain: chain.to_owned(), ..self.clone() }
    }
}

/// `ip filter FORWARD`
impl std::fmt::Display for ChainName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let family = FAMILIES.iter().find(|(number, _)| *number == self.family);
        let family = family.map_or("?", |(_, name)| *name);
        write!(f, "{family} {} {}", self.table, self.chain)
    }
}

impl Ruleset {
    /// That of the calling thread's network namespace.
    pub(crate) fn read() -> Result<Self, Error> {
        let mut socket = Socket::open(Protocol::Netfilter)?;
        let chains = socket.dump(SUBSYSTEM << 8 | GET_CHAIN, &header(0, 0))?;
        let mut bases: Vec<_> =
            chains.iter().filter_map(|message| base_chain(&message.payload)).collect();
        bases.sort_by_key(|base| base.priority);
        let mut rules: HashMap<ChainName, Vec<Rule>> = HashMap::new();
        for message in socket.dump(SUBSYSTEM << 8 | GET_RULE, &header(0, 0))? {
            if let Some(chain) = ChainName::read(&message.payload, 2) {
                rules.entry(chain).or_default().push(rule(&message.payload));
            }
        }
        let sets = socket.dump(SUBSYSTEM << 8 | GET_SET, &header(0, 0))?;
        let key_lengths = sets.iter().filter_map(|message| set(&message.payload)).collect();
        Ok(Self { socket, bases, rules, key_lengths })
    }

    pub(crate) fn rules(&self, chain: &ChainName) -> Vec<Rule> {
        self.rules.get(chain).cloned().unwrap_or_default()
    }

    /// Whether ufw's chains are in that chain's table.
    pub(crate) fn has_ufw(&self, chain: &ChainName) -> bool {
        let of_ufw =
            |other: &ChainName| other.chain.starts_with("ufw-") || other.chain.starts_with("ufw6-");
        self.rules.keys().any(|other| *other == chain.beside(&other.chain) && of_ufw(other))
    }

    pub(crate) fn key_length(&self, chain: &ChainName, set: &str) -> Option<usize> {
        self.key_lengths.get(&(chain.family, chain.table.clone(), set.to_owned())).copied()
    }

    /// None where it cannot be told.
    pub(crate) fn look_up(&mut self, chain: &ChainName, set: &str, key: &[u8]) -> Option<Lookup> {
        let mut request = header(chain.family, 0).to_vec();
        Attributes(&mut request).string(1, &chain.table).string(2, set).nest(3, |list| {
            list.nest(1, |element| {
                element.nest(1, |value| {
                    value.bytes(1, key);
                });
            });
        });
        match self.socket.ask(SUBSYSTEM << 8 | GET_ELEMENTS, &request) {
            Ok(answers) => {
                let list = find(answers.first()?.payload.get(4..)?, 3)?;
                Some(Lookup::There(find(find(list, 1)?, 2).unwrap_or_default().to_vec()))
            }
            Err(error) if error.errno == Errno::NOENT => Some(Lookup::Absent),
            Err(_) => None,
        }
    }
}

fn base_chain(payload: &[u8]) -> Option<BaseChain> {
    let name = ChainName::read(payload, 3)?;
    let attributes = payload.get(4..)?;
    let place = find(attributes, 4)?;
    let drops = number(attributes, 5) == Some(0);
    let (hook, priority) = (number(place, 1)?, number(place, 2)?.cast_signed());
    Some(BaseChain { name, hook, priority, drops })
}

fn rule(payload: &[u8]) -> Rule {
    let list = payload.get(4..).and_then(|attributes| find(attributes, 4)).unwrap_or_default();
    let expression = |(_, element)| {
        let data = find(element, 2).unwrap_or_default().to_vec();
        Some(Expression { name: text(element, 1)?, data })
    };
    items(list).filter_map(expression).collect()
}

fn set(payload: &[u8]) -> Option<((u8, String, String), usize)> {
    let name = ChainName::read(payload, 2)?;
    let length = number(payload.get(4..)?, 5)? as usize;
    Some(((name.family, name.table, name.chain), length))
}

pub(crate) fn number(attributes: &[u8], kind: u16) -> Option<u32> {
    Some(u32::from_be_bytes(find(attributes, kind)?.try_into().ok()?))
}

pub(crate) fn text(attributes: &[u8], kind: u16) -> Option<String> {
    let bytes = find(attributes, kind)?.strip_suffix(b"\0")?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}
