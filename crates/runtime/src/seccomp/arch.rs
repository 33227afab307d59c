//! Architectures, and the numbers of their system calls.

/// Those of which a filter can see calls on the hosts that are run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    X86,
    /// Calls of x86-64 by number and flag, with 32-bit pointers.
    X32,
    Aarch64,
    Arm,
}

/// Set in the number of an x32 call.
pub(super) const X32_BIT: u32 = 0x4000_0000;
/// Arm has private calls from here on; what lies between them and the others is not "newer".
pub(super) const FIRST_PRIVATE: u32 = 0xf_0000;

/// A line for each call: its name and its number on each architecture.
const TABLE: &str = include_str!("syscalls.txt");

impl Arch {
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = Self::X86_64;
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;

    /// `AUDIT_ARCH_*` of linux/audit.h, as `seccomp_data.arch` holds it.
    pub fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// None for one that exists, but not on these hosts; Err for one that does not exist.
    pub(super) fn from_scmp(name: &str) -> Result<Option<Self>, super::Error> {
        const FOREIGN: [&str; 19] = [
            "MIPS",
            "MIPS64",
            "MIPS64N32",
            "MIPSEL",
            "MIPSEL64",
            "MIPSEL64N32",
            "PPC",
            "PPC64",
            "PPC64LE",
            "S390",
            "S390X",
            "PARISC",
            "PARISC64",
            "RISCV64",
            "LOONGARCH64",
            "M68K",
            "SH",
            "SHEB",
            "NATIVE",
        ];
        let unknown = || super::Error::Architecture(name.to_owned());
        Ok(match name.strip_prefix("SCMP_ARCH_").ok_or_else(unknown)? {
            "X86_64" => Some(Self::X86_64),
            "X86" => Some(Self::X86),
            "X32" => Some(Self::X32),
            "AARCH64" => Some(Self::Aarch64),
            "ARM" => Some(Self::Arm),
            other if FOREIGN.contains(&other) => None,
            _ => return Err(unknown()),
        })
    }

    pub(super) fn is_32_bit(self) -> bool {
        matches!(self, Self::X86 | Self::Arm)
    }

    /// The number in `seccomp_data.nr`; None for a call that the architecture does not have.
    pub fn number(self, name: &str) -> Option<u32> {
        let row = ROWS.binary_search_by(|row| row.0.cmp(name)).ok()?;
        let number = ROWS[row].1[self as usize]?;
        Some(if self == Self::X32 { number | X32_BIT } else { number })
    }
}

type Row = (&'static str, [Option<u32>; 5]);

/// Read by the compiler, not at every start of a container.
static ROWS: [Row; count_lines() - 1] = rows();

const fn count_lines() -> usize {
    let (mut lines, mut at) = (0, 0);
    while at < TABLE.len() {
        lines += (TABLE.as_bytes()[at] == b'\n') as usize;
        at += 1;
    }
    lines
}

/// The lines of the table behind the first, which is its heading.
const fn rows<const N: usize>() -> [Row; N] {
    let mut rows = [("", [None; 5]); N];
    let (_, mut rest) = field(TABLE, b'\n');
    let mut row = 0;
    while row < N {
        (rows[row].0, rest) = field(rest, b' ');
        let mut arch = 0;
        while arch < 5 {
            let number;
            (number, rest) = field(rest, if arch == 4 { b'\n' } else { b' ' });
            rows[row].1[arch] = parse(number);
            arch += 1;
        }
        row += 1;
    }
    rows
}

/// Up to `end`, and what follows it.
const fn field(text: &'static str, end: u8) -> (&'static str, &'static str) {
    let mut length = 0;
    while text.as_bytes()[length] != end {
        length += 1;
    }
    let (field, rest) = text.split_at(length);
    (field, rest.split_at(1).1)
}

/// None for the dash of an architecture that lacks the call.
const fn parse(number: &str) -> Option<u32> {
    match u32::from_str_radix(number, 10) {
        Ok(number) => Some(number),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        assert!(ROWS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(ROWS.iter().all(|row| row.1.iter().any(Option::is_some)));
        assert!(TABLE.lines().skip(1).all(|line| line.split(' ').count() == 6));
    }

    #[test]
    fn numbers_by_architecture() {
        let numbers = |name| {
            [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm].map(|a| a.number(name))
        };
        let x32 = |n: u32| Some(n | X32_BIT);
        assert_eq!(numbers("openat"), [Some(257), Some(295), x32(257), Some(56), Some(322)]);
        assert_eq!(numbers("rt_sigaction"), [Some(13), Some(174), x32(512), Some(134), Some(174)]);
        assert_eq!(numbers("open"), [Some(2), Some(5), x32(2), None, Some(5)]);
        assert_eq!(numbers("no_such_call"), [None; 5]);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(Arch::NATIVE.number("mseal"), Some(462));
    }
}
