//! Names of containers: what is allowed, and names made up for those who did not choose.

use super::words::{QUALITIES, WATERS};
use crate::error::Error;

/// Docker's rule: a letter or digit, then at least one of letters, digits, `_`, `.`, `-`. One leading slash is
/// dropped. Returns the name without it.
pub fn checked(name: &str) -> Result<&str, Error> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    if is_valid(bare) {
        return Ok(bare);
    }
    Err(Error::invalid(format!(
        "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    )))
}

fn is_valid(name: &str) -> bool {
    let rest_is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    name.len() >= 2 && rest_is_plain && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// A random name such as `quiet_danube`. `attempt` above 3 adds a digit, since then the words run short.
pub fn random(attempt: u32) -> String {
    let [a, b, c] = [random_number(), random_number(), random_number()];
    let quality = QUALITIES[a as usize % QUALITIES.len()];
    let water = WATERS[b as usize % WATERS.len()];
    if attempt > 3 {
        format!("{quality}_{water}{}", c % 1000)
    } else {
        format!("{quality}_{water}")
    }
}

fn random_number() -> u32 {
    u32::from_ne_bytes(random_bytes())
}

/// Bytes from the kernel's random source.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
    assert_eq!(filled, Ok(N), "getrandom fills up to 256 bytes in one call");
    bytes
}

/// 64 hexadecimal digits. Docker takes care that the short form is no decimal number, since a container's
/// hostname is made of it.
pub fn random_id() -> String {
    loop {
        let bytes: [u8; 32] = random_bytes();
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if id[..12].bytes().any(|digit| !digit.is_ascii_digit()) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_rule() {
        for good in ["ab", "/web", "a.b-c_d", "0x"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        let long = "a/".repeat(150);
        for bad in ["", "a", "_x", "/a/b", "//ab", "a b", "ab\0", "é1", "..", "../x", &long] {
            let said = checked(bad).unwrap_err().to_string();
            assert!(said.starts_with("Invalid container name ("), "{bad}: {said}");
        }
    }

    #[test]
    fn made_up_names_are_valid_and_differ() {
        let names: std::collections::HashSet<_> = (0..64).map(random).collect();
        assert!(names.len() > 50);
        assert!(names.iter().all(|name| checked(name).is_ok()));
    }

    #[test]
    fn words_are_plain_and_unique() {
        let unique: std::collections::HashSet<_> = QUALITIES.iter().chain(&WATERS).collect();
        assert_eq!(unique.len(), QUALITIES.len() + WATERS.len());
        assert!(unique.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }

    #[test]
    fn ids_are_64_hex_digits_and_no_number() {
        let id = random_id();
        assert_eq!(id.len(), 64);
        assert!(id.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
}
