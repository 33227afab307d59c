use std::path::{Path, PathBuf};

use super::*;

fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
    let path = PathBuf::from(path);
    Entry { path, kind, mode, uid: 0, gid: 0, modified: 5, xattrs: Vec::new() }
}

/// `d/` is a folder, `l>t` a link, all else a file whose content is its path.
fn tree(paths: &[&str]) -> Listing {
    let make = |path: &&str| match path.split_once('>') {
        Some((link, target)) => entry(link, Kind::Symlink { target: target.into() }, 0o777),
        None => match path.strip_suffix('/') {
            Some(folder) => entry(folder, Kind::Directory, 0o700),
            None => {
                let digest = Some(Digest::from_sha256(Sha256::digest(path.as_bytes()).into()));
                entry(path, Kind::File { size: 1, digest }, 0o640)
            }
        },
    };
    let mut entries: Vec<_> = paths.iter().map(make).collect();
    entries.sort_by(|a, b| crate::context::order(&a.path, &b.path));
    Listing { entries, ignored: false }
}

fn context() -> Listing {
    tree(&[
        "a.txt",
        "b.txt",
        "d/",
        "d/f",
        "d/l>f",
        "d/s/",
        "d/s/g.o",
        "out>/../../d/f",
        "loop>loop",
        "dl>d",
    ])
}

fn selected(pattern: &str) -> Vec<(String, Vec<String>)> {
    let found = select(&context(), pattern, &Ignore::default()).unwrap();
    let one = |found: &Found| {
        let entries = found.entries.iter().map(|entry| entry.path.display().to_string());
        (found.path.display().to_string(), entries.collect())
    };
    found.iter().map(one).collect()
}

