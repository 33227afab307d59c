//! Rules as sequences of expressions: load something into a register, compare or look it up, end in a verdict.
//! An expression that does not match ends the rule.

use super::attributes::Attributes;

const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;

/// Registers are 16 bytes, as long as an interface name; a key of two parts fills two in a row.
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const VERDICT_REGISTER: u32 = 0;

const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const CT_STATE: u32 = 0;
const CT_ESTABLISHED_OR_RELATED: u32 = 0b110;

/// Which of a packet's two interfaces.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    In,
    Out,
}

/// Which of a packet's two IPv4 addresses.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Source,
    Destination,
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

    /// `ip saddr @set` or `ip daddr @set`; packets of other protocols do not match.
    pub(crate) fn address_in(self, side: Side, set: &str) -> Self {
        const NETWORK_HEADER: u32 = 1;
        let offset = match side {
            Side::Source => 12,
            Side::Destination => 16,
        };
        self.ipv4()
            .expression("payload", |data| {
                data.number(1, FIRST).number(2, NETWORK_HEADER).number(3, offset).number(4, 4);
            })
            .lookup(set, false)
    }

    /// `ct state established,related`
    pub(crate) fn reply(self) -> Self {
        const NOT_EQUAL: u32 = 1;
        self.expression("ct", |data| {
            data.number(1, FIRST).number(2, CT_STATE);
        })
        .expression("bitwise", |data| {
            data.number(1, FIRST)
                .number(2, FIRST)
                .number(3, 4)
                // Register contents are in the host's order.
                .nest(4, |mask| {
                    mask.bytes(DATA_VALUE, &CT_ESTABLISHED_OR_RELATED.to_ne_bytes());
                })
                .nest(5, |xor| {
                    xor.bytes(DATA_VALUE, &[0; 4]);
                });
        })
        .compare(NOT_EQUAL, &[0; 4])
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

    fn ipv4(self) -> Self {
        const EQUAL: u32 = 0;
        const NFPROTO_IPV4: u8 = 2;
        self.load_meta(META_NFPROTO, FIRST).compare(EQUAL, &[NFPROTO_IPV4])
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
