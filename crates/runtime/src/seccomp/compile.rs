//! The compiler.

use std::collections::BTreeMap;

use oci::runtime::{Seccomp, SeccompArg, SeccompSyscall};
use sys::seccomp::{self, Insn};

use super::arch::{FIRST_PRIVATE, X32_BIT};
use super::assembler::{self, Comparison, Op};
use super::{Arch, Error, Program};

const KILL_THREAD: u32 = 0;
const KILL_PROCESS: u32 = 0x8000_0000;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const USER_NOTIFY: u32 = 0x7fc0_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;
/// Of an action, without its data.
const ACTION_MASK: u32 = 0xffff_0000;
const MAX_ERRNO: u32 = 4095;

/// What happens to one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Decision {
    conditional: Vec<(Vec<Comparison>, u32)>,
    /// None until a rule without arguments is met.
    otherwise: Option<u32>,
}

impl Decision {
    fn always(action: u32) -> Self {
        Self { conditional: Vec::new(), otherwise: Some(action) }
    }
}

pub fn compile(rules: &Seccomp) -> Result<Program, Error> {
    let default = action(&rules.default_action, rules.default_errno_ret)?;
    if default == USER_NOTIFY {
        return Err(Error::Notify("the default action"));
    }
    let mut code = vec![assembler::load(assembler::ARCH)];
    for audit in architectures(rules)?.chunk_by(|a, b| a.audit() == b.audit()) {
        code.extend(assembler::when_equal(audit[0].audit(), block(rules, audit, default)?));
    }
    code.push(assembler::ret(KILL_THREAD));
    if code.len() > seccomp::MAX_INSTRUCTIONS {
        return Err(Error::TooLong(code.len()));
    }
    Ok(Program { instructions: code, flags: flags(rules)? })
}

/// The native one always, as libseccomp has it; those that share `seccomp_data.arch` side by side.
fn architectures(rules: &Seccomp) -> Result<Vec<Arch>, Error> {
    let mut archs = vec![Arch::NATIVE];
    for name in &rules.architectures {
        if let Some(arch) = Arch::from_scmp(name)?.filter(|arch| !archs.contains(arch)) {
            archs.push(arch);
        }
    }
    archs.sort_by_key(|arch| (arch.audit() != Arch::NATIVE.audit(), arch.audit()));
    Ok(archs)
}

/// All calls with one value of `seccomp_data.arch`.
fn block(rules: &Seccomp, archs: &[Arch], default: u32) -> Result<Vec<Insn>, Error> {
    let mut ranges = Vec::new();
    for arch in archs {
        add_ranges(rules, *arch, default, &mut ranges)?;
    }
    if archs[0].audit() == Arch::X86_64.audit() && !archs.contains(&Arch::X32) {
        ranges.push((X32_BIT, Decision::always(KILL_THREAD)));
    }
    // Of the two x86-64 ones either may come first.
    ranges.sort_by_key(|range| range.0);
    ranges.dedup_by(|later, earlier| later.1 == earlier.1);
    let mut code = vec![assembler::load(assembler::NUMBER)];
    code.extend(search(&ranges, default));
    Ok(code)
}

/// Decisions with the first number that they hold for; each holds up to the next one's.
fn add_ranges(
    rules: &Seccomp,
    arch: Arch,
    default: u32,
    ranges: &mut Vec<(u32, Decision)>,
) -> Result<(), Error> {
    let (decisions, newest) = decisions(rules, arch, default)?;
    let newer = if hides_newer_calls(default) { ERRNO | libc::ENOSYS as u32 } else { default };
    let first = if arch == Arch::X32 { X32_BIT } else { 0 };
    // The first number that is newer than the rules, if any is.
    let unknown = newest.map_or(u32::MAX, |newest| newest + 1);
    let gap = |from: u32, to: u32| {
        let known = (from < to && from < unknown).then(|| (from, Decision::always(default)));
        let from = from.max(unknown);
        known.into_iter().chain((from < to).then(|| (from, Decision::always(newer))))
    };
    let mut next = first;
    for (number, decision) in decisions {
        ranges.extend(gap(next, number));
        ranges.push((number, decision));
        next = number + 1;
    }
    ranges.extend(gap(next, u32::MAX));
    Ok(())
}

/// A default that refuses with an errno of its own, or kills, would break a libc that tries a new
/// call first; one that lets calls through, or says ENOSYS itself, would not.
fn hides_newer_calls(default: u32) -> bool {
    match default & ACTION_MASK {
        ALLOW | LOG | TRACE => false,
        ERRNO => default != ERRNO | libc::ENOSYS as u32,
        _ => true,
    }
}

