//! Namespaces, made and joined.

use std::process::{Command, Stdio};

use oci::runtime::{IdMapping, Namespace, NamespaceKind, TimeOffset};

use crate::bundle::Bundle;

#[test]
fn new_namespaces_are_the_container_s_own() {
    let Some(bundle) = Bundle::new("new namespaces", "hostname; echo $$; ip -o link | grep -c .")
    else {
        return;
    };
    assert_eq!(bundle.run().out, "box\n1\n1\n");
}

#[test]
fn a_network_namespace_is_joined_by_path() {
    let Some(mut bundle) = Bundle::new("joined network", "readlink /proc/self/ns/net") else {
        return;
    };
    let net = bundle.linux().namespaces.iter_mut().find(|n| n.kind == NamespaceKind::Network);
    net.unwrap().path = Some("/proc/self/ns/net".into());
    let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(bundle.run().out.trim(), ours.to_str().unwrap());
}

#[test]
fn the_host_s_name_is_not_changed() {
    let Some(mut bundle) = Bundle::new("host's name", "true") else { return };
    let before = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    bundle.linux().namespaces.retain(|namespace| namespace.kind != NamespaceKind::Uts);
    let ran = bundle.run();
    assert!(ran.err.contains("without a private UTS namespace"), "{ran:?}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), before);
}

#[test]
fn a_pid_namespace_is_joined_by_path() {
    let Some(mut bundle) = Bundle::new("joined pid namespace", "readlink /proc/self/ns/pid") else {
        return;
    };
    let mut holder = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "sleep", "100"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", holder.id());
    let first = loop {
        let text = std::fs::read_to_string(&children).unwrap();
        if let Some(pid) = text.split_whitespace().next() {
            break pid.to_owned();
        }
    };
    let path = format!("/proc/{first}/ns/pid");
    let theirs = std::fs::read_link(&path).unwrap();
    let pid = bundle.linux().namespaces.iter_mut().find(|n| n.kind == NamespaceKind::Pid);
    pid.unwrap().path = Some(path.into());
    let ran = bundle.run();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(ran.out.trim(), theirs.to_str().unwrap(), "{ran:?}");
}

#[test]
fn a_time_namespace_has_its_offsets() {
    let Some(mut bundle) = Bundle::new("time namespace", "cat /proc/uptime") else { return };
    bundle.linux().namespaces.push(Namespace { kind: NamespaceKind::Time, path: None });
    let offset = TimeOffset { secs: 10_000_000, nanosecs: 0 };
    bundle.linux().time_offsets.insert("boottime".into(), offset);
    let ran = bundle.run();
    let uptime = |out: &str| out.split(' ').next().unwrap().parse::<f64>().unwrap();
    assert!(uptime(&ran.out) > 10_000_000.0, "{ran:?}");
    // Joined again by an exec.
    bundle.process_to_sleep();
    bundle.start();
    let exec = bundle.exec(&["cat", "/proc/uptime"]);
    assert!(uptime(&exec.out) > 10_000_000.0, "{exec:?}");
}

#[test]
fn a_user_namespace_maps_root_and_owns_what_is_made_in_it() {
    let script = "cat /proc/self/uid_map; id -u; hostname; ls -ln /dev/null | grep -c .; mount -t tmpfs x /tmp && echo mounted";
    let Some(mut bundle) = Bundle::new("user namespace", script) else { return };
    let map = IdMapping { container_id: 0, host_id: 100_000, size: 65_536 };
    let linux = bundle.linux();
    linux.namespaces.push(Namespace { kind: NamespaceKind::User, path: None });
    (linux.uid_mappings, linux.gid_mappings) = (vec![map], vec![map]);
    let sets = bundle.process().capabilities.as_mut().unwrap();
    for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
        set.push("CAP_SYS_ADMIN".into());
    }
    // The container's root must be able to come in.
    open_to_all(bundle.path());
    let ran = bundle.run();
    let lines: Vec<&str> = ran.out.lines().map(str::trim).collect();
    assert_eq!(lines[1..], ["0", "box", "1", "mounted"], "{ran:?}");
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

impl Bundle {
    fn process_to_sleep(&mut self) {
        self.process().args = ["sleep", "100"].map(str::to_owned).into();
    }
}
