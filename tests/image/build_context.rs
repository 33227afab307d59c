//! Where a build's files come from, and what comes back.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use testkit::engine::{Engine, Output, finish};

use super::site::Site;

fn site(dockerfile: &str) -> Site {
    let site = Site::new();
    site.write("Dockerfile", dockerfile);
    site
}

fn build_with_input(site: &Site, words: &[&str], input: &[u8]) -> Output {
    let file = site.path().join("input");
    fs::write(&file, input).unwrap();
    finish(site.command(words).stdin(fs::File::open(&file).unwrap()))
}

/// The files of a result, unpacked here.
fn files(site: &Site, words: &[&str]) -> std::path::PathBuf {
    site.build(&[&["-o", "out"], words].concat()).ok();
    site.path().join("out")
}

fn staged(site: &Site) -> usize {
    fs::read_dir(site.engine.data_root().join("staging")).unwrap().count()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_thousand_sources_with_long_names_are_copied() {
    let names: Vec<String> = (0..1000).map(|at| format!("{}{at}", "n".repeat(100))).collect();
    let site = site(&format!("FROM busybox\nCOPY {} /all/\n", names.join(" ")));
    for name in &names {
        site.write(name, "");
    }
    site.build(&["-t", "many", "context"]).ok();
    let line = ["run", "--rm", "--network", "none", "many", "sh", "-c", "ls /all | wc -l"];
    assert_eq!(site.engine.gantry(&line).ok(), "1000");
}

#[test]
fn what_sources_lead_to_comes_along() {
    let site = Site::new();
    for path in ["real/f", "far/g", "unused/h"] {
        site.write(path, path);
    }
    symlink("real", site.context().join("link")).unwrap();
    symlink("../far/g", site.context().join("real/out")).unwrap();
    let file = "FROM busybox\nCOPY link/f /a\nCOPY real/o* /b/\nRUN --mount=source=link,target=/m cat /m/f > /c\n";
    site.build_of(file, &["-t", "led"]).ok();
    let line = ["run", "--rm", "--network", "none", "led", "cat", "/a", "/b/out", "/c"];
    assert_eq!(site.engine.gantry(&line).ok(), "real/ffar/greal/f");
}

#[test]
fn files_come_as_they_are_and_belong_to_root() {
    let site = site("FROM scratch\nCOPY . /\n");
    site.write("sub/file", "text");
    let file = site.context().join("sub/file");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o6751)).unwrap();
    std::os::unix::fs::chown(&file, Some(1234), Some(1234)).unwrap();
    symlink("/etc/passwd", site.context().join("link")).unwrap();
    symlink("endless", site.context().join("endless")).unwrap();
    let socket = UnixListener::bind(site.context().join("socket")).unwrap();
    let out = files(&site, &["context"]);
    assert_eq!(names(&out), ["Dockerfile", "endless", "link", "sub"]);
    assert_eq!(fs::read_to_string(out.join("sub/file")).unwrap(), "text");
    assert_eq!(fs::read_link(out.join("link")).unwrap(), Path::new("/etc/passwd"));
    let metadata = fs::metadata(out.join("sub/file")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (0, 0, 0o751));
    drop(socket);
}

#[test]
fn what_is_ignored_is_not_there_and_is_said_to_be_ignored() {
    let site = site("FROM scratch\nCOPY . /\n");
    site.write(".dockerignore", "*\n!kept\nkept/not\n");
    for path in ["kept/file", "kept/not", "other/file", "large"] {
        site.write(path, path);
    }
    let out = files(&site, &["context"]);
    assert_eq!(
        (names(&out), names(&out.join("kept"))),
        (vec!["kept".to_owned()], vec!["file".to_owned()])
    );
    // That of the very Dockerfile goes before that of the context.
    site.write("Other", "FROM scratch\nCOPY . /\n");
    site.write("Other.dockerignore", "*\n!large\n");
    fs::remove_dir_all(&out).unwrap();
    assert_eq!(names(&files(&site, &["-f", "context/Other", "context"])), ["large"]);
    site.write("Dockerfile", "FROM scratch\nCOPY large /\n");
    let said = site.build(&["context"]).fails(1);
    assert!(said.contains("\"/large\": not found"), "{said}");
    assert!(said.contains("   2 | >>> COPY large /\n"), "{said}");
}

