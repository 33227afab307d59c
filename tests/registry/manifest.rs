//! `gantry manifest`: what a registry has, and lists that are made here and pushed there. No engine runs.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testkit::engine::{Output, binary, finish};

use super::{OCI_INDEX, OCI_MANIFEST, Registry, digest};

/// A user with a configuration of their own.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(TempDir::with_prefix("gantry-test-").unwrap())
    }

    fn manifest(&self, args: &[&str]) -> Output {
        let mut command = Command::new(binary("gantry"));
        command.arg("--config").arg(self.0.path()).arg("manifest").args(args);
        // No engine is there to be asked.
        finish(command.env("DOCKER_HOST", "unix:///nowhere/engine.sock"))
    }

    fn file(&self, list: &str, manifest: &str) -> PathBuf {
        let name = |text: &str| text.replace(':', "-").replace('/', "_");
        self.0.path().join("manifests").join(name(list)).join(name(manifest))
    }
}

#[test]
fn a_list_is_made_annotated_and_pushed() {
    let registry = Registry::start();
    let digests =
        [("a", "one"), ("b", "two")].map(|(name, layer)| registry.push_image(name, "1", layer));
    let [a, b, list] = ["a", "b", "list"].map(|name| format!("{}/{name}:1", registry.address));
    let user = User::new();
    let made = format!("Created manifest list {list}");
    assert_eq!(user.manifest(&["create", &list, &a, &b]).ok(), made);
    assert!(user.file(&list, &a).is_file() && user.file(&list, &b).is_file());
    let refused = user.manifest(&["create", &list, &a]).fails(1);
    assert_eq!(refused, "refusing to amend an existing manifest list with no --amend flag");
    // These images say nothing of a platform.
    assert_eq!(
        user.manifest(&["push", &list]).fails(1),
        format!("manifest {a} must have an OS and Architecture to be pushed to a registry")
    );
    user.manifest(&["annotate", "--os=linux", "--arch=amd64", &list, &a]).ok();
    let arm = ["annotate", "--os=linux", "--arch=arm64", "--variant=v8", "--os-features=x,y"];
    user.manifest(&[&arm[..], &[&list, &b]].concat()).ok();
    assert_eq!(
        user.manifest(&["annotate", "--arch=bogus", &list, &b]).fails(1),
        "manifest entry for image has unsupported os/arch combination: /bogus"
    );
    // What was said stays where a list is amended.
    assert_eq!(user.manifest(&["create", "-a", &list, &a, &b]).ok(), made);
    let text = user.manifest(&["inspect", &list]).ok();
    let index: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(index["mediaType"], OCI_INDEX);
    assert_eq!(index["manifests"][0]["digest"], digests[0]);
    assert_eq!(index["manifests"][1]["platform"]["os.features"][1], "y");
    let lines = user.manifest(&["push", "-p", &list]).ok();
    let pushed = |digest: &str| {
        format!("Pushed ref {}/list@{digest} with digest: {digest}", registry.address)
    };
    let expected = [pushed(&digests[0]), pushed(&digests[1]), digest(text.as_bytes())];
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    assert!(!user.file(&list, &a).parent().unwrap().exists(), "the list is still here");
    assert_eq!(user.manifest(&["inspect", &list]).ok(), text);
    let verbose: Value =
        serde_json::from_str(&user.manifest(&["inspect", "-v", &list]).ok()).unwrap();
    assert_eq!(verbose[1]["Ref"], format!("{list}@{}", digests[1]));
    let gone = user.manifest(&["rm", &list]).fails(1);
    assert_eq!(gone, format!("No such manifest: {list}"));
    let nested = user.manifest(&["create", &a, &list]).fails(1);
    assert_eq!(nested, format!("{list} is a manifest list"));
}

#[test]
fn a_manifest_is_shown_as_the_registry_has_it() {
    let registry = Registry::start();
    let digest = registry.push_image("a", "1", "layer");
    let name = format!("{}/a:1", registry.address);
    let user = User::new();
    let text = user.manifest(&["inspect", &name]).ok();
    assert!(text.starts_with("{\n\t\"schemaVersion\": 2,\n\t\"mediaType\""), "{text}");
    let verbose: Value =
        serde_json::from_str(&user.manifest(&["inspect", "-v", &name]).ok()).unwrap();
    assert_eq!(verbose["Ref"], name);
    assert_eq!(verbose["Descriptor"]["digest"], digest);
    assert_eq!(verbose["Descriptor"]["mediaType"], OCI_MANIFEST);
    assert_eq!(verbose["OCIManifest"], serde_json::from_str::<Value>(&text).unwrap());
    let none = format!("{}/none:1", registry.address);
    assert_eq!(user.manifest(&["inspect", &none]).fails(1), format!("no such manifest: {none}"));
    assert_eq!(
        user.manifest(&["inspect", "UP"]).fails(1),
        "invalid reference format: repository name (library/UP) must be lowercase"
    );
}

#[test]
fn what_a_list_cannot_be_is_said_in_dockers_words() {
    let registry = Registry::start();
    registry.push_image("a", "1", "layer");
    let a = format!("{}/a:1", registry.address);
    let elsewhere = "reg.invalid:5000/list:1";
    let user = User::new();
    user.manifest(&["create", elsewhere, &a]).ok();
    let domains = format!("{} != reg.invalid:5000", registry.address);
    assert_eq!(
        user.manifest(&["push", elsewhere]).fails(1),
        format!(
            "cannot use source images from a different registry than the target image: {domains}"
        )
    );
    assert_eq!(user.manifest(&["rm", elsewhere]).ok(), "");
    assert_eq!(
        user.manifest(&["annotate", "a", "b"]).fails(1),
        "manifest for image b does not exist in a"
    );
    assert_eq!(
        user.manifest(&["annotate", "a", "UP"]).fails(1),
        "annotate: error parsing name for manifest UP: invalid reference format: repository name (library/UP) must be lowercase"
    );
    assert_eq!(
        user.manifest(&["push", "a"]).fails(1),
        "No such manifest: docker.io/library/a:latest"
    );
}
