//! What a user does with containers, images and volumes without being root.

use super::user::User;
use super::with_busybox;

#[test]
fn containers_run_and_are_root_only_inside() {
    let user = with_busybox();
    let run = |args: &[&str]| user.gantry(&[&["run", "--rm"], args].concat());
    assert_eq!(run(&["busybox", "id", "-u"]).ok(), "0");
    assert_eq!(run(&["--user", "1000:1000", "busybox", "id", "-u"]).ok(), "1000");
    assert_eq!(run(&["busybox", "sh", "-c", "exit 7"]).code, 7);
    for network in ["none", "host"] {
        assert_eq!(run(&["--network", network, "busybox", "echo", "hello"]).ok(), "hello");
    }
    for space in ["--pid", "--ipc", "--uts"] {
        assert_eq!(run(&[space, "host", "busybox", "echo", "hello"]).ok(), "hello", "{space}");
    }
    let refused = run(&["-v", "/etc/shadow:/shadow", "busybox", "cat", "/shadow"]);
    assert!(refused.fails(1).contains("Permission denied"), "root inside is the user outside");
    let mounted =
        run(&["--privileged", "busybox", "sh", "-c", "mount -t tmpfs none /tmp && echo done"]);
    assert_eq!(mounted.ok(), "done");
}

#[test]
fn a_running_container_is_entered_listed_and_copied_from() {
    let user = with_busybox();
    let gantry = |args: &[&str]| user.gantry(args).ok();
    gantry(&["run", "-d", "--name", "web", "-v", "data:/data", "busybox", "sleep", "1000"]);
    assert_eq!(
        gantry(&["exec", "web", "sh", "-c", "echo kept > /data/file; cat /data/file"]),
        "kept"
    );
    assert!(gantry(&["top", "web"]).contains("sleep 1000"));
    let copy = user.home().join("copy");
    gantry(&["cp", "web:/data/file", copy.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(copy).unwrap(), "kept\n");
    let other = ["run", "--rm", "-v", "data:/data", "busybox", "cat", "/data/file"];
    assert_eq!(gantry(&other), "kept");
    assert!(user.gantry(&["pause", "web"]).fails(1).contains("freezer"));
    gantry(&["stop", "-t", "0", "web"]);
    gantry(&["rm", "web"]);
}

#[test]
fn directories_made_anew_are_opaque_in_images_too() {
    let user = User::new();
    user.load("debian");
    let script = "rm -r /etc/apt && mkdir /etc/apt && echo new > /etc/apt/new";
    user.gantry(&["run", "--name", "change", "debian", "sh", "-c", script]).ok();
    assert!(user.gantry(&["diff", "change"]).ok().contains("A /etc/apt/new"));
    user.gantry(&["commit", "change", "changed"]).ok();
    user.gantry(&["rm", "change"]).ok();
    assert_eq!(user.gantry(&["run", "--rm", "changed", "ls", "/etc/apt"]).ok(), "new");
    // Over an archive too, where layers say it in their own notation.
    let archive = user.home().join("changed.tar");
    let archive = archive.to_str().unwrap();
    user.gantry(&["save", "-o", archive, "changed"]).ok();
    user.gantry(&["rmi", "changed"]).ok();
    user.gantry(&["load", "-i", archive]).ok();
    assert_eq!(user.gantry(&["run", "--rm", "changed", "ls", "/etc/apt"]).ok(), "new");
}

#[test]
fn limits_are_refused_by_name_where_no_cgroup_is_delegated() {
    let user = with_busybox();
    for limit in [["--memory", "64m"], ["--cpus", "0.5"], ["--pids-limit", "20"]] {
        let words =
            user.gantry(&[&["run", "--rm"], &limit[..], &["busybox", "true"]].concat()).fails(125);
        assert!(words.contains(&format!("{} cannot be enforced", limit[0])), "{words}");
    }
    assert_eq!(user.gantry(&["ps", "-aq"]).ok(), "");
    let info = user.gantry(&["info", "-f", "{{.CgroupDriver}} {{.SecurityOptions}}"]).ok();
    assert!(info.starts_with("none ") && info.contains("name=rootless"), "{info}");
}

#[test]
fn cve_2023_25809_no_cgroup_of_the_host_can_be_written_to() {
    let user = with_busybox();
    let script = "find /sys/fs/cgroup -maxdepth 2 -type d -exec mkdir {}/made \\; 2> /dev/null; \
                  find /sys/fs/cgroup -name made | wc -l";
    for space in ["private", "host"] {
        let made = ["run", "--rm", "--cgroupns", space, "busybox", "sh", "-c", script];
        assert_eq!(user.gantry(&made).ok(), "0", "{space}");
    }
}
