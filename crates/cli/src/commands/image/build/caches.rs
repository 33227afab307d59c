//! Caches in folders of this side: OCI's layout, read and written as the engine asks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use client::{Reader, Sender};
use sha2::{Digest, Sha256};

use super::options::{failure, fields};
use crate::error::Result;

const CHUNK: usize = 64 << 10;
const INDEX: &str = "index.json";
const MARKER: &str = "oci-layout";
const LAYOUT: &str = r#"{"imageLayoutVersion": "1.0.0"}"#;

pub(super) type Fields = BTreeMap<String, String>;

/// What `--cache-from` and `--cache-to` say, and the folders they name, by place. The folder's name stays here.
pub(super) fn parse(
    texts: &[String],
    name: &str,
) -> Result<(Vec<Fields>, BTreeMap<usize, PathBuf>)> {
    let (key, side) = match name {
        "cache-from" => ("src", "importer"),
        _ => ("dest", "exporter"),
    };
    let mut folders = BTreeMap::new();
    let mut all = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let mut cache = cache(text)?;
        if cache.get("type").is_some_and(|kind| kind == "local") {
            let missing = || failure(&format!("local cache {side} requires {key}"));
            let folder =
                cache.remove(key).filter(|folder| !folder.is_empty()).ok_or_else(missing)?;
            folders.insert(all.len(), folder.into());
        }
        all.push(cache);
    }
    Ok((all, folders))
}

fn cache(text: &str) -> Result<Fields> {
    if !text.contains('=') {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        return Ok(Fields::from([pair("type", "registry"), pair("ref", text)]));
    }
    let fields = fields(text)?;
    match fields.contains_key("type") {
        true => Ok(fields),
        false => Err(failure(&format!("type required form> {text:?}"))),
    }
}

/// 1 and what is there, or 0.
pub(super) fn read(folder: &Path, digest: Option<&str>, to: &Sender) -> io::Result<()> {
    let mut file = match File::open(folder.join(path(digest)?)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return to.send_blocking(&[0][..]);
        }
        file => file?,
    };
    to.send_blocking(&[1][..])?;
    loop {
        let mut chunk = vec![0; CHUNK];
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            count => {
                chunk.truncate(count);
                to.send_blocking(chunk)?;
            }
        }
    }
}

/// 1 where the blob is there; else 0, and what comes is stored, as a whole or not at all.
pub(super) fn write(
    folder: &Path,
    digest: Option<&str>,
    from: &mut Reader,
    to: &Sender,
) -> io::Result<()> {
    let path = folder.join(path(digest)?);
    if digest.is_some() && path.is_file() {
        return to.send_blocking(&[1][..]);
    }
    to.send_blocking(&[0][..])?;
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let marker = folder.join(MARKER);
    if !marker.exists() {
        fs::write(marker, LAYOUT)?;
    }
    let temporary = parent.join(format!(
        ".arriving-{}-{}",
        std::process::id(),
        digest.unwrap_or("index").replace(':', "-")
    ));
    let stored = store(&temporary, digest, from).and_then(|()| fs::rename(&temporary, &path));
    if stored.is_err() {
        // What is there of it is of no use.
        let _ = fs::remove_file(&temporary);
    }
    stored
}

fn store(temporary: &Path, digest: Option<&str>, from: &mut Reader) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk)? {
            0 => break,
            count => {
                hash.update(&chunk[..count]);
                file.write_all(&chunk[..count])?;
            }
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match digest {
        Some(digest) if digest.strip_prefix("sha256:") != Some(&found) => {
            Err(io::Error::other(format!("the engine sent something else than {digest}")))
        }
        _ => file.flush(),
    }
}

/// Of a blob, or of the list of manifests. What is no digest names nothing.
fn path(digest: Option<&str>) -> io::Result<String> {
    let Some(text) = digest else { return Ok(INDEX.to_owned()) };
    let is_hex = |hex: &&str| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hex = text.strip_prefix("sha256:").filter(is_hex);
    let hex = hex.ok_or_else(|| io::Error::other(format!("{text:?} is no digest")))?;
    Ok(format!("blobs/sha256/{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_have_their_short_forms_and_folders_stay_here() {
        let (short, none) = parse(&["user/app:cache".to_owned()], "cache-to").unwrap();
        let long = parse(&["type=registry,ref=user/app:cache".to_owned()], "cache-to").unwrap();
        assert_eq!((short, none), long);
        let texts = ["a".to_owned(), "type=local,src=/c,mounts=true".to_owned()];
        let (all, folders) = parse(&texts, "cache-from").unwrap();
        assert!(!all[1].contains_key("src") && all[1].contains_key("mounts"));
        assert_eq!(folders, BTreeMap::from([(1, PathBuf::from("/c"))]));
        let said = |text: &str, name: &str| parse(&[text.to_owned()], name).unwrap_err().message;
        assert_eq!(
            said("type=local,dest=x", "cache-from"),
            "ERROR: local cache importer requires src"
        );
        assert_eq!(
            said("type=local,dest=", "cache-to"),
            "ERROR: local cache exporter requires dest"
        );
        assert!(parse(&["ref=x".to_owned()], "cache-to").is_err());
    }

    #[test]
    fn what_is_no_digest_leads_nowhere() {
        assert_eq!(path(None).unwrap(), "index.json");
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(path(Some(&digest)).unwrap(), format!("blobs/sha256/{}", "a".repeat(64)));
        for wrong in ["", "../../etc/passwd", "sha256:../../x", "sha256:/etc/passwd"] {
            assert!(path(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
