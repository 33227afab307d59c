//! `gantry cp` and the archive endpoints.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use testkit::engine::Engine;

/// A container that has not been started, and one that runs.
fn both(engine: &Engine, flags: &[&str]) -> [&'static str; 2] {
    let create = [&["create", "--name", "stopped"][..], flags, &["busybox"]].concat();
    engine.gantry(&create).ok();
    let run = [&["run", "-d", "--name", "running"][..], flags, &["busybox", "sleep", "300"]];
    engine.gantry(&run.concat()).ok();
    ["stopped", "running"]
}

#[test]
fn a_tree_goes_in_and_comes_out_as_it_was() {
    let engine = Engine::with_busybox();
    let tree = engine.scratch().join("tree");
    fs::create_dir_all(tree.join("sub/empty")).unwrap();
    fs::write(tree.join("sub/file"), vec![7; 3 << 20]).unwrap();
    fs::set_permissions(tree.join("sub/file"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(tree.join("sub/file"), tree.join("twin")).unwrap();
    symlink("../../elsewhere", tree.join("link")).unwrap();
    for container in both(&engine, &[]) {
        engine.gantry(&["cp", tree.to_str().unwrap(), &format!("{container}:/new")]).ok();
        let back = engine.scratch().join(format!("back-{container}"));
        engine.gantry(&["cp", &format!("{container}:/new"), back.to_str().unwrap()]).ok();
        let file = fs::metadata(back.join("sub/file")).unwrap();
        assert_eq!((file.len(), file.mode() & 0o7777), (3 << 20, 0o640), "{container}");
        assert_eq!(file.ino(), fs::metadata(back.join("twin")).unwrap().ino());
        assert!(back.join("sub/empty").is_dir());
        let link = fs::read_link(back.join("link")).unwrap();
        assert_eq!(link.to_str().unwrap(), "../../elsewhere");
        let original = fs::metadata(tree.join("sub/file")).unwrap();
        assert_eq!(file.mtime(), original.mtime());
    }
}

#[test]
fn what_was_copied_into_a_stopped_container_is_there_when_it_starts() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "busybox", "cat", "/etc/new"]).ok();
    let file = engine.scratch().join("new");
    fs::write(&file, "hello").unwrap();
    engine.gantry(&["cp", file.to_str().unwrap(), "box:/etc"]).ok();
    assert_eq!(engine.gantry(&["start", "-a", "box"]).ok(), "hello");
    assert!(engine.gantry(&["diff", "box"]).ok().contains("A /etc/new"));
}

#[test]
fn volumes_binds_and_read_only_mounts_are_as_the_container_has_them() {
    let engine = Engine::with_busybox();
    let [host, sealed] = ["host", "sealed"].map(|name| engine.scratch().join(name));
    fs::create_dir(&host).unwrap();
    fs::create_dir(&sealed).unwrap();
    fs::write(sealed.join("inside"), "kept").unwrap();
    let file = engine.scratch().join("file");
    fs::write(&file, "text").unwrap();
    let file = file.to_str().unwrap();
    let binds =
        [format!("{}:/host/deep", host.display()), format!("{}:/sealed:ro", sealed.display())];
    let flags = ["--read-only", "-v", &binds[0], "-v", &binds[1], "--tmpfs", "/memory"];
    for container in both(&engine, &flags) {
        let to = |path: &str| engine.gantry(&["cp", file, &format!("{container}:{path}")]);
        to("/host/deep").ok();
        assert_eq!(fs::read_to_string(host.join("file")).unwrap(), "text");
        fs::remove_file(host.join("file")).unwrap();
        let said = to("/sealed").fails(1);
        assert_eq!(said, "Error response from daemon: mounted volume is marked read-only");
        let said = to("/tmp").fails(1);
        assert_eq!(said, "Error response from daemon: container rootfs is marked read-only");
        assert_eq!(fs::read_dir(&sealed).unwrap().count(), 1);
    }
    // Its tmpfs is there as long as it runs.
    engine.gantry(&["cp", file, "running:/memory"]).ok();
    assert_eq!(engine.gantry(&["exec", "running", "cat", "/memory/file"]).ok(), "text");
}

