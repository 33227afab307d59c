//! Rules as sequences of expressions: load something into a register, compare or look it up, end in a verdict.
//! An expression that does not match ends the rule.

mod port;

use sys::netlink::attributes::Attributes;

const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;

/// Registers are 16 bytes, as long as an interface name; a key of two names fills two in a row.
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const VERDICT_REGISTER: u32 = 0;

/// The same memory in pieces of 4 bytes: the one that begins so many pieces after the first register.
const fn piece(number: u32) -> u32 {
    8 + number
}

const META_PROTOCOL: u32 = 1;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const CT_STATE: u32 = 0;
const CT_ESTABLISHED_OR_RELATED: u32 = 0b110;
const CT_STATUS: u32 = 2;
const CT_DESTINATION_CHANGED: u32 = 1 << 5;

const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const LINK_HEADER: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// Which of a packet's two interfaces.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    In,
    Out,
}

/// Which of a packet's two addresses.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Source,
    Destination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

/// By what a map of published ports is asked.
#[derive(Clone, Copy)]
pub(crate) enum PortKey {
    Port,
    ProtocolAndPort,
    AddressProtocolAndPort,
}

/// Where a frame says from whom it is.
#[derive(Clone, Copy)]
pub(crate) enum Claim {
    Mac,
    ArpMac,
    ArpAddress,
    Ipv4,
    Ipv6,
    /// Whose neighbour discovery is about.
    NeighbourAddress,
    /// The first option of a neighbour advertisement, see [`Rule::gives_mac`].
    NeighbourMac,
}

impl Claim {
    /// Header, offset, length.
    fn place(self) -> (u32, u32, u32) {
        match self {
            Self::Mac => (LINK_HEADER, 6, 6),
            Self::ArpMac => (NETWORK_HEADER, 8, 6),
            Self::ArpAddress => (NETWORK_HEADER, 14, 4),
            Self::Ipv4 => (NETWORK_HEADER, address_offset(Family::Ipv4, Side::Source), 4),
            Self::Ipv6 => (NETWORK_HEADER, address_offset(Family::Ipv6, Side::Source), 16),
            Self::NeighbourAddress => (TRANSPORT_HEADER, 8, 16),
            Self::NeighbourMac => (TRANSPORT_HEADER, 26, 6),
        }
    }
}

/// A rule being written, in nft's order of words.
pub(crate) struct Rule(Vec<u8>);

impl Rule {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn interface_in(self, direction: Direction, set: &str) -> Self {
        self.load_interface(direction, FIRST).lookup(set, false)
    }

    pub(crate) fn interface_not_in(self, direction: Direction, set: &str) -> Self {
        self.load_interface(direction, FIRST).lookup(set, true)
    }

    /// `iifname . oifname @set`
    pub(crate) fn interfaces_in(self, set: &str) -> Self {
        self.load_interface(Direction::In, FIRST)
            .load_interface(Direction::Out, SECOND)
            .lookup(set, false)
    }

    /// `ip saddr @set`, `ip6 daddr @set`; packets of other protocols do not match.
    pub(crate) fn address_in(self, family: Family, side: Side, set: &str) -> Self {
        let len = if family == Family::Ipv4 { 4 } else { 16 };
        self.family(family)
            .load_payload(NETWORK_HEADER, address_offset(family, side), len, FIRST)
            .lookup(set, false)
    }

    /// `ip saddr 127.0.0.0/8` or `ip daddr 127.0.0.0/8`
    pub(crate) fn loopback_address(self, side: Side) -> Self {
        const NET: u8 = 127;
        self.family(Family::Ipv4)
            .load_payload(NETWORK_HEADER, address_offset(Family::Ipv4, side), 1, FIRST)
            .compare(EQUAL, &[NET])
    }

    /// `ip6 daddr ::1`
    pub(crate) fn destination_is_loopback_ipv6(self) -> Self {
        let offset = address_offset(Family::Ipv6, Side::Destination);
        self.family(Family::Ipv6)
            .load_payload(NETWORK_HEADER, offset, 16, FIRST)
            .compare(EQUAL, &std::net::Ipv6Addr::LOCALHOST.octets())
    }

    /// `iifname . ether saddr @set`, and so on.
    pub(crate) fn claim_in(self, claim: Claim, set: &str) -> Self {
        self.load_claim(claim).lookup(set, false)
    }

    /// `iifname . ether saddr != @set`, and so on.
    pub(crate) fn claim_not_in(self, claim: Claim, set: &str) -> Self {
        self.load_claim(claim).lookup(set, true)
    }

