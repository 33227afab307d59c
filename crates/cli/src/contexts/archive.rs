//! Contexts in tar archives, as Docker writes them. What comes in is somebody else's: bounded, and of no other names.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use tar::{Builder, EntryType, Header};

use super::{LARGEST, Meta, Store, Tls};
use crate::error::{Failure, Result};

/// More entries than any context has.
const MOST_ENTRIES: usize = 100;

/// `meta.json`, and under `tls/` the files of each endpoint. Readable by nobody but whoever gets it.
pub(crate) fn export(store: &Store, name: &str, to: impl Write) -> Result<()> {
    let meta = store.load(name)?;
    let mut archive = Builder::new(to);
    let text = serde_json::to_vec(&meta).expect("what came from JSON becomes JSON");
    append(&mut archive, "meta.json", EntryType::Regular, 0o644, &text)?;
    append(&mut archive, "tls", EntryType::Directory, 0o700, &[])?;
    for (endpoint, files) in store.tls(name)? {
        append(&mut archive, &format!("tls/{endpoint}"), EntryType::Directory, 0o700, &[])?;
        for (file, content) in files {
            append(
                &mut archive,
                &format!("tls/{endpoint}/{file}"),
                EntryType::Regular,
                0o600,
                &content,
            )?;
        }
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

fn append(
    archive: &mut Builder<impl Write>,
    path: &str,
    kind: EntryType,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    Ok(archive.append_data(&mut header, path, content)?)
}

/// The context in an archive, under the name it is to have.
pub(crate) fn import(store: &Store, name: &str, from: impl Read) -> Result<()> {
    let (meta, tls) = unpack(from)?;
    let meta = meta.ok_or_else(|| Failure::new("invalid context: no metadata found"))?;
    store.save(&Meta { name: name.to_owned(), ..meta })?;
    store.save_tls(name, &tls)
}

fn unpack(from: impl Read) -> Result<(Option<Meta>, Tls)> {
    let mut archive = tar::Archive::new(from.take(2 * LARGEST));
    let (mut meta, mut tls, mut left) = (None, Tls::new(), LARGEST);
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry.map_err(|_| Failure::new("unexpected EOF"))?;
        if count == MOST_ENTRIES {
            return Err(Failure::new("invalid context: too many files"));
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(Failure::new(format!("{path}: unexpected context file")));
        }
        let mut content = Vec::new();
        let size = entry.by_ref().take(left + 1).read_to_end(&mut content)? as u64;
        left =
            left.checked_sub(size).ok_or_else(|| Failure::new("read exceeds the defined limit"))?;
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["meta.json"] => {
                let parsed = serde_json::from_slice(&content);
                meta = Some(
                    parsed.map_err(|error| Failure::new(format!("invalid context: {error}")))?,
                );
            }
            ["tls", endpoint, file] if is_plain(endpoint) && is_plain(file) => {
                let files: &mut BTreeMap<_, _> = tls.entry((*endpoint).to_owned()).or_default();
                files.insert((*file).to_owned(), content);
            }
            _ => return Err(Failure::new(format!("{path}: unexpected context file"))),
        }
    }
    Ok((meta, tls))
}

/// One part of a path that leads nowhere else.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_ustar();
            // As it is, also where no honest archive has such a name.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o600);
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append(&header, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn what_was_exported_can_be_imported() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of(folder.path());
        let mut meta = Meta { name: "one".to_owned(), ..Meta::default() };
        meta.set_description("first");
        store.save(&meta).unwrap();
        let files = BTreeMap::from([("ca.pem".to_owned(), b"x".to_vec())]);
        let tls = Tls::from([("docker".to_owned(), files)]);
        store.save_tls("one", &tls).unwrap();
        let mut exported = Vec::new();
        export(&store, "one", &mut exported).unwrap();
        import(&store, "two", &exported[..]).unwrap();
        assert_eq!(store.load("two").unwrap().description(), "first");
        assert_eq!(store.tls("two").unwrap(), tls);
    }

    #[test]
    fn a_hostile_archive_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of(folder.path());
        let meta = ("meta.json", EntryType::Regular, &b"{}"[..]);
        let large = vec![0; LARGEST as usize];
        let hostile: &[&[(&str, EntryType, &[u8])]] = &[
            &[meta, ("../escaped", EntryType::Regular, b"x")],
            &[meta, ("/escaped", EntryType::Regular, b"x")],
            &[meta, ("tls/../../escaped", EntryType::Regular, b"x")],
            &[meta, ("tls/docker/../../../escaped", EntryType::Regular, b"x")],
            &[meta, ("tls/../ca.pem", EntryType::Regular, b"x")],
            &[meta, ("tls/docker/.hidden", EntryType::Regular, b"x")],
            &[meta, ("tls/docker/ca.pem", EntryType::Symlink, b"")],
            &[meta, ("other", EntryType::Regular, b"x")],
            &[meta, ("tls/docker/ca.pem", EntryType::Regular, &large)],
            &[("meta.json", EntryType::Regular, b"[")],
            &[],
            &[meta; 200],
        ];
        for entries in hostile {
            assert!(
                import(&store, "two", &archive(entries)[..]).is_err(),
                "{:.200?}",
                entries.last()
            );
        }
        assert!(import(&store, "two", &b"no archive at all"[..]).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
