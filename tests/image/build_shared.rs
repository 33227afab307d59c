//! Files that COPY finds in layers that are there already are not written again, and nobody sees a difference.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::site::Site;

const FILES: usize = 300;

/// A hundred folders of three files; all have the same times on every engine.
fn tree(site: &Site) {
    for number in 0..FILES {
        site.write(&format!("src/{}/{number}", number % 100), format!("file {number}\n"));
    }
    symlink("0/0", site.context().join("src/link")).unwrap();
    settle(site);
}

fn settle(site: &Site) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let set = |path: &std::path::Path| fs::File::open(path).unwrap().set_modified(time).unwrap();
    let src = site.context().join("src");
    for folder in fs::read_dir(&src).unwrap().map(|folder| folder.unwrap().path()) {
        if !folder.is_symlink() && folder.is_dir() {
            fs::read_dir(&folder).unwrap().for_each(|file| set(&file.unwrap().path()));
            set(&folder);
        }
    }
    set(&src);
    let link = src.join("link");
    let touched = Command::new("touch").args(["-h", "-d", "@1700000000"]).arg(&link).status();
    assert!(touched.unwrap().success());
}

fn layers(site: &Site, image: &str) -> String {
    site.engine.gantry(&["inspect", "-f", "{{json .RootFS.Layers}}", image]).ok()
}

/// Files that lie on the disk for all layers together, those of a base image left out.
fn files_on_disk(site: &Site) -> usize {
    let layers = fs::read_dir(site.engine.data_root().join("layers")).unwrap();
    let sources = layers.map(|layer| layer.unwrap().path().join("diff/src"));
    let folders = sources.flat_map(|src| fs::read_dir(src).into_iter().flatten().flatten());
    folders.map(|folder| fs::read_dir(folder.path()).map_or(0, Iterator::count)).sum()
}

fn seen(site: &Site, image: &str) -> String {
    let script = "cat /src/0/0 /src/link; find /src -type f | wc -l; find /src | md5sum; cat $(find /src -type f | sort) | md5sum";
    site.engine.gantry(&["run", "--rm", "--network", "none", image, "sh", "-c", script]).ok()
}

const FILE: &str = "FROM busybox AS made\nCOPY . /\nFROM busybox\nCOPY --from=made /src /src\n";

#[test]
fn a_changed_file_is_the_only_one_that_is_written() {
    let site = Site::new();
    tree(&site);
    site.write(".dockerignore", "Dockerfile\n.dockerignore\n");
    site.build_of(FILE, &["-t", "first"]).ok();
    // The second stage has its files from the first one's layer.
    assert_eq!(files_on_disk(&site), FILES);
    let before = seen(&site, "first");
    site.write("src/0/0", "changed\n");
    settle(&site);
    site.build_of(FILE, &["-t", "second"]).ok();
    assert!((FILES + 1..=FILES + 2).contains(&files_on_disk(&site)), "{}", files_on_disk(&site));
    assert_eq!(seen(&site, "first"), before);
    assert!(seen(&site, "second").starts_with("changed\nchanged\n300\n"));
    // An engine that has seen none of it makes the same layers.
    let other = Site::new();
    tree(&other);
    other.write(".dockerignore", "Dockerfile\n.dockerignore\n");
    other.write("src/0/0", "changed\n");
    settle(&other);
    other.build_of(FILE, &["-t", "second"]).ok();
    assert_eq!(layers(&site, "second"), layers(&other, "second"));
    assert_eq!(seen(&site, "second"), seen(&other, "second"));
}

#[test]
fn an_image_travels_without_what_it_lies_over() {
    let site = Site::new();
    tree(&site);
    site.build_of(FILE, &["-t", "first"]).ok();
    site.write("src/0/0", "changed\n");
    site.build_of(FILE, &["-t", "second"]).ok();
    let seen_here = seen(&site, "second");
    site.engine.gantry(&["rmi", "first"]).ok();
    site.engine.gantry(&["builder", "prune", "-af"]).ok();
    assert_eq!(seen(&site, "second"), seen_here);
    let file = site.path().join("saved.tar");
    site.engine.gantry(&["save", "-o", file.to_str().unwrap(), "second"]).ok();
    let other = Site::new();
    other.engine.gantry(&["load", "-i", file.to_str().unwrap()]).ok();
    assert_eq!(layers(&other, "second"), layers(&site, "second"));
    assert_eq!(seen(&other, "second"), seen_here);
    site.engine.gantry(&["rmi", "second"]).ok();
    assert_eq!(files_on_disk(&site), 0);
}

#[test]
fn what_was_removed_or_became_something_else_does_not_shine_through() {
    let site = Site::new();
    tree(&site);
    site.build_of(FILE, &["-t", "first"]).ok();
    fs::remove_file(site.context().join("src/1/1")).unwrap();
    fs::remove_file(site.context().join("src/2/2")).unwrap();
    site.write("src/2/2/now-a-folder", "new");
    site.write("src/3/more", "more");
    site.build_of(FILE, &["-t", "second"]).ok();
    let script = "ls /src/1 /src/2/2 /src/3 | sort | xargs";
    let line = ["run", "--rm", "--network", "none", "second", "sh", "-c", script];
    assert_eq!(
        site.engine.gantry(&line).ok(),
        "/src/1: /src/2/2: /src/3: 101 103 201 203 3 more now-a-folder"
    );
    // And again from there: one more, one that becomes a link.
    fs::remove_file(site.context().join("src/3/more")).unwrap();
    symlink("3", site.context().join("src/3/more")).unwrap();
    site.write("src/4/more", "more");
    site.build_of(FILE, &["-t", "third"]).ok();
    let script = "readlink /src/3/more; ls /src/4 | xargs";
    let line = ["run", "--rm", "--network", "none", "third", "sh", "-c", script];
    assert_eq!(site.engine.gantry(&line).ok(), "3\n104 204 4 more");
}

#[test]
fn a_mounted_context_shares_its_files_too() {
    let site = Site::new();
    tree(&site);
    let file = "FROM busybox\nRUN --mount=target=/c cat /c/src/0/0 /c/src/1/1 > /seen\n";
    site.build_of(file, &["-t", "first"]).ok();
    site.write("src/0/0", "changed\n");
    site.build_of(file, &["-t", "second"]).ok();
    let line = ["run", "--rm", "--network", "none", "second", "cat", "/seen"];
    assert_eq!(site.engine.gantry(&line).ok(), "changed\nfile 1");
    assert_eq!(files_on_disk(&site), FILES + 1);
}
