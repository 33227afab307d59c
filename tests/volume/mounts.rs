//! Volumes in containers: names, copies of an image's content, what is shared.

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn a_new_volume_has_the_images_content_and_an_old_one_its_own() {
    let engine = Engine::with_busybox();
    assert!(sh(&engine, "data", "ls -A /v").is_empty());
    let script = "mkdir -p /data/sub; echo text >/data/sub/file; ln /data/sub/file /data/second; chown -R 7:8 /data; chmod 1770 /data";
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", script]).ok();
    engine.gantry(&["commit", "-c", "VOLUME /data", "box", "with-data"]).ok();
    let run = |volume: &str, script: &str| {
        engine.gantry(&["run", "--rm", "-v", volume, "with-data", "sh", "-c", script]).ok()
    };
    assert_eq!(
        run("new:/data", "cat /data/second; stat -c '%a %u:%g' /data; stat -c %h /data/second"),
        "text\n1770 7:8\n2"
    );
    // Empty until now, so it is filled as well.
    assert_eq!(run("data:/data", "cat /data/sub/file"), "text");
    sh(&engine, "own", "touch /v/mine");
    assert_eq!(run("own:/data", "ls /data"), "mine");
    assert_eq!(run("bare:/data:nocopy", "ls /data"), "");
    // The image's own is anonymous, and goes with --rm.
    let before = names(&engine);
    assert_eq!(engine.gantry(&["run", "--rm", "with-data", "cat", "/data/second"]).ok(), "text");
    assert_eq!(names(&engine), before);
}

#[test]
fn volumes_from_shares_them_and_removal_waits_for_the_last() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["create", "--name", "source", "-v", "/anonymous", "-v", "named:/n", "busybox"])
        .ok();
    engine
        .gantry(&[
            "run",
            "-d",
            "--name",
            "user",
            "--volumes-from",
            "source",
            "busybox",
            "sleep",
            "300",
        ])
        .ok();
    engine.gantry(&["exec", "user", "touch", "/anonymous/a", "/n/b"]).ok();
    engine.gantry(&["rm", "-v", "source"]).ok();
    assert_eq!(names(&engine).len(), 2);
    assert_eq!(
        engine.gantry(&["exec", "user", "ls", "/anonymous", "/n"]).ok(),
        "/anonymous:\na\n\n/n:\nb"
    );
    engine.gantry(&["rm", "-fv", "user"]).ok();
    assert_eq!(names(&engine), ["named"]);
}

#[test]
fn a_create_that_fails_leaves_no_anonymous_volume_and_no_container() {
    let engine = Engine::with_busybox();
    let words = ["create", "-v", "/anonymous", "-v", "a/b:/x", "busybox"];
    let said = engine.gantry(&words).fails(1);
    assert!(said.contains("includes invalid characters for a local volume name"), "{said}");
    assert!(names(&engine).is_empty());
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn what_is_malformed_is_refused_with_125() {
    let engine = Engine::with_busybox();
    for (flag, value, words) in [
        ("-v", "a:b:c:d", "too many colons"),
        ("-v", "", "invalid empty volume spec"),
        ("--mount", "type=volume", "target is required"),
        ("--mount", "dst=/x,what", "must be a key=value pair"),
        ("--mount", "type=bind,src=/tmp,dst=/x,volume-nocopy", "cannot mix 'volume-*' options"),
    ] {
        let said = engine.gantry(&["run", flag, value, "busybox"]).fails(125);
        assert!(said.contains(words), "{value}: {said}");
    }
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}
