//! The few nftables messages that our table needs, encoded for the kernel (linux/netfilter/nf_tables.h).

mod expression;
mod message;
mod ruleset;

pub(crate) use expression::{Claim, Direction, Family, PortKey, Rule, Side};
pub(crate) use message::{
    Chain, ChainKind, DataType, Element, KeyType, MapElement, Set, Table, TableFamily, Transaction,
    dropping_forward_chains, set_elements,
};
pub(crate) use ruleset::{BaseChain, ChainName, Expression, Lookup, Ruleset, number, text};
pub(crate) use sys::netlink::attributes::find;
