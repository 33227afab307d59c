//! What is said of images beside them: provenance and bills of materials.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::engine::Engine;

use super::site::Site;
use crate::registry::Registry;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

const PACKAGES: &str = "FROM busybox\nARG TOKEN=none\nCOPY root /\nRUN echo built > /built\n";

fn site() -> Site {
    let site = Site::new();
    site.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    site.write(
        "root/var/lib/dpkg/status",
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\n",
    );
    site.write("root/lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\n");
    site.write(
        "root/usr/lib/python3/dist-packages/flask-3.0.dist-info/METADATA",
        "Name: Flask\nVersion: 3.0\n",
    );
    site.write(
        "root/app/node_modules/left-pad/package.json",
        r#"{"name":"left-pad","version":"1.3.0"}"#,
    );
    site
}

/// A layout that `-o type=oci` wrote.
struct Layout(tempfile::TempDir);

impl Layout {
    fn of(archive: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut unpack = Command::new("tar");
        unpack.arg("-xf").arg(archive).arg("-C").arg(place.path());
        assert!(unpack.status().unwrap().success());
        Self(place)
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.path().join(path)).unwrap()).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> Value {
        let digest = descriptor["digest"].as_str().unwrap();
        self.json(&format!("blobs/{}", digest.replace(':', "/")))
    }

    fn index(&self) -> Value {
        let list = self.json("index.json");
        let entry = &list["manifests"][0];
        assert_eq!(entry["mediaType"], INDEX, "{list}");
        self.blob(entry)
    }

    /// Of the index's only image: its digest, and the statements about it by the type of their predicate.
    fn statements(&self) -> (String, Vec<(String, Value)>) {
        let index = self.index();
        let [image, said] = index["manifests"].as_array().unwrap().as_slice() else {
            panic!("{index}");
        };
        let digest = image["digest"].as_str().unwrap();
        assert_eq!(said["platform"]["os"], "unknown");
        assert_eq!(said["platform"]["architecture"], "unknown");
        let annotations = &said["annotations"];
        assert_eq!(annotations["vnd.docker.reference.type"], "attestation-manifest");
        assert_eq!(annotations["vnd.docker.reference.digest"], digest);
        let manifest = self.blob(said);
        let config = self.blob(&manifest["config"]);
        let layers = manifest["layers"].as_array().unwrap();
        let statement = |(at, layer): (usize, &Value)| {
            assert_eq!(layer["mediaType"], "application/vnd.in-toto+json");
            assert_eq!(config["rootfs"]["diff_ids"][at], layer["digest"]);
            let statement = self.blob(layer);
            let kind = &layer["annotations"]["in-toto.io/predicate-type"];
            assert_eq!(statement["predicateType"], *kind);
            assert_eq!(statement["subject"][0]["digest"]["sha256"], digest[7..]);
            (kind.as_str().unwrap().to_owned(), statement)
        };
        (digest.to_owned(), layers.iter().enumerate().map(statement).collect())
    }
}

fn archived(site: &Site, words: &[&str]) -> Layout {
    let words = [words, &["-t", "app", "-o", "type=oci,dest=app.tar"]].concat();
    site.build_of(PACKAGES, &words).ok();
    Layout::of(&site.path().join("app.tar"))
}

