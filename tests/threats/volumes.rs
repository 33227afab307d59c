//! Volumes: what they hold belongs to containers and images.

use std::fs;
use std::os::unix::fs::symlink;

use testkit::engine::Engine;

#[test]
fn links_of_an_image_lead_no_volume_to_the_host() {
    let engine = Engine::with_busybox();
    let script = "mkdir /links; ln -s /proc/1/root/etc /links/absolute; ln -s ../../../../../../etc /links/climbing; ln -s /proc/self/root /links/magic";
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", script]).ok();
    engine.gantry(&["commit", "box", "links"]).ok();
    fs::write(engine.scratch().join("secret"), "").unwrap();
    for (n, link) in ["absolute", "climbing", "magic"].into_iter().enumerate() {
        let mount = format!("v{n}:/links/{link}");
        // The image's own /etc, or nothing: never the host's.
        engine.gantry(&["create", "-v", &mount, "links"]).ok();
        let data = engine.data_root().join(format!("volumes/v{n}/_data"));
        assert!(!data.join("machine-id").exists() && !data.join("proc").exists(), "{link}");
    }
}

#[test]
fn a_subpath_swapped_for_a_link_leads_nowhere() {
    let engine = Engine::with_busybox();
    let outside = engine.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let swap = format!(
        "mkdir /v/sub /v/real; touch /v/real/harmless; ln -s {} /v/link; while :; do mv -T /v/sub /v/was; mv -T /v/link /v/sub; mv -T /v/sub /v/link; mv -T /v/was /v/sub; done",
        outside.display()
    );
    engine
        .gantry(&["run", "-d", "--name", "swapper", "-v", "data:/v", "busybox", "sh", "-c", &swap])
        .ok();
    for _ in 0..15 {
        let mount = "type=volume,src=data,dst=/x,volume-subpath=sub";
        let words = ["run", "--rm", "--network", "none", "--mount", mount, "busybox", "ls", "/x"];
        let seen = engine.gantry(&words);
        assert!(!seen.stdout.contains("secret"), "{}", seen.stdout);
    }
}

#[test]
fn volumes_named_like_paths_are_refused() {
    let engine = Engine::with_busybox();
    fs::create_dir(engine.scratch().join("target")).unwrap();
    symlink("/etc", engine.data_root().join("volumes/.link")).unwrap();
    for name in ["../../target", "..", ".link", "a/b", "-x", "%2e%2e", "a\u{0}b"] {
        let body = format!(r#"{{"Name":{}}}"#, serde_json::to_string(name).unwrap());
        let sent = request(&engine, "POST", "/volumes/create", &body);
        assert!(sent.starts_with("HTTP/1.1 400"), "{name}: {sent}");
        if !name.contains('\u{0}') {
            engine
                .gantry(&["create", "--mount", &format!("src={name},dst=/x"), "busybox"])
                .fails(1);
            engine.gantry(&["volume", "rm", "--", name]).fails(1);
            engine.gantry(&["volume", "inspect", "--", name]).fails(1);
        }
    }
    assert!(engine.scratch().join("target").exists());
    assert_eq!(engine.gantry(&["volume", "ls", "-q"]).ok(), "");
}

/// One bare request; the answer as it came.
fn request(engine: &Engine, method: &str, path: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let mut socket = std::os::unix::net::UnixStream::connect(engine.socket()).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_hostile_tar_makes_no_volume_and_nothing_outside_of_it() {
    let engine = Engine::start();
    for (path, link) in [("../../../escape", None), ("link/escape", Some("/tmp")), ("x", Some("y"))]
    {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        if let Some(link) = link {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, "link", link).unwrap();
        }
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(4);
        let name = header.as_gnu_mut().unwrap();
        name.name[..path.len()].copy_from_slice(path.as_bytes());
        name.name[path.len()..].fill(0);
        header.set_cksum();
        tar.append(&header, &b"evil"[..]).unwrap();
        let bytes = tar.into_inner().unwrap();
        let imported = engine.gantry_with_input(&["volume", "import", "-", "data"], &bytes);
        assert!(imported.code == 1 || link.is_some(), "{path}: {}", imported.stderr);
        assert!(!std::path::Path::new("/tmp/escape").exists());
        assert!(!engine.scratch().join("escape").exists());
        engine.gantry(&["volume", "rm", "-f", "data"]).ok();
    }
    assert_eq!(engine.gantry(&["volume", "ls", "-q"]).ok(), "");
}