#[test]
fn a_changed_file_is_seen_and_an_unchanged_one_is_not_sent() {
    let site = site("FROM scratch\nCOPY a /a\nCOPY b /b\n");
    site.write("a", "one");
    site.write("b", "one");
    site.build(&["context"]).ok();
    let again = site.build(&["context"]).stderr;
    assert_eq!(again.matches("CACHED").count(), 2, "{again}");
    // As long as before, in the same second.
    site.write("b", "two");
    let changed = site.build(&["context"]).stderr;
    assert_eq!(changed.matches("CACHED").count(), 1, "{changed}");
    assert_eq!(fs::read_to_string(files(&site, &["context"]).join("b")).unwrap(), "two");
}

#[test]
fn a_dockerfile_or_an_archive_may_come_by_stdin() {
    let site = site("FROM scratch\nCOPY file /\n");
    site.write("file", "text");
    let alone = build_with_input(&site, &["-o", "alone", "-"], b"FROM busybox\nENV a=b\n");
    alone.ok();
    assert!(site.path().join("alone/bin/busybox").exists());
    let with_context = b"FROM scratch\nCOPY file /other\n".to_vec();
    build_with_input(&site, &["-o", "with", "-f", "-", "context"], &with_context).ok();
    assert_eq!(names(&site.path().join("with")), ["other"]);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", site.context()).unwrap();
    let tar = tar.into_inner().unwrap();
    build_with_input(&site, &["-o", "plain", "-"], &tar).ok();
    let compressed = gzip(&tar);
    build_with_input(&site, &["-o", "zipped", "-"], &compressed).ok();
    for out in ["plain", "zipped"] {
        assert_eq!(fs::read_to_string(site.path().join(out).join("file")).unwrap(), "text");
    }
    let cut = compressed[..compressed.len() / 2].to_vec();
    let said = build_with_input(&site, &["-"], &cut).fails(1);
    assert!(said.contains("unable to prepare context"), "{said}");
}

/// Stored, not compressed: a gzip stream like any other to who reads it.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing =
        std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output.stdout
}

#[test]
fn named_contexts_are_folders_of_this_side() {
    let site = site("FROM scratch\nCOPY --from=more file /\n");
    let more = site.path().join("more");
    fs::create_dir(&more).unwrap();
    fs::write(more.join("file"), "more").unwrap();
    fs::write(more.join("ignored"), "x").unwrap();
    fs::write(more.join(".dockerignore"), "ignored\n").unwrap();
    let out = files(&site, &["--build-context", "more=more", "context"]);
    assert_eq!(fs::read_to_string(out.join("file")).unwrap(), "more");
    site.write("Dockerfile", "FROM scratch\nCOPY --from=more ignored /\n");
    site.build(&["--build-context", "more=more", "context"]).fails(1);
    let said = site.build(&["--build-context", "more=nowhere", "context"]).fails(1);
    assert!(said.contains("nowhere: no such folder"), "{said}");
}

#[test]
fn results_are_written_where_they_are_wanted() {
    let site = site("FROM scratch\nCOPY Dockerfile /\n");
    let id = site
        .build(&["-q", "-t", "x:1", "--iidfile", "id", "--metadata-file", "meta", "context"])
        .ok();
    let read = |path: &str| fs::read_to_string(site.path().join(path)).unwrap();
    assert_eq!(read("id"), id);
    assert!(id.starts_with("sha256:"));
    assert!(read("meta").contains(&id), "{}", read("meta"));
    assert_eq!(site.engine.gantry(&["images", "-q", "--no-trunc", "x:1"]).ok(), id);
    site.build(&["-o", "type=tar,dest=files.tar", "context"]).ok();
    let mut tar = tar::Archive::new(fs::File::open(site.path().join("files.tar")).unwrap());
    let paths: Vec<_> =
        tar.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
    assert_eq!(paths, [Path::new("Dockerfile")]);
    site.build(&["-o", "type=oci,dest=image.tar", "context"]).ok();
    let loaded =
        site.engine.gantry(&["load", "-i", site.path().join("image.tar").to_str().unwrap()]);
    assert!(loaded.ok().contains("sha256:"), "no image in the archive");
    // What failed before leaves nothing that looks like a result.
    site.write("Dockerfile", "FROM nowhere-at-all.invalid/x\n");
    site.build(&["--iidfile", "id", "context"]).fails(1);
    assert!(!site.path().join("id").exists());
}

