//! Follows one chain's rules with one packet.

use std::net::IpAddr;

use sys::netlink::attributes::find;

use super::Packet;
use crate::nft::{BaseChain, ChainName, Expression, Lookup, Ruleset, number, text};

const NFPROTO_INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
/// As many jumps as the kernel allows.
const DEPTH: usize = 16;

/// Whether the chain drops the packet for certain, and what does; none where it cannot.
pub(super) fn dropped(
    rules: &mut Ruleset,
    base: &BaseChain,
    packet: &Packet,
) -> Option<(bool, String)> {
    let own = if packet.destination.is_ipv4() { NFPROTO_IPV4 } else { NFPROTO_IPV6 };
    if ![NFPROTO_INET, own].contains(&base.name.family) {
        return None;
    }
    let mut walk = Walk { rules, packet, may_drop: None, may_pass: false };
    let end = walk.chain(&base.name, &base.name, 0);
    let drop = match end {
        Some(Verdict::Drop(by)) => Some(by),
        Some(_) => None,
        None if base.drops => Some("by its policy".to_owned()),
        None => None,
    };
    match (drop, walk.may_drop) {
        (Some(by), None) => Some((!walk.may_pass, by)),
        (Some(by), Some(_)) if !walk.may_pass => Some((true, by)),
        (_, Some(by)) => Some((false, by)),
        (None, None) => None,
    }
}

struct Walk<'a> {
    rules: &'a mut Ruleset,
    packet: &'a Packet,
    /// What drops it if a condition is met that cannot be told.
    may_drop: Option<String>,
    may_pass: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop(String),
    Return,
    Jump(String),
    Goto(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Yes,
    Maybe,
}

impl Walk<'_> {
    /// What certainly becomes of the packet; none if it comes to the chain's end.
    fn chain(&mut self, base: &ChainName, chain: &ChainName, depth: usize) -> Option<Verdict> {
        if depth > DEPTH {
            return None;
        }
        for (index, rule) in self.rules.rules(chain).iter().enumerate() {
            let place = match base == chain {
                true => format!("by rule {}", index + 1),
                false => format!("by rule {} of chain {}", index + 1, chain.chain),
            };
            let Some((met, verdict)) = self.rule(chain, rule, &place) else { continue };
            let (end, is_last) = match verdict {
                Verdict::Jump(to) => (self.called(base, &chain.beside(&to), depth, met), false),
                Verdict::Goto(to) => (self.called(base, &chain.beside(&to), depth, met), true),
                verdict => (Some(verdict), true),
            };
            match (met, end) {
                (Met::Yes, Some(Verdict::Return)) => return None,
                (Met::Yes, Some(end)) => return Some(end),
                (Met::Yes, None) if is_last => return None,
                (Met::Maybe, Some(end)) => self.note(end),
                (_, None) => {}
            }
        }
        None
    }

    /// What is certain in a chain is only as certain as that the packet gets there.
    fn called(
        &mut self,
        base: &ChainName,
        chain: &ChainName,
        depth: usize,
        met: Met,
    ) -> Option<Verdict> {
        let end = self.chain(base, chain, depth + 1)?;
        match met {
            Met::Yes => Some(end),
            Met::Maybe => {
                self.note(end);
                None
            }
        }
    }

    fn note(&mut self, end: Verdict) {
        match end {
            Verdict::Drop(by) => drop(self.may_drop.get_or_insert(by)),
            Verdict::Accept | Verdict::Return => self.may_pass = true,
            Verdict::Jump(_) | Verdict::Goto(_) => {}
        }
    }

    /// None if it is certainly not met, or has no verdict.
    fn rule(
        &mut self,
        chain: &ChainName,
        rule: &[Expression],
        place: &str,
    ) -> Option<(Met, Verdict)> {
        let mut met = Met::Yes;
        let mut registers = Registers::default();
        for expression in rule {
            match self.expression(chain, expression, &mut registers, place) {
                Step::Goes => {}
                Step::Ends => return None,
                Step::May => met = Met::Maybe,
                Step::Verdict(verdict) => return Some((met, verdict)),
            }
        }
        None
    }

    fn expression(
        &mut self,
        chain: &ChainName,
        expression: &Expression,
        registers: &mut Registers,
        place: &str,
    ) -> Step {
        let data = expression.data.as_slice();
        let done = match expression.name.as_str() {
            "counter" | "log" | "notrack" | "comment" | "flow_offload" => Some(Step::Goes),
            "meta" => registers.load(data, meta(data, self.packet)),
            "payload" => registers.load(data, payload(data, self.packet)),
            "ct" => registers.load(data, connection(data, self.packet)),
            "cmp" => compare(data, registers),
            "bitwise" => mask(data, registers),
            "lookup" => self.look_up(chain, data, registers, place),
            "immediate" => immediate(data, registers, place),
            "reject" => Some(Step::Verdict(Verdict::Drop(place.to_owned()))),
            "target" => Some(match text(data, 1).as_deref() {
                Some("REJECT" | "DROP") => Step::Verdict(Verdict::Drop(place.to_owned())),
                Some("LOG" | "NFLOG" | "TRACE") => Step::Goes,
                _ => Step::May,
            }),
            _ => None,
        };
        done.unwrap_or_else(|| {
            // Whatever it is, it may have written anywhere.
            *registers = Registers::default();
            Step::May
        })
    }

    fn look_up(
        &mut self,
        chain: &ChainName,
        data: &[u8],
        registers: &Registers,
        place: &str,
    ) -> Option<Step> {
        let set = text(data, 1)?;
        let is_inverted = number(data, 5).unwrap_or(0) & 1 == 1;
        let length = self.rules.key_length(chain, &set)?;
        let key = registers.get(number(data, 2)?, length)?;
        let found = self.rules.look_up(chain, &set, &key)?;
        let is_verdict_map = number(data, 3) == Some(0);
        Some(match found {
            Lookup::There(value) if is_verdict_map => match verdict(find(&value, 2)?, place) {
                Some(verdict) => Step::Verdict(verdict),
                None => Step::Goes,
            },
            // What a map has for it goes to a register that we do not follow.
            Lookup::There(_) if number(data, 3).is_some() => return None,
            Lookup::There(_) if is_inverted => Step::Ends,
            Lookup::There(_) => Step::Goes,
            Lookup::Absent if is_inverted => Step::Goes,
            Lookup::Absent => Step::Ends,
        })
    }
}

