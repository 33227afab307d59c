//! Options of the local driver: `type`, `device` and `o` are those of a mount, in mount(8)'s words.

use std::collections::BTreeMap;

use store::volumes::Volume;
use sys::mount;

use crate::config::parse_size;
use crate::error::{Error, Result};

/// Each with those it makes no sense without.
const NEEDS: [(&str, &[&str]); 4] =
    [("device", &["type"]), ("type", &["device"]), ("o", &["device", "type"]), ("size", &[])];

/// Docker's rules in Docker's words.
pub fn check<'a>(
    options: impl Iterator<Item = (&'a String, &'a String)>,
    has_quotas: impl Fn() -> bool,
) -> Result<()> {
    let options: BTreeMap<&str, &str> =
        options.map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if let Some(unknown) =
        options.keys().find(|option| !NEEDS.iter().any(|(known, _)| known == *option))
    {
        return Err(Error::invalid(format!("invalid option: {unknown:?}")));
    }
    for (_, needed) in NEEDS.iter().filter(|(option, _)| options.contains_key(option)) {
        if let Some(missing) = needed.iter().find(|option| !options.contains_key(*option)) {
            return Err(Error::invalid(format!("missing required option: {missing:?}")));
        }
    }
    if let Some(value) = options.iter().find(|(_, value)| value.contains('\0')) {
        return Err(Error::invalid(format!("option {:?} contains a zero byte", value.0)));
    }
    let Some(size) = options.get("size") else { return Ok(()) };
    let from_elsewhere = options.get("device").is_some_and(|device| !device.is_empty());
    match parse_size(size) {
        None => Err(Error::invalid(format!("invalid size: '{size}'"))),
        Some(0) => Ok(()),
        Some(_) if !has_quotas() => {
            Err(Error::invalid("quota size requested but no quota support"))
        }
        Some(_) if from_elsewhere => Err(Error::invalid(
            "option \"size\" is for volumes in the engine's own directory: limit what is mounted from elsewhere where it is",
        )),
        Some(_) => Ok(()),
    }
}

/// What the volume may hold at most, in bytes.
pub fn limit(volume: &Volume) -> Option<u64> {
    let size = volume.options.as_ref()?.get("size")?;
    parse_size(size).and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0)
}

/// What is mounted for a volume while containers run with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    pub kind: String,
    pub device: String,
    /// As mount(2) counts them; what messages show.
    pub flags: u64,
    pub attributes: mount::Attributes,
    pub bind: Option<mount::Depth>,
    /// What the file system itself is told.
    pub data: Vec<String>,
}

/// Word, flag of mount(2), attributes set and cleared.
const WORDS: [(&str, u64, u64, u64); 17] = [
    ("ro", 0x1, mount::RDONLY, 0),
    ("rw", 0, 0, mount::RDONLY),
    ("nosuid", 0x2, mount::NOSUID, 0),
    ("suid", 0, 0, mount::NOSUID),
    ("nodev", 0x4, mount::NODEV, 0),
    ("dev", 0, 0, mount::NODEV),
    ("noexec", 0x8, mount::NOEXEC, 0),
    ("exec", 0, 0, mount::NOEXEC),
    ("noatime", 0x400, mount::NOATIME, mount::ATIME),
    ("atime", 0, 0, mount::ATIME),
    ("nodiratime", 0x800, mount::NODIRATIME, 0),
    ("diratime", 0, 0, mount::NODIRATIME),
    ("relatime", 0x20_0000, 0, mount::ATIME),
    ("norelatime", 0, 0, mount::ATIME),
    ("strictatime", 0x100_0000, mount::STRICTATIME, mount::ATIME),
    ("nostrictatime", 0, 0, mount::ATIME),
    ("defaults", 0, 0, 0),
];

const PROPAGATION: [(&str, u64); 8] = [
    ("private", mount::PRIVATE),
    ("rprivate", mount::PRIVATE),
    ("slave", mount::SLAVE),
    ("rslave", mount::SLAVE),
    ("shared", mount::SHARED),
    ("rshared", mount::SHARED),
    ("unbindable", mount::UNBINDABLE),
    ("runbindable", mount::UNBINDABLE),
];

