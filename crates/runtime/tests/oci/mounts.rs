//! Mounts of the configuration.

use std::fs;

use crate::bundle::Bundle;

fn with_volume(test: &str, script: &str, options: &[&str]) -> Option<Bundle> {
    let mut bundle = Bundle::new(test, script)?;
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).expect("volume");
    fs::write(volume.join("file"), "content\n").expect("volume's file");
    bundle.mount("bind", &volume, "/mnt/deep/er", options);
    Some(bundle)
}

#[test]
fn a_bind_mount_shows_the_host_s_directory() {
    let script = "cat /mnt/deep/er/file; echo new > /mnt/deep/er/made";
    let Some(bundle) = with_volume("bind", script, &["rbind"]) else { return };
    assert_eq!(bundle.run().out, "content\n");
    assert_eq!(fs::read_to_string(bundle.path().join("volume/made")).unwrap(), "new\n");
}

#[test]
fn a_read_only_bind_mount_cannot_be_written() {
    for option in ["ro", "rro"] {
        let script = "touch /mnt/deep/er/x";
        let Some(bundle) = with_volume("read-only bind", script, &["rbind", option]) else {
            return;
        };
        let ran = bundle.run();
        assert!(ran.err.contains("Read-only file system"), "{ran:?}");
    }
}

#[test]
fn one_file_can_be_bound() {
    let Some(mut bundle) = Bundle::new("bind file", "cat /etc/made/name") else { return };
    let file = bundle.path().join("file");
    fs::write(&file, "one\n").unwrap();
    bundle.mount("bind", &file, "/etc/made/name", &["bind"]);
    assert_eq!(bundle.run().out, "one\n");
}

#[test]
fn a_tmpfs_can_start_with_what_it_covers() {
    let Some(mut bundle) =
        Bundle::new("tmpcopyup", "cat /data/a/b; readlink /data/l; stat -c %a /data/a")
    else {
        return;
    };
    let data = bundle.root().join("data/a");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("b"), "kept\n").unwrap();
    std::os::unix::fs::symlink("a/b", bundle.root().join("data/l")).unwrap();
    bundle.mount("tmpfs", "tmpfs".as_ref(), "/data", &["tmpcopyup", "size=1m"]);
    assert_eq!(bundle.run().out, "kept\na/b\n755\n");
}

#[test]
fn a_missing_source_is_named() {
    let Some(mut bundle) = Bundle::new("missing source", "true") else { return };
    bundle.mount("bind", "/no/such/source".as_ref(), "/mnt", &["bind"]);
    let ran = bundle.run();
    let words = "error mounting \"/no/such/source\" to rootfs at \"/mnt\"";
    assert!(ran.err.contains(words) && ran.err.contains("no such file or directory"), "{ran:?}");
}

#[test]
fn an_idmapped_mount_shows_the_mapped_owner() {
    let Some(mut bundle) = Bundle::new("idmap", "stat -c %u /mnt/file") else { return };
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("file"), "").unwrap();
    bundle.mount("bind", &volume, "/mnt", &["bind", "idmap"]);
    let mount = bundle.spec.mounts.last_mut().unwrap();
    let map = oci::runtime::IdMapping { container_id: 0, host_id: 1234, size: 10 };
    (mount.uid_mappings, mount.gid_mappings) = (vec![map], vec![map]);
    let ran = bundle.run();
    assert_eq!(ran.out, "1234\n", "{ran:?}");
}

#[test]
fn a_read_only_root_is_read_only() {
    let Some(mut bundle) = Bundle::new("read-only root", "touch /x") else { return };
    bundle.spec.root.as_mut().unwrap().readonly = true;
    assert!(bundle.run().err.contains("Read-only file system"));
}

#[test]
fn the_cgroup_mount_is_there_and_read_only() {
    let Some(mut bundle) = Bundle::new("cgroup mount", "ls /sys/fs/cgroup; mkdir /sys/fs/cgroup/x")
    else {
        return;
    };
    bundle.mount(
        "cgroup",
        "cgroup".as_ref(),
        "/sys/fs/cgroup",
        &["ro", "nosuid", "noexec", "nodev"],
    );
    let ran = bundle.run();
    assert!(!ran.out.is_empty(), "{ran:?}");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
}

#[test]
fn nothing_of_the_host_s_mounts_is_left_inside() {
    let Some(bundle) = Bundle::new("mount table", "cat /proc/self/mountinfo") else { return };
    let ran = bundle.run();
    let points: Vec<&str> = ran.out.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(points, ["/", "/proc", "/dev", "/dev/pts", "/sys"]);
}
