//! Group names, read from /etc/group by hand: the C library's way would load host libraries into a static binary.

use std::io;

/// The id of a group given by name or number.
pub fn find(name: &str) -> io::Result<Option<u32>> {
    if let Ok(id) = name.parse() {
        return Ok(Some(id));
    }
    Ok(find_in(&std::fs::read_to_string("/etc/group")?, name))
}

fn find_in(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let groups = "root:x:0:\nbroken\ndocker:x:998:ann,bob\n";
        assert_eq!(find_in(groups, "docker"), Some(998));
        assert_eq!(find_in(groups, "broken"), None);
        assert_eq!(find_in(groups, "dock"), None);
        assert_eq!(find("123").unwrap(), Some(123));
    }
}
