//! `gantry system df`: what it says is what is there.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;
use testkit::engine::Engine;

use crate::consistency::assert_consistent;

/// Marsaglia's xorshift, from a fixed seed: each run does the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

pub(super) fn usage(engine: &Engine, query: &str) -> Value {
    let mut stream = UnixStream::connect(engine.socket()).unwrap();
    write!(stream, "GET /v1.45/system/df{query} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Layers once, what containers wrote, volumes.
fn told(usage: &Value) -> u64 {
    let sum = |list: &Value, size: &dyn Fn(&Value) -> u64| -> u64 {
        list.as_array().into_iter().flatten().map(size).sum()
    };
    usage["LayersSize"].as_u64().unwrap()
        + sum(&usage["Containers"], &|one| one["SizeRw"].as_u64().unwrap_or(0))
        + sum(&usage["Volumes"], &|one| one["UsageData"]["Size"].as_u64().unwrap_or(0))
}

/// Bytes of everything but directories, and of directories.
#[derive(Clone, Copy, Default)]
struct Du {
    files: u64,
    directories: u64,
}

impl Du {
    fn total(self) -> u64 {
        self.files + self.directories
    }
}

/// As `du --apparent-size` counts: each inode once.
fn du(path: &Path) -> Du {
    let mut seen = std::collections::HashSet::new();
    let mut pending = vec![path.to_owned()];
    let mut total = Du::default();
    while let Some(path) = pending.pop() {
        // Deleted meanwhile.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            pending.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
        match metadata.is_dir() {
            true => total.directories += metadata.len(),
            false if seen.insert((metadata.dev(), metadata.ino())) => total.files += metadata.len(),
            false => {}
        }
    }
    total
}

fn tar_of(name: &str, size: u64, fill: u8) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    let content = vec![fill; usize::try_from(size).unwrap()];
    tar.append_data(&mut header, name, content.as_slice()).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn df_equals_du_after_500_steps_of_any_kind_and_pruning_gives_everything_back() {
    let mut engine = Engine::start();
    let empty = du(&engine.data_root()).total();
    engine.load("busybox");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for step in 0..500 {
        let (box_, image) =
            (format!("box-{}", random.below(8)), format!("image-{}", random.below(5)));
        let volume = format!("volume-{}", random.below(4));
        let mount = format!("{volume}:/tmp");
        let size = 200_000 + random.below(1_500_000);
        // What cannot be done just now (a name that is taken or free) is a step, too.
        match random.below(15) {
            0..3 => drop(engine.gantry(&["create", "--name", &box_, "busybox", "true"])),
            3 => drop(engine.gantry(&["create", "--name", &box_, &image, "true"])),
            4..8 => {
                let tar = tar_of(&format!("file-{}", random.below(6)), size, step as u8);
                drop(engine.gantry_with_input(&["cp", "-", &format!("{box_}:/tmp")], &tar));
            }
            8 => drop(engine.gantry(&["commit", &box_, &image])),
            9 => drop(engine.gantry(&["rm", &box_])),
            10 => drop(engine.gantry(&["rmi", "-f", &image])),
            11 => {
                drop(engine.gantry(&["create", "--name", &box_, "-v", &mount, "busybox", "true"]))
            }
            12 => {
                drop(engine.gantry(&["create", "--name", &box_, "-v", "/tmp", "busybox", "true"]))
            }
            13 => drop(engine.gantry(&["volume", "rm", &volume])),
            _ if random.below(9) == 0 => drop(engine.gantry(&["volume", "prune", "-f"])),
            _ if random.below(4) == 0 => drop(engine.gantry(&["container", "prune", "-f"])),
            _ => drop(engine.gantry(&["image", "prune", "-f"])),
        }
        if step % 50 == 49 {
            agrees(&engine);
        }
    }
    for number in 0..8 {
        engine.gantry(&["create", "--name", &format!("box-{number}"), "busybox", "true"]);
        let tar = tar_of("last", 4_000_000, number);
        engine.gantry_with_input(&["cp", "-", &format!("box-{number}:/tmp")], &tar).ok();
    }
    let there = agrees(&engine).total();
    let told = told(&usage(&engine, ""));
    assert!(there.abs_diff(told) * 100 <= there, "df says {told}, du says {there}");
    engine.stop();
    assert_consistent(&engine);
    engine.launch();
    engine.gantry(&["system", "prune", "-a", "--volumes", "-f"]).ok();
    // Named volumes are not pruned with the rest.
    engine.gantry(&["volume", "prune", "-a", "-f"]).ok();
    engine.wait_until("everything is given back", |engine| {
        du(&engine.data_root()).total() < empty + (1 << 20)
    });
    agrees(&engine);
    engine.stop();
    assert_consistent(&engine);
}

/// To the byte but for directories, which Docker does not count.
#[track_caller]
fn agrees(engine: &Engine) -> Du {
    let root = engine.data_root();
    let content = [("layers", "diff"), ("containers", "diff"), ("volumes", "_data")];
    let each = content.iter().flat_map(|(place, inside)| {
        let found = fs::read_dir(root.join(place)).into_iter().flatten().flatten();
        found.map(move |one| du(&one.path().join(inside)))
    });
    let sum = each.fold(Du::default(), |sum, one| Du {
        files: sum.files + one.files,
        directories: sum.directories + one.directories,
    });
    assert_eq!(told(&usage(engine, "")), sum.files);
    sum
}

#[test]
fn types_choose_what_is_counted() {
    let engine = Engine::with_busybox();
    let images = usage(&engine, "?type=image");
    assert!(images["Images"].is_array() && images["Containers"].is_null());
    assert_eq!(images["LayersSize"], images["Images"][0]["Size"]);
    let rest = usage(&engine, "?type=container&type=build-cache");
    assert!(rest["Images"].is_null() && rest["Containers"].is_array());
    assert_eq!((&rest["LayersSize"], &rest["BuildCache"]), (&0.into(), &Value::Array(Vec::new())));
    assert_eq!(usage(&engine, "?type=foo")["message"], "unknown object type: foo");
}

#[test]
fn what_images_share_is_told_apart() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "busybox"]).ok();
    engine.gantry_with_input(&["cp", "-", "box:/tmp"], &tar_of("file", 5000, 1)).ok();
    engine.gantry(&["commit", "box", "more"]).ok();
    let rows = "{{range .Images}}{{.Repository}} {{.UniqueSize}} {{.Containers}}\n{{end}}";
    let shown = engine.gantry(&["system", "df", "-v", "--format", rows]).ok();
    assert!(shown.contains("more 5kB 0") && shown.contains("0B 1"), "{shown}");
    let totals = "{{.Type}} {{.TotalCount}} {{.Active}}";
    let shown = engine.gantry(&["system", "df", "--format", totals]).ok();
    assert_eq!(shown, "Images 2 1\nContainers 1 0\nLocal Volumes 0 0\nBuild Cache 0 0");
}
