use testkit::SeccompAgent;
use testkit::engine::Engine;

/// "No message of desired type": nothing but the agent says so.
const ERRNO: i32 = 42;

#[test]
fn an_agent_answers_for_the_calls_of_a_container_and_of_its_execs() {
    let engine = Engine::with_busybox();
    let socket = engine.scratch().join("agent.sock");
    let Some(mut agent) = SeccompAgent::start("seccomp agent", &socket, ERRNO) else { return };
    let profile = engine.scratch().join("profile.json");
    std::fs::write(&profile, SeccompAgent::asks_about_mkdir(&socket).to_string()).unwrap();
    let seccomp = format!("seccomp={}", profile.display());

    let script = "mkdir /made; ls -d /made; exec sleep 1000";
    let run = ["run", "-d", "--name", "asked", "--network", "none", "--security-opt", &seccomp];
    let id = engine.gantry(&[&run[..], &["busybox", "sh", "-c", script]].concat()).ok();
    let state = agent.state();
    assert_eq!(state["state"]["id"], id.as_str());
    let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", "asked"]).ok();
    assert_eq!(state["pid"].to_string(), pid);
    assert_eq!((&state["fds"][0], &state["metadata"]), (&"seccompFd".into(), &"who=test".into()));

    let said = engine.gantry(&["exec", "asked", "mkdir", "/made-by-exec"]).fails(1);
    assert!(said.ends_with("No message of desired type"), "{said}");
    let of_exec = agent.state();
    assert_eq!(of_exec["state"]["pid"], state["pid"]);
    assert_ne!(of_exec["pid"], state["pid"]);
    let logs = engine.gantry(&["logs", "asked"]);
    assert!(logs.stderr.contains("'/made': No message of desired type"), "{logs:?}");

    // As Docker has it: what is missing is taken for the program.
    drop(agent);
    std::fs::remove_file(&socket).unwrap();
    let run = ["run", "--rm", "--network", "none", "--security-opt", &seccomp, "busybox", "true"];
    let said = engine.gantry(&run).fails(127);
    let words = format!(
        "failed to connect with seccomp agent specified in the seccomp profile: dial unix {}: connect: no such file or directory",
        socket.display()
    );
    assert!(said.contains(&words), "{said}");
}
