//! Engines behind ssh, with an `ssh` that runs its command on this host.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::engine::{Engine, Output, binary, finish};

/// A folder with an `ssh` in it that writes down how it was called.
fn ssh_folder(engine: &Engine, script: &str) -> PathBuf {
    let folder = engine.scratch().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let ssh = folder.join("ssh");
    std::fs::write(&ssh, format!("#!/bin/sh\necho \"$*\" >>{}/calls\n{script}", folder.display()))
        .unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What stands behind `--` is the host, and then a command for its shell.
fn loopback(engine: &Engine) -> PathBuf {
    let host = engine.host();
    let script = format!(
        "while [ \"$1\" != -- ]; do shift; done\nshift 2\nexport DOCKER_HOST={host}\neval \"$@\"\n"
    );
    ssh_folder(engine, &script)
}

fn gantry(folder: &Path, args: &[&str]) -> Output {
    let beside = binary("gantry").parent().unwrap().to_owned();
    let path = format!("{}:{}:/usr/bin:/bin", folder.display(), beside.display());
    let mut command = Command::new(binary("gantry"));
    finish(command.args(args).env_clear().env("PATH", path).env("DOCKER_CONFIG", folder))
}

#[test]
fn containers_run_behind_ssh_as_they_do_here() {
    let engine = Engine::with_busybox();
    let folder = loopback(&engine);
    let host = "ssh://me@there:2222";
    let said = gantry(&folder, &["-H", host, "run", "--rm", "busybox", "echo", "hello"]).ok();
    assert_eq!(said, "hello");
    let code = gantry(&folder, &["-H", host, "run", "--rm", "busybox", "sh", "-c", "exit 7"]);
    code.fails(7);
    let calls = std::fs::read_to_string(folder.join("calls")).unwrap();
    assert!(calls.contains("-T -l me -p 2222 -- there sh -c "), "{calls}");
}

#[test]
fn a_context_leads_there_too() {
    let engine = Engine::with_busybox();
    let folder = loopback(&engine);
    let create = ["context", "create", "there", "--docker", "host=ssh://there"];
    gantry(&folder, &create).ok();
    gantry(&folder, &["--context", "there", "create", "--name", "one", "busybox"]).ok();
    gantry(&folder, &["context", "use", "there"]).ok();
    assert_eq!(gantry(&folder, &["ps", "-a", "--format", "{{.Names}}"]).ok(), "one");
}

#[test]
fn an_ssh_that_fails_is_told_from_an_engine_that_does() {
    let engine = Engine::start();
    let folder = ssh_folder(&engine, "echo 'ssh: no route to host' >&2; exit 255\n");
    let error = gantry(&folder, &["-H", "ssh://there", "ps"]).fails(1);
    assert!(error.contains("ssh: no route to host"), "{error}");
    assert!(error.contains("ssh to ssh://there ended before the engine answered"), "{error}");
    let empty = folder.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let mut command = Command::new(binary("gantry"));
    let none = finish(command.args(["-H", "ssh://there", "ps"]).env_clear().env("PATH", &empty));
    assert!(none.fails(1).contains("exec: \"ssh\": executable file not found in $PATH"));
}