    /// `arp saddr ip 0.0.0.0`, `ip6 saddr ::`
    pub(crate) fn claims_nothing(self, claim: Claim) -> Self {
        let (header, offset, len) = claim.place();
        self.load_payload(header, offset, len, FIRST).compare(EQUAL, &vec![0; len as usize])
    }

    /// `ether type 8021q`: of the outermost header, a VLAN's included.
    pub(crate) fn ether_type(self, number: u16) -> Self {
        self.load_payload(LINK_HEADER, 12, 2, FIRST).compare(EQUAL, &number.to_be_bytes())
    }

    /// `meta protocol arp`
    pub(crate) fn protocol(self, number: u16) -> Self {
        self.load_meta(META_PROTOCOL, FIRST).compare(EQUAL, &number.to_be_bytes())
    }

    /// `icmpv6 type nd-router-advert`
    pub(crate) fn icmpv6(self, kind: u8) -> Self {
        const ICMPV6: u8 = 58;
        self.transport(ICMPV6).load_payload(TRANSPORT_HEADER, 0, 1, FIRST).compare(EQUAL, &[kind])
    }

    /// Whether a neighbour advertisement has the option that says the MAC address (RFC 4861, section 4.6.1).
    pub(crate) fn gives_mac(self) -> Self {
        const TARGET_LINK_ADDRESS: [u8; 2] = [2, 1];
        self.load_payload(TRANSPORT_HEADER, 24, 2, FIRST).compare(EQUAL, &TARGET_LINK_ADDRESS)
    }

    /// `udp sport 67 udp dport 68`
    pub(crate) fn udp(self, from: u16, to: u16) -> Self {
        const UDP: u8 = 17;
        let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
        self.transport(UDP).load_payload(TRANSPORT_HEADER, 0, 4, FIRST).compare(EQUAL, &ports)
    }

    /// `iifname != "lo"`
    pub(crate) fn not_from_loopback(self) -> Self {
        let mut name = [0; 16];
        name[..2].copy_from_slice(b"lo");
        self.load_interface(Direction::In, FIRST).compare(NOT_EQUAL, &name)
    }

    /// `fib daddr type local`
    pub(crate) fn destination_is_local(self) -> Self {
        const ADDRESS_TYPE: u32 = 3;
        const DESTINATION: u32 = 2;
        const LOCAL: u32 = 2;
        self.expression("fib", |data| {
            data.number(1, FIRST).number(2, ADDRESS_TYPE).number(3, DESTINATION);
        })
        .compare(EQUAL, &LOCAL.to_ne_bytes())
    }

    /// `meta nfproto ipv4`
    pub(crate) fn family(self, family: Family) -> Self {
        let number = match family {
            Family::Ipv4 => NFPROTO_IPV4,
            Family::Ipv6 => NFPROTO_IPV6,
        };
        self.load_meta(META_NFPROTO, FIRST).compare(EQUAL, &[number])
    }

    /// `meta l4proto 6`
    pub(crate) fn transport(self, number: u8) -> Self {
        self.load_meta(META_L4PROTO, FIRST).compare(EQUAL, &[number])
    }

    /// `ct state established,related`
    pub(crate) fn reply(self) -> Self {
        self.ct_has(CT_STATE, CT_ESTABLISHED_OR_RELATED)
    }

    /// `ct status dnat`
    pub(crate) fn redirected(self) -> Self {
        self.ct_has(CT_STATUS, CT_DESTINATION_CHANGED)
    }

    fn ct_has(self, key: u32, bits: u32) -> Self {
        self.expression("ct", |data| {
            data.number(1, FIRST).number(2, key);
        })
        .expression("bitwise", |data| {
            data.number(1, FIRST)
                .number(2, FIRST)
                .number(3, 4)
                // Register contents are in the host's order.
                .nest(4, |mask| {
                    mask.bytes(DATA_VALUE, &bits.to_ne_bytes());
                })
                .nest(5, |xor| {
                    xor.bytes(DATA_VALUE, &[0; 4]);
                });
        })
        .compare(NOT_EQUAL, &[0; 4])
    }

    /// `th dport map @map`, and so on: ends the rule where the map has nothing. The value is where the key was.
    pub(crate) fn look_up_port(self, family: Family, key: PortKey, map: &str) -> Self {
        let words = if family == Family::Ipv4 { 1 } else { 4 };
        let rule = match key {
            PortKey::Port => self.load_port(FIRST),
            PortKey::ProtocolAndPort => self.load_meta(META_L4PROTO, piece(0)).load_port(piece(1)),
            PortKey::AddressProtocolAndPort => self
                .family(family)
                .load_payload(
                    NETWORK_HEADER,
                    address_offset(family, Side::Destination),
                    words * 4,
                    FIRST,
                )
                .load_meta(META_L4PROTO, piece(words))
                .load_port(piece(words + 1)),
        };
        rule.expression("lookup", |data| {
            data.string(1, map).number(2, FIRST).number(3, FIRST);
        })
    }

