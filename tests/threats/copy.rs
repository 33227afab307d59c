//! Copying from and to containers that do not want it to end well.

use std::fs;
use std::path::Path;

use serde_json::json;
use testkit::engine::Engine;

use super::{Entry, load_hostile};

/// A folder of the host that no copy may reach, and what it looks like from a container that guesses its path.
fn outside(engine: &Engine) -> std::path::PathBuf {
    let outside = engine.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "of the host").unwrap();
    outside
}

fn untouched(outside: &Path) {
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1, "something was made on the host");
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "of the host");
}

#[test]
fn cve_2018_15664_a_directory_swapped_for_a_link_while_it_is_copied_leads_nowhere() {
    let engine = Engine::with_busybox();
    let outside = outside(&engine);
    let name = outside.file_name().unwrap().to_str().unwrap();
    let path = outside.to_str().unwrap();
    // The same place inside holds what belongs to the container.
    let script = format!(
        "mkdir -p {path} /real; echo inside > {path}/secret; echo inside > /real/secret; echo ready; \
         while true; do ln -sfn {path} /swap; rm /swap; mkdir /swap; echo inside > /swap/secret; \
         rm -r /swap; ln -s ../../../../../../../{path} /swap; rm /swap; ln -s /proc/1/root/{path} /swap; rm /swap; done 2>/dev/null"
    );
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", &script]).ok();
    let file = engine.scratch().join("secret");
    fs::write(&file, "copied in").unwrap();
    let back = engine.scratch().join("back");
    fs::create_dir(&back).unwrap();
    for round in 0..60 {
        engine.gantry(&["cp", file.to_str().unwrap(), "box:/swap/"]);
        engine.gantry(&["cp", file.to_str().unwrap(), "box:/swap/made"]);
        let to = back.join(round.to_string());
        engine.gantry(&["cp", "-L", "box:/swap/secret", to.to_str().unwrap()]);
        if let Ok(text) = fs::read_to_string(&to) {
            assert_ne!(text, "of the host", "{name}");
        }
    }
    untouched(&outside);
}

#[test]
fn cve_2019_14271_cve_2026_41567_nothing_of_the_container_is_run() {
    let engine = Engine::start();
    let outside = outside(&engine);
    let evil = format!("#!/bin/sh\necho run > {}/evil\n", outside.display());
    let programs = ["bin/xz", "bin/unpigz", "bin/gzip", "bin/tar", "usr/bin/xz", "sbin/docker-tar"];
    let mut entries: Vec<_> = programs.iter().map(|path| Entry::File(path, &evil)).collect();
    entries.push(Entry::File("lib/libnss_files.so.2", "no library"));
    entries.push(Entry::File("etc/nsswitch.conf", "passwd: evil\n"));
    load_hostile(&engine, &entries, json!({ "User": "nobody" }));
    engine.gantry(&["run", "-d", "--name", "box", "hostile", "sleep", "300"]).ok();
    engine.gantry(&["create", "--name", "den", "hostile", "true"]).ok();
    // An empty archive under each compression; the container's own tools would have to undo it.
    let xz = [
        0xfd, b'7', b'z', b'X', b'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 0, 0, 0, 0, 0x1c, 0xdf,
        0x44, 0x21, 0x1f, 0xb6, 0xf3, 0x7d, 1, 0, 0, 0, 0, 4, b'Y', b'Z',
    ];
    let file = engine.scratch().join("file");
    fs::write(&file, "").unwrap();
    for container in ["box", "den"] {
        engine.gantry_with_input(&["cp", "-", &format!("{container}:/tmp")], &xz).ok();
        engine
            .gantry_with_input(&["cp", "-", &format!("{container}:/tmp")], &[0x1f, 0x8b, 8, 0])
            .fails(1);
        engine.gantry(&["cp", "-a", file.to_str().unwrap(), &format!("{container}:/tmp/f")]).ok();
        engine.gantry(&["cp", &format!("{container}:/etc"), "-"]).ok();
    }
    untouched(&outside);
}

