//! `manifests=1` and the descriptor, which no command of Docker 26 asks for.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;
use testkit::engine::Engine;

fn get(engine: &Engine, path: &str) -> Value {
    let mut socket = UnixStream::connect(engine.socket()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// What `save` writes without what makes it an archive of Docker's: an OCI layout, whose manifests are kept.
fn layout(engine: &Engine, image: &str) -> std::path::PathBuf {
    let saved = engine.command(&["save", image]).output().unwrap().stdout;
    let mut kept = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(&saved[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if path.ends_with("manifest.json") || path.ends_with("repositories") {
            continue;
        }
        let (mut header, mut content) = (entry.header().clone(), Vec::new());
        entry.read_to_end(&mut content).unwrap();
        kept.append_data(&mut header, path, &content[..]).unwrap();
    }
    let place = engine.scratch().join("layout.tar");
    fs::write(&place, kept.into_inner().unwrap()).unwrap();
    place
}

#[test]
fn manifests_and_descriptors_are_told_to_those_who_ask_in_versions_that_have_them() {
    let engine = Engine::with_busybox();
    engine.gantry(&["tag", "busybox", "with:1"]).ok();
    let path = layout(&engine, "with:1");
    engine.gantry(&["rmi", "with:1", "busybox", "alpine"]).ok();
    engine.gantry(&["load", "-q", "-i", path.to_str().unwrap()]).ok();
    engine.gantry(&["create", "--name", "box", "with:1", "true"]).ok();
    let inspected = get(&engine, "/v1.48/images/with:1/json?manifests=1");
    let descriptor = &inspected["Descriptor"];
    assert_eq!(descriptor["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let [manifest] = &inspected["Manifests"].as_array().unwrap()[..] else { panic!("{inspected}") };
    assert_eq!(manifest["Descriptor"], *descriptor);
    assert_eq!(manifest["ID"], descriptor["digest"]);
    assert_eq!((&manifest["Kind"], &manifest["Available"]), (&"image".into(), &true.into()));
    let data = &manifest["ImageData"];
    assert_eq!(data["Platform"]["os"], "linux");
    assert_eq!(data["Containers"].as_array().unwrap().len(), 1);
    assert_eq!(data["Size"]["Unpacked"], inspected["Size"]);
    let [total, content] =
        ["Total", "Content"].map(|name| manifest["Size"][name].as_i64().unwrap());
    assert!(content > 0 && total == content + inspected["Size"].as_i64().unwrap());
    let listed = get(&engine, "/v1.48/images/json?manifests=1");
    assert_eq!(listed[0]["Manifests"], inspected["Manifests"]);
    assert_eq!(listed[0]["Descriptor"], *descriptor);

    let fields = |path: &str| {
        let answer = get(&engine, path);
        let image = if answer.is_array() { answer[0].clone() } else { answer };
        ["Descriptor", "Manifests"].map(|field| image.get(field).is_some())
    };
    assert_eq!(fields("/v1.48/images/with:1/json"), [true, false]);
    assert_eq!(fields("/v1.47/images/with:1/json?manifests=1"), [false, false]);
    assert_eq!(fields("/v1.47/images/json?manifests=1"), [false, true]);
    assert_eq!(fields("/v1.46/images/json?manifests=1"), [false, false]);
    assert_eq!(fields("/v1.48/images/json"), [false, false]);
}
