//! `gantry pull`, from Debian's registry and from servers of the tests' own.

use testkit::engine::Engine;
use testkit::registry::Registry;

use super::resume::shelf;
use super::shelf::{Image, digest};

/// An engine that has pushed busybox as `repo:1`, and its name.
pub(super) fn pushed(registry: &Registry, repo: &str) -> (Engine, String) {
    let engine = Engine::with_busybox();
    let name = format!("{}/{repo}:1", registry.address());
    engine.gantry(&["tag", "busybox", &name]).ok();
    engine.gantry(&["push", &name]).ok();
    (engine, name)
}

#[test]
fn what_was_pushed_is_pulled_in_dockers_lines() {
    let Some(registry) = Registry::start("pull from a real registry") else { return };
    let (engine, name) = pushed(&registry, "pull/busy");
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", &name]).ok();
    let digest = engine.gantry(&["inspect", "-f", "{{index .RepoDigests 0}}", &name]).ok();
    let manifest = digest.split_once('@').unwrap().1.to_owned();
    drop(engine);

    let engine = Engine::start();
    let output = engine.gantry(&["pull", &name]).ok();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "1: Pulling from pull/busy");
    assert!(lines[1].ends_with(": Pulling fs layer"), "{output}");
    for status in ["Verifying Checksum", "Download complete", "Pull complete"] {
        assert!(lines.iter().any(|line| line.ends_with(status)), "{status}: {output}");
    }
    let end = [
        format!("Digest: {manifest}"),
        format!("Status: Downloaded newer image for {name}"),
        name.clone(),
    ];
    assert_eq!(lines[lines.len() - 3..], end);
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.Id}}", &name]).ok(), id);
    assert_eq!(
        engine.gantry(&["inspect", "-f", "{{json .RepoDigests}}", &name]).ok(),
        format!("[\"{digest}\"]")
    );
    assert_eq!(engine.gantry(&["run", "--rm", &name, "echo", "hi"]).ok(), "hi");

    let again = engine.gantry(&["pull", &name]).ok();
    let layer = lines[1].replace("Pulling fs layer", "Already exists");
    let known = format!("Digest: {manifest}\nStatus: Image is up to date for {name}\n{name}");
    assert_eq!(again, format!("1: Pulling from pull/busy\n{layer}\n{known}"));
    assert_eq!(engine.gantry(&["pull", "-q", &digest]).ok(), digest);
    assert_eq!(
        engine.gantry(&["pull", "-q", "-a", name.strip_suffix(":1").unwrap()]).ok() + ":1",
        name
    );
}

#[test]
fn what_is_not_there_is_said_in_dockers_words() {
    let Some(registry) = Registry::start("pull from a real registry") else { return };
    let (engine, name) = pushed(&registry, "pull/busy");
    let at = registry.address();
    let daemon = "Error response from daemon: ";
    let fails = |args: &[&str]| engine.gantry(args).fails(1);
    let unknown = "manifest unknown: manifest unknown";
    assert_eq!(
        fails(&["pull", &format!("{at}/pull/busy:nope")]),
        format!("{daemon}manifest for {at}/pull/busy:nope not found: {unknown}")
    );
    assert_eq!(
        fails(&["pull", &format!("{at}/none")]),
        format!("{daemon}manifest for {at}/none:latest not found: {unknown}")
    );
    assert_eq!(
        fails(&["pull", "-a", &format!("{at}/none")]),
        format!(
            "{daemon}repository {at}/none not found: name unknown: repository name not known to registry"
        )
    );
    assert_eq!(
        fails(&["pull", "127.0.0.1:1/a"]),
        format!(
            "{daemon}Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused"
        )
    );
    assert_eq!(fails(&["pull", "-a", &name]), "tag can't be used with --all-tags/-a");
    assert_eq!(
        fails(&["pull", "--platform", "linux/arm64", &name]),
        format!(
            "image with reference {name} was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64"
        )
    );
    assert_eq!(
        fails(&["pull", "BAD"]),
        "invalid reference format: repository name (library/BAD) must be lowercase"
    );
}

