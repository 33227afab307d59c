//! Which device nodes a container may make, read and write.
//!
//! The specification's rules are read in order and the last that matches decides, starting from "deny
//! everything" and ending with the devices that every container has. v1 takes them as lines, v2 as a
//! small eBPF program that the kernel asks at each access.

use std::os::fd::BorrowedFd;
use std::path::Path;

use oci::runtime::{DeviceRule, Resources};
use sys::bpf::{self, Insn};

use super::{Error, Result, file};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    allow: bool,
    kind: Kind,
    /// None stands for every number.
    major: Option<i32>,
    minor: Option<i32>,
    /// Of the bits below.
    access: i32,
}

/// The numbers are those of `struct bpf_cgroup_dev_ctx`, as are the access bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All = 0,
    Block = 1,
    Char = 2,
}

const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const EVERY_ACCESS: i32 = MKNOD | READ | WRITE;

const DENY_ALL: Rule =
    Rule { allow: false, kind: Kind::All, major: None, minor: None, access: EVERY_ACCESS };

/// Nodes may be made but not opened; and what the specification's "Default Devices" lists, with
/// consoles and pseudo terminals.
const DEFAULTS: [Rule; 10] = [
    Rule { allow: true, kind: Kind::Char, major: None, minor: None, access: MKNOD },
    Rule { allow: true, kind: Kind::Block, major: None, minor: None, access: MKNOD },
    device(1, Some(3)), // null
    device(1, Some(5)), // zero
    device(1, Some(7)), // full
    device(1, Some(8)), // random
    device(1, Some(9)), // urandom
    device(5, Some(0)), // tty
    device(5, Some(2)), // ptmx
    device(136, None),  // pts/*
];

const fn device(major: i32, minor: Option<i32>) -> Rule {
    Rule { allow: true, kind: Kind::Char, major: Some(major), minor, access: EVERY_ACCESS }
}

/// The whole list for one container.
fn rules(devices: &[DeviceRule]) -> Result<Vec<Rule>> {
    let mut rules = vec![DENY_ALL];
    for device in devices {
        parse(device)?.into_iter().for_each(|rule| push(&mut rules, rule));
    }
    // A container that may use every device needs no more.
    if rules.last().is_some_and(|last| *last != Rule { allow: true, ..DENY_ALL }) {
        DEFAULTS.into_iter().for_each(|rule| push(&mut rules, rule));
    }
    Ok(rules)
}

/// A rule for everything makes those before it void. One that adds to an earlier permission joins it:
/// read by one rule and write by another allow opening for both.
fn push(rules: &mut Vec<Rule>, rule: Rule) {
    if rule.kind == Kind::All {
        rules.clear();
    }
    let since_denial = rules.iter().rposition(|r| !r.allow).map_or(0, |at| at + 1);
    let same = |r: &&mut Rule| (r.kind, r.major, r.minor) == (rule.kind, rule.major, rule.minor);
    match rules[since_denial..].iter_mut().find(same) {
        Some(earlier) if rule.allow => earlier.access |= rule.access,
        _ => rules.push(rule),
    }
}

fn parse(device: &DeviceRule) -> Result<Vec<Rule>> {
    let invalid = |reason: &str| Error::Invalid { what: "device rule", reason: reason.to_owned() };
    let number = |number: Option<i64>| match number {
        None | Some(-1) => Ok(None),
        Some(n) if n >= 0 => i32::try_from(n).map(Some).map_err(|_| invalid("a number is too big")),
        Some(_) => Err(invalid("a number is negative")),
    };
    let mut access = 0;
    for letter in device.access.chars() {
        access |= match letter {
            'm' => MKNOD,
            'r' => READ,
            'w' => WRITE,
            other => return Err(invalid(&format!("{other:?} is none of r, w and m"))),
        };
    }
    let rule = Rule {
        allow: device.allow,
        kind: Kind::All,
        major: number(device.major)?,
        minor: number(device.minor)?,
        access: if access == 0 { EVERY_ACCESS } else { access },
    };
    Ok(match device.kind.as_str() {
        "b" => vec![Rule { kind: Kind::Block, ..rule }],
        "c" | "u" => vec![Rule { kind: Kind::Char, ..rule }],
        "" | "a" if rule == (Rule { allow: rule.allow, ..DENY_ALL }) => vec![rule],
        // The kernel reads `a` as everything, whatever numbers follow.
        "" | "a" => [Kind::Block, Kind::Char].map(|kind| Rule { kind, ..rule }).to_vec(),
        other => return Err(invalid(&format!("{other:?} is none of a, b and c"))),
    })
}

/// Without the controller a container runs unconfined only where nothing was to be denied.
pub(super) fn apply_v1(directory: Option<&Path>, resources: &Resources) -> Result<()> {
    let rules = rules(&resources.devices)?;
    let Some(directory) = directory else {
        return if rules[0].allow { Ok(()) } else { Err(Error::NoController("devices")) };
    };
    rules.chunk_by(|one, next| one.allow == next.allow).try_for_each(|alike| {
        let name = if alike[0].allow { "devices.allow" } else { "devices.deny" };
        file::write_each(&directory.join(name), alike.iter().map(line))
    })
}

