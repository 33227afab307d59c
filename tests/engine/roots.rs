//! An engine's folders are its own.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testkit::engine::{Engine, binary, finish};

#[test]
fn a_second_engine_on_the_same_roots_is_refused() {
    let engine = Engine::start();
    let refused = finish(&mut engine.daemon_command());
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("already") || refused.stderr.contains("in use"), "{refused:?}");
    engine.gantry(&["ps"]).ok();
}

/// One shared folder is enough to be refused.
#[test]
fn an_engine_on_the_same_data_root_is_refused() {
    let engine = Engine::start();
    let own = |name: &str| engine.scratch().join(name);
    let mut other = Command::new(binary("gantryd"));
    other.arg("--data-root").arg(engine.data_root()).arg("--exec-root").arg(own("other-exec"));
    other.arg("-H").arg(format!("unix://{}", own("other").display()));
    let refused = finish(&mut other);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains(&format!("another engine (pid {})", engine.daemon_pid())),
        "{refused:?}"
    );
}

#[test]
fn a_pidfile_of_an_engine_that_runs_is_left_alone() {
    let engine = Engine::start();
    let mut other = engine.daemon_command();
    other.arg("--exec-root").arg(engine.scratch().join("other-exec"));
    let said = finish(&mut other).fails(1);
    let pid = engine.daemon_pid();
    assert!(said.contains(&format!("process with PID {pid} is still running")), "{said}");
    let file = engine.scratch().join("gantryd.pid");
    assert_eq!(std::fs::read_to_string(file).unwrap(), pid.to_string());
}

#[test]
fn cve_2021_41091_state_directories_are_closed_to_others() {
    let engine = Engine::start();
    for dir in [engine.data_root(), engine.exec_root()] {
        let mode = std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
        assert!(mode & 0o066 == 0, "{} is {mode:o}", dir.display());
    }
}
