//! What has broken container runtimes before, tried on this one.

use std::fs;
use std::os::unix::fs::symlink;

use crate::bundle::Bundle;

#[test]
fn cve_2016_9962_only_three_descriptors_are_open() {
    let Some(bundle) = Bundle::new("descriptors", "exec ls /proc/self/fd") else { return };
    // The fourth is the listing's own.
    assert_eq!(bundle.run().out, "0\n1\n2\n3\n");
}

#[test]
fn cve_2024_21626_the_program_does_not_start_behind_a_descriptor() {
    for number in 3..16 {
        let Some(mut bundle) = Bundle::new("cwd behind a descriptor", "pwd; ls") else { return };
        bundle.process().cwd = format!("/proc/self/fd/{number}").into();
        let ran = bundle.run();
        assert_ne!(ran.status, 0, "{ran:?}");
        assert_eq!(ran.out, "");
        assert!(ran.err.contains("chdir to cwd"), "{ran:?}");
    }
}

#[test]
fn cve_2022_24769_no_inheritable_or_ambient_capabilities() {
    let Some(bundle) = Bundle::new("capabilities", "grep Cap /proc/self/status") else { return };
    let out = bundle.run().out;
    assert!(out.contains("CapInh:\t0000000000000000\n"), "{out}");
    assert!(out.contains("CapAmb:\t0000000000000000\n"), "{out}");
    assert!(out.contains("CapBnd:\t00000000000000e3\n"), "{out}");
    assert!(out.contains("CapEff:\t00000000000000e3\n"), "{out}");
}

#[test]
fn cve_2019_5736_the_runtime_cannot_be_overwritten_from_inside() {
    let runtime = env!("CARGO_BIN_EXE_gantry-runtime");
    let before = fs::read(runtime).unwrap();
    // The container's program is the runtime itself, found through the link; it lists, harmlessly.
    let Some(mut bundle) = Bundle::new("overwrite by run", "") else { return };
    bundle.process().args = ["/proc/self/exe", "--version"].map(str::to_owned).into();
    let ran = bundle.run();
    assert_eq!(ran.status, 0, "{ran:?}");
    // What a container could open of it is not writable, whoever asks.
    let Some(bundle) = Bundle::new("overwrite by exec", "exec sleep 100") else { return };
    bundle.start();
    let script = "/proc/self/exe --version; for p in /proc/[0-9]*; do echo x >> $p/exe; done; true";
    let ran = bundle.exec(&["sh", "-c", script]);
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    assert_eq!(fs::read(runtime).unwrap(), before);
}

#[test]
fn cve_2019_5736_the_program_that_enters_containers_cannot_be_written() {
    use std::os::fd::AsRawFd;
    let program = sys::protect::protected_self().unwrap();
    // The file is busy as long as this test runs it; the mount outlasts that.
    let mount = rustix::fs::fstatvfs(&program).unwrap();
    assert!(mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    assert!(fs::OpenOptions::new().write(true).open(path).is_err());
}

#[test]
fn cve_2019_16884_nothing_is_mounted_over_proc() {
    for destination in ["/proc", "/proc/sys", "/proc/self/attr", "/proc/../proc/self"] {
        let Some(mut bundle) = Bundle::new("over proc", "true") else { return };
        let volume = bundle.path().join("volume");
        fs::create_dir(&volume).unwrap();
        bundle.mount("bind", &volume, destination, &["bind"]);
        let ran = bundle.run();
        assert_ne!(ran.status, 0, "{destination}");
        assert!(ran.err.contains("inside /proc"), "{ran:?}");
    }
}

#[test]
fn cve_2023_28642_a_link_to_proc_is_no_way_into_it() {
    let Some(mut bundle) = Bundle::new("link into proc", "true") else { return };
    symlink("/proc", bundle.root().join("link")).unwrap();
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).unwrap();
    bundle.mount("bind", &volume, "/link/self", &["bind"]);
    assert_ne!(bundle.run().status, 0);
}

#[test]
fn cve_2019_19921_proc_is_mounted_on_an_ordinary_directory_only() {
    let Some(bundle) = Bundle::new("proc as a link", "true") else { return };
    fs::remove_dir(bundle.root().join("proc")).unwrap();
    symlink("/tmp", bundle.root().join("proc")).unwrap();
    let ran = bundle.run();
    assert!(ran.err.contains("must be mounted on ordinary directory"), "{ran:?}");
}

