//! Images, archives and their documents, loaded and imported through the engine.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::archive::sha256;
use testkit::engine::Engine;

use super::{Entry, busybox_layer, layer_tar, load_hostile};

fn archive_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *data).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A docker-archive of one layer whose configuration claims `diff_id`.
fn image_of(layer: &[u8], diff_id: &str, extra: Value) -> Vec<u8> {
    let mut config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff_id}")] },
    });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let manifest = br#"[{"Config":"c.json","RepoTags":["evil:latest"],"Layers":["l.tar"]}]"#;
    let config = config.to_string();
    archive_of(&[("manifest.json", manifest), ("c.json", config.as_bytes()), ("l.tar", layer)])
}

#[track_caller]
fn refused(engine: &Engine, archive: &[u8]) -> String {
    let said = engine.gantry_with_input(&["load"], archive).fails(1);
    assert_eq!(engine.gantry(&["images", "-aq"]).ok(), "", "{said}");
    for directory in ["layers", "staging"] {
        let left = fs::read_dir(engine.data_root().join(directory)).unwrap().count();
        assert_eq!(left, 0, "in {directory} after: {said}");
    }
    said
}

fn raw_entry(name: &str, kind: tar::EntryType, link: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut tar = header.as_bytes().to_vec();
    tar.extend([0; 1024]);
    tar
}

#[test]
fn cve_2021_32760_entries_that_climb_out_are_refused_by_load_and_import() {
    let engine = Engine::start();
    let climbing = [
        raw_entry("../../../../../../../gantry-climbed", tar::EntryType::Regular, ""),
        raw_entry("a/../../../../../../gantry-climbed", tar::EntryType::Directory, ""),
        raw_entry("x", tar::EntryType::Link, "../../../../../../../../etc/shadow"),
        raw_entry("x", tar::EntryType::Link, "/etc/shadow"),
        raw_entry("a/.wh...", tar::EntryType::Regular, ""),
    ];
    for layer in climbing {
        refused(&engine, &image_of(&layer, &sha256(&layer), json!({})));
        engine.gantry_with_input(&["import", "-", "evil"], &layer).fails(1);
        assert_eq!(engine.gantry(&["images", "-aq"]).ok(), "");
    }
    assert!(!Path::new("/gantry-climbed").exists());
}

#[test]
fn cve_2022_23648_links_in_a_layer_lead_to_nothing_of_the_host() {
    let engine = Engine::start();
    let outside = engine.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "untouched").unwrap();
    let target = outside.to_str().unwrap();
    let secret = outside.join("secret");
    let layer = layer_tar(&[
        Entry::Symlink("out", target),
        Entry::File("out/planted", "x"),
        Entry::Symlink("file", secret.to_str().unwrap()),
        Entry::File("file", "evil"),
    ]);
    let _ = engine.gantry_with_input(&["load"], &image_of(&layer, &sha256(&layer), json!({})));
    let _ = engine.gantry_with_input(&["import", "-", "evil"], &layer);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(secret).unwrap(), "untouched");
    // Read back, what the image calls a link to the host is one to its own tree.
    load_hostile(&engine, &[Entry::Symlink("etc/shadow", "/etc/hostname")], json!({}));
    engine.gantry(&["run", "--rm", "hostile", "true"]).ok();
}

#[test]
fn a_device_in_a_layer_opens_nothing() {
    let engine = Engine::start();
    let memory = Entry::CharDevice("mem", 1, 1);
    let disk = Entry::CharDevice("kmsg", 1, 11);
    load_hostile(&engine, &[memory, disk], json!({}));
    let script = "for f in /mem /kmsg; do head -c1 $f 2>/dev/null && echo $f; done; true";
    let ran =
        engine.gantry(&["run", "--rm", "--cap-add", "SYS_RAWIO", "hostile", "sh", "-c", script]);
    assert_eq!(ran.ok(), "");
    // Nor on the host, where anybody but root cannot even reach it.
    let root = engine.data_root();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&root).unwrap().permissions());
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn cve_2021_41190_a_document_that_is_two_things_is_refused() {
    let engine = Engine::start();
    let layer = layer_tar(&[Entry::File("f", "x")]);
    let config = json!({ "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] } })
    .to_string();
    let descriptor = |kind: &str, data: &[u8]| {
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "size": data.len(),
            "digest": format!("sha256:{}", sha256(data)) })
    };
    let two = json!({ "schemaVersion": 2,
        "config": descriptor("config.v1+json", config.as_bytes()),
        "layers": [descriptor("layer.v1.tar", &layer)],
        "manifests": [descriptor("manifest.v1+json", b"{}")] })
    .to_string();
    let mut top = descriptor("manifest.v1+json", two.as_bytes());
    top["annotations"] = json!({ "org.opencontainers.image.ref.name": "evil:latest" });
    let index = json!({ "schemaVersion": 2, "manifests": [top] }).to_string();
    let blob = |data: &[u8]| format!("blobs/sha256/{}", sha256(data));
    let archive = archive_of(&[
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        ("index.json", index.as_bytes()),
        (&blob(two.as_bytes()), two.as_bytes()),
        (&blob(config.as_bytes()), config.as_bytes()),
        (&blob(&layer), &layer),
    ]);
    refused(&engine, &archive);
}

