//! `gantry run`: what the program sees, what the caller gets back.

use std::fs;

use testkit::engine::{Engine, image_archive};

#[test]
fn prints_the_output_and_leaves_nothing_with_rm() {
    let engine = Engine::with_busybox();
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "hi"]).ok(), "hi");
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn hello_world_says_hello() {
    let engine = Engine::start();
    engine.load("hello-world");
    assert!(engine.gantry(&["run", "--rm", "hello-world"]).ok().contains("Hello from Gantry!"));
}

#[test]
fn stdout_and_stderr_stay_apart_and_the_exit_code_comes_through() {
    let engine = Engine::with_busybox();
    let out =
        engine.gantry(&["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (7, "out\n", "err\n"));
}

#[test]
fn a_program_killed_by_a_signal_is_128_and_the_signal() {
    let engine = Engine::with_busybox();
    let script = "sh -c 'kill -TERM $$'; echo $?";
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "sh", "-c", script]).ok(), "143");
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    engine.gantry(&["kill", "box"]).ok();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "137");
}

#[test]
fn a_missing_program_is_127_and_one_that_cannot_run_126() {
    let engine = Engine::with_busybox();
    let missing = engine.gantry(&["run", "--rm", "busybox", "no-such-program"]).fails(127);
    assert!(missing.contains("executable file not found in $PATH"), "{missing}");
    let refused = engine.gantry(&["run", "--rm", "busybox", "/etc/passwd"]).fails(126);
    assert!(refused.contains("permission denied"), "{refused}");
    assert_eq!(
        engine.gantry(&["ps", "-aq"]).ok(),
        "",
        "a failed start with --rm leaves no container"
    );
}

#[test]
fn a_failed_start_without_rm_leaves_a_created_container() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "--name", "broken", "busybox", "no-such-program"]).fails(127);
    let state =
        engine.gantry(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "broken"]).ok();
    assert_eq!(state, "created 127");
}

#[test]
fn unknown_flags_and_images_are_125() {
    let engine = Engine::with_busybox();
    let flag = engine.gantry(&["run", "--no-such-flag", "busybox"]).fails(125);
    assert!(flag.contains("unknown flag: --no-such-flag"), "{flag}");
    let image = engine.gantry(&["run", "--rm", "no-such-image"]).fails(125);
    assert!(image.contains("Unable to find image 'no-such-image:latest' locally"), "{image}");
}

#[test]
fn standard_input_reaches_the_program_with_i() {
    let engine = Engine::with_busybox();
    let out =
        engine.gantry_with_input(&["run", "--rm", "-i", "busybox", "wc", "-c"], &[b'x'; 300_000]);
    assert_eq!(out.ok(), "300000");
}

#[test]
fn input_without_i_is_empty() {
    let engine = Engine::with_busybox();
    let out = engine.gantry_with_input(&["run", "--rm", "busybox", "wc", "-c"], b"not for you");
    assert_eq!(out.ok(), "0");
}

#[test]
fn user_workdir_env_hostname_and_entrypoint_are_honoured() {
    let engine = Engine::with_busybox();
    let script = "id -u; id -g; pwd; echo $GREETING; hostname";
    let args = [
        "run",
        "--rm",
        "-u",
        "65534:5",
        "-w",
        "/made/here",
        "-e",
        "GREETING=hi there",
        "-h",
        "box",
    ];
    let mut args = args.to_vec();
    args.extend(["--entrypoint", "sh", "busybox", "-c", script]);
    assert_eq!(engine.gantry(&args).ok(), "65534\n5\n/made/here\nhi there\nbox");
}

#[test]
fn environment_from_files_and_from_the_caller() {
    let engine = Engine::with_busybox();
    let file = engine.scratch().join("env");
    fs::write(&file, "# a comment\nA=1\nFROM_CALLER\n").unwrap();
    let args =
        ["run", "--rm", "--env-file", file.to_str().unwrap(), "-e", "B=2", "busybox", "sh", "-c"];
    let mut command = engine.command(&args);
    command.arg("echo $A $B $FROM_CALLER").env("FROM_CALLER", "3");
    assert_eq!(testkit::engine::finish(&mut command).ok(), "1 2 3");
}

