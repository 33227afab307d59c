//! What becomes of a test's engine when the test dies.

use std::fs;
use std::process::Command;

use testkit::engine::{Engine, binary, wait_for};

const CHILD: &str = "GANTRY_TEST_THAT_DIES";

/// Not a test of its own: what the test below runs.
#[test]
fn child_that_dies_with_a_container() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--network", "none", "busybox", "sleep", "300"]).ok();
    println!("{}\n{}", engine.data_root().display(), engine.exec_root().display());
    std::process::abort();
}

fn processes(of: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let command = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let commands = all.filter_map(command).map(|text| String::from_utf8_lossy(&text).into_owned());
    commands.filter(|text| text.contains(of)).collect()
}

#[test]
fn a_test_that_dies_leaves_no_processes() {
    let test = "engine::swept::child_that_dies_with_a_container";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", test, "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(!output.status.success(), "it was to die");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let roots: Vec<&str> = printed.lines().filter(|line| line.starts_with('/')).collect();
    let [data_root, exec_root] = roots[..] else { panic!("{printed}") };
    wait_for("nothing runs", || processes(exec_root).is_empty());
    // An engine that comes and goes takes the rest away: cgroups, firewall, bridge.
    let host = format!("unix://{exec_root}/s");
    let mut last = Command::new(binary("gantryd"));
    last.args(["--data-root", data_root, "--exec-root", exec_root, "-H", &host]);
    let mut last = last.spawn().unwrap();
    let gantry = |words: &[&str]| {
        Command::new(binary("gantry")).args(["-H", &host]).args(words).output().unwrap()
    };
    wait_for("it serves", || gantry(&["version"]).status.success());
    assert_eq!(String::from_utf8_lossy(&gantry(&["ps", "-q"]).stdout), "");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&last),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    last.wait().unwrap();
    for root in [data_root, exec_root] {
        fs::remove_dir_all(std::path::Path::new(root).parent().unwrap()).unwrap();
    }
}
