//! `--volume`, `--mount` and `--tmpfs`.

use std::collections::BTreeMap;

use api::containers::{BindOptions, Mount, TmpfsOptions};

use crate::flags;

const VOLUMES: &str = "volumes come in a later version; give the path of a directory";

pub(super) fn check(text: &str) -> Result<(), String> {
    mount(text).map(drop)
}

/// `source:target[:mode]` with a path of the host as source.
pub(super) fn binds(words: &[String]) -> Result<Vec<String>, String> {
    words.iter().map(|word| bind(word)).collect()
}

fn bind(text: &str) -> Result<String, String> {
    let Some((source, rest)) = text.split_once(':') else {
        return Err(format!("--volume {text}: anonymous {VOLUMES}"));
    };
    if source.is_empty() || text.split(':').count() > 3 {
        return Err(format!("invalid volume specification: '{text}'"));
    }
    match source.chars().next() {
        Some('/') => Ok(text.to_owned()),
        Some('.') => Ok(format!("{}:{rest}", absolute(source)?)),
        _ => Err(format!("--volume {text}: named {VOLUMES}")),
    }
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
    let mut tmpfs = TmpfsOptions::default();
    for field in fields(text) {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), value),
            None => (field.to_lowercase(), "true"),
        };
        if !field.contains('=') && !matches!(key.as_str(), "readonly" | "ro" | "bind-nonrecursive")
        {
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
            volume if volume.starts_with("volume-") => {
                return Err(format!("{key}: named volumes come in a later version"));
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    finish(mount, bind, tmpfs)
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
    if mount.kind == "volume" {
        return Err("named volumes come in a later version; use type=bind or type=tmpfs".to_owned());
    }
    let has_bind = bind != BindOptions::default();
    let has_tmpfs = tmpfs != TmpfsOptions::default();
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
    mount.bind_options = has_bind.then_some(bind);
    mount.tmpfs_options = has_tmpfs.then_some(tmpfs);
    Ok(mount)
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("invalid value for {key}: {value}")),
    }
}

/// Fields of a line of CSV: a quoted one may hold commas.
pub(super) fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is always one").push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_need_a_path_of_the_host() {
        assert_eq!(bind("/a:/b:ro"), Ok("/a:/b:ro".to_owned()));
        assert!(bind("./x:/b").unwrap().starts_with('/'));
        assert!(bind("name:/b").unwrap_err().contains("named volumes"));
        assert!(bind("/b").unwrap_err().contains("anonymous volumes"));
        assert!(bind("a:b:c:d").is_err() && bind(":/x").is_err());
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
            ("type=bind,dst=/a,readonly=maybe", "invalid value for readonly: maybe"),
        ] {
            assert_eq!(mount(text).err().as_deref(), Some(message), "{text}");
        }
    }
}
