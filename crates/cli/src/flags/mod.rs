//! Flags as data: parsing, checking and help come from one table per command, in the manner of Go's
//! pflag, whose rules and messages scripts rely on. Tables are constants, so that a command costs
//! nothing until it is the one that was typed.

mod check;
mod help;
mod parse;

pub(crate) use check::{bytes, bytes_or_unlimited, duration_ns, nano_cpus, parse_bool};
pub(crate) use help::{description, listed, usages};
pub(crate) use parse::{Interspersed, Parsed, parse};

/// What a flag takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Nothing, or `=true` and `=false`.
    Bool,
    /// One value; the last one given counts.
    One,
    /// Every value given counts.
    Many,
}

/// One flag. Texts shown in help: `type_name` after the name, `default` in parentheses.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) kind: Kind,
    pub(crate) type_name: &'static str,
    /// Of a flag that counts every value: for help alone.
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
    pub(crate) check: fn(&str) -> Result<(), String>,
    pub(crate) hidden: bool,
}

fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

impl Flag {
    const fn base(
        long: &'static str,
        kind: Kind,
        type_name: &'static str,
        help: &'static str,
    ) -> Self {
        let (short, default, hidden) = (None, "", false);
        Self { long, short, kind, type_name, default, help, check: anything, hidden }
    }

    pub(crate) const fn bool(long: &'static str, help: &'static str) -> Self {
        Self { check: check::boolean, ..Self::base(long, Kind::Bool, "", help) }
    }

    pub(crate) const fn string(long: &'static str, help: &'static str) -> Self {
        Self::base(long, Kind::One, "string", help)
    }

    pub(crate) const fn list(long: &'static str, help: &'static str) -> Self {
        Self::base(long, Kind::Many, "list", help)
    }

    /// `key=value`, as often as wanted.
    pub(crate) const fn map(long: &'static str, help: &'static str) -> Self {
        Self { default: "map[]", ..Self::base(long, Kind::Many, "map", help) }
    }

    pub(crate) const fn int(long: &'static str, help: &'static str) -> Self {
        Self { check: check::int, ..Self::base(long, Kind::One, "int", help) }
    }

    /// A size with a unit (`64m`).
    pub(crate) const fn bytes(long: &'static str, help: &'static str) -> Self {
        Self { check: check::size, ..Self::base(long, Kind::One, "bytes", help) }
    }

    /// A size, or -1 for none.
    pub(crate) const fn bytes_or_unlimited(long: &'static str, help: &'static str) -> Self {
        Self { check: check::size_or_unlimited, ..Self::bytes(long, help) }
    }

    pub(crate) const fn duration(long: &'static str, help: &'static str) -> Self {
        let base = Self::base(long, Kind::One, "duration", help);
        Self { check: check::duration, default: "0s", ..base }
    }

    pub(crate) const fn filter(help: &'static str) -> Self {
        let base = Self::base("filter", Kind::Many, "filter", help);
        Self { check: check::filter, short: Some('f'), ..base }
    }

    /// `--format` of commands that print tables.
    pub(crate) const fn format() -> Self {
        Self::string("format", FORMAT_HELP)
    }

    pub(crate) const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    pub(crate) const fn type_name(self, type_name: &'static str) -> Self {
        Self { type_name, ..self }
    }

    pub(crate) const fn check(self, check: fn(&str) -> Result<(), String>) -> Self {
        Self { check, ..self }
    }

    pub(crate) const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// As messages name it: `-m, --memory`.
    fn shown(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.long),
            None => format!("--{}", self.long),
        }
    }
}

const FORMAT_HELP: &str = "Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

pub(crate) const INSPECT_FORMAT_HELP: &str = "Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";
