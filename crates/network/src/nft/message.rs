//! Tables, chains, sets, elements and rules as messages of one transaction.

use std::net::IpAddr;

use rustix::io::Errno;
use sys::netlink::attributes::{Attributes, find, items};
use sys::netlink::{Batch, Error, Message, Socket};

use super::expression::Rule;
use crate::subnet::to_bits;

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const NEW_RULE: u16 = 6;
const DELETE_RULE: u16 = 8;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const GET_ELEMENTS: u16 = 13;
const DELETE_ELEMENTS: u16 = 14;

const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
/// For rules: at the end of the chain.
const NLM_F_APPEND: u16 = 0x800;

const LIST_ELEMENT: u16 = 1;
const DATA_VALUE: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const ELEMENT_FLAGS: u16 = 3;
const ELEMENT_INTERVAL_END: u32 = 1;
/// A remark for the nft command, which would print names backwards: the key's byte order (type 0, 4 bytes) is the
/// host's (1).
const NAMES_ARE_NO_NUMBERS: [u8; 6] = [0, 4, 1, 0, 0, 0];

/// Where a table's chains see packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TableFamily {
    /// IPv4 and IPv6, as the host itself sends, receives and forwards them.
    Inet = 1,
    /// Frames, as they come to the ports of bridges.
    Bridge = 7,
}

#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) name: &'a str,
    pub(crate) flags: u32,
}

impl Table<'_> {
    /// Only the socket that made the table may change it (Linux 5.12).
    pub(crate) const OWNER: u32 = 2;
    /// An owned table outlives its owner, who may come back for it (Linux 6.9).
    pub(crate) const PERSIST: u32 = 4;
}

/// Where a chain hooks into the path of packets.
#[derive(Clone, Copy)]
pub(crate) enum ChainKind {
    /// Before connection tracking.
    RawPrerouting,
    /// Destination address translation of what comes in.
    PreroutingNat,
    /// Destination address translation of what the host itself sends.
    OutputNat,
    /// What the namespace itself sends.
    OutputFilter {
        priority: i32,
    },
    Forward,
    /// Source address translation.
    PostroutingNat,
    /// Frames that come to a port, before anything is done with them.
    BridgePrerouting,
    /// Hooked nowhere; others jump to it.
    Called,
}

pub(crate) struct Chain<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: ChainKind,
}

/// What a set's keys are. The numbers are for the nft command, which prints by them.
#[derive(Clone, Copy)]
pub(crate) enum KeyType {
    InterfaceName,
    InterfacePair,
    InterfaceAndMac,
    InterfaceAndIpv4,
    InterfaceAndIpv6,
    Ipv4Interval,
    Ipv6Interval,
    PortInterval,
    ProtocolAndPort,
    Ipv4ProtocolAndPort,
    Ipv6ProtocolAndPort,
}

/// What a map's values are.
#[derive(Clone, Copy)]
pub(crate) enum DataType {
    Ipv4,
    Ipv6,
    Ipv4AndPort,
    Ipv6AndPort,
}

pub(crate) struct Set<'a> {
    pub(crate) name: &'a str,
    pub(crate) key: KeyType,
    /// Of a map.
    pub(crate) data: Option<DataType>,
}

/// The numbers of nft's types, which prints by them. A concatenation's parts take six bits each.
mod types {
    pub(super) const IPV4_ADDRESS: u32 = 7;
    pub(super) const IPV6_ADDRESS: u32 = 8;
    pub(super) const MAC_ADDRESS: u32 = 9;
    pub(super) const PROTOCOL: u32 = 12;
    pub(super) const PORT: u32 = 13;
    pub(super) const INTERFACE_NAME: u32 = 41;

    pub(super) const fn concatenation(parts: &[u32]) -> u32 {
        let (mut all, mut index) = (0, 0);
        while index < parts.len() {
            all = all << 6 | parts[index];
            index += 1;
        }
        all
    }
}

