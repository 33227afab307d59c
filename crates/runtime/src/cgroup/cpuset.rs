//! Lists of CPUs and memory nodes as the kernel writes them: `0-3,8,10-11`.

/// The most CPUs a list may name: the kernel's largest CONFIG_NR_CPUS.
pub const MAX: u32 = 8192;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid list {0:?}: numbers below 8192 and ranges of them are joined by commas")]
pub struct InvalidList(pub String);

/// Room for every number below [`MAX`] with its comma.
const MAX_TEXT: usize = 5 * MAX as usize;

/// The numbers of a list, sorted and without repetition. Bounded before it is expanded, since
/// `0-2147483647` is twelve bytes long and two thousand million entries wide (CVE-2018-20699).
pub fn parse(list: &str) -> Result<Vec<u32>, InvalidList> {
    let invalid = || InvalidList(list.chars().take(100).collect());
    if list.len() > MAX_TEXT {
        return Err(invalid());
    }
    let mut named = vec![false; MAX as usize];
    for part in list.trim().split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first).ok_or_else(invalid)?, number(last).ok_or_else(invalid)?);
        if first > last {
            return Err(invalid());
        }
        named[first as usize..=last as usize].fill(true);
    }
    Ok((0..MAX).filter(|number| named[*number as usize]).collect())
}

fn number(text: &str) -> Option<u32> {
    // parse() would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(parse("0-3,8, 10-11").unwrap(), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(parse("3,1-3\n").unwrap(), [1, 2, 3]);
        assert!(parse("").unwrap().is_empty());
        for list in ["3-1", "a", "1-", "-1", "+1", "1-2-3", "8192"] {
            assert!(parse(list).is_err(), "{list:?}");
        }
    }

    #[test]
    fn cve_2018_20699_a_giant_range_is_refused_before_it_is_expanded() {
        assert!(parse("0-2147483647").is_err());
        assert!(parse("0-18446744073709551615").is_err());
        assert_eq!(parse(&"0-8191,".repeat(1000)).unwrap().len(), MAX as usize);
        assert!(parse(&"0-8191,".repeat(100_000)).is_err());
    }
}
