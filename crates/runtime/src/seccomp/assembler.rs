//! The few classic BPF instructions a filter needs, and how rules become runs of them.

use sys::seccomp::Insn;

/// Offsets in `struct seccomp_data`.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;

pub(super) const fn load(offset: u32) -> Insn {
    Insn::new(LOAD, 0, 0, offset)
}

pub(super) const fn ret(action: u32) -> Insn {
    Insn::new(RETURN, 0, 0, action)
}

/// `block` where the accumulator is `value`, else what follows it.
pub(super) fn when_equal(value: u32, block: Vec<Insn>) -> Vec<Insn> {
    // Conditional jumps reach 255 instructions, JUMP any number.
    let mut code =
        vec![Insn::new(JUMP_EQUAL, 1, 0, value), Insn::new(JUMP, 0, 0, block.len() as u32)];
    code.extend(block);
    code
}

/// `below` where the accumulator is less than `value`, else `rest`; neither falls through.
pub(super) fn split(value: u32, below: Vec<Insn>, rest: Vec<Insn>) -> Vec<Insn> {
    let mut code = match u8::try_from(below.len()) {
        Ok(length) => vec![Insn::new(JUMP_GREATER_EQUAL, length, 0, value)],
        Err(_) => vec![
            Insn::new(JUMP_GREATER_EQUAL, 0, 1, value),
            Insn::new(JUMP, 0, 0, below.len() as u32),
        ],
    };
    code.extend(below);
    code.extend(rest);
    code
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Ne,
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
    /// With this mask.
    MaskedEq(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// 0 to 5.
    pub(super) index: u32,
    pub(super) op: Op,
    pub(super) value: u64,
}

/// Where a jump of a comparison leads.
#[derive(Clone, Copy)]
enum To {
    Next,
    /// Behind the comparison: it holds.
    Holds,
    /// Behind the rule: it does not apply.
    Fails,
}

use To::{Fails, Holds, Next};

enum Step {
    Plain(Insn),
    Branch { code: u16, value: u32, yes: To, no: To },
}

/// Returns `action` where every comparison holds, else goes on behind.
pub(super) fn rule(comparisons: &[Comparison], action: u32) -> Vec<Insn> {
    let blocks: Vec<Vec<Step>> = comparisons.iter().map(steps).collect();
    let total = blocks.iter().map(Vec::len).sum::<usize>() + 1;
    let mut code = Vec::with_capacity(total);
    for block in blocks {
        let end = code.len() + block.len();
        for step in block {
            let next = code.len() + 1;
            // A call has six arguments of at most eight steps: far below a jump's reach.
            let distance = |to| match to {
                Next => 0,
                Holds => (end - next) as u8,
                Fails => (total - next) as u8,
            };
            code.push(match step {
                Step::Plain(insn) => insn,
                Step::Branch { code, value, yes, no } => {
                    Insn::new(code, distance(yes), distance(no), value)
                }
            });
        }
    }
    code.push(ret(action));
    code
}

/// The upper half decides, unless it is equal. The hosts are little endian.
fn steps(comparison: &Comparison) -> Vec<Step> {
    let Comparison { index, op, value } = *comparison;
    let (upper, lower) = ((value >> 32) as u32, value as u32);
    let offset = ARGUMENTS + 8 * index;
    let (load_upper, load_lower) = (Step::Plain(load(offset + 4)), Step::Plain(load(offset)));
    let branch = |code, value, yes, no| Step::Branch { code, value, yes, no };
    let mask = |mask| Step::Plain(Insn::new(AND, 0, 0, mask));
    match op {
        Op::Eq => vec![
            load_upper,
            branch(JUMP_EQUAL, upper, Next, Fails),
            load_lower,
            branch(JUMP_EQUAL, lower, Holds, Fails),
        ],
        Op::Ne => vec![
            load_upper,
            branch(JUMP_EQUAL, upper, Next, Holds),
            load_lower,
            branch(JUMP_EQUAL, lower, Fails, Holds),
        ],
        Op::Gt | Op::Ge => vec![
            load_upper,
            branch(JUMP_GREATER, upper, Holds, Next),
            branch(JUMP_EQUAL, upper, Next, Fails),
            load_lower,
            branch(greater(op == Op::Gt), lower, Holds, Fails),
        ],
        Op::Lt | Op::Le => vec![
            load_upper,
            branch(JUMP_GREATER, upper, Fails, Next),
            branch(JUMP_EQUAL, upper, Next, Holds),
            load_lower,
            branch(greater(op == Op::Le), lower, Fails, Holds),
        ],
        Op::MaskedEq(bits) => vec![
            load_upper,
            mask((bits >> 32) as u32),
            branch(JUMP_EQUAL, upper, Next, Fails),
            load_lower,
            mask(bits as u32),
            branch(JUMP_EQUAL, lower, Holds, Fails),
        ],
    }
}

fn greater(strictly: bool) -> u16 {
    if strictly { JUMP_GREATER } else { JUMP_GREATER_EQUAL }
}
