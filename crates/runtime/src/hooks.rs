//! Hooks: programs of the host that are told the container's state on stdin.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci::runtime::{Hook, State};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::error::{Context, Error, Result};

/// What a failing hook may say at most.
const OUTPUT_MAX: u64 = 4096;

/// Runs hooks in order, up to the first that fails.
pub(crate) fn run(kind: &str, hooks: &[Hook], state: &State) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = serde_json::to_vec(state)
        .map_err(|error| Error::other(format!("state for {kind} hooks: {error}")))?;
    for (index, hook) in hooks.iter().enumerate() {
        run_one(hook, &state)
            .map_err(|error| error.within(format!("error running {kind} hook #{index}")))?;
    }
    Ok(())
}

fn run_one(hook: &Hook, state: &[u8]) -> Result<()> {
    let name = hook.path.display();
    let mut command = Command::new(&hook.path);
    if let Some((zeroth, rest)) = hook.args.split_first() {
        command.arg0(zeroth).args(rest);
    }
    let env = hook.env.iter().filter_map(|pair| pair.split_once('='));
    command.env_clear().envs(env);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context(|| format!("start {name}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook need not read its state.
        let _ = stdin.write_all(state);
    }
    let stderr = child.stderr.take();
    let timeout = hook.timeout.map(|seconds| Duration::from_secs(seconds.max(0).unsigned_abs()));
    wait_for(&mut child, timeout).map_err(|error| error.within(name.to_string()))?;
    let status = child.wait().context(|| format!("wait for {name}"))?;
    if status.success() {
        return Ok(());
    }
    let mut output = String::new();
    if let Some(stderr) = stderr {
        let _ = stderr.take(OUTPUT_MAX).read_to_string(&mut output);
    }
    Err(Error::other(format!("{status}, stderr: {}", output.trim_end())))
}

/// Waits for the hook's end, or kills it when its time is up.
fn wait_for(child: &mut Child, timeout: Option<Duration>) -> Result<()> {
    let Some(timeout) = timeout else { return Ok(()) };
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).context(|| "pidfd_open")?;
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) => break,
            result => return result.map(drop).context(|| "poll"),
        }
    }
    // Both fail only if it has ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
    Err(Error::other(format!("hook ran past its timeout of {:.1}s", timeout.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::runtime::Status;

    fn state() -> State {
        State {
            version: oci::runtime::VERSION.into(),
            id: "hooked".into(),
            status: Status::Creating,
            pid: 42,
            bundle: "/bundle".into(),
            annotations: Default::default(),
        }
    }

    fn shell(script: &str, timeout: Option<i64>) -> Hook {
        let args = ["sh", "-c", script].map(str::to_owned).into();
        Hook { path: "/bin/sh".into(), args, env: vec!["A=b".into()], timeout }
    }

    #[test]
    fn a_hook_reads_the_state_and_has_its_own_environment_only() {
        let hook = shell(
            "read -r s; case $s in *hooked*) test \"$A\" = b && test -z \"$HOME\";; *) exit 1;; esac",
            None,
        );
        run("prestart", &[hook], &state()).unwrap();
    }

    #[test]
    fn a_failing_hook_is_named_with_its_words() {
        let error =
            run("prestart", &[shell("echo no luck >&2; exit 3", None)], &state()).unwrap_err();
        assert!(error.message.starts_with("error running prestart hook #0: "), "{error}");
        assert!(error.message.contains("no luck"), "{error}");
    }

    #[test]
    fn a_hook_that_hangs_is_killed_when_its_time_is_up() {
        let error = run("poststart", &[shell("exec sleep 100", Some(0))], &state()).unwrap_err();
        assert!(error.message.contains("timeout"), "{error}");
    }
}
