//! Hooks: programs of the host that are told the container's state on stdin.
//!
//! They are run by whoever makes the container and sees its end. Where that is a monitor that was killed, the engine has
//! those of the end run by `gantry-runtime helper poststop DIRECTORY`: it runs no program that it does not know itself.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use oci::runtime::{Hook, Hooks, Spec, State, Status, VERSION};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::error::{Context, Error, Result};

/// What a hook may say at most of why it fails.
const OUTPUT_MAX: usize = 4096;
/// Seconds that a hook has at most where an engine waits for it, all of whose containers may wait behind.
const LATE: i64 = 5;
/// As many times that are read at once: a pipe's worth, so that one who never stops talking is still seen to end.
const READS: usize = 16;

/// Runs what a monitor that was killed left undone in its directory, by `runtime`, the command of this program.
pub fn follow_end(mut runtime: Command, directory: &Path) -> Result<()> {
    if left_in(directory)?.is_none() {
        return Ok(());
    }
    runtime.args(["helper", "poststop"]).arg(directory).env_clear();
    runtime.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = runtime.output().context(|| "run the hooks of its end")?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::other(String::from_utf8_lossy(&output.stderr).trim_end())),
    }
}

/// The helper's part.
pub(crate) fn serve(directory: &Path) -> Result<()> {
    let Some(mut followers) = left_in(directory)? else { return Ok(()) };
    for hook in &mut followers.poststop {
        hook.timeout = Some(hook.timeout.map_or(LATE, |seconds| seconds.min(LATE)));
    }
    followers.stopped()
}

/// Those that the container of a monitor's directory has; none, where it never came to a container.
fn left_in(directory: &Path) -> Result<Option<Followers>> {
    let what = || format!("read {}", directory.join("config.json").display());
    let text = match std::fs::read(directory.join("config.json")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        result => result.context(what)?,
    };
    let spec: Spec = serde_json::from_slice(&text)
        .map_err(|error| Error::other(format!("{}: {error}", what())))?;
    let id = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Followers::of(spec.hooks.as_ref(), || State {
        version: VERSION.to_owned(),
        id,
        status: Status::Stopped,
        pid: 0,
        bundle: directory.to_owned(),
        annotations: spec.annotations.clone(),
    }))
}

/// Those that follow the start and the end of a container, and what they are told of it.
#[derive(Debug)]
pub(crate) struct Followers {
    poststart: Vec<Hook>,
    poststop: Vec<Hook>,
    container: State,
}

impl Followers {
    /// None where nothing is to be run.
    pub(crate) fn of(hooks: Option<&Hooks>, container: impl FnOnce() -> State) -> Option<Self> {
        let hooks = hooks.filter(|all| !all.poststart.is_empty() || !all.poststop.is_empty())?;
        let (poststart, poststop) = (hooks.poststart.clone(), hooks.poststop.clone());
        Some(Self { poststart, poststop, container: container() })
    }

    /// The program runs. Of a container whose hook fails nothing is to be left.
    pub(crate) fn started(&self, pid: i32) -> Result<()> {
        let state = State { pid, status: Status::Running, ..self.container.clone() };
        run("poststart", &self.poststart, &state)
    }

    /// The container is gone. Each of them is run, whatever the others say.
    pub(crate) fn stopped(&self) -> Result<()> {
        let state = State { pid: 0, status: Status::Stopped, ..self.container.clone() };
        let each = self.poststop.iter().enumerate();
        let failed = each.filter_map(|(index, hook)| {
            let told = to_json("poststop", &state).and_then(|state| run_one(hook, &state));
            told.err().map(|error| within("poststop", index, error))
        });
        failed.reduce(|first, _| first).map_or(Ok(()), Err)
    }
}

/// Runs hooks in order, up to the first that fails.
pub(crate) fn run(kind: &str, hooks: &[Hook], state: &State) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = to_json(kind, state)?;
    for (index, hook) in hooks.iter().enumerate() {
        run_one(hook, &state).map_err(|error| within(kind, index, error))?;
    }
    Ok(())
}

fn to_json(kind: &str, state: &State) -> Result<Vec<u8>> {
    serde_json::to_vec(state)
        .map_err(|error| Error::other(format!("state for {kind} hooks: {error}")))
}