fn paths(pattern: &str) -> Vec<String> {
    selected(pattern).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn sources_are_followed_and_stay_in_the_tree() {
    assert_eq!(paths("a.txt"), ["a.txt"]);
    assert_eq!(paths("/d/../a.txt"), ["a.txt"]);
    assert_eq!(paths("../../a.txt"), ["a.txt"]);
    assert_eq!(paths("out"), ["d/f"], "a link that leads above the root ends at it");
    assert_eq!(paths("dl/l"), ["d/f"]);
    assert_eq!(selected("dl")[0].1, ["", "f", "l", "s", "s/g.o"], "below, links are links");
    assert_eq!(selected(".")[0].1.len(), 11);
    let missing = select(&context(), "d/nope", &Ignore::default()).unwrap_err();
    assert_eq!(missing.to_string(), "\"/d/nope\": not found");
    let endless = select(&context(), "loop", &Ignore::default()).unwrap_err();
    assert!(endless.to_string().contains("too many levels of symbolic links"));
}

#[test]
fn wildcards_match_name_by_name() {
    assert_eq!(paths("*.txt"), ["a.txt", "b.txt"]);
    assert_eq!(paths("[^a].txt"), ["b.txt"]);
    assert_eq!(paths("*/s/*.o"), ["d/s/g.o", "d/s/g.o"], "d and the link to it");
    assert_eq!(paths("d/?"), ["d/f", "d/f", "d/s"]);
    assert_eq!(paths("nothing*"), [""; 0]);
    assert_eq!(paths("d*/nope"), [""; 0]);
}

#[test]
fn what_is_excluded_is_not_taken() {
    let exclude = Ignore::parse("**/*.o\nl\n").unwrap();
    let found = select(&context(), "d", &exclude).unwrap();
    let entries: Vec<_> =
        found[0].entries.iter().map(|entry| entry.path.display().to_string()).collect();
    assert_eq!(entries, ["", "f", "s"]);
    assert!(select(&context(), "d/s/g.o", &exclude).unwrap().is_empty());
}

#[test]
fn digests_tell_contents_modes_and_names_apart_and_no_times() {
    let of =
        |listing: &Listing| digest(&select(listing, "d", &Ignore::default()).unwrap()).unwrap();
    let first = of(&context());
    let changed = |change: fn(&mut Entry)| {
        let mut listing = context();
        let at = listing.find(Path::new("d/f")).unwrap();
        change(&mut listing.entries[at]);
        of(&listing)
    };
    assert_eq!(changed(|entry| entry.modified = 9), first);
    assert_ne!(changed(|entry| entry.mode = 0o600), first);
    assert_ne!(changed(|entry| entry.uid = 1), first);
    assert_ne!(changed(|entry| entry.kind = Kind::Directory), first);
    assert_ne!(changed(|entry| entry.xattrs.push(("user.x".into(), vec![1]))), first);
    let mut listing = context();
    let at = listing.find(Path::new("d/f")).unwrap();
    listing.entries[at].kind = Kind::File { size: 1, digest: None };
    let found = select(&listing, "d", &Ignore::default()).unwrap();
    assert_eq!(digest(&found), Err("f was not hashed".into()));
}

fn laid_out(
    base: &Listing,
    pattern: &str,
    destination: &str,
    placing: Placing,
) -> io::Result<Vec<String>> {
    let mut layout = Layout::new(base, None, None, 9);
    for found in select(&context(), pattern, &Ignore::default())? {
        layout.put(0, &context(), &found, Path::new(destination), placing)?;
    }
    let line = |item: Item| {
        let content = item.content.map(|content| format!(" <{}", content.path.display()));
        format!(
            "{} {:o}{}",
            item.entry.path.display(),
            item.entry.mode,
            content.unwrap_or_default()
        )
    };
    Ok(layout.items().into_iter().map(line).collect())
}

#[test]
fn files_come_to_lie_where_docker_puts_them() {
    let base = tree(&["r/", "r/d/", "r/s>/r/d", "r/file", "tmp/"]);
    let plain = Placing::default();
    let into = Placing { into: true, ..plain };
    let put =
        |pattern, destination, placing| laid_out(&base, pattern, destination, placing).unwrap();
    assert_eq!(put("a.txt", "/new", plain), ["new 640 <a.txt"]);
    assert_eq!(put("a.txt", "/new", into), ["new 755", "new/a.txt 640 <a.txt"]);
    assert_eq!(put("a.txt", "/r/s", plain), ["r 700", "r/d 700", "r/d/a.txt 640 <a.txt"]);
    assert_eq!(put("a.txt", "/r/file", plain), ["r 700", "r/file 640 <a.txt"]);
    assert_eq!(put("out", "/x", into), ["x 755", "x/out 640 <d/f"]);
    assert_eq!(put("a.txt", "/x/y/z", plain), ["x 755", "x/y 755", "x/y/z 640 <a.txt"]);
    assert_eq!(
        put("d", "/n", plain),
        ["n 755", "n/f 640 <d/f", "n/l 777", "n/s 700", "n/s/g.o 640 <d/s/g.o"],
        "a folder gives its contents, and the new one is like any other new one"
    );
    assert_eq!(
        put("d/s", "/r", plain),
        ["r 700", "r/g.o 640 <d/s/g.o"],
        "the old one stays as it is"
    );
    let base_of_d = tree(&["n/", "n/s/"]);
    let over = laid_out(&base_of_d, "d", "/n", plain).unwrap();
    assert_eq!(over[0], "n 700", "where contents go stays as it is");
    assert!(over.contains(&"n/s 700".to_owned()), "what is copied upon gets the new attributes");
    assert_eq!(put("*.txt", "/", into), ["a.txt 640 <a.txt", "b.txt 640 <b.txt"]);
    let parents = Placing { into: true, parents: true };
    assert_eq!(
        put("d/s/g.o", "/n", parents),
        ["n 755", "n/d 700", "n/d/s 700", "n/d/s/g.o 640 <d/s/g.o"]
    );
    assert_eq!(put("d/./s/g.o", "/n", parents), ["n 755", "n/s 700", "n/s/g.o 640 <d/s/g.o"]);
}

#[test]
fn folders_and_files_do_not_replace_each_other() {
    let base = tree(&["g/", "g/s", "h/", "h/f/", "file"]);
    let wrong = |destination| {
        laid_out(&base, "d", destination, Placing::default()).unwrap_err().to_string()
    };
    assert_eq!(wrong("/g"), "cannot copy to non-directory: /g/s");
    assert_eq!(wrong("/h"), "cannot replace to directory /h/f with file");
    assert_eq!(wrong("/file"), "cannot copy to non-directory: /file");
    assert_eq!(wrong("/file/below"), "cannot copy to non-directory: /file");
}

#[test]
fn owners_and_modes_are_for_all_that_is_new() {
    let base = tree(&["r/"]);
    let mode = Some(Mode::parse("u=rwX,go=").unwrap());
    let mut layout = Layout::new(&base, Some((3, 4)), mode, 9);
    let found = select(&context(), "d", &Ignore::default()).unwrap();
    layout.put(0, &context(), &found[0], Path::new("/r/n"), Placing::default()).unwrap();
    let items = layout.items();
    let of = |path: &str| {
        let item = items.iter().find(|item| item.entry.path == Path::new(path)).unwrap();
        (item.entry.uid, item.entry.gid, item.entry.mode)
    };
    assert_eq!(of("r"), (0, 0, 0o700));
    assert_eq!(of("r/n"), (3, 4, 0o755));
    assert_eq!(of("r/n/f"), (3, 4, 0o600));
    assert_eq!(of("r/n/s"), (3, 4, 0o700));
    assert_eq!(of("r/n/l"), (3, 4, 0o777));
}

#[test]
fn modes_are_numbers_or_words() {
    let apply = |text: &str, mode, folder| Mode::parse(text).unwrap().apply(mode, folder);
    assert_eq!(apply("755", 0o600, false), 0o755);
    assert_eq!(apply("u+x,g-w", 0o664, false), 0o744);
    assert_eq!(apply("a=rX", 0o600, false), 0o444);
    assert_eq!(apply("a=rX", 0o600, true), 0o555);
    assert_eq!(apply("+x", 0o644, false), 0o755);
    assert_eq!(apply("go=u", 0o700, false), 0o777);
    assert_eq!(apply("u+s,g+s,+t", 0o755, false), 0o7755);
    assert_eq!(apply("u=rw+x", 0o000, false), 0o700);
    for wrong in ["", "8", "77777", "u", "z+x", "u+q", "-1x"] {
        assert!(Mode::parse(wrong).is_err(), "{wrong}");
    }
}