#[test]
fn a_tar_that_is_posted_builds_and_tells_it_as_the_classic_builder() {
    let site = site("FROM busybox\nENV a=b\nCOPY file /\n");
    site.write("file", "text");
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", site.context()).unwrap();
    let tar = tar.into_inner().unwrap();
    let (status, told) = post(&site.engine, "/build?t=classic", &tar);
    assert_eq!(status, 200, "{told}");
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text: String = lines.iter().filter_map(|line| line["stream"].as_str()).collect();
    for expected in [
        "Step 1/3 : FROM busybox\n",
        "Step 3/3 : COPY file /\n",
        "Successfully built ",
        "Successfully tagged classic:latest\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let id = lines.iter().find_map(|line| line["aux"]["ID"].as_str()).unwrap();
    assert_eq!(site.engine.gantry(&["images", "-q", "--no-trunc", "classic"]).ok(), id);
    let (_, quiet) = post(&site.engine, "/build?q=1", &tar);
    assert_eq!(quiet.trim(), format!(r#"{{"stream":"{id}\n"}}"#));
    for (query, status, said) in [
        ("dockerfile=none", 400, "Cannot locate specified Dockerfile: none"),
        ("t=A:b:c", 400, "invalid reference format"),
        ("buildargs=zz", 400, "error reading build args"),
        ("squash=1", 400, "squash is only supported with experimental mode"),
        ("version=2", 501, "BuildKit's protocol is not spoken here"),
        ("version=3", 400, "invalid version \"3\""),
        ("remote=https://127.0.0.1:1/x.tar", 501, "is not fetched by this engine"),
    ] {
        let (answered, told) = post(&site.engine, &format!("/build?{query}"), &tar);
        assert!(
            answered == status && told.contains(&said.replace('"', "\\\"")),
            "{query}: {answered} {told}"
        );
    }
    let (status, _) = post(&site.engine, "/build", &tar[..tar.len() / 2 - 100]);
    assert_eq!(status, 400);
    assert_eq!(staged(&site), 0);
}

/// Status and body of an answer.
fn post(engine: &Engine, path: &str, body: &[u8]) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(engine.socket()).unwrap();
    let head = format!(
        "POST /v1.45{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It may answer before it has read all.
    let _ = stream.write_all(body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        body.to_owned()
    };
    (status, body)
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole += &rest[..size];
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

#[test]
fn the_cache_is_listed_and_pruned() {
    let site = site("FROM busybox\nCOPY file /\n");
    site.write("file", "x".repeat(100_000));
    site.build(&["context"]).ok();
    let du = site.engine.gantry(&["builder", "du"]).ok();
    assert!(du.starts_with("ID\t\t\t\t\t\tRECLAIMABLE\tSIZE\t\tLAST ACCESSED\n"), "{du}");
    assert!(du.contains("Total:"), "{du}");
    let verbose =
        site.engine.gantry(&["buildx", "du", "--verbose", "--filter", "type=regular"]).ok();
    assert!(verbose.contains("COPY file /"), "{verbose}");
    let df = site.engine.gantry(&["system", "df", "-v"]).ok();
    assert!(df.contains("regular"), "{df}");
    let pruned = site.engine.gantry(&["builder", "prune", "-af"]).ok();
    assert!(pruned.starts_with("Deleted build cache objects:\n"), "{pruned}");
    let left = site.engine.gantry(&["builder", "du"]).ok();
    assert!(left.contains("Total:\t\t0B"), "{left}");
    let again = site.engine.gantry(&["builder", "prune", "-f"]).ok();
    assert_eq!(again, "Total reclaimed space: 0B");
    let said = site.engine.gantry(&["builder", "prune", "-f", "--filter", "bad=x"]).fails(1);
    assert!(said.contains("failed to prune build cache: invalid filter 'bad'"), "{said}");
}