fn within(kind: &str, index: usize, error: Error) -> Error {
    error.within(format!("error running {kind} hook #{index}"))
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
    let timeout = hook.timeout.map(|seconds| Duration::from_secs(seconds.max(0).unsigned_abs()));
    let said = attend(&mut child, timeout).map_err(|error| error.within(name.to_string()))?;
    let status = child.wait().context(|| format!("wait for {name}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::other(format!("{status}, stderr: {}", said.trim_end()))),
    }
}

/// Reads what the hook says until its end, or kills it when its time is up. What it leaves behind is not waited for.
fn attend(child: &mut Child, timeout: Option<Duration>) -> Result<String> {
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).context(|| "pidfd_open")?;
    let mut stderr = child.stderr.take();
    if let Some(stderr) = &stderr {
        rustix::io::ioctl_fionbio(stderr, true).context(|| "stderr")?;
    }
    let deadline = timeout.map(|timeout| (timeout, Instant::now() + timeout));
    let mut said = Vec::new();
    loop {
        let left = deadline.map(|(_, end)| end.saturating_duration_since(Instant::now()));
        let [ended, speaks] = wait(pidfd.as_fd(), stderr.as_ref(), left)?;
        if speaks && stderr.as_mut().is_some_and(|stderr| !listen(stderr, &mut said)) {
            stderr = None;
        }
        match deadline {
            _ if ended => return Ok(String::from_utf8_lossy(&said).into_owned()),
            Some((timeout, end)) if Instant::now() >= end => {
                // Both fail only if it has ended meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                let seconds = timeout.as_secs_f64();
                return Err(Error::other(format!("hook ran past its timeout of {seconds:.1}s")));
            }
            _ => {}
        }
    }
}

/// Whether the hook has ended, and whether there is something to read.
fn wait(
    pidfd: BorrowedFd<'_>,
    stderr: Option<&ChildStderr>,
    left: Option<Duration>,
) -> Result<[bool; 2]> {
    let left = left.map(|left| Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    });
    let mut fds = vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    fds.extend(stderr.map(|stderr| PollFd::new(stderr, PollFlags::IN)));
    match rustix::event::poll(&mut fds, left.as_ref()) {
        Err(rustix::io::Errno::INTR) => return Ok([false; 2]),
        result => result.context(|| "poll")?,
    };
    let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
    Ok([ready(0), ready(1)])
}

/// Takes what is there, keeps the beginning, and says whether more may come.
fn listen(stderr: &mut ChildStderr, said: &mut Vec<u8>) -> bool {
    let mut buffer = [0; OUTPUT_MAX];
    for _ in 0..READS {
        match stderr.read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) => {
                let kept = length.min(OUTPUT_MAX.saturating_sub(said.len()));
                said.extend(&buffer[..kept]);
            }
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
    true
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
    fn a_hook_that_talks_is_heard_and_its_children_are_not_waited_for() {
        let talk = "i=0; while [ $i -lt 9999 ]; do echo $i 0123456789 >&2; i=$((i+1)); done";
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("{talk}; sleep 100 & echo $! > {}", file.path().display());
        run("prestart", &[shell(&script, None)], &state()).unwrap();
        let child = std::fs::read_to_string(file.path()).unwrap().trim().parse().unwrap();
        let child = Pid::from_raw(child).unwrap();
        rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn every_hook_of_the_end_is_run_and_the_first_failure_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let append = format!("cat >> {}; exit", file.path().display());
        let poststop = ["1", "0", "2"].map(|code| shell(&format!("{append} {code}"), None)).into();
        let hooks = Hooks { poststop, ..Hooks::default() };
        let error = Followers::of(Some(&hooks), state).unwrap().stopped().unwrap_err();
        assert!(error.message.starts_with("error running poststop hook #0: "), "{error}");
        let told = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(told.matches("\"status\":\"stopped\"").count(), 3, "{told}");
    }

    #[test]
    fn a_hook_that_hangs_is_killed_when_its_time_is_up() {
        let error = run("poststart", &[shell("exec sleep 100", Some(0))], &state()).unwrap_err();
        assert!(error.message.contains("timeout"), "{error}");
    }
}
