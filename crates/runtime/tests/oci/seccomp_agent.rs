//! `listenerPath`: system calls that an agent answers.

use testkit::SeccompAgent;

use crate::bundle::Bundle;

/// "No message of desired type": nothing but the agent says so.
const ERRNO: i32 = libc::ENOMSG;

fn bundle_with_agent(test: &str, script: &str) -> Option<(Bundle, SeccompAgent)> {
    let mut bundle = Bundle::new(test, script)?;
    let socket = bundle.path().join("agent.sock");
    let agent = SeccompAgent::start(test, &socket, ERRNO)?;
    let rules = serde_json::from_value(SeccompAgent::asks_about_mkdir(&socket)).unwrap();
    bundle.linux().seccomp = Some(rules);
    Some((bundle, agent))
}

#[test]
fn an_agent_answers_for_run_create_and_exec() {
    let script = "mkdir /tmp/made 2>&1; ls /tmp";
    let Some((bundle, mut agent)) = bundle_with_agent("agent of run", script) else { return };
    let ran = bundle.run();
    assert_eq!(ran.out, "mkdir: can't create directory '/tmp/made': No message of desired type\n");
    let state = agent.state();
    assert_eq!(state["fds"], serde_json::json!(["seccompFd"]));
    assert_eq!(
        (&state["metadata"], &state["state"]["status"]),
        (&"who=test".into(), &"creating".into())
    );
    assert_eq!(state["state"]["id"], bundle.id.as_str());
    assert!(state["pid"].as_i64() > Some(0));
    assert_eq!(state["pid"], state["state"]["pid"]);

    let script = "mkdir /tmp/made; exec sleep 100";
    let Some((bundle, mut agent)) = bundle_with_agent("agent of create", script) else { return };
    bundle.start();
    let init = agent.state();
    assert_eq!(init["state"]["status"], "created");
    let ran = bundle.exec(&["mkdir", "/tmp/of-exec"]);
    assert!(ran.err.contains("No message of desired type"), "{ran:?}");
    let of_exec = agent.state();
    assert_eq!(of_exec["state"]["status"], "running");
    assert_eq!(of_exec["state"]["pid"], init["pid"]);
    assert_ne!(of_exec["pid"], init["pid"]);
}

#[test]
fn without_new_privileges_the_filter_is_as_good() {
    let Some((mut bundle, mut agent)) = bundle_with_agent("agent and nnp", "mkdir /tmp/made")
    else {
        return;
    };
    bundle.process().no_new_privileges = true;
    bundle.process().user.uid = 7;
    let ran = bundle.run();
    assert!(ran.err.contains("No message of desired type"), "{ran:?}");
    assert!(agent.state()["pid"].as_i64() > Some(0));
}

#[test]
fn without_its_agent_nothing_runs() {
    let Some((bundle, agent)) = bundle_with_agent("no agent", "echo ran") else { return };
    drop(agent);
    let ran = bundle.run();
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("failed to connect with seccomp agent"), "{ran:?}");
    assert!(ran.err.contains("connection refused"), "{ran:?}");
    bundle.create();
    let started = bundle.command(&["start", &bundle.id]);
    assert!(started.err.contains("failed to connect with seccomp agent"), "{started:?}");
    bundle.await_status("stopped");
}