impl KeyType {
    /// The number of its type, its length, and whether keys are intervals.
    fn shape(self) -> (u32, u32, bool) {
        use types::*;
        match self {
            Self::InterfaceName => (INTERFACE_NAME, 16, false),
            Self::InterfacePair => (concatenation(&[INTERFACE_NAME; 2]), 32, false),
            Self::InterfaceAndMac => (concatenation(&[INTERFACE_NAME, MAC_ADDRESS]), 24, false),
            Self::InterfaceAndIpv4 => (concatenation(&[INTERFACE_NAME, IPV4_ADDRESS]), 20, false),
            Self::InterfaceAndIpv6 => (concatenation(&[INTERFACE_NAME, IPV6_ADDRESS]), 32, false),
            Self::Ipv4Interval => (IPV4_ADDRESS, 4, true),
            Self::Ipv6Interval => (IPV6_ADDRESS, 16, true),
            Self::PortInterval => (PORT, 2, true),
            Self::ProtocolAndPort => (concatenation(&[PROTOCOL, PORT]), 8, false),
            Self::Ipv4ProtocolAndPort => {
                (concatenation(&[IPV4_ADDRESS, PROTOCOL, PORT]), 12, false)
            }
            Self::Ipv6ProtocolAndPort => {
                (concatenation(&[IPV6_ADDRESS, PROTOCOL, PORT]), 24, false)
            }
        }
    }
}

impl DataType {
    fn shape(self) -> (u32, u32) {
        use types::*;
        match self {
            Self::Ipv4 => (IPV4_ADDRESS, 4),
            Self::Ipv6 => (IPV6_ADDRESS, 16),
            Self::Ipv4AndPort => (concatenation(&[IPV4_ADDRESS, PORT]), 8),
            Self::Ipv6AndPort => (concatenation(&[IPV6_ADDRESS, PORT]), 20),
        }
    }
}

/// A key as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Key(Vec<u8>),
    /// From the first key up to, and without, the second; to the end of the space where there is none.
    Interval(Vec<u8>, Option<Vec<u8>>),
}

/// An element of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MapElement {
    pub(crate) key: Element,
    pub(crate) data: Vec<u8>,
}

impl Element {
    pub(crate) fn interface(name: &str) -> Self {
        Self::Key(interface_key(name))
    }

    pub(crate) fn interface_pair(input: &str, output: &str) -> Self {
        Self::Key([interface_key(input), interface_key(output)].concat())
    }

    /// An interface and an address of whatever kind.
    pub(crate) fn interface_and(name: &str, address: &[u8]) -> Self {
        let mut key = interface_key(name);
        key.extend_from_slice(address);
        // Parts of a key end at multiples of four bytes.
        key.resize(key.len().next_multiple_of(4), 0);
        Self::Key(key)
    }

    pub(crate) fn subnet(subnet: crate::Subnet) -> Self {
        match (subnet.address(), subnet.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let end = last.to_bits().checked_add(1).map(|end| end.to_be_bytes().to_vec());
                Self::Interval(first.octets().to_vec(), end)
            }
            (first, last) => {
                let end = to_bits(last).checked_add(1).map(|end| end.to_be_bytes().to_vec());
                Self::Interval(to_bits(first).to_be_bytes().to_vec(), end)
            }
        }
    }

    /// Both included.
    pub(crate) fn ports(first: u16, last: u16) -> Self {
        let end = last.checked_add(1).map(|end| end.to_be_bytes().to_vec());
        Self::Interval(first.to_be_bytes().to_vec(), end)
    }
}

fn interface_key(name: &str) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.resize(16, 0);
    key
}

/// Changes that the kernel makes all together or not at all.
pub(crate) struct Transaction {
    family: TableFamily,
    batch: Batch,
    is_empty: bool,
}