#[test]
fn run_pulls_what_is_missing() {
    let Some(registry) = Registry::start("pull from a real registry") else { return };
    let (engine, name) = pushed(&registry, "pull/busy");
    drop(engine);
    let engine = Engine::start();
    let never = engine.gantry(&["run", "--rm", "--pull", "never", &name, "true"]).fails(125);
    assert!(never.contains(&format!("No such image: {name}")), "{never}");
    let output = engine.gantry(&["run", "--rm", &name, "echo", "hi"]);
    assert_eq!(output.stdout, "hi\n");
    assert!(
        output.stderr.starts_with(&format!(
            "Unable to find image '{name}' locally\n1: Pulling from pull/busy\n"
        )),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.ends_with(&format!("Status: Downloaded newer image for {name}\n")),
        "{}",
        output.stderr
    );
    let always = engine.gantry(&["run", "--rm", "--pull", "always", &name, "echo", "hi"]);
    assert!(
        always.stderr.ends_with(&format!("Status: Image is up to date for {name}\n")),
        "{}",
        always.stderr
    );
    let quiet = engine.gantry(&["run", "-q", "--rm", "--pull", "always", &name, "echo", "hi"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("hi\n", ""));
    let events =
        engine.gantry(&["events", "--since", "0", "--until", "0s", "--filter", "event=pull"]).ok();
    assert!(
        events
            .lines()
            .next()
            .unwrap()
            .contains(&format!(" image pull {name} (name={})", name.strip_suffix(":1").unwrap())),
        "{events}"
    );
}

#[test]
fn of_an_index_what_runs_here_is_pulled() {
    let image = Image::new(&[21], 1000).indexed();
    let root = digest(image.index.as_ref().unwrap());
    let shelf = shelf(&[("many", image.clone())], 0);
    let server = shelf.serve();
    let engine = Engine::start();
    let name = format!("{}/many:1", server.address());
    let output = engine.gantry(&["pull", &name]).ok();
    assert!(output.contains(&format!("\nDigest: {root}\n")), "{output}");
    let repository = name.strip_suffix(":1").unwrap();
    let digests = engine.gantry(&["inspect", "-f", "{{json .RepoDigests}}", &name]).ok();
    assert_eq!(digests, format!("[\"{repository}@{root}\"]"));
    let refused = engine.gantry(&["pull", "--platform", "linux/riscv64", &name]);
    assert_eq!(refused.stdout, "1: Pulling from many\n");
    let expected = "no matching manifest for linux/riscv64 in the manifest list entries";
    assert_eq!(refused.fails(1), expected);
    assert_eq!(
        engine.gantry(&["pull", "-q", &format!("{repository}@{root}")]).ok(),
        format!("{repository}@{root}")
    );
}

#[test]
fn a_copy_of_docker_hub_is_asked_first() {
    let shelf = shelf(&[("library/tool", Image::new(&[22], 1000))], 0);
    let server = shelf.serve();
    let engine =
        Engine::start_with(&["--registry-mirror", &format!("http://{}", server.address())]);
    let output = engine.gantry(&["pull", "tool"]).ok();
    assert!(
        output.starts_with("Using default tag: latest\nlatest: Pulling from library/tool\n"),
        "{output}"
    );
    assert!(
        output.ends_with(
            "\nStatus: Downloaded newer image for tool:latest\ndocker.io/library/tool:latest"
        ),
        "{output}"
    );
}

#[test]
fn a_layer_that_is_not_what_it_should_be_makes_no_image() {
    let mut image = Image::new(&[23], 1000);
    let layer = image.layers[0].clone();
    let other = Image::new(&[24], 1000);
    image.blobs.insert(layer.clone(), other.blobs[&other.layers[0]].clone());
    let shelf = shelf(&[("lie", image)], 0);
    let server = shelf.serve();
    let engine = Engine::start();
    let name = format!("{}/lie:1", server.address());
    let error = engine.gantry(&["pull", "-q", &name]).fails(1);
    assert_eq!(error, format!("filesystem layer verification failed for digest {layer}"));
    assert_eq!(engine.gantry(&["images", "-q"]).ok(), "");
    assert_eq!(std::fs::read_dir(engine.data_root().join("downloads")).unwrap().count(), 0);
}