#[test]
fn cve_2026_93318_another_image_s_diff_id_cannot_be_claimed() {
    let engine = Engine::with_busybox();
    let honest = sha256(&fs::read(busybox_layer(&engine)).unwrap());
    let evil = layer_tar(&[Entry::File("bin/sh", "evil")]);
    let images = engine.gantry(&["images", "-q"]).ok();
    // With the layer it claims already there, the layer it brings is still looked at, or not used at all.
    let _ = engine.gantry_with_input(&["load"], &image_of(&evil, &honest, json!({})));
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "honest"]).ok(), "honest");
    engine.gantry(&["rmi", "-f", "evil"]);
    engine.gantry(&["rmi", "-f", "busybox", "alpine"]);
    assert_ne!(images, "");
    // And where it is not, nothing stays.
    let other = Engine::start();
    let said = refused(&other, &image_of(&evil, &honest, json!({})));
    assert!(said.contains("invalid diffID for layer 0"), "{said}");
    other.load("busybox");
    assert_eq!(other.gantry(&["run", "--rm", "busybox", "echo", "honest"]).ok(), "honest");
}

#[test]
fn cve_2017_14992_a_decompression_bomb_ends_early() {
    let engine = Engine::start();
    // Zeroes that never end as far as the archive is concerned: one RLE block of zstd repeated.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for _ in 0..200_000 {
        bomb.extend([0x02, 0x00, 0x10, 0x00]);
    }
    let before = free(&engine);
    refused(&engine, &image_of(&bomb, &sha256(b"whatever"), json!({})));
    assert!(before.saturating_sub(free(&engine)) < 1 << 30, "it filled the disk");
}

fn free(engine: &Engine) -> u64 {
    let stat = rustix::fs::statvfs(engine.scratch()).unwrap();
    stat.f_bavail * stat.f_frsize
}

#[test]
fn cve_2023_25153_metadata_without_bound_is_refused() {
    let engine = Engine::start();
    let spaces = vec![b' '; 64 << 20];
    refused(&engine, &archive_of(&[("manifest.json", &spaces)]));
    refused(&engine, &archive_of(&[("manifest.json", "[".repeat(1 << 20).as_bytes())]));
    let layer = layer_tar(&[]);
    let padding = "x".repeat(64 << 20);
    refused(&engine, &image_of(&layer, &sha256(&layer), json!({ "author": padding })));
}

#[test]
fn cve_2026_94603_go_2026_5758_nothing_an_image_says_is_an_option() {
    let engine = Engine::start();
    let wishes = json!({
        "com.docker.log-driver": "binary:///bin/touch", "log-driver": "binary:///bin/touch",
        "io.containerd.runc.v2.privileged": "true", "run.oci.keep_original_groups": "1",
        "privileged": "true", "seccomp": "unconfined", "io.podman.annotations.privileged": "TRUE",
        "org.opencontainers.image.ref.name": "../../x", "HostConfig": "{\"Privileged\":true}",
    });
    let config = json!({
        "Labels": wishes, "Env": ["PATH=/bin", "LD_PRELOAD=/evil.so", "GANTRY_HOST=tcp://x", "_CONTAINERS_USERNS_CONFIGURED=1"],
        "HostConfig": { "Privileged": true }, "Privileged": true, "SecurityOpt": ["seccomp=unconfined"],
        "CapAdd": ["ALL"], "Annotations": wishes, "Binds": ["/:/host"], "Runtime": "/bin/evil",
    });
    load_hostile(&engine, &[], config);
    let script =
        "grep -E 'CapEff|Seccomp:' /proc/self/status | cut -f2; ls -d /host 2>/dev/null; true";
    let ran = engine.gantry(&["run", "--name", "box", "hostile", "sh", "-c", script]).ok();
    assert_eq!(ran, "00000000a80425fb\n2");
    let format = "{{.HostConfig.Privileged}} {{.HostConfig.LogConfig.Type}} {{.HostConfig.Runtime}} \
                  {{.HostConfig.SecurityOpt}} {{.HostConfig.Annotations}} {{.HostConfig.CapAdd}}";
    let inspected = engine.gantry(&["inspect", "-f", format, "box"]).ok();
    assert!(inspected.starts_with("false json-file "), "{inspected}");
    assert!(!inspected.contains("evil") && !inspected.contains("unconfined"), "{inspected}");
}