impl Transaction {
    /// On tables of that family.
    pub(crate) fn new(family: TableFamily) -> Self {
        let mut batch = Batch::default();
        boundary(&mut batch, BATCH_BEGIN);
        Self { family, batch, is_empty: true }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(crate) fn commit(mut self, socket: &mut Socket) -> Result<(), Error> {
        boundary(&mut self.batch, BATCH_END);
        socket.transact(self.batch).map(drop)
    }

    /// Makes the table unless it is there; an orphaned one is claimed with [`Table::OWNER`].
    pub(crate) fn ensure_table(&mut self, table: Table<'_>) {
        self.table(NEW_TABLE, NLM_F_CREATE, table);
    }

    /// Makes the table; fails with EEXIST if it is there.
    pub(crate) fn create_table(&mut self, table: Table<'_>) {
        self.table(NEW_TABLE, NLM_F_CREATE | NLM_F_EXCL, table);
    }

    pub(crate) fn delete_table(&mut self, table: &str) {
        self.push(DELETE_TABLE, 0, |message| {
            message.string(1, table);
        });
    }

    pub(crate) fn create_chain(&mut self, table: &str, chain: &Chain<'_>) {
        let hook = match chain.kind {
            ChainKind::RawPrerouting => Some(("filter", 0, -300)),
            ChainKind::PreroutingNat => Some(("nat", 0, -100)),
            ChainKind::Forward => Some(("filter", 2, 0)),
            ChainKind::OutputNat => Some(("nat", 3, -100)),
            ChainKind::OutputFilter { priority } => Some(("filter", 3, priority)),
            ChainKind::PostroutingNat => Some(("nat", 4, 100)),
            // By its own name, `dstnat`: before br_netfilter takes the frame for a packet.
            ChainKind::BridgePrerouting => Some(("filter", 0, -300)),
            ChainKind::Called => None,
        };
        self.push(NEW_CHAIN, NLM_F_CREATE, |message| {
            message.string(1, table).string(3, chain.name);
            if let Some((kind, hook, priority)) = hook {
                message.string(7, kind).nest(4, |place| {
                    place.number(1, hook).number(2, i32::cast_unsigned(priority));
                });
            }
        });
    }

    /// `id` tells the sets of one transaction apart.
    pub(crate) fn create_set(&mut self, table: &str, set: &Set<'_>, id: u32) {
        const INTERVAL: u32 = 4;
        const MAP: u32 = 8;
        let (kind, len, is_interval) = set.key.shape();
        let data = set.data.map(DataType::shape);
        let flags = if is_interval { INTERVAL } else { 0 } | if data.is_some() { MAP } else { 0 };
        self.push(NEW_SET, NLM_F_CREATE, |message| {
            message.string(1, table).string(2, set.name).number(3, flags).number(4, kind);
            message.number(5, len).number(10, id);
            if let Some((kind, len)) = data {
                message.number(6, kind).number(7, len);
            }
            if matches!(set.key, KeyType::InterfaceName) {
                message.bytes(13, &NAMES_ARE_NO_NUMBERS);
            }
        });
    }

    pub(crate) fn add_elements(&mut self, table: &str, set: &str, elements: &[Element]) {
        self.change_elements(NEW_ELEMENTS, NLM_F_CREATE, table, set, elements, |element| {
            (element, None)
        });
    }

    pub(crate) fn add_mappings(&mut self, table: &str, map: &str, elements: &[MapElement]) {
        self.change_elements(NEW_ELEMENTS, NLM_F_CREATE, table, map, elements, |element| {
            (&element.key, Some(&element.data))
        });
    }

    /// Fails with ENOENT if one of them is not there.
    pub(crate) fn delete_elements(&mut self, table: &str, set: &str, elements: &[Element]) {
        self.change_elements(DELETE_ELEMENTS, 0, table, set, elements, |element| (element, None));
    }

    /// Fails with ENOENT if one of them is not there.
    pub(crate) fn delete_mappings(&mut self, table: &str, map: &str, elements: &[MapElement]) {
        self.change_elements(DELETE_ELEMENTS, 0, table, map, elements, |element| {
            (&element.key, None)
        });
    }

    fn change_elements<T>(
        &mut self,
        kind: u16,
        flags: u16,
        table: &str,
        set: &str,
        elements: &[T],
        parts: impl Fn(&T) -> (&Element, Option<&Vec<u8>>),
    ) {
        // An attribute's length has 16 bits.
        const MOST: usize = 500;
        for some in elements.chunks(MOST) {
            self.push(kind, flags, |message| {
                message.string(1, table).string(2, set).nest(3, |list| {
                    for (key, data) in some.iter().map(&parts) {
                        write_element(list, key, data);
                    }
                });
            });
        }
    }

    /// Removes all rules of the chain.
    pub(crate) fn flush_chain(&mut self, table: &str, chain: &str) {
        self.push(DELETE_RULE, 0, |message| {
            message.string(1, table).string(2, chain);
        });
    }

    pub(crate) fn append_rule(&mut self, table: &str, chain: &str, rule: &Rule) {
        self.push(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, |message| {
            message
                .string(1, table)
                .string(2, chain)
                .nest(4, |list| list.0.extend_from_slice(rule.bytes()));
        });
    }

    fn table(&mut self, kind: u16, flags: u16, table: Table<'_>) {
        self.push(kind, flags, |message| {
            message.string(1, table.name).number(2, table.flags);
        });
    }

    fn push(&mut self, kind: u16, flags: u16, attributes: impl FnOnce(&mut Attributes<'_>)) {
        self.is_empty = false;
        let family = self.family as u8;
        self.batch.push(SUBSYSTEM << 8 | kind, flags, |bytes| {
            bytes.extend_from_slice(&header(family, 0));
            attributes(&mut Attributes(bytes));
        });
    }
}

/// The keys in a set of a table of family inet; none if there is no such table or set.
pub(crate) fn set_elements(
    socket: &mut Socket,
    table: &str,
    set: &str,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut request = header(TableFamily::Inet as u8, 0).to_vec();
    Attributes(&mut request).string(1, table).string(2, set);
    let messages = match socket.dump(SUBSYSTEM << 8 | GET_ELEMENTS, &request) {
        Err(error) if error.errno == Errno::NOENT => return Ok(Vec::new()),
        result => result?,
    };
    let lists = messages.iter().filter_map(|message| find(message.payload.get(4..)?, 3));
    let key = |element| find(find(element, ELEMENT_KEY)?, DATA_VALUE).map(<[u8]>::to_vec);
    Ok(lists.flat_map(items).filter_map(|(_, element)| key(element)).collect())
}

/// The chains of others that drop whatever they do not accept where packets are forwarded, as `TABLE CHAIN`.
pub(crate) fn dropping_forward_chains(socket: &mut Socket) -> Result<Vec<String>, Error> {
    const FORWARD: [u8; 4] = 2u32.to_be_bytes();
    const DROP: [u8; 4] = 0u32.to_be_bytes();
    const FAMILIES: [(u8, &str); 3] = [(1, "inet"), (2, "ip"), (10, "ip6")];
    let messages = socket.dump(SUBSYSTEM << 8 | GET_CHAIN, &header(0, 0))?;
    let name = |message: &Message| {
        let (family, attributes) = (*message.payload.first()?, message.payload.get(4..)?);
        let (_, family) = FAMILIES.iter().find(|(number, _)| *number == family)?;
        let is_forward = find(find(attributes, 4)?, 1)? == FORWARD;
        let drops = find(attributes, 5)? == DROP;
        let text = |kind| {
            let bytes = find(attributes, kind)?.strip_suffix(b"\0")?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        (is_forward && drops).then_some(format!("{family} {} {}", text(1)?, text(3)?))
    };
    Ok(messages.iter().filter_map(name).collect())
}

fn write_element(list: &mut Attributes<'_>, key: &Element, data: Option<&Vec<u8>>) {
    let mut write = |key: &[u8], flags: u32, data: Option<&Vec<u8>>| {
        list.nest(LIST_ELEMENT, |element| {
            element.nest(ELEMENT_KEY, |value| {
                value.bytes(DATA_VALUE, key);
            });
            if flags != 0 {
                element.number(ELEMENT_FLAGS, flags);
            }
            if let Some(data) = data {
                element.nest(ELEMENT_DATA, |value| {
                    value.bytes(DATA_VALUE, data);
                });
            }
        });
    };
    match key {
        Element::Key(key) => write(key, 0, data),
        Element::Interval(first, end) => {
            write(first, 0, data);
            if let Some(end) = end {
                write(end, ELEMENT_INTERVAL_END, None);
            }
        }
    }
}

/// struct nfgenmsg: family, version 0, resource.
pub(super) fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn boundary(batch: &mut Batch, kind: u16) {
    batch.push(kind, 0, |bytes| bytes.extend_from_slice(&header(0, SUBSYSTEM)));
}
