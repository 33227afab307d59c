//! Where commands are started and timed: here, or by a copy of this program in the peers' namespaces.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};

use crate::Result;

/// A command that takes longer will not end by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command line.
pub(super) type Line = Vec<String>;

pub(super) enum Place {
    Here,
    Inside(Agent),
}

impl Place {
    /// The seconds until all commands have ended, `at_once` of them running at any time.
    pub(super) fn time(&mut self, lines: &[Line], at_once: usize) -> Result<f64> {
        match self {
            Self::Here => time(lines, at_once),
            Self::Inside(agent) => agent.time(lines, at_once),
        }
    }

    /// The number that the command prints.
    pub(super) fn told(&mut self, line: &Line) -> Result<f64> {
        match self {
            Self::Here => told(line),
            Self::Inside(agent) => agent.seconds(&json!({ "told": line })),
        }
    }
}

/// The copy of this program, which answers one request per line.
pub(super) struct Agent {
    child: Child,
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Agent {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let failed = |e: io::Error| format!("start a copy of this program: {e}");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let requests = child.stdin.take();
        let replies = child.stdout.take().expect("piped above");
        Ok(Self { child, requests, replies: BufReader::new(replies) })
    }

    fn time(&mut self, lines: &[Line], at_once: usize) -> Result<f64> {
        self.seconds(&json!({ "lines": lines, "at_once": at_once }))
    }

    fn seconds(&mut self, request: &Value) -> Result<f64> {
        let reply = self.ask(request);
        let reply = reply.map_err(|e| format!("the copy of this program: {e}"))?;
        reply["seconds"]
            .as_f64()
            .ok_or_else(|| reply["error"].as_str().unwrap_or("no answer").to_owned())
    }

    fn ask(&mut self, request: &Value) -> io::Result<Value> {
        let requests = self.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(requests, "{request}")?;
        let mut reply = String::new();
        self.replies.read_line(&mut reply)?;
        Ok(serde_json::from_str(&reply)?)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The end of its input is the agent's end.
        self.requests = None;
        if let Err(error) = self.child.wait() {
            eprintln!("bench: wait for the copy of this program: {error}");
        }
    }
}

/// The agent's side: answers requests until there are no more.
pub(super) fn serve() -> Result {
    for request in io::stdin().lock().lines() {
        let request = request.map_err(|e| format!("read a request: {e}"))?;
        let request: Value =
            serde_json::from_str(&request).map_err(|e| format!("read a request: {e}"))?;
        let reply = match fulfil(&request) {
            Ok(seconds) => json!({ "seconds": seconds }),
            Err(error) => json!({ "error": error }),
        };
        println!("{reply}");
    }
    Ok(())
}

fn fulfil(request: &Value) -> Result<f64> {
    let unread = |e: serde_json::Error| format!("read a request: {e}");
    if let Some(line) = request.get("told") {
        return told(&serde_json::from_value(line.clone()).map_err(unread)?);
    }
    let lines: Vec<Line> = serde_json::from_value(request["lines"].clone()).map_err(unread)?;
    time(&lines, request["at_once"].as_u64().unwrap_or(1) as usize)
}

fn told(line: &Line) -> Result<f64> {
    let printed = tempfile::tempfile().map_err(|e| format!("a temporary file: {e}"))?;
    let copy = printed.try_clone().map_err(|e| format!("a temporary file: {e}"))?;
    run(line, copy.into())?;
    let printed = text(printed).map_err(|e| format!("{}: {e}", line.join(" ")))?;
    let printed = printed.trim();
    printed.parse().map_err(|_| format!("{}: {printed:?} is no number", line.join(" ")))
}

fn time(lines: &[Line], at_once: usize) -> Result<f64> {
    let started = Instant::now();
    match lines {
        [only] => run(only, Stdio::null())?,
        lines => run_all(lines, at_once)?,
    }
    Ok(started.elapsed().as_secs_f64())
}

fn run_all(lines: &[Line], at_once: usize) -> Result {
    let next = AtomicUsize::new(0);
    let work = || -> Result {
        while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
            run(line, Stdio::null())?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("the work does not panic"))
    })
}

/// Standard error goes to a file: a pipe would be kept open by what the command leaves running.
fn run(line: &Line, stdout: Stdio) -> Result {
    let (program, args) = line.split_first().ok_or("an empty command line")?;
    let failed = |e: io::Error| format!("{}: {e}", line.join(" "));
    let errors = tempfile::tempfile().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(stdout);
    command.stderr(errors.try_clone().map_err(failed)?);
    let status = wait(command.spawn().map_err(failed)?).map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{}: {status}\n{}", line.join(" "), text(errors).map_err(failed)?))
}

/// Waits for the command's end, but not for ever.
fn wait(mut child: Child) -> io::Result<ExitStatus> {
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    if poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience))? == 0 {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::other(format!("not done after {} s", PATIENCE.as_secs())));
    }
    child.wait()
}

fn text(mut file: File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}
