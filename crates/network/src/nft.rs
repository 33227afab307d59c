//! The few nftables messages that our table needs, encoded for the kernel (linux/netfilter/nf_tables.h).

mod expression;
mod message;

pub(crate) use expression::{Claim, Direction, Family, PortKey, Rule, Side};
pub(crate) use message::{
    Chain, ChainKind, DataType, Element, KeyType, MapElement, Set, Table, TableFamily, Transaction,
    dropping_forward_chains, set_elements,
};
pub(crate) use sys::netlink::attributes::find;