#[test]
fn cve_2021_41089_no_mode_of_the_host_changes() {
    use std::os::unix::fs::PermissionsExt;
    let engine = Engine::start();
    let outside = outside(&engine);
    fs::set_permissions(outside.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let target = outside.join("secret");
    let entries = [
        Entry::Symlink("link", target.to_str().unwrap()),
        Entry::Symlink("directory", outside.to_str().unwrap()),
    ];
    load_hostile(&engine, &entries, json!({}));
    engine.gantry(&["create", "--name", "box", "hostile", "true"]).ok();
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind) in [
        ("link", tar::EntryType::Fifo),
        ("directory", tar::EntryType::Directory),
        ("directory/secret", tar::EntryType::Fifo),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o6777);
        header.set_uid(1234);
        tar.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    engine.gantry_with_input(&["cp", "-", "box:/"], &tar.into_inner().unwrap());
    let mode = fs::metadata(target).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    untouched(&outside);
}

#[test]
fn cve_2026_41568_cve_2026_42306_mounts_are_made_where_they_belong_or_not_at_all() {
    let engine = Engine::start();
    let outside = outside(&engine);
    let volume = engine.scratch().join("volume");
    fs::create_dir(&volume).unwrap();
    let up = format!("../../../../../../../..{}", outside.display());
    let entries = [Entry::Symlink("data", outside.to_str().unwrap()), Entry::Symlink("up", &up)];
    load_hostile(&engine, &entries, json!({}));
    let file = engine.scratch().join("file");
    fs::write(&file, "").unwrap();
    for (name, target) in
        [("one", "/data"), ("two", "/data/deep/er"), ("box", "/up"), ("den", "/up/x")]
    {
        let bind = format!("{}:{target}", volume.display());
        engine.gantry(&["create", "--name", name, "-v", &bind, "hostile", "true"]).ok();
        engine.gantry(&["cp", file.to_str().unwrap(), &format!("{name}:{target}")]);
        engine.gantry(&["cp", &format!("{name}:{target}/secret"), "-"]).fails(1);
        untouched(&outside);
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(volume.to_str().unwrap()), "no mount of a copy is the host's");
}

#[test]
fn cve_2026_17106_what_a_container_sends_stays_below_its_destination() {
    let engine = Engine::with_busybox();
    let outside = outside(&engine);
    let script = format!(
        "mkdir /out; ln -s {} /out/link; ln -s ../../outside /out/up; touch /out/file; chmod 6777 /out/file",
        outside.display()
    );
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", &script]).ok();
    let to = engine.scratch().join("to");
    engine.gantry(&["cp", "box:/out", to.to_str().unwrap()]).ok();
    // The second copy meets the links of the first.
    let again = "rm /out/link /out/up; mkdir /out/link /out/up; touch /out/link/evil /out/up/evil";
    engine.gantry(&["commit", "box", "second"]).ok();
    engine.gantry(&["run", "--name", "den", "second", "sh", "-c", again]).ok();
    engine.gantry(&["cp", "den:/out/.", to.to_str().unwrap()]).fails(1);
    untouched(&outside);
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(to.join("file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o777, "no set-id bit comes out of a container");
}

#[test]
fn the_kernels_files_are_not_copied() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "--privileged", "busybox", "sleep", "300"]).ok();
    for path in
        ["/proc/kcore", "/proc/1/environ", "/sys/kernel/notes", "/proc/self/root/etc/passwd"]
    {
        let said = engine.gantry(&["cp", &format!("box:{path}"), "-"]).fails(1);
        assert!(said.contains("Could not find the file") || said.contains("lstat"), "{said}");
    }
    let all = engine.command(&["cp", "box:/", "-"]).output().unwrap();
    assert!(all.status.success());
    let mut archive = tar::Archive::new(all.stdout.as_slice());
    let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
    assert!(paths.filter(|path| path.starts_with("/proc")).count() <= 1);
    let core_pattern = || fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let before = core_pattern();
    let file = engine.scratch().join("core_pattern");
    fs::write(&file, "|/evil").unwrap();
    engine.gantry(&["cp", file.to_str().unwrap(), "box:/proc/sys/kernel/"]).fails(1);
    assert_eq!(core_pattern(), before);
}