    /// `dnat ip to ..`: to what was looked up, an address, or an address and a port.
    pub(crate) fn change_destination(self, family: Family, key: PortKey) -> Self {
        const DESTINATION: u32 = 1;
        let (number, port) = match family {
            Family::Ipv4 => (NFPROTO_IPV4, piece(1)),
            Family::Ipv6 => (NFPROTO_IPV6, piece(4)),
        };
        self.expression("nat", |data| {
            data.number(1, DESTINATION).number(2, number.into()).number(3, FIRST);
            if !matches!(key, PortKey::Port) {
                data.number(5, port);
            }
        })
    }

    /// `redirect to :port`: to the host itself.
    pub(crate) fn redirect(self, port: u16) -> Self {
        const PORT_IS_GIVEN: u32 = 2;
        self.expression("immediate", |data| {
            data.number(1, FIRST).nest(2, |value| {
                value.bytes(DATA_VALUE, &port.to_be_bytes());
            });
        })
        .expression("redir", |data| {
            data.number(1, FIRST).number(3, PORT_IS_GIVEN);
        })
    }

    /// What is in the chain, and not what follows here.
    pub(crate) fn goto(self, chain: &str) -> Self {
        const GOTO: i32 = -4;
        const VERDICT_CHAIN: u16 = 2;
        self.expression("immediate", |data| {
            data.number(1, VERDICT_REGISTER).nest(2, |data| {
                data.nest(DATA_VERDICT, |verdict| {
                    verdict.number(VERDICT_CODE, GOTO.cast_unsigned()).string(VERDICT_CHAIN, chain);
                });
            });
        })
    }

    pub(crate) fn accept(self) -> Self {
        self.verdict(1)
    }

    pub(crate) fn drop(self) -> Self {
        self.verdict(0)
    }

    pub(crate) fn masquerade(self) -> Self {
        self.expression("masq", |_| {})
    }

    /// The list of expressions.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn load_payload(self, base: u32, offset: u32, len: u32, register: u32) -> Self {
        self.expression("payload", |data| {
            data.number(1, register).number(2, base).number(3, offset).number(4, len);
        })
    }

    fn load_claim(self, claim: Claim) -> Self {
        let (header, offset, len) = claim.place();
        self.load_interface(Direction::In, FIRST).load_payload(header, offset, len, SECOND)
    }

    fn load_port(self, register: u32) -> Self {
        self.load_payload(TRANSPORT_HEADER, 2, 2, register)
    }

    fn load_interface(self, direction: Direction, register: u32) -> Self {
        let key = match direction {
            Direction::In => META_IIFNAME,
            Direction::Out => META_OIFNAME,
        };
        self.load_meta(key, register)
    }

    fn load_meta(self, key: u32, register: u32) -> Self {
        self.expression("meta", |data| {
            data.number(1, register).number(2, key);
        })
    }

    fn compare(self, operator: u32, value: &[u8]) -> Self {
        self.expression("cmp", |data| {
            data.number(1, FIRST).number(2, operator).nest(3, |data| {
                data.bytes(DATA_VALUE, value);
            });
        })
    }

    fn lookup(self, set: &str, invert: bool) -> Self {
        self.expression("lookup", |data| {
            data.string(1, set).number(2, FIRST).number(5, u32::from(invert));
        })
    }

    fn verdict(self, code: u32) -> Self {
        self.expression("immediate", |data| {
            data.number(1, VERDICT_REGISTER).nest(2, |data| {
                data.nest(DATA_VERDICT, |verdict| {
                    verdict.number(VERDICT_CODE, code);
                });
            });
        })
    }

    fn expression(mut self, name: &str, data: impl FnOnce(&mut Attributes<'_>)) -> Self {
        Attributes(&mut self.0).nest(LIST_ELEMENT, |element| {
            element.string(EXPRESSION_NAME, name).nest(EXPRESSION_DATA, data);
        });
        self
    }
}

fn address_offset(family: Family, side: Side) -> u32 {
    match (family, side) {
        (Family::Ipv4, Side::Source) => 12,
        (Family::Ipv4, Side::Destination) => 16,
        (Family::Ipv6, Side::Source) => 8,
        (Family::Ipv6, Side::Destination) => 24,
    }
}