fn line(rule: &Rule) -> String {
    let number = |n: Option<i32>| n.map_or(String::from("*"), |n| n.to_string());
    let kind = ["a", "b", "c"][rule.kind as usize];
    format!("{kind} {}:{} {}", number(rule.major), number(rule.minor), access(rule))
}

fn access(rule: &Rule) -> String {
    let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
    letters.iter().filter(|(bit, _)| rule.access & bit != 0).map(|(_, letter)| letter).collect()
}

/// What is allowed, as systemd names it in `DeviceAllow=`: names and access; `None` for everything. `known` is what
/// `/proc/devices` says, since all devices of one driver go by its name there. It knows no exceptions from what is
/// allowed: those are in the kernel's list alone.
pub(super) fn for_systemd(
    resources: &Resources,
    known: &str,
) -> Result<Option<Vec<(String, String)>>> {
    let rules = rules(&resources.devices)?;
    if rules[0].allow {
        return Ok(None);
    }
    let allowed = rules.iter().filter(|rule| rule.allow);
    Ok(Some(allowed.filter_map(|rule| Some((unit_name(rule, known)?, access(rule)))).collect()))
}

fn unit_name(rule: &Rule, known: &str) -> Option<String> {
    let kind = if rule.kind == Kind::Block { "block" } else { "char" };
    match (rule.major, rule.minor) {
        (None, _) => Some(format!("{kind}-*")),
        (Some(major), Some(minor)) => Some(format!("/dev/{kind}/{major}:{minor}")),
        (Some(major), None) => Some(format!("{kind}-{}", driver(kind, major, known)?)),
    }
}

/// The first of the names that the kernel has for a major number.
fn driver<'a>(kind: &str, wanted: i32, known: &'a str) -> Option<&'a str> {
    let heading = if kind == "block" { "Block devices:" } else { "Character devices:" };
    let section = known.lines().skip_while(|line| *line != heading).skip(1);
    let entries = section.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (major, name) = line.trim_start().split_once(' ')?;
        Some((major.parse::<i32>().ok()?, name))
    });
    entries.filter(|(major, _)| *major == wanted).map(|(_, name)| name).next()
}

/// Puts the new program beside the old ones, then takes those away: at no moment is nothing denied.
pub(super) fn apply_v2(
    directory: BorrowedFd<'_>,
    path: &Path,
    resources: &Resources,
) -> Result<()> {
    let program = program(&rules(&resources.devices)?);
    let replace = || {
        let old = bpf::attached_device_programs(directory)?;
        let new = bpf::load_device_program(&program)?;
        bpf::attach_device_program(directory, &new)?;
        old.iter().try_for_each(|old| bpf::detach_device_program(directory, old))
    };
    replace().map_err(|source| Error::DeviceFilter { path: path.to_owned(), source })
}

/// The last rule first, so that the first match decides. The program is entered with the access in r1,
/// and keeps: r2 kind, r3 access, r4 major, r5 minor; r1 is then free.
fn program(rules: &[Rule]) -> Vec<Insn> {
    let mut program = vec![
        Insn::load32(2, 1, 0),
        Insn::mov(3, 2),
        Insn::and(2, 0xffff),
        Insn::shift_right(3, 16),
        Insn::load32(4, 1, 4),
        Insn::load32(5, 1, 8),
    ];
    for rule in rules.iter().rev() {
        let mut block = conditions(rule);
        let unconditional = block.is_empty();
        block.extend([Insn::set(0, rule.allow.into()), Insn::EXIT]);
        let length = block.len();
        for (at, insn) in block.iter_mut().enumerate().filter(|(_, insn)| insn.is_jump()) {
            // A rule has at most five conditions.
            insn.jump_over((length - at - 1) as i16);
        }
        program.extend(block);
        if unconditional {
            // The kernel refuses instructions that cannot be reached.
            return program;
        }
    }
    program.extend([Insn::set(0, 0), Insn::EXIT]);
    program
}

/// Jumps that are taken where the rule does not match.
fn conditions(rule: &Rule) -> Vec<Insn> {
    let mut block = Vec::new();
    if rule.kind != Kind::All {
        block.push(Insn::jump_unless_equal(2, rule.kind as i32));
    }
    if rule.access != EVERY_ACCESS {
        block.push(Insn::mov(1, 3));
        if rule.allow {
            // All that is asked for must be allowed,
            block
                .extend([Insn::and(1, EVERY_ACCESS & !rule.access), Insn::jump_unless_equal(1, 0)]);
        } else {
            // and nothing of it denied.
            block.extend([Insn::and(1, rule.access), Insn::jump_if_equal(1, 0)]);
        }
    }
    block.extend(rule.major.map(|major| Insn::jump_unless_equal(4, major)));
    block.extend(rule.minor.map(|minor| Insn::jump_unless_equal(5, minor)));
    block
}

#[cfg(test)]
mod tests;
