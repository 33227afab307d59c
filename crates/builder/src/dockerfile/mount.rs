//! `RUN --mount=type=...,key=value`: what is there for one command only.

/// Paths and values may hold variables, which are expanded when the stage is planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    pub kind: MountKind,
    pub target: Option<String>,
    /// A path in what `from` names, for `bind` and `cache`.
    pub source: Option<String>,
    /// A stage, a named context or an image.
    pub from: Option<String>,
    /// A cache's, a secret's or an agent's.
    pub id: Option<String>,
    pub read_write: Option<bool>,
    pub sharing: Sharing,
    pub required: bool,
    /// The variable that holds a secret, instead of a file or besides.
    pub env: Option<String>,
    /// Of a tmpfs, in bytes.
    pub size: Option<u64>,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    #[default]
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    #[default]
    Shared,
    Private,
    Locked,
}

impl Mount {
    /// # Errors
    /// In BuildKit's words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut mount = Self::default();
        for field in fields(text) {
            mount.set(&field)?;
        }
        mount.check()?;
        Ok(mount)
    }

    fn set(&mut self, field: &str) -> Result<(), String> {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value)),
            None => (field.to_ascii_lowercase(), None),
        };
        let text = || value.map(str::to_owned).ok_or_else(|| no_value(field));
        match key.as_str() {
            "type" => self.kind = kind(&text()?)?,
            "from" => self.from = Some(text()?),
            "source" | "src" => self.source = Some(text()?),
            "target" | "dst" | "destination" => self.target = Some(text()?),
            "id" => self.id = Some(text()?),
            "env" => self.env = Some(text()?),
            "readonly" | "ro" => self.read_write = Some(!flag(&key, value)?),
            "readwrite" | "rw" => self.read_write = Some(flag(&key, value)?),
            "required" => self.required = flag(&key, value)?,
            "sharing" => self.sharing = sharing(&text()?)?,
            "size" => self.size = Some(size(&text()?)?),
            "mode" => self.mode = Some(octal(&text()?)?),
            "uid" => self.uid = Some(number("uid", &text()?)?),
            "gid" => self.gid = Some(number("gid", &text()?)?),
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        use MountKind::{Bind, Cache, Secret, Ssh, Tmpfs};
        let only = |given: bool, kinds: &[MountKind], key: &str| match given {
            true if !kinds.contains(&self.kind) => {
                Err(format!("unexpected key '{key}' for mount type '{}'", name(self.kind)))
            }
            _ => Ok(()),
        };
        only(self.from.is_some(), &[Bind, Cache], "from")?;
        only(self.source.is_some(), &[Bind, Cache, Secret], "source")?;
        only(self.sharing != Sharing::Shared, &[Cache], "sharing")?;
        only(self.size.is_some(), &[Tmpfs], "size")?;
        only(self.required, &[Secret, Ssh], "required")?;
        only(self.env.is_some(), &[Secret], "env")?;
        only(self.id.is_some(), &[Cache, Secret, Ssh], "id")?;
        only(self.mode.is_some(), &[Cache, Secret, Ssh], "mode")?;
        if matches!(self.kind, Bind | Cache | Tmpfs) && self.target.is_none() {
            return Err("target is required".into());
        }
        Ok(())
    }
}

/// Commas separate, unless they are between double quotes as in a line of CSV.
fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("there is always one").push(c),
        }
    }
    fields
}

fn name(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Bind => "bind",
        MountKind::Cache => "cache",
        MountKind::Tmpfs => "tmpfs",
        MountKind::Secret => "secret",
        MountKind::Ssh => "ssh",
    }
}

fn kind(text: &str) -> Result<MountKind, String> {
    use MountKind::{Bind, Cache, Secret, Ssh, Tmpfs};
    let named = |kind: &MountKind| name(*kind) == text.to_ascii_lowercase();
    let known = [Bind, Cache, Tmpfs, Secret, Ssh];
    known.into_iter().find(named).ok_or_else(|| format!("unsupported mount type {text:?}"))
}

fn sharing(text: &str) -> Result<Sharing, String> {
    match text.to_ascii_lowercase().as_str() {
        "shared" => Ok(Sharing::Shared),
        "private" => Ok(Sharing::Private),
        "locked" => Ok(Sharing::Locked),
        _ => Err(format!("unsupported sharing value {text:?}")),
    }
}

fn flag(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(value) => Err(format!("invalid value for {key}: {value}")),
    }
}

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|_| format!("invalid value {text} for mode"))
}

fn number(key: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("invalid value {text} for {key}"))
}

/// With Docker's units, powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let invalid = || format!("invalid value for size: {text}");
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower[digits.len()..].trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(invalid()),
    };
    digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).ok_or_else(invalid)
}

fn no_value(field: &str) -> String {
    format!("invalid field '{field}' must be a key=value pair")
}
