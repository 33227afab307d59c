//! Archives that are cut off, false or no archives at all: a clear error, nothing half-made, the engine goes on.

use std::fs;

use testkit::engine::{Engine, image_archive};

fn load(engine: &Engine, bytes: &[u8]) -> testkit::engine::Output {
    engine.gantry_with_input(&["load"], bytes)
}

#[track_caller]
fn nothing_came_of_it(engine: &Engine) {
    assert_eq!(engine.gantry(&["images", "-aq"]).ok(), "");
    let layers =
        fs::read_dir(engine.data_root().join("layers")).map(|dir| dir.count()).unwrap_or_default();
    assert_eq!(layers, 0, "no layer stays");
    engine.load("busybox");
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "fine"]).ok(), "fine");
}

#[test]
fn a_truncated_archive() {
    let engine = Engine::start();
    let whole = fs::read(image_archive("busybox")).unwrap();
    let refused = load(&engine, &whole[..whole.len() / 2]).fails(1);
    assert!(refused.contains("unexpected EOF"), "{refused}");
    nothing_came_of_it(&engine);
}

#[test]
fn no_archive() {
    let engine = Engine::start();
    let refused = load(&engine, b"this is not a tar, whatever its name says").fails(1);
    assert!(!refused.is_empty());
    let refused = load(&engine, b"").fails(1);
    assert!(!refused.is_empty());
    nothing_came_of_it(&engine);
}

#[test]
fn a_malformed_config() {
    let engine = Engine::start();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, data: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, data).unwrap();
    };
    add("manifest.json", br#"[{"Config":"c.json","RepoTags":["bad:latest"],"Layers":[]}]"#);
    add("c.json", b"{ this is not json");
    let refused = load(&engine, &tar.into_inner().unwrap()).fails(1);
    assert!(refused.contains("invalid"), "{refused}");
    nothing_came_of_it(&engine);
}