/// What the rules say of each call, and the highest number that they name, if any.
fn decisions(
    rules: &Seccomp,
    arch: Arch,
    default: u32,
) -> Result<(BTreeMap<u32, Decision>, Option<u32>), Error> {
    let mut decisions: BTreeMap<u32, Decision> = BTreeMap::new();
    let mut newest = None;
    for rule in &rules.syscalls {
        let action = action(&rule.action, rule.errno_ret)?;
        let alternatives = alternatives(rule, arch)?;
        for name in &rule.names {
            if action == USER_NOTIFY && name == "write" {
                return Err(Error::Notify("taken for write, which the runtime needs to report it"));
            }
            // A name that this architecture lacks, or that is newer than the table.
            let Some(number) = arch.number(name) else { continue };
            if number & !X32_BIT < FIRST_PRIVATE {
                newest = newest.max(Some(number));
            }
            // Says nothing that the default does not say.
            if action == default {
                continue;
            }
            let decision = decisions.entry(number).or_default();
            if alternatives.is_empty() {
                decision.otherwise.get_or_insert(action);
            }
            decision.conditional.extend(alternatives.iter().map(|all| (all.clone(), action)));
        }
    }
    for decision in decisions.values_mut() {
        if decision.otherwise.is_some() {
            decision.conditional.clear();
        }
    }
    Ok((decisions, newest))
}

fn search(ranges: &[(u32, Decision)], default: u32) -> Vec<Insn> {
    match ranges {
        [] => vec![assembler::ret(default)],
        [(_, decision)] => {
            let conditional = decision.conditional.iter();
            let mut code: Vec<Insn> =
                conditional.flat_map(|(all, action)| assembler::rule(all, *action)).collect();
            code.push(assembler::ret(decision.otherwise.unwrap_or(default)));
            code
        }
        _ => {
            let (below, rest) = ranges.split_at(ranges.len() / 2);
            assembler::split(rest[0].0, search(below, default), search(rest, default))
        }
    }
}

/// Each of them is enough; none stands for a rule without arguments.
fn alternatives(rule: &SeccompSyscall, arch: Arch) -> Result<Vec<Vec<Comparison>>, Error> {
    let all: Vec<Comparison> =
        rule.args.iter().map(|arg| comparison(arg, arch)).collect::<Result<_, _>>()?;
    let repeated =
        all.iter().enumerate().any(|(at, c)| all[..at].iter().any(|d| d.index == c.index));
    Ok(match (all.is_empty(), repeated) {
        (true, _) => Vec::new(),
        (false, true) => all.into_iter().map(|comparison| vec![comparison]).collect(),
        (false, false) => vec![all],
    })
}

fn comparison(arg: &SeccompArg, arch: Arch) -> Result<Comparison, Error> {
    if arg.index > 5 {
        return Err(Error::ArgumentIndex(arg.index));
    }
    // The kernel shows 32-bit arguments with a zero upper half, also negative ones.
    let width = |value| if arch.is_32_bit() { value & u64::from(u32::MAX) } else { value };
    let (op, value) = match arg.op.as_str() {
        "SCMP_CMP_NE" => (Op::Ne, arg.value),
        "SCMP_CMP_LT" => (Op::Lt, arg.value),
        "SCMP_CMP_LE" => (Op::Le, arg.value),
        "SCMP_CMP_EQ" => (Op::Eq, arg.value),
        "SCMP_CMP_GE" => (Op::Ge, arg.value),
        "SCMP_CMP_GT" => (Op::Gt, arg.value),
        "SCMP_CMP_MASKED_EQ" => (Op::MaskedEq(width(arg.value)), arg.value_two),
        other => return Err(Error::Comparison(other.to_owned())),
    };
    Ok(Comparison { index: arg.index, op, value: width(value) })
}

/// `errno` is that of ERRNO and the message of TRACE; EPERM where it is not given.
fn action(name: &str, errno: Option<u32>) -> Result<u32, Error> {
    let errno = errno.unwrap_or(libc::EPERM as u32);
    let with_errno =
        |action| if errno > MAX_ERRNO { Err(Error::Errno(errno)) } else { Ok(action | errno) };
    match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Ok(KILL_THREAD),
        "SCMP_ACT_KILL_PROCESS" => Ok(KILL_PROCESS),
        "SCMP_ACT_TRAP" => Ok(TRAP),
        "SCMP_ACT_ERRNO" => with_errno(ERRNO),
        "SCMP_ACT_TRACE" => with_errno(TRACE),
        "SCMP_ACT_LOG" => Ok(LOG),
        "SCMP_ACT_ALLOW" => Ok(ALLOW),
        "SCMP_ACT_NOTIFY" => Ok(USER_NOTIFY),
        other => Err(Error::Action(other.to_owned())),
    }
}

fn flags(rules: &Seccomp) -> Result<u32, Error> {
    let mut flags = 0;
    for name in &rules.flags {
        flags |= match name.as_str() {
            // A container's first process has one thread, and descendants inherit.
            "SECCOMP_FILTER_FLAG_TSYNC" => 0,
            "SECCOMP_FILTER_FLAG_LOG" => seccomp::FLAG_LOG,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => seccomp::FLAG_SPEC_ALLOW,
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => seccomp::FLAG_WAIT_KILLABLE_RECV,
            other => return Err(Error::Flag(other.to_owned())),
        };
    }
    if rules.syscalls.iter().any(|rule| rule.action == "SCMP_ACT_NOTIFY") {
        return Ok(flags | seccomp::FLAG_NEW_LISTENER);
    }
    // Refused by the kernel where nobody listens.
    Ok(flags & !seccomp::FLAG_WAIT_KILLABLE_RECV)
}