impl Mount {
    /// `None` for a volume that is its directory.
    pub fn of(volume: &Volume) -> Option<Self> {
        let option = |name: &str| volume.options.as_ref()?.get(name).map(String::as_str);
        let (kind, device) = (option("type").unwrap_or(""), option("device").unwrap_or(""));
        if kind.is_empty() && device.is_empty() {
            return None;
        }
        let mut mount = Self { kind: kind.into(), device: device.into(), ..Self::default() };
        let words = option("o").unwrap_or("").split(',').filter(|word| !word.is_empty());
        words.for_each(|word| mount.add(word));
        Some(mount)
    }

    fn add(&mut self, word: &str) {
        match word {
            "bind" => (self.flags, self.bind) = (self.flags | 0x1000, Some(mount::Depth::Single)),
            "rbind" => {
                (self.flags, self.bind) = (self.flags | 0x5000, Some(mount::Depth::Recursive));
            }
            _ => {
                let attribute = WORDS.iter().find(|(known, ..)| *known == word);
                let propagation = PROPAGATION.iter().find(|(known, _)| *known == word);
                match (attribute, propagation) {
                    (Some((_, flag, set, clear)), _) => {
                        self.flags |= flag;
                        self.attributes.set = self.attributes.set & !clear | set;
                        let cleared = self.attributes.clear & !(set & !mount::ATIME);
                        self.attributes.clear = cleared | clear;
                    }
                    (None, Some((_, propagation))) => self.attributes.propagation = *propagation,
                    (None, None) => self.data.push(word.to_owned()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: &[(&str, &str)]) -> String {
        refused_where(options, false)
    }

    fn refused_where(options: &[(&str, &str)], has_quotas: bool) -> String {
        let options: BTreeMap<String, String> =
            options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        check(options.iter(), || has_quotas)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn combinations_that_make_no_sense_are_refused_in_dockers_words() {
        assert_eq!(refused(&[("foo", "bar")]), "invalid option: \"foo\"");
        assert_eq!(refused(&[("type", "tmpfs")]), "missing required option: \"device\"");
        assert_eq!(refused(&[("device", "/x")]), "missing required option: \"type\"");
        assert_eq!(refused(&[("o", "bind")]), "missing required option: \"device\"");
        assert_eq!(refused(&[("type", ""), ("device", ""), ("o", "")]), "");
        assert_eq!(refused(&[("size", "1m")]), "quota size requested but no quota support");
        assert_eq!(refused(&[("size", "abc")]), "invalid size: 'abc'");
        assert_eq!(refused(&[("size", "0")]), "");
        assert_eq!(refused_where(&[("size", "1m")], true), "");
        let tmpfs = [("size", "1m"), ("type", "tmpfs"), ("device", "tmpfs")];
        assert!(refused_where(&tmpfs, true).contains("the engine's own directory"));
    }

    fn of(kind: &str, device: &str, o: &str) -> Option<Mount> {
        let options = [("type", kind), ("device", device), ("o", o)];
        let options = options.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Mount::of(&Volume { options: Some(options), ..Volume::default() })
    }

    #[test]
    fn words_are_flags_or_the_file_systems_own() {
        let tmpfs = of("tmpfs", "tmpfs", "size=1m,ro,nosuid,uid=7").unwrap();
        assert_eq!(tmpfs.data, ["size=1m", "uid=7"]);
        assert_eq!((tmpfs.flags, tmpfs.attributes.set), (3, mount::RDONLY | mount::NOSUID));
        let bind = of("none", "/srv", "bind,rslave").unwrap();
        assert_eq!((bind.flags, bind.bind), (0x1000, Some(mount::Depth::Single)));
        assert_eq!(bind.attributes.propagation, mount::SLAVE);
        assert_eq!(of("", "", ""), None);
        assert_eq!(Mount::of(&Volume::default()), None);
    }
}