#[test]
fn read_only_root_with_a_tmpfs() {
    let engine = Engine::with_busybox();
    let script =
        "touch /x 2>&1; touch /tmp/y && ls /tmp; grep ' /tmp ' /proc/mounts | cut -d' ' -f3";
    let args =
        ["run", "--rm", "--read-only", "--tmpfs", "/tmp:size=1m", "busybox", "sh", "-c", script];
    assert_eq!(engine.gantry(&args).ok(), "touch: /x: Read-only file system\ny\ntmpfs");
}

#[test]
fn bind_mounts_read_write_and_read_only() {
    let engine = Engine::with_busybox();
    let shared = engine.scratch().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("in"), "from the host\n").unwrap();
    let bind = format!("{}:/data", shared.display());
    let script = "cat /data/in; echo back > /data/out";
    assert_eq!(
        engine.gantry(&["run", "--rm", "-v", &bind, "busybox", "sh", "-c", script]).ok(),
        "from the host"
    );
    assert_eq!(fs::read_to_string(shared.join("out")).unwrap(), "back\n");
    let read_only = format!("{bind}:ro");
    let out = engine.gantry(&["run", "--rm", "-v", &read_only, "busybox", "touch", "/data/no"]);
    assert!(out.fails(1).contains("Read-only file system"));
}

#[test]
fn limits_reach_the_cgroup() {
    let engine = Engine::with_busybox();
    let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null \
                  || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max";
    let args =
        ["run", "--rm", "--memory", "64m", "--pids-limit", "50", "busybox", "sh", "-c", script];
    assert_eq!(engine.gantry(&args).ok(), "67108864\n50");
}

#[test]
fn running_out_of_memory_is_reported() {
    let engine = Engine::with_busybox();
    let args = ["run", "--name", "glutton", "-m", "16m", "--memory-swap", "16m", "busybox"];
    let mut args = args.to_vec();
    args.extend(["sh", "-c", "x=a; while true; do x=$x$x; done"]);
    assert_eq!(engine.gantry(&args).code, 137);
    let state = engine
        .gantry(&["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "glutton"])
        .ok();
    assert_eq!(state, "true 137");
}

#[test]
fn the_default_capabilities_are_dockers_and_can_be_changed() {
    let engine = Engine::with_busybox();
    let effective = |flags: &[&str]| {
        let mut args = vec!["run", "--rm"];
        args.extend(flags);
        args.extend(["busybox", "grep", "CapEff", "/proc/self/status"]);
        engine.gantry(&args).ok().split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(effective(&[]), "00000000a80425fb");
    assert_eq!(effective(&["--cap-drop=ALL"]), "0000000000000000");
    assert_eq!(effective(&["--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE"]), "0000000000000400");
}

#[test]
fn the_default_bridge_gives_an_address_and_a_way_to_the_gateway() {
    let engine = Engine::with_busybox();
    let script = "ip -4 addr show eth0 | grep -c inet; ping -c1 -W2 $(ip route | awk '/default/ {print $3}') | grep -c '1 packets received'";
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "sh", "-c", script]).ok(), "1\n1");
}

#[test]
fn network_none_has_loopback_alone_and_host_is_the_hosts() {
    let engine = Engine::with_busybox();
    let links = |network: &str| {
        engine
            .gantry(&["run", "--rm", "--network", network, "busybox", "ls", "/sys/class/net"])
            .ok()
    };
    assert_eq!(links("none"), "lo");
    let host: Vec<String> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(host.iter().any(|link| link == "lo") && links("host").lines().any(|link| link == "lo"));
}

