//! `--volume`, `--mount` and `--tmpfs`.

use std::collections::BTreeMap;

use api::containers::{
    BindOptions, ImageOptions, Mount, TmpfsOptions, VolumeDriver, VolumeOptions,
};

use crate::flags;

pub(super) fn check(text: &str) -> Result<(), String> {
    mount(text).map(drop)
}

/// What `-v` asks for: binds and named volumes as they are sent, and where anonymous volumes go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Volumes {
    pub(super) binds: Vec<String>,
    pub(super) anonymous: Vec<String>,
}

/// `[source:]target[:mode]`, a relative path as source made absolute.
pub(super) fn volumes(words: &[String]) -> Result<Volumes, String> {
    let mut volumes = Volumes::default();
    for text in words {
        let parts: Vec<&str> = text.split(':').collect();
        let invalid = |why: &str| Err(format!("invalid spec: {text}: {why}"));
        match parts.as_slice() {
            [""] => return Err("invalid empty volume spec".to_owned()),
            [target] => volumes.anonymous.push((*target).to_owned()),
            parts if parts.iter().take(3).any(|part| part.is_empty()) => {
                return invalid("empty section between colons");
            }
            [_, _, _, _, ..] => return invalid("too many colons"),
            [source, rest @ ..] if source.starts_with('.') => {
                volumes.binds.push(format!("{}:{}", absolute(source)?, rest.join(":")));
            }
            _ => volumes.binds.push(text.clone()),
        }
    }
    Ok(volumes)
}

fn absolute(path: &str) -> Result<String, String> {
    let here =
        std::env::current_dir().map_err(|error| format!("the current directory: {error}"))?;
    let mut absolute = here;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                absolute.pop();
            }
            part => absolute.push(part),
        }
    }
    Ok(absolute.to_string_lossy().into_owned())
}

/// `path[:options]`.
pub(super) fn tmpfs(words: &[String]) -> BTreeMap<String, String> {
    let split = |word: &String| {
        let (path, options) = word.split_once(':').unwrap_or((word, ""));
        (path.to_owned(), options.to_owned())
    };
    words.iter().map(split).collect()
}

pub(super) fn mounts(words: &[String]) -> Result<Vec<Mount>, String> {
    words.iter().map(|word| mount(word)).collect()
}

/// Comma-separated `key=value`; the kind is `volume` unless it says otherwise.
fn mount(text: &str) -> Result<Mount, String> {
    let mut mount = Mount { kind: "volume".to_owned(), ..Mount::default() };
    let mut bind = BindOptions::default();
    let mut volume: Option<VolumeOptions> = None;
    let mut image: Option<ImageOptions> = None;
    let mut tmpfs = TmpfsOptions::default();
    for field in fields(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), value),
            None => (field.to_lowercase(), "true"),
        };
        if !field.contains('=') && !FLAGS.contains(&key.as_str()) {
            return Err(format!("invalid field '{field}' must be a key=value pair"));
        }
        let flag = || boolean(&key, value);
        match key.as_str() {
            "type" => mount.kind = value.to_lowercase(),
            "source" | "src"
                if value.starts_with("./") || value.starts_with("../") || value == "." =>
            {
                mount.source = absolute(value)?;
            }
            "source" | "src" => value.clone_into(&mut mount.source),
            "target" | "dst" | "destination" => value.clone_into(&mut mount.target),
            "readonly" | "ro" => mount.read_only = flag()?,
            "consistency" => mount.consistency = value.to_lowercase(),
            "bind-propagation" => bind.propagation = value.to_lowercase(),
            "bind-nonrecursive" => bind.non_recursive = flag()?,
            "bind-recursive" => recursive(&mut bind, value)?,
            "bind-create-mountpoint" | "bind-create-src" => bind.create_mountpoint = flag()?,
            "tmpfs-size" => {
                tmpfs.size_bytes =
                    flags::bytes(value).map_err(|_| format!("invalid value for {key}: {value}"))?;
            }
            "tmpfs-mode" => {
                tmpfs.mode = u32::from_str_radix(value, 8)
                    .map_err(|_| format!("invalid value for {key}: {value}"))?;
            }
            "image-subpath" => value.clone_into(&mut image.get_or_insert_default().subpath),
            "volume-nocopy" => options(&mut volume).no_copy = flag()?,
            "volume-subpath" => value.clone_into(&mut options(&mut volume).subpath),
            "volume-driver" => value.clone_into(&mut driver(&mut volume).name),
            "volume-label" => add(&mut options(&mut volume).labels, value),
            "volume-opt" => add(&mut driver(&mut volume).options, value),
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    mount.volume_options = volume;
    mount.image_options = image;
    finish(mount, bind, tmpfs)
}