enum Step {
    Goes,
    /// The rule is not met.
    Ends,
    May,
    Verdict(Verdict),
}

/// 64 bytes; none where it cannot be told.
struct Registers([Option<u8>; 64]);

impl Default for Registers {
    fn default() -> Self {
        Self([None; 64])
    }
}

impl Registers {
    /// Four of 16 bytes, or 16 of 4.
    fn offset(register: u32) -> Option<usize> {
        match register {
            1..=4 => Some((register as usize - 1) * 16),
            8..=23 => Some((register as usize - 8) * 4),
            _ => None,
        }
    }

    fn get(&self, register: u32, length: usize) -> Option<Vec<u8>> {
        let offset = Self::offset(register)?;
        self.0.get(offset..offset.checked_add(length)?)?.iter().copied().collect()
    }

    fn set(&mut self, register: u32, value: &[Option<u8>]) -> Option<()> {
        let offset = Self::offset(register)?;
        let place = self.0.get_mut(offset..)?;
        let length = value.len().next_multiple_of(4).min(place.len());
        place[..length].fill(Some(0));
        place.get_mut(..value.len())?.copy_from_slice(value);
        Some(())
    }

    /// What an expression loads whose first attribute is the register.
    fn load(&mut self, data: &[u8], value: Vec<Option<u8>>) -> Option<Step> {
        self.set(number(data, 1)?, &value)?;
        Some(Step::Goes)
    }
}

fn known(bytes: &[u8]) -> Vec<Option<u8>> {
    bytes.iter().copied().map(Some).collect()
}