#[test]
fn a_network_shared_with_another_container() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "owner", "busybox", "sleep", "60"]).ok();
    let address = |args: &[&str]| engine.gantry(args).ok();
    let own = address(&["exec", "owner", "cat", "/sys/class/net/eth0/address"]);
    let shared = [
        "run",
        "--rm",
        "--network",
        "container:owner",
        "busybox",
        "cat",
        "/sys/class/net/eth0/address",
    ];
    assert_eq!(address(&shared), own);
}

#[test]
fn init_reaps_and_forwards() {
    let engine = Engine::with_busybox();
    let first = engine.gantry(&["run", "--rm", "--init", "busybox", "cat", "/proc/1/comm"]).ok();
    assert_ne!(first, "cat", "the program is not process 1");
    assert_eq!(engine.gantry(&["run", "--rm", "--init", "busybox", "sh", "-c", "exit 9"]).code, 9);
}

#[test]
fn names_are_unique_and_checked() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["create", "--name", "one", "busybox"]).ok();
    let conflict = engine.gantry(&["create", "--name", "one", "busybox"]).fails(1);
    let expected = format!("The container name \"/one\" is already in use by container \"{id}\"");
    assert!(conflict.contains(&expected), "{conflict}");
    let odd = engine.gantry(&["create", "--name", "../etc", "busybox"]).fails(1);
    assert!(
        odd.contains("Invalid container name (../etc), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        "{odd}"
    );
}

#[test]
fn flags_of_later_versions_are_refused_by_name() {
    let engine = Engine::with_busybox();
    let refused = engine.gantry(&["run", "--rm", "--use-api-socket", "busybox", "true"]).fails(125);
    let words = "--use-api-socket: the engine's socket in a container come in a later version";
    assert!(refused.contains(words), "{refused}");
}

#[test]
fn cidfile_holds_the_id() {
    let engine = Engine::with_busybox();
    let file = engine.scratch().join("cid");
    engine.gantry(&["run", "--cidfile", file.to_str().unwrap(), "busybox", "true"]).ok();
    let id = fs::read_to_string(&file).unwrap();
    assert_eq!(engine.gantry(&["ps", "-aq", "--no-trunc"]).ok(), id);
    let again =
        engine.gantry(&["run", "--cidfile", file.to_str().unwrap(), "busybox", "true"]).fails(125);
    assert!(again.contains("container ID file found"), "{again}");
}

#[test]
fn many_at_once_all_run() {
    let engine = Engine::with_busybox();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let engine = &engine;
            scope.spawn(move || {
                let number = n.to_string();
                assert_eq!(
                    engine.gantry(&["run", "--rm", "busybox", "echo", &number]).ok(),
                    number
                );
            });
        }
    });
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn an_image_of_many_layers_runs() {
    let engine = Engine::start();
    let archive = engine.scratch().join("deep.tar");
    deep_image(&archive, engine.scratch(), 300);
    engine.gantry(&["load", "-q", "-i", archive.to_str().unwrap()]).ok();
    assert_eq!(
        engine.gantry(&["run", "--rm", "deep", "sh", "-c", "ls /layers | wc -l"]).ok(),
        "299"
    );
}

/// The busybox layer and further ones of one file each.
fn deep_image(archive: &std::path::Path, scratch: &std::path::Path, layers: usize) {
    let busybox = scratch.join("busybox");
    tar::Archive::new(fs::File::open(image_archive("busybox")).unwrap()).unpack(&busybox).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(busybox.join("manifest.json")).unwrap()).unwrap();
    let mut paths = vec![busybox.join(manifest[0]["Layers"][0].as_str().unwrap())];
    for n in 1..layers {
        let path = scratch.join(format!("{n}.tar"));
        let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("layers/{n}"), std::io::empty()).unwrap();
        tar.finish().unwrap();
        paths.push(path);
    }
    let image = testkit::archive::Image {
        tags: vec!["deep:latest".into()],
        layers: paths,
        config: serde_json::json!({ "Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"] }),
        created: "2026-01-01T00:00:00Z".into(),
    };
    testkit::archive::write(&image, archive).unwrap();
}