/// Keys that need no value.
const FLAGS: [&str; 6] = [
    "readonly",
    "ro",
    "volume-nocopy",
    "bind-nonrecursive",
    "bind-create-mountpoint",
    "bind-create-src",
];

/// Docker's client sends the driver's part with the first of a volume's options.
fn options(volume: &mut Option<VolumeOptions>) -> &mut VolumeOptions {
    volume.get_or_insert_with(|| VolumeOptions {
        driver_config: Some(VolumeDriver::default()),
        ..VolumeOptions::default()
    })
}

fn driver(volume: &mut Option<VolumeOptions>) -> &mut VolumeDriver {
    options(volume).driver_config.get_or_insert_default()
}

/// `key=value`, or a key alone.
fn add(map: &mut Option<BTreeMap<String, String>>, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    map.get_or_insert_default().insert(key.to_owned(), value.to_owned());
}

fn recursive(bind: &mut BindOptions, value: &str) -> Result<(), String> {
    match value {
        "enabled" => {}
        "disabled" => bind.non_recursive = true,
        "writable" => bind.read_only_non_recursive = true,
        "readonly" => bind.read_only_force_recursive = true,
        _ => {
            return Err(format!(
                "invalid value for bind-recursive: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
            ));
        }
    }
    Ok(())
}

fn finish(mut mount: Mount, bind: BindOptions, tmpfs: TmpfsOptions) -> Result<Mount, String> {
    if mount.kind.is_empty() {
        return Err("type is required".to_owned());
    }
    if mount.target.is_empty() {
        return Err("target is required".to_owned());
    }
    let has_bind = bind != BindOptions::default();
    let has_tmpfs = tmpfs != TmpfsOptions::default();
    if mount.volume_options.is_some() && mount.kind != "volume" {
        return Err(format!("cannot mix 'volume-*' options with mount type '{}'", mount.kind));
    }
    if mount.image_options.is_some() && mount.kind != "image" {
        return Err(format!("cannot mix 'image-*' options with mount type '{}'", mount.kind));
    }
    if has_bind && mount.kind != "bind" {
        return Err(format!("cannot mix 'bind-*' options with mount type '{}'", mount.kind));
    }
    if has_tmpfs && mount.kind != "tmpfs" {
        return Err(format!("cannot mix 'tmpfs-*' options with mount type '{}'", mount.kind));
    }
    if bind.read_only_non_recursive && !mount.read_only {
        return Err(
            "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"
                .to_owned(),
        );
    }
    if bind.read_only_force_recursive && !mount.read_only {
        return Err(
            "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction"
                .to_owned(),
        );
    }
    if bind.read_only_force_recursive && bind.propagation != "rprivate" {
        return Err(
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
                .to_owned(),
        );
    }
    mount.bind_options = has_bind.then_some(bind);
    mount.tmpfs_options = has_tmpfs.then_some(tmpfs);
    Ok(mount)
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("invalid value for {key}: {value}")),
    }
}

/// Fields of a line of CSV, where a quoted one may hold commas; in the words of Go's reader where it is none.
pub(in crate::commands) fn fields(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Err("EOF".to_owned());
    }
    let wrong =
        |at: usize, what: &str| Err(format!("parse error on line 1, column {}: {what}", at + 1));
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let (field, end) = match rest.strip_prefix('"') {
            Some(quoted) => match unquoted(quoted) {
                Some((field, length)) => (field, at + 1 + length),
                None => return wrong(text.len(), "extraneous or missing \" in quoted-field"),
            },
            None => {
                let length = rest.find(',').unwrap_or(rest.len());
                if let Some(quote) = rest[..length].find('"') {
                    return wrong(at + quote, "bare \" in non-quoted-field");
                }
                (rest[..length].to_owned(), at + length)
            }
        };
        fields.push(field);
        match text[end..].chars().next() {
            None => return Ok(fields),
            Some(',') => at = end + 1,
            Some(_) => return wrong(end - 1, "extraneous or missing \" in quoted-field"),
        }
    }
}