fn meta(data: &[u8], packet: &Packet) -> Vec<Option<u8>> {
    let name = |name: &Option<String>| match name {
        Some(name) => {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(16, 0);
            known(&bytes)
        }
        None => vec![None; 16],
    };
    let is_ipv4 = packet.destination.is_ipv4();
    match number(data, 2) {
        Some(1) => known(&if is_ipv4 { [8, 0] } else { [0x86, 0xdd] }),
        Some(6) => name(&packet.input),
        Some(7) => name(&packet.output),
        Some(15) => known(&[if is_ipv4 { NFPROTO_IPV4 } else { NFPROTO_IPV6 }]),
        Some(16) => known(&[packet.protocol.number()]),
        _ => vec![None; 16],
    }
}

fn payload(data: &[u8], packet: &Packet) -> Vec<Option<u8>> {
    const NETWORK: u32 = 1;
    const TRANSPORT: u32 = 2;
    let mut header = vec![None; 40];
    match number(data, 2) {
        Some(NETWORK) => network_header(&mut header, packet),
        Some(TRANSPORT) => header[2..4].copy_from_slice(&known(&packet.port.to_be_bytes())),
        _ => {}
    }
    let place = |offset: usize| {
        let length = number(data, 4)? as usize;
        Some((0..length).map(|index| header.get(offset + index).copied().flatten()).collect())
    };
    let whole = number(data, 3).and_then(|offset| place(offset as usize));
    whole.unwrap_or_else(|| vec![None; 16])
}

fn network_header(header: &mut [Option<u8>], packet: &Packet) {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => known(&ip.octets()),
        IpAddr::V6(ip) => known(&ip.octets()),
    };
    let (source, destination, protocol) =
        if packet.destination.is_ipv4() { (12, 16, 9) } else { (8, 24, 6) };
    let length = destination - source;
    header[protocol] = Some(packet.protocol.number());
    header[destination..destination + length].copy_from_slice(&octets(packet.destination));
    if let Some(ip) = packet.source.filter(|ip| ip.is_ipv4() == packet.destination.is_ipv4()) {
        header[source..source + length].copy_from_slice(&octets(ip));
    }
}

/// A connection that begins.
fn connection(data: &[u8], packet: &Packet) -> Vec<Option<u8>> {
    const NEW: u32 = 8;
    const REDIRECTED: u32 = 1 << 5;
    match number(data, 2) {
        Some(0) => known(&NEW.to_ne_bytes()),
        Some(2) => known(&if packet.redirected { REDIRECTED } else { 0 }.to_ne_bytes()),
        _ => vec![None; 16],
    }
}

fn compare(data: &[u8], registers: &Registers) -> Option<Step> {
    let value = find(find(data, 3)?, 1)?;
    let has = registers.get(number(data, 1)?, value.len())?;
    let is_met = match number(data, 2)? {
        0 => has == value,
        1 => has != value,
        2 => has.as_slice() < value,
        3 => has.as_slice() <= value,
        4 => has.as_slice() > value,
        5 => has.as_slice() >= value,
        _ => return None,
    };
    Some(if is_met { Step::Goes } else { Step::Ends })
}

fn mask(data: &[u8], registers: &mut Registers) -> Option<Step> {
    let (mask, xor) = (find(find(data, 4)?, 1)?, find(find(data, 5)?, 1)?);
    let has = registers.get(number(data, 1)?, mask.len())?;
    let masked: Vec<u8> =
        has.iter().zip(mask).zip(xor).map(|((has, mask), xor)| has & mask ^ xor).collect();
    registers.set(number(data, 2)?, &known(&masked))?;
    Some(Step::Goes)
}

fn immediate(data: &[u8], registers: &mut Registers, place: &str) -> Option<Step> {
    let value = find(data, 2)?;
    match find(value, 2) {
        Some(given) => Some(verdict(given, place).map_or(Step::Goes, Step::Verdict)),
        None => {
            registers.set(number(data, 1)?, &known(find(value, 1)?))?;
            Some(Step::Goes)
        }
    }
}

/// None for `continue`.
fn verdict(given: &[u8], place: &str) -> Option<Verdict> {
    match number(given, 1)?.cast_signed() {
        0 => Some(Verdict::Drop(place.to_owned())),
        1 => Some(Verdict::Accept),
        -3 => Some(Verdict::Jump(text(given, 2)?)),
        -4 => Some(Verdict::Goto(text(given, 2)?)),
        -5 => Some(Verdict::Return),
        // To a program in user space, which may let it go on.
        _ => None,
    }
}