fn locators(statement: &Value) -> Vec<&str> {
    let packages = statement["predicate"]["packages"].as_array().unwrap();
    let mut all: Vec<&str> = packages
        .iter()
        .map(|one| one["externalRefs"][0]["referenceLocator"].as_str().unwrap())
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn an_image_says_how_it_came_to_be_and_what_it_holds() {
    let site = site();
    let words = ["--provenance=mode=max", "--sbom=true", "--build-arg", "TOKEN=given"];
    let layout = archived(&site, &words);
    let (_, statements) = layout.statements();
    let [(bill, packages), (origin, provenance)] = statements.as_slice() else {
        panic!("{}", statements.len());
    };
    assert_eq!(bill, "https://spdx.dev/Document");
    assert_eq!(origin, "https://slsa.dev/provenance/v0.2");
    assert_eq!(packages["predicate"]["spdxVersion"], "SPDX-2.3");
    assert_eq!(
        locators(packages),
        [
            "pkg:apk/debian/musl@1.2.5-r0?arch=x86_64&distro=debian-12",
            "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12",
            "pkg:npm/left-pad@1.3.0",
            "pkg:pypi/flask@3.0",
        ]
    );
    let predicate = &provenance["predicate"];
    assert_eq!(predicate["buildType"], "https://mobyproject.org/buildkit@v1");
    assert_eq!(predicate["invocation"]["configSource"]["entryPoint"], "Dockerfile");
    assert_eq!(predicate["invocation"]["parameters"]["args"]["build-arg:TOKEN"], "given");
    assert_eq!(predicate["invocation"]["parameters"]["locals"][0]["name"], "context");
    let material = predicate["materials"][0]["uri"].as_str().unwrap();
    assert!(material.starts_with("pkg:docker/busybox@latest?platform=linux%2F"), "{material}");
    assert!(predicate["buildConfig"]["steps"].to_string().contains("RUN echo built"));
    let subject = provenance["subject"][0]["name"].as_str().unwrap();
    assert!(subject.starts_with("pkg:docker/app@latest?platform=linux%2F"), "{subject}");
    // The least says nothing of arguments, and the newer form says the same.
    let layout =
        archived(&site, &["--attest", "type=provenance,version=v1", "--build-arg", "TOKEN=x"]);
    let (_, statements) = layout.statements();
    let [(origin, provenance)] = statements.as_slice() else { panic!() };
    assert_eq!(origin, "https://slsa.dev/provenance/v1");
    assert!(!provenance.to_string().contains("TOKEN"), "{provenance}");
    let definition = &provenance["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["configSource"]["path"], "Dockerfile");
    // Ours reads what ours wrote.
    let other = Engine::start();
    other.gantry(&["load", "-i", site.path().join("app.tar").to_str().unwrap()]).ok();
    assert_eq!(
        other.gantry(&["run", "--rm", "--network", "none", "app", "cat", "/built"]).ok(),
        "built"
    );
}

#[test]
fn what_nobody_asked_for_goes_with_images_that_leave_and_may_be_declined() {
    let site = site();
    let (_, statements) = archived(&site, &[]).statements();
    assert_eq!(statements.len(), 1);
    let declined = archived(&site, &["--provenance=false"]);
    let list = declined.json("index.json");
    let kind = &list["manifests"][0]["mediaType"];
    assert_eq!(kind, "application/vnd.oci.image.manifest.v1+json");
    // What stays here is what it was.
    site.build_of(PACKAGES, &["-t", "plain", "--metadata-file", "metadata"]).ok();
    let metadata: Value =
        serde_json::from_slice(&fs::read(site.path().join("metadata")).unwrap()).unwrap();
    assert!(metadata["containerimage.config.digest"].is_string(), "{metadata}");
    let refused = site.build_of(PACKAGES, &["--sbom=true", "-o", "type=docker,dest=app.tar"]);
    assert!(refused.fails(1).contains("does not currently support exporting manifest lists"));
    let refused = site.build_of(PACKAGES, &["--sbom=generator=scanner"]);
    assert!(refused.fails(1).contains("generators of SBOMs are not run"));
    let twice = ["--attest", "type=sbom", "--sbom=true"];
    let refused = site.build_of(PACKAGES, &twice);
    assert!(refused.fails(1).contains("duplicate attestation field sbom"));
}

#[test]
fn what_is_said_lies_beside_files() {
    let site = site();
    let both = ["--platform", "linux/amd64,linux/arm64", "--provenance=true", "--sbom=true"];
    let text = "FROM scratch\nCOPY root /\n";
    site.build_of(text, &[&both[..], &["-o", "out"]].concat()).ok();
    for architecture in ["amd64", "arm64"] {
        let folder = site.path().join(format!("out/linux_{architecture}"));
        assert!(folder.join("etc/os-release").exists());
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
        };
        let provenance = read("provenance.json");
        assert_eq!(provenance["predicateType"], "https://slsa.dev/provenance/v0.2");
        assert_eq!(locators(&read("sbom.spdx.json")).len(), 4);
    }
    site.build_of(text, &["-o", "plain"]).ok();
    assert!(!site.path().join("plain/provenance.json").exists());
}

#[test]
fn a_registry_has_what_is_said() {
    let site = site();
    let registry = Registry::start();
    let name = format!("{}/app:1", registry.address);
    site.build_of(PACKAGES, &["-t", &name, "--push", "--sbom=true"]).ok();
    let shown = site.engine.gantry(&["manifest", "inspect", "--insecure", &name]).ok();
    let index: Value = serde_json::from_str(&shown).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 2, "{shown}");
    assert_eq!(manifests[1]["platform"]["architecture"], "unknown", "{shown}");
    let other = Engine::start();
    other.gantry(&["pull", &name]).ok();
    assert_eq!(
        other.gantry(&["run", "--rm", "--network", "none", &name, "cat", "/built"]).ok(),
        "built"
    );
    // The statements go with their image.
    let blobs = || fs::read_dir(site.engine.data_root().join("blobs/sha256")).unwrap().count();
    let before = blobs();
    site.engine.gantry(&["rmi", &name]).ok();
    // Index, manifest, configuration; and of what is said the manifest, its configuration and two statements.
    assert!(before - blobs() >= 7, "{before} {}", blobs());
}

