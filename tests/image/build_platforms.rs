//! Builds for several platforms at once: an index, in every place that an image may go to.

use std::fs;
use std::process::Command;

use serde_json::Value;
use testkit::engine::{Engine, Output};

use super::site::Site;
use crate::registry::Registry;

const BOTH: &[&str] = &["--platform", "linux/amd64,linux/arm64"];

/// Programs are the host's, whatever the platform is called: so its steps run without an emulator.
const BASE: &str = "FROM --platform=$BUILDPLATFORM busybox AS files\nFROM scratch\nCOPY --from=files / /\nARG TARGETARCH\nENV ARCH=$TARGETARCH\n";

const CROSS: &str = "FROM --platform=$BUILDPLATFORM base AS once\nRUN cat /proc/sys/kernel/random/uuid > /once\n\
FROM --platform=$BUILDPLATFORM base AS cross\nARG TARGETARCH\nRUN echo for $TARGETARCH on $ARCH > /made\n\
FROM base\nCOPY --from=once /once /once\nCOPY --from=cross /made /made\nRUN echo $ARCH > /own\n";

fn site() -> Site {
    let site = Site::new();
    site.build_of(BASE, &[BOTH, &["-t", "base"]].concat()).ok();
    site
}

fn cross(site: &Site, words: &[&str]) -> Output {
    let output = site.build_of(CROSS, &[BOTH, words].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    output
}

fn file(engine: &Engine, image: &str, platform: &str, path: &str) -> String {
    let words = ["run", "--rm", "--network", "none", "--platform", platform, image, "cat", path];
    engine.gantry(&words).ok()
}

fn inspect(engine: &Engine, image: &str, platform: &str, format: &str) -> String {
    engine.gantry(&["image", "inspect", "--platform", platform, "-f", format, image]).ok()
}

/// Lines of progress that name a step, each once.
fn named(output: &Output, what: &str) -> Vec<String> {
    let lines = output.stderr.lines().filter(|line| line.starts_with('#') && line.contains(what));
    let mut names: Vec<String> =
        lines.filter_map(|line| line.split_once(' ')).map(|(_, name)| name.to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_name_means_an_image_for_each_platform() {
    let site = site();
    let metadata = site.path().join("metadata");
    let iid = site.path().join("iid");
    let words = ["-t", "app", "--metadata-file", "metadata", "--iidfile", "iid"];
    let output = cross(&site, &words);
    // What is of the build platform, and asks for no target, is there once.
    assert_eq!(
        named(&output, "RUN cat"),
        ["[linux/amd64 once 2/2] RUN cat /proc/sys/kernel/random/uuid > /once"]
    );
    let crossed = named(&output, "RUN echo for");
    assert_eq!(crossed.len(), 2, "{crossed:?}");
    assert!(crossed[0].starts_with("[linux/amd64 cross 2/2] "), "{crossed:?}");
    assert!(crossed[1].starts_with("[linux/amd64->arm64 cross 2/2] "), "{crossed:?}");
    let once = file(&site.engine, "app", "linux/amd64", "/once");
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        let engine = &site.engine;
        assert_eq!(inspect(engine, "app", platform, "{{.Architecture}}"), architecture);
        assert_eq!(file(engine, "app", platform, "/once"), once);
        assert_eq!(file(engine, "app", platform, "/own"), architecture);
        assert_eq!(file(engine, "app", platform, "/made"), format!("for {architecture} on amd64"));
    }
    let index = fs::read_to_string(iid).unwrap();
    let metadata: Value = serde_json::from_slice(&fs::read(metadata).unwrap()).unwrap();
    assert_eq!(metadata["containerimage.digest"], index.as_str());
    assert_eq!(metadata["containerimage.descriptor"]["digest"], index.as_str());
    let kind = &metadata["containerimage.descriptor"]["mediaType"];
    assert_eq!(kind, "application/vnd.oci.image.index.v1+json");
    assert_eq!(metadata["image.name"], "docker.io/library/app:latest");
    // The same again is the same, and nothing runs for it.
    let again = cross(&site, &["-t", "app", "-q"]);
    assert_eq!(again.stdout.trim(), index);
    // The name takes both along, and what is on disk of them.
    let blobs = || fs::read_dir(site.engine.data_root().join("blobs/sha256")).unwrap().count();
    let before = blobs();
    site.engine.gantry(&["rmi", "app"]).ok();
    assert_eq!(site.engine.gantry(&["images", "-q", "--filter", "dangling=true"]).ok(), "");
    assert!(blobs() < before);
    assert_eq!(inspect(&site.engine, "base", "linux/arm64", "{{.Architecture}}"), "arm64");
}

#[test]
fn images_that_call_themselves_the_same_are_told_apart_by_the_index() {
    let site = Site::new();
    let engine = &site.engine;
    let text =
        "FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /made\n";
    site.build_of(text, &[BOTH, &["-t", "tools"]].concat()).ok();
    assert_eq!(file(engine, "tools", "linux/amd64", "/made"), "amd64");
    assert_eq!(file(engine, "tools", "linux/arm64", "/made"), "arm64");
    // An image that has a name of its own stays, and those that the name led to beside it go.
    let id = inspect(engine, "tools", "linux/amd64", "{{.Id}}");
    let other = inspect(engine, "tools", "linux/arm64", "{{.Id}}");
    engine.gantry(&["tag", &id, "kept"]).ok();
    let said = engine.gantry(&["rmi", "tools"]).ok();
    assert!(said.contains(&format!("Deleted: {other}")) && !said.contains(&id), "{said}");
    assert_eq!(engine.gantry(&["images", "-q", "--filter", "dangling=true"]).ok(), "");
    engine.gantry(&["rmi", "kept"]).ok();
}

#[test]
fn an_index_goes_to_a_registry_and_comes_back() {
    let site = site();
    let registry = Registry::start();
    let name = format!("{}/built/app:1", registry.address);
    cross(&site, &["-t", &name, "--push", "--metadata-file", "metadata"]);
    let metadata = fs::read(site.path().join("metadata")).unwrap();
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let digest = metadata["containerimage.digest"].as_str().unwrap();
    let by_digest = format!("{}/built/app@{digest}", registry.address);
    let digests = site.engine.gantry(&["inspect", "-f", "{{.RepoDigests}}", &name]).ok();
    assert_eq!(digests, format!("[{by_digest}]"));
    let once = file(&site.engine, &name, "linux/amd64", "/once");
    let other = Engine::start();
    for (platform, architecture) in [("linux/arm64", "arm64"), ("linux/amd64", "amd64")] {
        other.gantry(&["pull", "--platform", platform, &by_digest]).ok();
        assert_eq!(file(&other, &by_digest, platform, "/own"), architecture);
        assert_eq!(file(&other, &by_digest, platform, "/once"), once);
    }
    // A base of each platform comes from there, too.
    let third = Site::new();
    let text = format!("FROM {name}\nARG TARGETARCH\nRUN cat /own > /$TARGETARCH\n");
    third.build_of(&text, &[BOTH, &["-t", "third"]].concat()).ok();
    assert_eq!(file(&third.engine, "third", "linux/arm64", "/arm64"), "arm64");
    assert_eq!(file(&third.engine, "third", "linux/amd64", "/amd64"), "amd64");
    // Pushed again by its name it is the same index.
    let again = format!("{}/again/app:2", registry.address);
    site.engine.gantry(&["tag", &name, &again]).ok();
    let said = site.engine.gantry(&["push", &again]).ok();
    assert!(said.contains(&format!("2: digest: {digest} ")), "{said}");
}

#[test]
fn an_archive_has_all_platforms() {
    let site = site();
    cross(&site, &["-t", "app", "-o", "type=oci,dest=app.tar"]);
    let archive = site.path().join("app.tar");
    let archive = archive.to_str().unwrap();
    for (platform, architecture) in [("linux/arm64", "arm64"), ("linux/amd64", "amd64")] {
        let other = Engine::start();
        other.gantry(&["load", "--platform", platform, "-i", archive]).ok();
        assert_eq!(file(&other, "app", platform, "/own"), architecture);
    }
    let refused = site.build_of(CROSS, &[BOTH, &["-o", "type=docker,dest=app.tar"]].concat());
    let said = refused.fails(1);
    assert!(
        said.contains("docker exporter does not currently support exporting manifest lists"),
        "{said}"
    );
}

#[test]
fn files_of_each_platform_have_a_folder() {
    let site = site();
    let text = "FROM base AS run\nARG TARGETARCH\nRUN mkdir /out; echo $TARGETARCH > /out/name\nFROM scratch\nCOPY --from=run /out /\n";
    site.build_of(text, &[BOTH, &["-o", "out"]].concat()).ok();
    for architecture in ["amd64", "arm64"] {
        let name = site.path().join(format!("out/linux_{architecture}/name"));
        assert_eq!(fs::read_to_string(name).unwrap().trim(), architecture);
    }
    site.build_of(text, &[BOTH, &["-o", "type=tar,dest=out.tar"]].concat()).ok();
    let listed = Command::new("tar").arg("-tf").arg(site.path().join("out.tar")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("linux_amd64/name\n"), "{listed}");
    assert!(listed.contains("linux_arm64/name\n"), "{listed}");
    let split = ["--platform", "linux/arm64", "-o", "type=local,dest=split,platform-split=true"];
    site.build_of(text, &split).ok();
    assert!(site.path().join("split/linux_arm64/name").exists());
}

#[test]
fn a_program_of_another_platform_says_so() {
    let site = Site::new();
    // The head of a program for 64-bit ARM, and no more of it.
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
    program.resize(64, 0);
    program[52] = 64;
    site.write("sh", program);
    let text = "FROM scratch\nCOPY --chmod=755 sh /bin/sh\nRUN x\n";
    let failed = site.build_of(text, &["--platform", "linux/arm64"]);
    assert!(failed.stderr.contains("exec /bin/sh: exec format error"), "{}", failed.stderr);
    let said = "process \"/bin/sh -c x\" did not complete successfully: exit code: 1";
    assert!(failed.stderr.contains(said), "{}", failed.stderr);
    failed.fails(1);
}

#[test]
fn platforms_that_are_none_are_refused() {
    let site = Site::new();
    let refused = site.build_of("FROM busybox\n", &["--platform", "linux/amd64,linux/a b"]);
    assert!(refused.fails(1).contains("linux/a b"));
    let many: Vec<String> = (0..40).map(|number| format!("linux/arch{number}")).collect();
    let refused = site.build_of("FROM scratch\nCOPY . /\n", &["--platform", &many.join(",")]);
    assert!(refused.fails(1).contains("more than 32 platforms at once"));
    // One that is named twice is built once.
    let twice = ["--platform", "linux/amd64,linux/x86_64", "-t", "twice"];
    let output = site.build_of("FROM busybox\nRUN echo a > /a\n", &twice);
    assert_eq!(named(&output, "RUN echo a"), ["[2/2] RUN echo a > /a"]);
}
