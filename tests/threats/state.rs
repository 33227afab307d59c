//! What others on the host can see and reach of an engine.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use testkit::engine::{Engine, finish};

/// All below that are of `kind`.
fn walk(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), found);
        }
    }
}

#[test]
fn cve_2021_41091_nothing_below_the_roots_is_open_to_others() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "60"]).ok();
    engine.gantry(&["exec", "box", "true"]).ok();
    for root in [engine.data_root(), engine.exec_root()] {
        let mode = fs::metadata(&root).unwrap().permissions().mode() & 0o7777;
        assert!(mode & 0o066 == 0, "{} is {mode:o}", root.display());
    }
    // Somebody else reaches neither a container's files nor its sockets.
    let mut all = Vec::new();
    walk(&engine.exec_root().join("c"), &mut all);
    all.push(engine.data_root().join("gantry.db"));
    all.push(engine.data_root().join("containers"));
    assert!(all.len() > 5, "{all:?}");
    for path in &all {
        let mut ls = Command::new("setpriv");
        ls.args(["--reuid=65534", "--regid=65534", "--clear-groups", "ls", "-d"]).arg(path);
        assert_ne!(finish(&mut ls).code, 0, "{} can be seen", path.display());
    }
}

#[test]
fn cve_2020_15257_monitors_listen_to_root_alone_and_on_no_abstract_socket() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "-t", "--init", "--name", "box", "busybox", "sleep", "60"]).ok();
    engine
        .gantry(&["run", "-d", "--network", "host", "--name", "host", "busybox", "sleep", "60"])
        .ok();
    let containers = fs::read_dir(engine.exec_root().join("c")).unwrap().flatten();
    let sockets: Vec<_> = containers.map(|entry| entry.path().join("monitor.sock")).collect();
    assert_eq!(sockets.len(), 2);
    for socket in &sockets {
        let metadata = fs::metadata(socket).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (0o600, 0));
    }
    let needle = engine.scratch().to_string_lossy().into_owned();
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let ours: Vec<&str> = processes(&needle)
        .iter()
        .flat_map(|pid| inodes(*pid))
        .filter_map(|inode| {
            sockets.lines().find(|line| line.split_whitespace().nth(6) == Some(&inode))
        })
        .collect();
    assert!(!ours.is_empty(), "the engine has sockets");
    let is_abstract =
        |line: &&&str| line.split_whitespace().nth(7).is_some_and(|p| p.starts_with('@'));
    let found: Vec<_> = ours.iter().filter(is_abstract).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Those whose command line names this engine's folders.
fn processes(needle: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(needle)
    })
    .collect()
}

fn inodes(pid: u32) -> Vec<String> {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    fds.filter_map(|fd| {
        let link = fs::read_link(fd.path()).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(inode.to_owned())
    })
    .collect()
}

#[test]
fn cve_2019_13509_secrets_are_in_no_log_of_the_engine() {
    let engine = Engine::start_with(&["-D"]);
    engine.load("busybox");
    // Where users put them: environments, commands, labels, options of mounts, credentials; in what is taken and in what is
    // refused at every point on the way.
    let taken: [&[&str]; 4] = [
        &[
            "run",
            "-d",
            "--name",
            "box",
            "-e",
            "PASSWORD=hunter2-run",
            "-l",
            "key=hunter2-label",
            "busybox",
            "sleep",
            "60",
        ],
        &["exec", "-e", "TOKEN=hunter2-exec", "box", "sh", "-c", "exit 0 # hunter2-argument"],
        &[
            "volume",
            "create",
            "-o",
            "type=cifs",
            "-o",
            "device=//127.0.0.1/x",
            "-o",
            "o=addr=127.0.0.1,username=u,password=hunter2-mount",
            "vault",
        ],
        &["commit", "-c", "ENV TOKEN=hunter2-commit", "box", "second"],
    ];
    for command in taken {
        engine.gantry(command).ok();
    }
    let refused: [(&[&str], i32); 4] = [
        (&["exec", "-e", "TOKEN=hunter2-exec", "box", "no-such-program"], 126),
        (&["run", "--rm", "-e", "TOKEN=hunter2-failing", "busybox", "no-such-program"], 127),
        (&["run", "--rm", "-e", "TOKEN=hunter2-user", "-u", "nobody-here", "busybox", "true"], 125),
        (&["run", "--rm", "-v", "vault:/x", "-e", "TOKEN=hunter2-volume", "busybox", "true"], 125),
    ];
    for (command, code) in refused {
        engine.gantry(command).fails(code);
    }
    let bodies = [
        ("/containers/create", r#"{"Image":"busybox","Env":["A=hunter2-cut""#),
        ("/containers/create", r#"{"Image":"busybox","Env":{"A":"hunter2-kind"}}"#),
        ("/containers/create?name=absent", r#"{"Image":"absent","Env":["A=hunter2-absent"]}"#),
        ("/auth", r#"{"username":"u","password":"hunter2-auth"}"#),
        ("/secrets/create", r#"{"Name":"s","Data":"hunter2-swarm"}"#),
        ("/no/such/path?token=hunter2-query", r#"{"Data":"hunter2-nowhere"}"#),
    ];
    for (path, body) in bodies {
        let answer = post(&engine, path, body);
        let status = answer.split(' ').nth(1).unwrap().to_owned();
        assert!(status.starts_with(['4', '5']), "{path}: {answer}");
    }
    let log = engine.log();
    assert!(log.contains("level=debug"), "the log is one that would have them: {log}");
    assert!(!log.contains("hunter2"), "{log}");
    let mut files = Vec::new();
    walk(&engine.exec_root().join("c"), &mut files);
    let logs = files.iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
    for log in logs {
        assert!(!fs::read_to_string(log).unwrap().contains("hunter2"), "{}", log.display());
    }
}

/// With credentials, as clients send them along; the answer as it came.
fn post(engine: &Engine, path: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let mut socket = std::os::unix::net::UnixStream::connect(engine.socket()).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Registry-Auth: hunter2-header\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn two_engines_leave_each_others_containers_alone() {
    let (one, mut two) = (Engine::with_busybox(), Engine::with_busybox());
    one.gantry(&["run", "-d", "--name", "same", "busybox", "sleep", "60"]).ok();
    two.gantry(&["run", "-d", "--name", "same", "busybox", "sleep", "60"]).ok();
    let pid = |engine: &Engine| engine.gantry(&["inspect", "-f", "{{.State.Pid}}", "same"]).ok();
    let (first, second) = (pid(&one), pid(&two));
    assert_ne!(first, second);
    two.kill();
    two.launch();
    two.gantry(&["rm", "-f", "same"]).ok();
    two.gantry(&["container", "prune", "-f"]).ok();
    assert_eq!(pid(&one), first);
    one.gantry(&["exec", "same", "true"]).ok();
    let other = two.gantry(&["ps", "-aq"]).ok();
    assert_eq!(other, "", "it does not see the other's");
}
