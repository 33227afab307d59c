//! Copying from and to containers that do not want it to end well.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use testkit::engine::{Engine, wait_for};

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
    let path = outside.to_str().unwrap();
    // The same path leads to something inside as well: what the container sees behind its link.
    let script = format!(
        "mkdir -p {path} /race/swap /race/calm; printf 'behind the link' > {path}/secret; \
         printf 'in the directory' > /race/swap/secret; ln -s {path} /race/other; touch /ready; exec sleep 300"
    );
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", &script]).ok();
    let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", "box"]).ok();
    let inside = std::path::PathBuf::from(format!("/proc/{pid}/root"));
    wait_for("the race is set up", || inside.join("ready").exists());
    let swapper = Swapper::start(inside.join("race"));
    // The attack works on whoever puts the paths together on the host.
    wait_for("a naive reader is led out", || {
        fs::read_to_string(inside.join("race/swap/secret")).is_ok_and(|text| text == "of the host")
    });

    let read = seen_until_both(|round| {
        let to = engine.scratch().join(format!("back-{round}"));
        engine.gantry(&["cp", "-L", "box:/race/swap/secret", to.to_str().unwrap()]);
        fs::read_to_string(to).ok()
    });
    assert_eq!(read, ["behind the link", "in the directory"]);

    for _ in 0..40 {
        let all = engine.command(&["cp", "box:/race/.", "-"]).output().unwrap();
        let text = ["swap/secret", "other/secret"].map(|name| text_in_archive(&all.stdout, name));
        let expected = ["in the directory"];
        assert!(text.iter().flatten().all(|text| expected.contains(&text.as_str())), "{text:?}");
    }

    let file = engine.scratch().join("copied in");
    fs::write(&file, "copied in").unwrap();
    let many = archive_of((0..40).map(|n| format!("{}/many-{n}", ["swap", "calm"][n % 2])));
    let placed = seen_until_both(|round| {
        engine.gantry(&["cp", file.to_str().unwrap(), &format!("box:/race/swap/made-{round}")]);
        engine.gantry_with_input(&["cp", "-", "box:/race"], &many);
        untouched(&outside);
        let behind_link = inside.join(path.trim_start_matches('/')).join(format!("made-{round}"));
        Some(if behind_link.exists() { "behind the link" } else { "in the directory" }.to_owned())
    });
    assert_eq!(placed, ["behind the link", "in the directory"]);
    swapper.stop();
    let places = format!("cat {path}/many-* /race/swap/many-* /race/other/many-* | wc -c");
    let made = engine.gantry(&["exec", "box", "sh", "-c", &places]).stdout;
    assert_ne!(made.trim(), "0", "what was unpacked went somewhere inside");
    untouched(&outside);
}

/// Exchanges `swap`, a directory, and `other`, a link, as fast as the kernel does it.
struct Swapper {
    done: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Swapper {
    fn start(directory: std::path::PathBuf) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let directory = fs::File::open(directory).unwrap();
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !flag.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&directory, "swap", &directory, "other", exchange)
                    .unwrap();
                count += 1;
            }
            count
        });
        Self { done, thread }
    }

    fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        assert!(self.thread.join().unwrap() > 1000, "hardly anything was swapped");
    }
}

/// What the rounds saw, sorted: until two different things came up, which takes a few, or 500 are over.
fn seen_until_both(mut round: impl FnMut(usize) -> Option<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..500 {
        seen.extend(round(number));
        // Some more, so that the race is run in earnest.
        if seen.len() > 1 && number >= 40 {
            break;
        }
    }
    seen.into_iter().collect()
}

fn text_in_archive(tar: &[u8], name: &str) -> Option<String> {
    let mut archive = tar::Archive::new(tar);
    let mut entries = archive.entries().ok()?.flatten();
    let mut entry = entries.find(|entry| entry.path().is_ok_and(|path| path.ends_with(name)))?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).ok()?;
    Some(text)
}

fn archive_of(names: impl Iterator<Item = String>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &b"x"[..]).unwrap();
    }
    tar.into_inner().unwrap()
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
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let engine = Engine::start();
    let outside = outside(&engine);
    let target = outside.join("secret");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    let rights = || {
        [&outside, &target].map(|path| {
            let stat = fs::symlink_metadata(path).unwrap();
            (stat.ino(), stat.mode(), stat.uid(), stat.gid(), stat.mtime(), stat.nlink())
        })
    };
    let before = rights();
    let entries = [
        Entry::Symlink("link", target.to_str().unwrap()),
        Entry::Symlink("directory", outside.to_str().unwrap()),
    ];
    load_hostile(&engine, &entries, json!({}));
    use tar::EntryType::{Directory, Fifo, Link, Regular};
    let attacks = [
        ("a node over the link", vec![("link", Fifo)], true),
        ("a file over the link", vec![("link", Regular)], true),
        ("a node behind the link", vec![("directory/secret", Fifo)], false),
        ("a file behind the link", vec![("directory/secret", Regular)], false),
        ("a directory over the link", vec![("directory", Directory)], false),
        ("one name for the link, then its mode", vec![("second", Link), ("second", Fifo)], true),
    ];
    for (what, entries, is_taken) in attacks {
        let tar = archive_with_rights(&entries);
        for start in ["create", "run"] {
            let name = format!("{start}-{}", what.replace([' ', ','], "-"));
            let detach: &[&str] = if start == "run" { &["-d"] } else { &[] };
            let words =
                [&[start][..], detach, &["--name", &name, "hostile", "sleep", "300"]].concat();
            engine.gantry(&words).ok();
            if start == "run" {
                let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", &name]).ok();
                let led_out = fs::metadata(format!("/proc/{pid}/root/link")).unwrap();
                assert_eq!(led_out.ino(), before[1].0, "the link leads a naive program out");
            }
            let put = engine.gantry_with_input(&["cp", "-", &format!("{name}:/")], &tar);
            assert_eq!(put.code == 0, is_taken, "{what}, {start}: {}", put.stderr);
            assert_eq!(rights(), before, "{what}, {start}");
            if is_taken {
                let all = engine.command(&["export", &name]).output().unwrap();
                assert!(holds_an_entry_with_these_rights(&all.stdout), "{what}: made inside");
            }
        }
    }
    untouched(&outside);
}

/// Set-id bits and an owner for each entry; hard links lead to `link`.
fn archive_with_rights(entries: &[(&str, tar::EntryType)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for &(name, kind) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o6777);
        header.set_uid(1234);
        header.set_gid(1234);
        match kind {
            tar::EntryType::Link => tar.append_link(&mut header, name, "link").unwrap(),
            _ => tar.append_data(&mut header, name, std::io::empty()).unwrap(),
        }
    }
    tar.into_inner().unwrap()
}

fn holds_an_entry_with_these_rights(tar: &[u8]) -> bool {
    let mut archive = tar::Archive::new(tar);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    entries.any(|entry| {
        let header = entry.header();
        header.uid().unwrap() == 1234 && header.mode().unwrap() & 0o7777 == 0o6777
    })
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
