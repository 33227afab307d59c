//! The short lines of the default profile:
//!
//! ```text
//! allow: accept accept4 access
//! allow min_kernel=4.8: ptrace
//! allow arg=0:SCMP_CMP_LT:38: socket
//! errno=38 not_cap=CAP_SYS_ADMIN: clone3
//! ```
//!
//! Further words are `cap`, `arch` and `not_arch`; an argument may have a second value.

use oci::runtime::SeccompArg;

use super::{Rule, parse_kernel};

/// None for a line that is no rule; the test against Docker's document would miss it.
pub(super) fn rule(line: &str) -> Option<Rule> {
    let (head, names) = line.split_once(": ")?;
    let mut words = head.split(' ');
    let mut rule = action(words.next()?)?;
    for word in words {
        let (key, value) = word.split_once('=')?;
        match key {
            "cap" => rule.includes.caps.push(value.to_owned()),
            "not_cap" => rule.excludes.caps.push(value.to_owned()),
            "arch" => rule.includes.arches.push(value.to_owned()),
            "not_arch" => rule.excludes.arches.push(value.to_owned()),
            "min_kernel" => rule.includes.min_kernel = Some(parse_kernel(value)?),
            "arg" => rule.args.push(argument(value)?),
            _ => return None,
        }
    }
    rule.names = names.split(' ').map(str::to_owned).collect();
    Some(rule)
}

fn action(word: &str) -> Option<Rule> {
    let (action, errno) = match word.split_once('=') {
        Some(("errno", errno)) => ("SCMP_ACT_ERRNO", Some(errno.parse().ok()?)),
        None if word == "allow" => ("SCMP_ACT_ALLOW", None),
        _ => return None,
    };
    Some(Rule { action: action.to_owned(), errno_ret: errno, ..Rule::default() })
}

fn argument(text: &str) -> Option<SeccompArg> {
    let mut parts = text.split(':');
    let (index, op) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
    let value = parts.next()?.parse().ok()?;
    let value_two = parts.next().map_or(Some(0), |value| value.parse().ok())?;
    Some(SeccompArg { index, value, value_two, op })
}