#[test]
fn notes_of_packages_that_lie_are_left_out() {
    let site = Site::new();
    let root = site.context().join("root");
    site.write("root/app/node_modules/deep/package.json", "[".repeat(200_000));
    site.write(
        "root/app/node_modules/control/package.json",
        "{\"name\":\"a\\u001b[1m\",\"version\":\"1\"}",
    );
    fs::create_dir_all(root.join("app/node_modules/folder/package.json")).unwrap();
    fs::create_dir_all(root.join("app/node_modules/out")).unwrap();
    fs::create_dir_all(root.join("var/lib/dpkg")).unwrap();
    fs::create_dir_all(root.join("lib/apk/db")).unwrap();
    // Links to files of whoever runs the engine, and to themselves.
    symlink("/proc/self/environ", root.join("app/node_modules/out/package.json")).unwrap();
    symlink("/etc/passwd", root.join("var/lib/dpkg/status")).unwrap();
    symlink("installed", root.join("lib/apk/db/installed")).unwrap();
    let text = "FROM scratch\nCOPY root /\n";
    site.build_of(text, &["--sbom=true", "-o", "out"]).ok();
    let bill = fs::read(site.path().join("out/sbom.spdx.json")).unwrap();
    let bill: Value = serde_json::from_slice(&bill).unwrap();
    assert_eq!(bill["predicate"]["packages"], Value::Array(Vec::new()), "{bill}");
}

#[test]
fn a_result_leads_no_statement_out_of_its_folder() {
    let site = Site::new();
    let victim = site.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    fs::create_dir_all(site.context()).unwrap();
    symlink(&victim, site.context().join("provenance.json")).unwrap();
    let words = ["--provenance=true", "-o", "out"];
    site.build_of("FROM scratch\nCOPY provenance.json /\n", &words);
    assert_eq!(fs::read_to_string(victim).unwrap(), "mine");
}

#[test]
fn annotations_are_written_where_they_say() {
    let site = site();
    let words = [
        "--annotation=org.example.one=1",
        "--annotation=index,manifest-descriptor:org.example.two=2",
        "--annotation=index-descriptor:org.example.three=3",
        "--provenance=false",
    ];
    let layout = archived(&site, &words);
    let index = layout.index();
    let entry = &index["manifests"][0];
    let manifest = layout.blob(entry);
    let of = |document: &Value, name: &str| {
        document["annotations"][format!("org.example.{name}")].as_str().map(str::to_owned)
    };
    assert_eq!(of(&manifest, "one").as_deref(), Some("1"), "{manifest}");
    assert_eq!(of(&manifest, "two"), None, "{manifest}");
    assert_eq!(of(&index, "two").as_deref(), Some("2"), "{index}");
    assert_eq!(of(entry, "two").as_deref(), Some("2"), "{index}");
    let list = layout.json("index.json");
    assert_eq!(of(&list["manifests"][0], "three").as_deref(), Some("3"), "{list}");
    // They go along to a registry from the store, too.
    let registry = Registry::start();
    let name = format!("{}/said:1", registry.address);
    let words = ["-t", &name, "--annotation", "index:org.example.one=here", "--iidfile", "iid"];
    site.build_of(PACKAGES, &words).ok();
    let digest = fs::read_to_string(site.path().join("iid")).unwrap();
    let said = site.engine.gantry(&["push", &name]).ok();
    assert!(said.contains(&format!("1: digest: {digest} ")), "{said}");
    let plain = ["-t", &name, "--annotation", "manifest[linux/s390x]:a=b"];
    let refused = site.build_of(PACKAGES, &plain).fails(1);
    assert!(refused.contains("no platform linux/s390x found in source"), "{refused}");
    for (text, said) in [
        ("alone", "invalid annotation \"alone\", expected key=value"),
        ("what:a=b", "unknown annotation type \"what\""),
    ] {
        let refused = site.build_of(PACKAGES, &["--annotation", text]).fails(1);
        assert!(refused.contains(said), "{refused}");
    }
    let words = ["--annotation", "a=b", "-o", "type=docker,dest=app.tar"];
    let refused = site.build_of(PACKAGES, &words).fails(1);
    assert!(refused.contains("annotations are in no archive of type=docker"), "{refused}");
}
