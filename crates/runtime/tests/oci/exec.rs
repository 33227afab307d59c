//! Further processes in a running container.

use crate::bundle::Bundle;

fn running(test: &str) -> Option<Bundle> {
    let bundle = Bundle::new(test, "exec sleep 100")?;
    bundle.start();
    Some(bundle)
}

#[test]
fn an_exec_is_in_all_namespaces_of_the_container() {
    let Some(bundle) = running("exec namespaces") else { return };
    let script = "for n in mnt net pid ipc uts; do [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] || echo $n; done; hostname";
    let ran = bundle.exec(&["sh", "-c", script]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "box\n"), "{ran:?}");
}

#[test]
fn an_exec_s_status_and_errors_are_its_own() {
    let Some(bundle) = running("exec status") else { return };
    assert_eq!(bundle.exec(&["sh", "-c", "exit 9"]).status, 9);
    let missing = bundle.exec(&["nope"]);
    assert_eq!(missing.status, 127);
    assert!(missing.err.contains("executable file not found in $PATH"), "{missing:?}");
    assert_eq!(bundle.exec(&["/etc/passwd"]).status, 126);
}

#[test]
fn flags_change_user_directory_and_environment() {
    let Some(bundle) = running("exec flags") else { return };
    let words = [
        "exec",
        "--user",
        "5:6",
        "--cwd",
        "/tmp",
        "-e",
        "A=1",
        &bundle.id,
        "sh",
        "-c",
        "id; pwd; echo $A",
    ];
    assert_eq!(bundle.command(&words).out, "uid=5 gid=6\n/tmp\n1\n");
    let refused = bundle.command(&["exec", "--user", "4294967296", &bundle.id, "id"]);
    assert!(refused.err.contains("invalid user or group id"), "{refused:?}");
}

#[test]
fn an_exec_is_counted_in_the_container_s_cgroup() {
    let Some(bundle) = running("exec cgroup") else { return };
    let pair = bundle.exec(&[
        "sh",
        "-c",
        "[ \"$(grep -v ^0: /proc/1/cgroup)\" = \"$(grep -v ^0: /proc/self/cgroup)\" ] && echo same",
    ]);
    assert_eq!(pair.out, "same\n");
}

#[test]
fn cve_2016_9962_an_exec_has_no_descriptor_but_its_own_three() {
    let Some(bundle) = running("exec descriptors") else { return };
    // The fourth is the listing's own.
    let ran = bundle.exec(&["ls", "/proc/self/fd"]);
    assert_eq!(ran.out, "0\n1\n2\n3\n", "{ran:?}");
}

#[test]
fn cve_2024_21626_an_exec_does_not_start_behind_a_descriptor() {
    let Some(bundle) = running("exec cwd") else { return };
    for number in 3..16 {
        let cwd = format!("/proc/self/fd/{number}");
        let ran = bundle.command(&["exec", "--cwd", &cwd, &bundle.id, "pwd"]);
        assert_ne!(ran.status, 0, "{ran:?}");
        assert_eq!(ran.out, "");
    }
}

#[test]
fn cve_2022_29162_an_exec_has_no_inheritable_or_ambient_capabilities() {
    let Some(bundle) = running("exec capabilities") else { return };
    let ran = bundle.exec(&["grep", "-E", "Cap(Inh|Amb)", "/proc/self/status"]);
    assert_eq!(ran.out, "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
}
