//! `--mount type=image`.

use std::fs;

use serde_json::Value;
use testkit::engine::Engine;

/// busybox, and `layered`: that with a further layer.
fn engine() -> Engine {
    let engine = Engine::with_busybox();
    let script = "mkdir /deep; echo text > /deep/file; rm /etc/group; ln -s /etc /deep/out; ln -s / /deep/up";
    engine.gantry(&["run", "--name", "maker", "busybox", "sh", "-c", script]).ok();
    engine.gantry(&["commit", "maker", "layered"]).ok();
    engine.gantry(&["rm", "maker"]).ok();
    engine
}

fn with_mount<'a>(mount: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["--network", "none", "--mount", mount, "busybox"], rest].concat()
}

#[test]
fn an_image_is_seen_whole_in_part_and_as_a_file_and_cannot_be_written() {
    let engine = engine();
    let run = |mount: &str, script: &str| {
        let words = with_mount(mount, &["sh", "-c", script]);
        engine.gantry(&[&["run", "--rm"], &words[..]].concat())
    };
    let whole = "type=image,source=layered,target=/image";
    assert_eq!(run(whole, "cat /image/deep/file; ls /image/etc/group").stdout, "text\n");
    assert_eq!(
        run("type=image,src=busybox,dst=/i", "cat /i/etc/group | head -n 1").ok(),
        "root:x:0:"
    );
    for change in ["touch /image/new", "rm /image/deep/file", "mount -o remount,rw /image"] {
        assert_ne!(run(whole, change).code, 0, "{change}");
    }
    let part = "type=image,source=layered,target=/part,image-subpath=deep";
    assert_eq!(run(part, "ls /part").ok(), "file\nout\nup");
    let file = "type=image,source=layered,target=/etc/motd,image-subpath=deep/file";
    assert_eq!(run(file, "cat /etc/motd").ok(), "text");
    // Links are the image's: they lead to no place of the host or of the container.
    fs::write(engine.scratch().join("secret"), "").unwrap();
    let link = format!(
        "type=image,source=layered,target=/x,image-subpath=deep/up{}",
        engine.scratch().display()
    );
    let said = run(&link, "ls /x").fails(127);
    assert!(said.contains("no such file or directory"), "{said}");
    let link = "type=image,source=layered,target=/x,image-subpath=deep/out";
    assert!(run(link, "ls /x").ok().contains("passwd"));
}

#[test]
fn what_is_mounted_is_shown_and_copied_from() {
    let engine = engine();
    let mount = "type=image,source=layered,target=/image,image-subpath=deep";
    engine.gantry(&[&["create", "--name", "stopped"], &with_mount(mount, &[])[..]].concat()).ok();
    let running = with_mount(mount, &["sleep", "300"]);
    engine.gantry(&[&["run", "-d", "--name", "running"], &running[..]].concat()).ok();
    let file = engine.scratch().join("file");
    fs::write(&file, "").unwrap();
    for name in ["stopped", "running"] {
        let shown = engine.gantry(&["inspect", "-f", "{{json .Mounts}}", name]).ok();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let expected = serde_json::json!([{
            "Type": "image", "Name": "layered", "Source": "", "Destination": "/image", "Mode": "",
            "RW": false, "Propagation": ""
        }]);
        assert_eq!(shown, expected);
        let asked = engine.gantry(&["inspect", "-f", "{{json .HostConfig.Mounts}}", name]).ok();
        assert_eq!(
            asked,
            r#"[{"Type":"image","Source":"layered","Target":"/image","ImageOptions":{"Subpath":"deep"}}]"#
        );
        let to = engine.scratch().join(name);
        engine.gantry(&["cp", &format!("{name}:/image/file"), to.to_str().unwrap()]).ok();
        assert_eq!(fs::read_to_string(to).unwrap(), "text\n");
        let into = format!("{name}:/image/new");
        let said = engine.gantry(&["cp", file.to_str().unwrap(), &into]).fails(1);
        assert_eq!(said, "Error response from daemon: mounted volume is marked read-only");
    }
}

#[test]
fn an_image_that_is_mounted_is_in_use_also_by_what_a_killed_engine_left() {
    let mut engine = engine();
    let mount = "type=image,source=layered,target=/image";
    engine.gantry(&[&["create", "--name", "idle"], &with_mount(mount, &[])[..]].concat()).ok();
    let running = with_mount(mount, &["sleep", "300"]);
    engine.gantry(&[&["run", "-d", "--name", "busy"], &running[..]].concat()).ok();
    for _ in 0..2 {
        let said = engine.gantry(&["rmi", "layered"]).fails(1);
        assert!(said.contains("(must force) - container"), "{said}");
        let id = engine.gantry(&["images", "-q", "layered"]).ok();
        let said = engine.gantry(&["rmi", "-f", &id]).fails(1);
        assert!(said.contains("image is being used by running container"), "{said}");
        engine.gantry(&["image", "prune", "-af"]).ok();
        assert_eq!(engine.gantry(&["exec", "busy", "cat", "/image/deep/file"]).ok(), "text");
        engine.kill();
        engine.launch();
    }
    engine.gantry(&["start", "idle"]).ok();
    engine.gantry(&["rm", "-f", "idle", "busy"]).ok();
    engine.gantry(&["rmi", "layered"]).ok();
}

#[test]
fn a_name_means_the_image_that_it_meant_when_the_container_was_made() {
    let engine = engine();
    let mount = "type=image,source=layered,target=/image";
    let words = with_mount(mount, &["cat", "/image/deep/file"]);
    engine.gantry(&[&["create", "--name", "box"], &words[..]].concat()).ok();
    engine.gantry(&["tag", "busybox", "layered"]).ok();
    assert_eq!(engine.gantry(&["start", "-a", "box"]).ok(), "text");
    let id = engine.gantry(&["inspect", "-f", "{{(index .HostConfig.Mounts 0).Source}}", "box"]);
    assert_eq!(id.ok(), "layered");
    let old = engine.gantry(&["images", "-q", "--filter", "dangling=true"]).ok();
    engine.gantry(&["rmi", "-f", &old]).ok();
    let said = engine.gantry(&["start", "box"]).fails(1);
    assert!(said.contains("No such image"), "{said}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let engine = Engine::with_busybox();
    let refused = [
        ("type=image,target=/x", "field Source must not be empty"),
        ("type=image,source=absent,target=/x", "No such image: absent:latest"),
        (
            "type=image,source=busybox,target=/x,image-subpath=../x",
            "subpath must be a relative path",
        ),
        (
            "type=image,source=busybox,target=/x,volume-nocopy",
            "cannot mix 'volume-*' options with mount type 'image'",
        ),
        (
            "type=volume,source=data,target=/x,image-subpath=a",
            "cannot mix 'image-*' options with mount type 'volume'",
        ),
    ];
    for (mount, words) in refused {
        let said =
            engine.gantry(&[&["run"], &with_mount(mount, &["true"])[..]].concat()).fails(125);
        assert!(said.contains(words), "{mount}: {said}");
    }
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
    assert_eq!(engine.gantry(&["volume", "ls", "-q"]).ok(), "");
}
