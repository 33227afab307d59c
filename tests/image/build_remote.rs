//! Caches that travel from one engine to another: folders, registries, images.

use std::fs;
use std::io::Write;
use std::path::Path;

use testkit::archive::sha256;
use testkit::engine::Output;
use testkit::registry::Registry;

use super::build_cache::steps;
use super::site::Site;

/// Two stages that others take files from, one of them long, and a file that changes.
const DOCKERFILE: &str = "FROM busybox AS tools\nRUN echo tool > /tool\n\
FROM busybox AS make\nRUN cat /proc/sys/kernel/random/uuid > /once\nCOPY source /source\nRUN wc -c < /source > /size\n\
FROM busybox\nRUN echo two > /two\nCOPY --from=tools /tool /tool\nCOPY --from=make /size /size\nRUN cat /size /two > /all\n";

fn site(source: &str) -> Site {
    let site = Site::new();
    site.write("Dockerfile", DOCKERFILE);
    site.write("source", source);
    site
}

fn built(site: &Site, words: &[&str]) -> Output {
    let output = site.build(&[words, &["-t", "made", "context"]].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    output
}

fn ran(output: &Output) -> Vec<String> {
    steps(&output.stderr).into_iter().filter(|step| step.starts_with("ran ")).collect()
}

fn id(site: &Site) -> String {
    site.engine.gantry(&["inspect", "-f", "{{.Id}}", "made"]).ok()
}

/// Every step runs on `first`, none on an engine that has the cache, and with another file what depends on it.
fn travels(to: &str, from: &str) {
    let first = site("abc");
    assert_eq!(ran(&built(&first, &["--cache-to", to])).len(), 8);
    let second = site("abc");
    assert_eq!(ran(&built(&second, &["--cache-from", from])), [""; 0]);
    assert_eq!(id(&second), id(&first));
    let third = site("longer");
    let changed = built(&third, &["--cache-from", from, "--cache-to", to]);
    let expected = [
        "ran COPY --from=make /size /size",
        "ran COPY source /source",
        "ran RUN cat /size /two > /all",
        "ran RUN wc -c < /source > /size",
    ];
    assert_eq!(ran(&changed), expected, "{}", changed.stderr);
    assert_eq!(third.engine.gantry(&["run", "--rm", "made", "cat", "/all"]).ok(), "6\ntwo");
    // What it took from the first and never looked at has travelled on with it.
    let fourth = site("another length");
    assert_eq!(ran(&built(&fourth, &["--cache-from", from])), expected);
}

#[test]
fn a_cache_travels_in_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a/cache");
    let to = format!("type=local,mode=max,dest={}", folder.display());
    travels(&to, &format!("type=local,src={}", folder.display()));
    assert!(folder.join("oci-layout").is_file());
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 1, "{index}");
    let digest = manifests[0]["digest"].as_str().unwrap().replace(':', "/");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("blobs").join(digest)).unwrap()).unwrap();
    let kind = &manifest["config"]["mediaType"];
    assert_eq!(kind, "application/vnd.buildkit.cacheconfig.v0");
}

#[test]
fn a_cache_travels_by_a_registry() {
    let Some(registry) = Registry::start("a cache in a registry") else { return };
    let name = format!("{}/caches/app:main", registry.address());
    travels(&format!("type=registry,mode=max,ref={name}"), &name);
}

#[test]
fn the_least_cache_has_the_result_s_layers_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    let first = site("abc");
    built(&first, &["--cache-to", &format!("type=local,dest={}", folder.display())]);
    let from = format!("type=local,src={}", folder.display());
    let second = site("abc");
    assert_eq!(ran(&built(&second, &["--cache-from", &from])), [""; 0]);
    assert_eq!(id(&second), id(&first));
    // The other stages are needed, and are not there.
    let third = site("longer");
    let ran = ran(&built(&third, &["--cache-from", &from]));
    assert!(ran.contains(&"ran RUN wc -c < /source > /size".to_owned()), "{ran:?}");
    assert!(
        ran.contains(&"ran RUN cat /proc/sys/kernel/random/uuid > /once".to_owned()),
        "{ran:?}"
    );
    assert!(!ran.contains(&"ran RUN echo two > /two".to_owned()), "{ran:?}");
}