#[test]
fn what_goes_into_an_anonymous_volume_is_there_for_the_container_and_goes_with_it() {
    let mut engine = Engine::with_busybox();
    let file = engine.scratch().join("file");
    fs::write(&file, "content").unwrap();
    let file = file.to_str().unwrap();
    let containers = both(&engine, &["-v", "/own"]);
    for container in containers {
        engine.gantry(&["cp", file, &format!("{container}:/own/in")]).ok();
    }
    engine.kill();
    engine.launch();
    let seen = |container: &str, path: &str| {
        let format = "{{range .Mounts}}{{.Source}}{{end}}";
        let source = engine.gantry(&["inspect", "-f", format, container]).ok();
        fs::read_to_string(format!("{source}/{path}")).unwrap_or_default()
    };
    for container in containers {
        assert_eq!(seen(container, "in"), "content", "it is the volume that has it");
        let back = engine.scratch().join(container);
        let from = format!("{container}:/own/in");
        engine.gantry(&["cp", &from, back.to_str().unwrap()]).ok();
        assert_eq!(fs::read_to_string(back).unwrap(), "content");
    }
    assert_eq!(engine.gantry(&["diff", "stopped"]).ok(), "", "and nothing of it the container");
    engine.gantry(&["rm", "-f", "-v", "stopped", "running"]).ok();
    assert_eq!(engine.gantry(&["volume", "ls", "-q"]).ok(), "");
}

#[test]
fn what_is_copied_belongs_to_the_containers_user_if_asked_for() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["run", "-d", "--name", "box", "-u", "1234:5678", "busybox", "sleep", "300"])
        .ok();
    let file = engine.scratch().join("file");
    fs::write(&file, "").unwrap();
    std::os::unix::fs::chown(&file, Some(42), Some(43)).unwrap();
    for (flags, owner) in [(&[][..], "42:43"), (&["-a"], "1234:5678")] {
        engine.gantry(&[&["cp"][..], flags, &[file.to_str().unwrap(), "box:/f"]].concat()).ok();
        assert_eq!(engine.gantry(&["exec", "box", "stat", "-c", "%u:%g", "/f"]).ok(), owner);
    }
}

#[test]
fn looking_into_a_stopped_container_changes_nothing_in_it() {
    let engine = Engine::with_busybox();
    let bind = format!("{}:/made/for/it", engine.scratch().display());
    engine.gantry(&["create", "--name", "box", "-v", &bind, "busybox"]).ok();
    engine.gantry(&["cp", "box:/etc", "/dev/null"]).fails(1);
    let out = engine.scratch().join("etc");
    engine.gantry(&["cp", "box:/etc", out.to_str().unwrap()]).ok();
    assert!(out.join("passwd").is_file());
    assert_eq!(engine.gantry(&["diff", "box"]).ok(), "");
}

#[test]
fn archives_stream_through_standard_input_and_output() {
    let engine = Engine::with_busybox();
    let [from, to] = both(&engine, &[]);
    let tar = engine.command(&["cp", &format!("{from}:/etc/."), "-"]).output().unwrap().stdout;
    engine.gantry(&["exec", to, "mkdir", "/copy"]).ok();
    engine.gantry_with_input(&["cp", "-", &format!("{to}:/copy")], &tar).ok();
    let said = engine.gantry(&["exec", to, "cat", "/copy/group"]).ok();
    assert!(said.contains("root:x:0:"), "{said}");
    let cut = engine.gantry_with_input(&["cp", "-", &format!("{to}:/copy")], &tar[..700]);
    assert!(cut.fails(1).ends_with("unexpected EOF"));
}

#[test]
fn a_client_that_goes_away_ends_its_copy_and_the_container_starts() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "busybox", "sleep", "300"]).ok();
    let mut copying = engine
        .command(&["cp", "-", "box:/tmp"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Half an archive, then nothing for as long as the pipe is open.
    let header = tar::Builder::new(Vec::new()).into_inner().unwrap();
    std::io::Write::write_all(copying.stdin.as_mut().unwrap(), &header[..512]).unwrap();
    copying.kill().unwrap();
    copying.wait().unwrap();
    engine.gantry(&["start", "box"]).ok();
    engine.wait_until("it runs", |engine| {
        engine.gantry(&["ps", "-q", "--filter", "name=box"]).stdout.lines().count() == 1
    });
}

#[test]
fn a_large_file_that_the_engine_refuses_at_once_ends_the_copy() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "--read-only", "busybox"]).ok();
    let file = engine.scratch().join("large");
    fs::File::create(&file).unwrap().set_len(60 << 20).unwrap();
    let file = file.to_str().unwrap();
    for (to, why) in [
        ("nosuch:/tmp", "No such container: nosuch"),
        ("box:/tmp", "container rootfs is marked read-only"),
        ("box:/nodir/", "no such directory"),
    ] {
        let said = engine.gantry(&["cp", file, to]).fails(1);
        assert!(said.contains(why), "{to}: {said}");
    }
}