/// What stands before the closing quote, two quotes being one, and how long it is with that.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut field = String::new();
    let mut at = 0;
    loop {
        let quote = at + text[at..].find('"')?;
        field.push_str(&text[at..quote]);
        if !text[quote + 1..].starts_with('"') {
            return Some((field, quote + 1));
        }
        field.push('"');
        at = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Volumes, String> {
        volumes(&[text.to_owned()])
    }

    #[test]
    fn binds_and_named_volumes_are_told_from_anonymous_ones() {
        let binds = |text: &str| parsed(text).unwrap().binds;
        assert_eq!(binds("/a:/b:ro"), ["/a:/b:ro"]);
        assert_eq!(binds("name:/b"), ["name:/b"]);
        assert!(binds("./x:/b")[0].starts_with('/') && binds("./x:/b")[0].ends_with("/x:/b"));
        assert_eq!(parsed("/b").unwrap().anonymous, ["/b"]);
    }

    #[test]
    fn malformed_volumes_are_refused_in_dockers_words() {
        for (text, message) in [
            ("", "invalid empty volume spec"),
            ("a:b:c:d", "invalid spec: a:b:c:d: too many colons"),
            (":/x", "invalid spec: :/x: empty section between colons"),
            ("data:", "invalid spec: data:: empty section between colons"),
            ("a::ro", "invalid spec: a::ro: empty section between colons"),
        ] {
            assert_eq!(parsed(text), Err(message.to_owned()));
        }
    }

    #[test]
    fn what_is_no_csv_is_refused_in_gos_words() {
        assert_eq!(mount("").unwrap_err(), "EOF");
        assert_eq!(
            mount("type=bind,\"src=/tmp").unwrap_err(),
            "parse error on line 1, column 20: extraneous or missing \" in quoted-field"
        );
        assert_eq!(
            mount("type=b\"ind").unwrap_err(),
            "parse error on line 1, column 7: bare \" in non-quoted-field"
        );
        assert_eq!(fields("a,\"b,\"\"c\"\"\",d").unwrap(), ["a", "b,\"c\"", "d"]);
    }

    #[test]
    fn a_volumes_options_are_sent_as_dockers_client_sends_them() {
        let text =
            "src=data,dst=/x,volume-nocopy,volume-label=a=b,volume-opt=type=tmpfs,volume-subpath=s";
        let mount = mount(text).unwrap();
        assert_eq!((mount.kind.as_str(), mount.source.as_str()), ("volume", "data"));
        assert_eq!(
            serde_json::to_string(&mount.volume_options).unwrap(),
            r#"{"NoCopy":true,"Labels":{"a":"b"},"Subpath":"s","DriverConfig":{"Options":{"type":"tmpfs"}}}"#
        );
    }

    #[test]
    fn mounts_are_lists_of_fields() {
        let bind = mount("type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave").unwrap();
        assert!(bind.read_only);
        assert_eq!(bind.bind_options.unwrap().propagation, "rslave");
        let tmpfs = mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770").unwrap();
        let options = tmpfs.tmpfs_options.unwrap();
        assert_eq!((options.size_bytes, options.mode), (1 << 20, 0o1770));
        assert_eq!(mount("type=bind,\"src=/a,b\",dst=/c").unwrap().source, "/a,b");
    }

    #[test]
    fn mounts_that_make_no_sense_are_refused() {
        for (text, message) in [
            ("type=bind,src=/a", "target is required"),
            ("type=bind,what", "invalid field 'what' must be a key=value pair"),
            ("type=bind,what=1,dst=/a", "unexpected key 'what' in 'what=1'"),
            (
                "type=tmpfs,dst=/a,bind-propagation=x",
                "cannot mix 'bind-*' options with mount type 'tmpfs'",
            ),
            (
                "type=bind,dst=/a,bind-recursive=readonly,readonly",
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
            ),
            ("type=bind,dst=/a,readonly=maybe", "invalid value for readonly: maybe"),
        ] {
            assert_eq!(mount(text).err().as_deref(), Some(message), "{text}");
        }
    }
}