#[test]
fn cve_2021_30465_a_mount_point_that_is_a_link_stays_in_the_root() {
    let Some(mut bundle) = Bundle::new("mount point as a link", "ls /inside") else { return };
    let outside = bundle.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("marker"), "").unwrap();
    // From inside, this climbs to the container's own root and stays there.
    symlink("../../../../../../../../inside", bundle.root().join("link")).unwrap();
    fs::create_dir(bundle.root().join("inside")).unwrap();
    bundle.mount("bind", &volume, "/link", &["bind"]);
    assert_eq!(bundle.run().out, "marker\n");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn cve_2024_45310_no_directory_is_made_on_the_host() {
    let Some(mut bundle) = Bundle::new("stray directories", "true") else { return };
    let outside = bundle.path().join("outside");
    symlink(&outside, bundle.root().join("link")).unwrap();
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).unwrap();
    bundle.mount("bind", &volume, "/link/a/b", &["bind"]);
    bundle.run();
    assert!(!outside.exists());
}

#[test]
fn cve_2025_62161_dev_shipped_as_a_link_leads_nowhere() {
    let Some(mut bundle) = Bundle::new("dev as a link", "true") else { return };
    let outside = bundle.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir(bundle.root().join("dev")).unwrap();
    symlink(&outside, bundle.root().join("dev")).unwrap();
    bundle.spec.mounts.retain(|mount| !mount.destination.starts_with("/dev"));
    bundle.run();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn cve_2026_41579_a_device_shipped_as_a_link_is_refused() {
    let Some(mut bundle) = Bundle::new("null as a link", "true") else { return };
    let secret = bundle.path().join("secret");
    fs::write(&secret, "untouched").unwrap();
    symlink(&secret, bundle.root().join("dev/null")).unwrap();
    bundle.spec.mounts.retain(|mount| !mount.destination.starts_with("/dev"));
    let ran = bundle.run();
    assert!(ran.err.contains("something else is there already"), "{ran:?}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "untouched");
}

#[test]
fn cve_2025_31133_masked_paths_show_the_null_device_and_nothing_else() {
    let script = "cat /etc/secret; ls -A /hidden; stat -c %t:%T /etc/secret; touch /hidden/x";
    let Some(mut bundle) = Bundle::new("masked paths", script) else { return };
    fs::write(bundle.root().join("etc/secret"), "secret").unwrap();
    fs::create_dir(bundle.root().join("hidden")).unwrap();
    fs::write(bundle.root().join("hidden/file"), "").unwrap();
    let paths = ["/etc/secret", "/hidden", "/not/there"];
    bundle.linux().masked_paths = paths.iter().map(Into::into).collect();
    let ran = bundle.run();
    assert_eq!(ran.out, "1:3\n", "{ran:?}");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
}

#[test]
fn read_only_paths_cannot_be_written() {
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward; touch /etc/x";
    let Some(mut bundle) = Bundle::new("read-only paths", script) else { return };
    bundle.linux().readonly_paths = vec!["/proc/sys".into(), "/etc".into()];
    let ran = bundle.run();
    assert_eq!(ran.err.matches("Read-only file system").count(), 2, "{ran:?}");
}

#[test]
fn cve_2025_52565_the_console_is_of_the_container_s_own_devpts() {
    let Some(mut bundle) = Bundle::new("console", "true") else { return };
    // No devpts: a directory that the image filled.
    bundle.spec.mounts.retain(|mount| mount.destination != std::path::Path::new("/dev/pts"));
    bundle.process().terminal = true;
    let ran = bundle.run();
    assert_ne!(ran.status, 0, "{ran:?}");
}

#[test]
fn cve_2022_0811_sysctls_are_written_in_own_namespaces_only() {
    let Some(mut bundle) = Bundle::new("sysctl", "cat /proc/sys/net/ipv4/ip_forward") else {
        return;
    };
    bundle.linux().sysctl.insert("net.ipv4.ip_forward".into(), "1".into());
    assert_eq!(bundle.run().out, "1\n");
    for name in
        ["kernel.core_pattern", "net.ipv4.x=1+kernel.core_pattern", "net/../kernel/core_pattern"]
    {
        bundle.linux().sysctl = [(name.to_owned(), "|/evil".to_owned())].into();
        let ran = bundle.run();
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.err.contains("sysctl"), "{ran:?}");
    }
    assert!(!fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap().contains("evil"));
}

#[test]
fn cve_2022_0492_release_agents_are_out_of_reach() {
    let script = "for f in /sys/fs/cgroup/*/release_agent; do echo /evil > $f; done";
    let Some(mut bundle) = Bundle::new("release_agent", script) else { return };
    bundle.mount(
        "cgroup",
        "cgroup".as_ref(),
        "/sys/fs/cgroup",
        &["ro", "nosuid", "noexec", "nodev"],
    );
    assert_ne!(bundle.run().status, 0);
}

#[test]
fn no_new_privileges_is_kept() {
    let Some(mut bundle) = Bundle::new("no_new_privs", "grep NoNewPrivs /proc/self/status") else {
        return;
    };
    assert_eq!(bundle.run().out, "NoNewPrivs:\t0\n");
    bundle.process().no_new_privileges = true;
    assert_eq!(bundle.run().out, "NoNewPrivs:\t1\n");
}