#[test]
fn an_image_carries_its_own_cache() {
    let Some(registry) = Registry::start("a cache in an image") else { return };
    let name = format!("{}/built/app:1", registry.address());
    let first = site("abc");
    first.build(&["--cache-to", "type=inline", "--push", "-t", &name, "context"]).ok();
    first.engine.gantry(&["tag", &name, "made"]).ok();
    let second = site("abc");
    let output = built(&second, &["--cache-from", &name, "--cache-to", "type=inline"]);
    assert_eq!(ran(&output), [""; 0], "{}", output.stderr);
    let config = |site: &Site| {
        let file = site.path().join("saved.tar");
        site.engine.gantry(&["save", "-o", file.to_str().unwrap(), "made"]).ok();
        let saved = std::process::Command::new("tar")
            .arg("-xOf")
            .arg(file)
            .arg(format!("blobs/sha256/{}", &id(site)[7..]))
            .output()
            .unwrap();
        String::from_utf8(saved.stdout).unwrap()
    };
    assert_eq!(config(&second), config(&first));
    // An image without one says so, and the build goes on.
    let plain = format!("{}/built/app:plain", registry.address());
    second.build(&["--push", "-t", &plain, "context"]).ok();
    let third = site("abc");
    let output = built(&third, &["--cache-from", &plain]);
    assert!(output.stderr.contains("the image has no inline cache"), "{}", output.stderr);
    assert_eq!(ran(&output).len(), 8);
}

#[test]
fn a_cache_that_is_not_there_is_told_and_the_build_goes_on() {
    let site = site("abc");
    let output = built(&site, &["--cache-from", "type=local,src=/no/such"]);
    assert!(output.stderr.contains("there is no cache in the folder"), "{}", output.stderr);
    let output = site.build(&["--cache-to", "type=local,dest=/proc/no", "context"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    built(&site, &["--cache-to", "type=local,dest=/proc/no,ignore-error=true"]);
    for (words, said) in [
        (["--cache-to", "type=gha"], "unknown cache exporter: \"gha\""),
        (["--cache-to", "type=local,dest=x,compression=zstd"], "compression=zstd: "),
        (["--cache-from", "type=local"], "local cache importer requires src"),
    ] {
        let output = site.build(&[&words[..], &["context"]].concat());
        assert!(output.code == 1 && output.stderr.contains(said), "{}", output.stderr);
    }
}

#[test]
fn what_a_cache_claims_is_believed_in_builds_that_name_it_and_nowhere_else() {
    let (place, dockerfile) = (tempfile::tempdir().unwrap(), |text: &str| {
        format!("FROM busybox\nRUN echo {text} > /f\nRUN cp /f /copy\n")
    });
    let folder = place.path().join("cache");
    let evil = Site::new();
    let to = format!("type=local,mode=max,dest={}", folder.display());
    let output = evil.build_of(&dockerfile("evil"), &["--cache-to", &to]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    // The first step of the honest build, said to have left what the other one left.
    let honest = Site::new();
    let own = place.path().join("honest");
    let to = format!("type=local,mode=max,dest={}", own.display());
    honest.build_of(&dockerfile("honest"), &["--cache-to", &to]).ok();
    forge(&folder, &own);
    let site = Site::new();
    let from = format!("type=local,src={}", own.display());
    let run = |name: &str| site.engine.gantry(&["run", "--rm", name, "cat", "/copy"]).ok();
    site.build_of(&dockerfile("honest"), &["--cache-from", &from, "-t", "fooled"]).ok();
    assert_eq!(run("fooled"), "evil", "whoever names a cache gets what it says");
    site.build_of(&dockerfile("honest"), &["-t", "careful"]).ok();
    assert_eq!(run("careful"), "honest");
    // What the first one kept is there for the next that names it.
    let again = site.build_of(&dockerfile("honest"), &["--cache-from", &from, "-t", "again"]);
    assert!(ran(&again).is_empty(), "{}", again.stderr);
}

#[test]
fn a_cache_s_blob_that_is_not_what_was_said_is_no_hit() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    let to = format!("type=local,mode=max,dest={}", folder.display());
    built(&site("abc"), &["--cache-to", &to]);
    let largest = fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap());
    let layers: Vec<_> = largest
        .filter(|entry| fs::read(entry.path()).unwrap().starts_with(&[0x1f, 0x8b]))
        .map(|entry| entry.path())
        .collect();
    assert!(layers.len() >= 5, "{layers:?}");
    for (number, layer) in layers.iter().enumerate() {
        match number % 3 {
            0 => fs::write(layer, empty_layer()).unwrap(),
            1 => fs::write(layer, &fs::read(layer).unwrap()[..20]).unwrap(),
            _ => fs::remove_file(layer).unwrap(),
        }
    }
    let site = site("abc");
    let from = format!("type=local,src={}", folder.display());
    let output = built(&site, &["--cache-from", &from]);
    assert_eq!(ran(&output).len(), 8, "{}", output.stderr);
    assert!(output.stderr.contains("importing a layer of"), "{}", output.stderr);
    assert_eq!(site.engine.gantry(&["run", "--rm", "made", "cat", "/all"]).ok(), "3\ntwo");
}

/// A package manager's downloads are there on an engine that never saw them, where that is asked for.
fn mounts_travel(to: &str, from: &str) {
    let dockerfile = "FROM busybox\nCOPY source /s\n\
        RUN --mount=type=cache,id=packages,target=/c cat /c/all > /before; cat /s >> /c/all\n";
    let before = |site: &Site, source: &str, words: &[&str]| {
        site.write("source", source);
        site.build_of(dockerfile, &[words, &["-t", "made"]].concat()).ok();
        site.engine.gantry(&["run", "--rm", "made", "cat", "/before"]).ok()
    };
    let (first, second, third) = (Site::new(), Site::new(), Site::new());
    assert_eq!(before(&first, "one", &["--cache-to", &format!("{to},mounts=true")]), "");
    let wanted = format!("{from},mounts=true");
    assert_eq!(before(&second, "two", &["--cache-from", &wanted]), "one");
    // What is here already stays as it is.
    assert_eq!(before(&second, "three", &["--cache-from", &wanted]), "onetwo");
    assert_eq!(before(&third, "two", &["--cache-from", from]), "");
}

#[test]
fn cache_mounts_travel_in_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().display();
    mounts_travel(&format!("type=local,dest={folder}"), &format!("type=local,src={folder}"));
}

