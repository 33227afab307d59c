//! `--ulimit`.

use api::containers::Ulimit;
use oci::runtime::Rlimit;

use crate::error::Error;

pub fn rlimits<'a>(wishes: impl Iterator<Item = &'a Ulimit>) -> Result<Vec<Rlimit>, Error> {
    wishes.map(rlimit).collect()
}

fn rlimit(wish: &Ulimit) -> Result<Rlimit, Error> {
    if wish.name != "as" && !Ulimit::NAMES.contains(&wish.name.as_str()) {
        return Err(Error::invalid(format!("invalid ulimit type: {}", wish.name)));
    }
    let (soft, hard) = (value(wish.soft), value(wish.hard));
    if soft > hard {
        return Err(Error::invalid(format!(
            "ulimit soft limit must be less than or equal to hard limit: {} > {}",
            wish.soft, wish.hard
        )));
    }
    Ok(Rlimit { kind: format!("RLIMIT_{}", wish.name.to_ascii_uppercase()), hard, soft })
}

/// -1 is no limit, which the kernel writes as the largest number.
fn value(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(name: &str, soft: i64, hard: i64) -> Result<Rlimit, String> {
        rlimit(&Ulimit { name: name.into(), soft, hard }).map_err(|error| error.to_string())
    }

    #[test]
    fn limits() {
        let nofile = limit("nofile", 1024, -1).unwrap();
        assert_eq!((nofile.kind.as_str(), nofile.hard), ("RLIMIT_NOFILE", u64::MAX));
        assert_eq!(limit("foo", 1, 1).unwrap_err(), "invalid ulimit type: foo");
        assert_eq!(
            limit("core", -1, 5).unwrap_err(),
            "ulimit soft limit must be less than or equal to hard limit: -1 > 5"
        );
    }
}
