//! RUN steps that mean harm, and engines that die under them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::engine::{Engine, Output, wait_for};

/// A folder with this Dockerfile, as a context.
fn context(dockerfile: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("Dockerfile"), dockerfile).unwrap();
    place
}

fn build(engine: &Engine, dockerfile: &str, more: &[&str]) -> Output {
    let place = context(dockerfile);
    let mut words = vec!["build", "--progress=plain", "-t", "built"];
    words.extend(more);
    words.push(place.path().to_str().unwrap());
    engine.gantry(&words)
}

#[track_caller]
fn built(engine: &Engine, dockerfile: &str, more: &[&str]) -> String {
    let output = build(engine, dockerfile, more);
    assert_eq!(output.code, 0, "{}", output.stderr);
    output.stderr
}

/// Whether a file below has the text in it.
fn is_anywhere(directory: &Path, text: &str) -> Option<std::path::PathBuf> {
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    return Some(entry.path());
                }
            }
        }
    }
    None
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn cve_2023_26054_a_build_s_secret_is_in_no_layer_record_or_log() {
    let engine = Engine::with_busybox();
    let (file, variable) = ("the-secret-in-a-file-5151", "the-secret-in-a-variable-6161");
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("s"), file).unwrap();
    let secret = format!("id=s,src={}", place.path().join("s").display());
    let dockerfile = "FROM busybox
RUN --mount=type=secret,id=s --mount=type=secret,id=v,env=V wc -c < /run/secrets/s > /lengths && echo ${#V} >> /lengths
";
    let context = context(dockerfile);
    let mut command = engine.command(&["build", "-t", "built", "--secret", &secret]);
    command.args(["--secret", "id=v,env=OWN_SECRET"]).arg(context.path());
    let output = command.env("OWN_SECRET", variable).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lengths = engine.gantry(&["run", "--rm", "built", "cat", "/lengths"]).ok();
    assert_eq!(lengths, format!("{}\n{}", file.len(), variable.len()));
    for secret in [file, variable] {
        for root in [engine.data_root(), engine.exec_root()] {
            assert_eq!(is_anywhere(&root, secret), None);
        }
        assert!(!engine.log().contains(secret));
    }
    assert_eq!(count(&engine.exec_root().join("steps")), 0);
}

#[test]
fn cve_2024_23651_a_cache_mount_s_part_does_not_lead_out_of_it() {
    let engine = Engine::with_busybox();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("of-the-host"), "").unwrap();
    let dockerfile = format!(
        "FROM busybox
RUN --mount=type=cache,id=c,target=/c ln -s {} /c/absolute && ln -s ../../../../../../../..{0} /c/climbing && touch /c/own
RUN --mount=type=cache,id=c,source=absolute,target=/h ls /h
",
        host.path().display()
    );
    let output = build(&engine, &dockerfile, &[]);
    assert_ne!(output.code, 0, "{}", output.stderr);
    let climbing = dockerfile.replace("source=absolute", "source=climbing");
    let output = build(&engine, &climbing, &[]);
    assert_ne!(output.code, 0);
    assert!(!output.stderr.contains("of-the-host"), "{}", output.stderr);
}

#[test]
fn cve_2024_9407_a_bind_mount_s_source_does_not_leave_its_layers() {
    let engine = Engine::with_busybox();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("of-the-host"), "").unwrap();
    let dockerfile = format!(
        "FROM busybox AS evil
RUN ln -s {0} /absolute && ln -s ../../../../../../../..{0} /climbing
FROM busybox
RUN --mount=from=evil,source=WHERE,target=/h,rw ls /h && touch /h/x
",
        host.path().display()
    );
    for source in ["/absolute", "/climbing", "../../../../../../../../../../tmp"] {
        let output = build(&engine, &dockerfile.replace("WHERE", source), &[]);
        assert!(!output.stderr.contains("of-the-host"), "{}", output.stderr);
        assert!(!host.path().join("x").exists());
    }
}

#[test]
fn cve_2024_24557_what_an_image_claims_of_its_history_is_no_cache() {
    let engine = Engine::with_busybox();
    // Just what the step of an honest build would have left, but for the content.
    let honest = "FROM busybox\nRUN echo honest > /f\n";
    built(&engine, &honest.replace("echo honest", "echo evil"), &[]);
    let name = engine.gantry(&["create", "built"]).ok();
    let change = r#"CMD ["/bin/sh", "-c", "echo honest > /f"]"#;
    engine.gantry(&["commit", "--change", change, name.trim(), "evil"]).ok();
    engine.gantry(&["rm", name.trim()]).ok();
    built(&engine, honest, &["--cache-from", "evil"]);
    assert_eq!(engine.gantry(&["run", "--rm", "built", "cat", "/f"]).ok(), "honest");
}