#[test]
fn cache_mounts_travel_by_a_registry() {
    let Some(registry) = Registry::start("cache mounts in a registry") else { return };
    let place = format!("type=registry,ref={}/caches/mounts", registry.address());
    mounts_travel(&place, &place);
}

/// A blob that is a layer, and not the one that was said.
fn empty_layer() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&[0; 1024]).unwrap();
    gzip.finish().unwrap()
}

/// Gives the first record of `to` the layer of the first record of `from`.
fn forge(from: &Path, to: &Path) {
    let (_, _, donor) = documents(from);
    let (mut index, mut manifest, mut config) = documents(to);
    let layer = donor["records"][0]["layers"][0]["layer"].as_u64().unwrap() as usize;
    let place = config["records"][0]["layers"][0]["layer"].as_u64().unwrap() as usize;
    let forged = donor["layers"][layer].clone();
    let blob = forged["blob"].as_str().unwrap().replace(':', "/");
    fs::copy(from.join("blobs").join(&blob), to.join("blobs").join(&blob)).unwrap();
    let mut listed = manifest["layers"][0].clone();
    listed["digest"] = forged["blob"].clone();
    listed["size"] = forged["annotations"]["size"].clone();
    manifest["layers"].as_array_mut().unwrap().push(listed);
    config["layers"][place] = forged;
    // The second step is to run upon it.
    config["records"].as_array_mut().unwrap().truncate(1);
    manifest["config"]["digest"] = put(to, &config);
    manifest["config"]["size"] = config.to_string().len().into();
    index["manifests"][0]["digest"] = put(to, &manifest);
    index["manifests"][0]["size"] = manifest.to_string().len().into();
    fs::write(to.join("index.json"), index.to_string()).unwrap();
}

fn documents(folder: &Path) -> (serde_json::Value, serde_json::Value, serde_json::Value) {
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.join(path)).unwrap()).unwrap()
    };
    let blob = |digest: &serde_json::Value| {
        read(&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/")))
    };
    let index = read("index.json");
    let manifest = blob(&index["manifests"][0]["digest"]);
    let config = blob(&manifest["config"]["digest"]);
    (index, manifest, config)
}

fn put(folder: &Path, document: &serde_json::Value) -> serde_json::Value {
    let text = document.to_string();
    let hex = sha256(text.as_bytes());
    fs::write(folder.join("blobs/sha256").join(&hex), text).unwrap();
    format!("sha256:{hex}").into()
}