#[test]
fn cve_2021_3602_nothing_of_the_engine_s_or_the_client_s_environment_reaches_a_step() {
    let engine = Engine::with_busybox();
    let context = context("FROM busybox\nRUN env > /env\n");
    let mut command = engine.command(&["build", "-t", "built"]);
    let output = command.arg(context.path()).env("LEAKED", "yes").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let env = engine.gantry(&["run", "--rm", "built", "cat", "/env"]).ok();
    let mut names: Vec<_> = env.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "PATH", "PWD", "SHLVL"]);
}

#[test]
fn what_a_step_leaves_running_ends_with_it_and_nobody_sees_its_container() {
    let engine = Engine::with_busybox();
    let events = engine.gantry(&["events", "--since", "1s", "--until", "0s"]);
    assert_eq!(events.code, 0);
    built(&engine, "FROM busybox\nRUN setsid sleep 98765 & sleep 98765 & touch /done\n", &[]);
    let processes = Command::new("pgrep").args(["-f", "^sleep 98765$"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&processes.stdout), "");
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
    let told = engine.gantry(&["events", "--since", "1h", "--until", "0s"]).ok();
    let of_containers: Vec<_> = told.lines().filter(|line| line.contains(" container ")).collect();
    assert!(of_containers.is_empty(), "{told}");
    let of_networks = told.lines().filter(|line| line.contains(" network ")).count();
    assert_eq!(of_networks, 0, "{told}");
}

#[test]
fn a_build_that_is_given_up_ends_its_step() {
    let engine = Engine::with_busybox();
    let context = context("FROM busybox\nRUN while true; do :; done\n");
    let mut client = engine.command(&["build"]);
    client.arg(context.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = client.spawn().unwrap();
    let monitors = engine.exec_root().join("c");
    wait_for("the step runs", || count(&monitors) == 1);
    client.kill().unwrap();
    client.wait().unwrap();
    wait_for("the step has ended", || count(&monitors) == 0);
    wait_for("its files are gone", || count(&engine.data_root().join("containers")) == 0);
}

#[test]
fn an_engine_killed_under_a_step_leaves_nothing_of_it_and_keeps_the_cache() {
    let mut engine = Engine::with_busybox();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("s"), "hidden").unwrap();
    let secret = format!("id=s,src={}", place.path().join("s").display());
    let dockerfile = "FROM busybox
RUN echo first > /first
RUN --mount=type=secret,id=s while true; do echo x >> /half; done
";
    let context = context(dockerfile);
    let mut client = engine.command(&["build", "--secret", &secret]);
    client.arg(context.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = client.spawn().unwrap();
    let steps = engine.exec_root().join("steps");
    wait_for("the second step runs", || {
        count(&steps) == 1 && count(&engine.exec_root().join("c")) == 1
    });
    engine.kill();
    assert!(!client.wait().unwrap().success());
    engine.launch();
    assert_eq!(count(&steps), 0, "the secret is gone");
    for directory in [engine.exec_root().join("c"), engine.data_root().join("containers")] {
        wait_for("nothing of the step is left", || count(&directory) == 0);
    }
    assert_eq!(count(&engine.data_root().join("staging")), 0);
    let told = built(&engine, "FROM busybox\nRUN echo first > /first\n", &[]);
    assert!(told.contains("CACHED"), "{told}");
    assert_eq!(engine.gantry(&["run", "--rm", "built", "cat", "/first"]).ok(), "first");
}

#[test]
fn a_step_that_fills_the_disk_fails_alone() {
    let small = tempfile::tempdir().unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("gantry-test", small.path(), "tmpfs", flags, c"size=48m").unwrap();
    let _unmounted = Unmount(small.path());
    let root = small.path().join("root");
    let engine = Engine::start_with(&["--data-root", root.to_str().unwrap()]);
    engine.load("busybox");
    let output = build(&engine, "FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=100\n", &[]);
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("No space left on device"), "{}", output.stderr);
    wait_for("the room is free again", || count(&root.join("containers")) == 0);
    built(&engine, "FROM busybox\nRUN dd if=/dev/zero of=/small bs=1M count=1\n", &[]);
}

struct Unmount<'p>(&'p Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
