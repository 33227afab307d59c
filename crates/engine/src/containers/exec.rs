//! `exec`: another process in a running container. It is made, started once, looked at, and forgotten with the run
//! or some time after its end.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::exec::CreateRequest;
use runtime::monitor::protocol::{Command, ErrorKind, ExitRecord, Failure, Streams};

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::kept_execs::{SUFFIX, exit_of};
use super::request::{ExecStart, Request};
use super::spec::security::SecurityOptions;
use super::spec::{self, environment, user};
use super::state::{Action, may};
use super::{Containers, Shared};
use crate::apparmor;
use crate::error::{Error, Result, blocking};

/// How long the end of an exec can be asked for.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Whatever kept it from starting: unlike `run`, Docker tells no reasons apart here.
const NOT_STARTED: i64 = 126;

/// An exec as asked for, and what came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Exec {
    pub id: String,
    pub request: CreateRequest,
    pub detach_keys: Option<Vec<u8>>,
    pub stage: Stage,
    /// A check of the engine's own: its result is nobody's but the engine's that began it.
    #[serde(default)]
    pub checks_health: bool,
    #[serde(skip, default = "Instant::now")]
    made: Instant,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Stage {
    Created,
    Running {
        pid: i32,
    },
    /// 126 for one that could not be started.
    Ended {
        code: i64,
    },
}

/// What inspect shows.
#[derive(Clone, Debug)]
pub struct ExecView {
    pub container: String,
    pub exec: Exec,
}

impl Containers {
    pub async fn create_exec(
        &self,
        wanted: &str,
        request: CreateRequest,
        detach_keys: Option<Vec<u8>>,
    ) -> Result<String> {
        if request.cmd.as_ref().is_none_or(|cmd| cmd.is_empty()) {
            return Err(Error::invalid("No exec command specified"));
        }
        let handle = self.find(wanted)?;
        let exec = Exec::new(request, detach_keys);
        let id = exec.id.clone();
        handle.ask(|reply| Request::CreateExec { exec: Box::new(exec), reply }).await?;
        Ok(id)
    }

    /// What `start_exec` will need; refused as soon as it can be known.
    pub async fn startable_exec(&self, id: &str) -> Result<Exec> {
        let handle = self.index().find_exec(id)?;
        may(Action::Exec, handle.record().subject())?;
        let view = self.inspect_exec(id).await?;
        match view.exec.stage {
            Stage::Created => Ok(view.exec),
            Stage::Running { .. } | Stage::Ended { .. } => {
                Err(Error::conflict(format!("Error: Exec command {id} has already run")))
            }
        }
    }

    pub async fn start_exec(&self, id: &str, start: ExecStart) -> Result<()> {
        let handle = self.index().find_exec(id)?;
        let id = id.to_owned();
        handle.ask(|reply| Request::StartExec { id, start, reply }).await
    }

    pub async fn inspect_exec(&self, id: &str) -> Result<ExecView> {
        let handle = self.index().find_exec(id)?;
        let id = id.to_owned();
        handle.ask(|reply| Request::InspectExec { id, reply }).await
    }
}

impl Exec {
    pub fn new(request: CreateRequest, detach_keys: Option<Vec<u8>>) -> Self {
        let (id, made) = (super::name::random_id(), Instant::now());
        Self { id, request, detach_keys, stage: Stage::Created, checks_health: false, made }
    }

    /// The program and its arguments.
    pub fn words(&self) -> (&str, &[String]) {
        let words = self.request.cmd.as_ref().map_or(&[][..], |cmd| cmd.as_slice());
        words.split_first().map_or(("", &[]), |(program, arguments)| (program, arguments))
    }

    /// As events show it: with a space after a program without arguments, as Docker has it.
    fn command(&self) -> String {
        let (program, arguments) = self.words();
        format!("{program} {}", arguments.join(" "))
    }
}

impl Actor {
    pub fn create_exec(&mut self, exec: Exec) -> Result<()> {
        may(Action::Exec, self.record.subject())?;
        self.forget_old_execs();
        self.keep_exec(&exec)?;
        self.tell(format!("exec_create: {}", exec.command()), [("execID", exec.id.clone())]);
        self.shared.index.add_exec(&exec.id, &self.record.id);
        self.execs.insert(exec.id.clone(), exec);
        self.show();
        Ok(())
    }

    pub fn inspect_exec(&self, id: &str) -> Result<ExecView> {
        let mut exec = self.exec(id)?.clone();
        // A client sees the end of its stream before the monitor's word of the end is read here.
        if let (Stage::Running { .. }, Some(exit)) = (exec.stage, exit_of(&self.exec_files(), id)) {
            exec.stage = Stage::Ended { code: exit.status.into() };
        }
        Ok(ExecView { container: self.record.id.clone(), exec })
    }

    fn exec(&self, id: &str) -> Result<&Exec> {
        let missing = || Error::not_found(format!("No such exec instance: {id}"));
        self.execs.get(id).ok_or_else(missing)
    }

    pub async fn start_exec(&mut self, id: &str, start: ExecStart) -> Result<()> {
        may(Action::Exec, self.record.subject())?;
        let exec = self.exec(id)?.clone();
        if exec.stage != Stage::Created {
            return Err(Error::conflict(format!("Error: Exec command {id} has already run")));
        }
        self.tell(format!("exec_start: {}", exec.command()), [("execID", id.to_owned())]);
        let started = self.run_exec(&exec, start).await;
        let (stage, result) = match started {
            Ok(pid) => (Stage::Running { pid }, Ok(())),
            Err(failure) => {
                let stage = Stage::Ended { code: NOT_STARTED };
                (stage, Err(Error::invalid(in_dockers_words(&failure))))
            }
        };
        if let Some(exec) = self.execs.get_mut(id)
            // A short-lived one may have been reported as ended already.
            && exec.stage == Stage::Created
        {
            exec.stage = stage;
            let exec = exec.clone();
            if let Err(error) = self.keep_exec(&exec) {
                tracing::warn!(container = self.record.id, "{error}");
            }
        }
        result
    }

    async fn run_exec(&self, exec: &Exec, start: ExecStart) -> Result<i32, Failure> {
        let other = |error: Error| Failure { kind: ErrorKind::Other, message: error.to_string() };
        self.write_process(exec).await.map_err(other)?;
        let request = &exec.request;
        let command = Command::Exec {
            exec_id: exec.id.clone(),
            streams: Streams {
                stdin: request.attach_stdin,
                stdout: request.attach_stdout,
                stderr: request.attach_stderr,
                multiplexed: start.multiplexed,
                detach_keys: exec.detach_keys.clone(),
                // Nobody can come back to it: with the engine that its input comes through, that ends.
                relayed: false,
            },
            tty: request.tty,
            console_size: start.console_size,
            detach: start.detach,
        };
        let fds: Vec<_> = start.client.iter().map(AsFd::as_fd).collect();
        let done = self.link().map_err(other)?.call(command, &fds).await?;
        Ok(done.pid.unwrap_or(0))
    }

    /// The monitor reads the process from the container's directory.
    async fn write_process(&self, exec: &Exec) -> Result<()> {
        let record = self.record.share();
        let shared = Arc::clone(&self.shared);
        let directory = self.shared.exec_directory(&record.id).join("exec");
        let path = directory.join(format!("{}.json", exec.id));
        let exec = exec.clone();
        let pid = record.state.pid;
        blocking(move || {
            let process = process(&record, &exec.request, &shared, pid)?;
            let text = serde_json::to_vec(&process)
                .map_err(|cause| Error::system("cannot write the exec's process").because(cause))?;
            std::fs::create_dir_all(&directory)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|cause| Error::system("cannot write the exec's process").because(cause))
        })
        .await
    }

    /// The one `exec_die`. An exec that ended already was told of, and so was one that is forgotten.
    pub fn exec_exited(&mut self, id: &str, exit: &ExitRecord) {
        let code: i64 = exit.status.into();
        match self.execs.get_mut(id) {
            None | Some(Exec { stage: Stage::Ended { .. }, .. }) => return,
            Some(exec) => exec.stage = Stage::Ended { code },
        }
        self.show();
        let attributes = [("execID", id.to_owned()), ("exitCode", code.to_string())];
        self.tell_at(&exit.finished_at, "exec_die", attributes);
        self.forget_later(id);
    }

    /// What inspect lists.
    pub fn unfinished_execs(&self) -> Vec<String> {
        let unfinished = self.execs.values().filter(|e| !matches!(e.stage, Stage::Ended { .. }));
        unfinished.map(|exec| exec.id.clone()).collect()
    }

    /// Those that nobody can ask for any more, and those that were made and never started.
    fn forget_old_execs(&mut self) {
        let index = &self.shared.index;
        let is_old = |(id, exec): &(&String, &Exec)| match exec.stage {
            Stage::Created => exec.made.elapsed() >= REMEMBERED,
            Stage::Running { .. } => false,
            Stage::Ended { .. } => index.find_exec(id).is_err(),
        };
        let old: Vec<String> = self.execs.iter().filter(is_old).map(|(id, _)| id.clone()).collect();
        old.iter().for_each(|id| self.forget_exec(id));
    }

    /// With its files, which are gone already where the container was started again.
    pub fn forget_exec(&mut self, id: &str) {
        self.execs.remove(id);
        self.shared.index.remove_exec(id);
        let directory = self.exec_files();
        for suffix in [".json", ".exit.json", SUFFIX] {
            let _ = std::fs::remove_file(directory.join(format!("{id}{suffix}")));
        }
    }

    fn forget_later(&self, id: &str) {
        let (index, id) = (self.shared.index.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(REMEMBERED).await;
            index.remove_exec(&id);
        });
    }

    /// They end with the container.
    pub fn forget_execs(&mut self) {
        for exec in self.execs.values_mut() {
            if let Stage::Running { .. } = exec.stage {
                exec.stage = Stage::Ended { code: 137 };
            }
        }
        for id in self.execs.keys() {
            self.forget_later(id);
        }
    }
}

fn in_dockers_words(failure: &Failure) -> String {
    if failure.message.starts_with("unable to find user") {
        // Found out by the engine, before a runtime is asked.
        return failure.message.clone();
    }
    format!(
        "OCI runtime exec failed: exec failed: unable to start container process: {failure}: unknown"
    )
}

/// The container's own process, but for what the exec asks for.
fn process(
    record: &super::record::Record,
    request: &CreateRequest,
    shared: &Shared,
    init: i32,
) -> Result<oci::runtime::Process> {
    let (config, host) = (&record.config, &record.host_config);
    let wish = if request.user.is_empty() { &config.user } else { &request.user };
    let user = resolve_user(wish, host.group_add.as_deref().unwrap_or_default(), init)?;
    let privileged = host.privileged || request.privileged;
    let wishes = spec::capabilities::Wishes::parse(
        host.cap_add.as_deref().unwrap_or_default(),
        host.cap_drop.as_deref().unwrap_or_default(),
    )?;
    let security = SecurityOptions::parse(host.security_opt.as_deref().unwrap_or_default())?;
    // A privileged exec changes nothing about it.
    let apparmor = apparmor::profile(&security.apparmor, host.privileged, shared.confinement);
    let mut container = config.clone();
    container.tty = request.tty;
    let env = environment::environment(&container, &user, shared.remaining_link_variables(record));
    let cwd = match (request.working_dir.as_str(), config.working_dir.as_str()) {
        ("", "") => "/",
        ("", own) => own,
        (asked, _) => asked,
    };
    Ok(oci::runtime::Process {
        terminal: request.tty,
        user: spec::runtime_user(&user),
        args: request.cmd.clone().map_or(Vec::new(), |cmd| cmd.0),
        env: environment::merged(env, request.env.iter().flatten()),
        cwd: cwd.into(),
        capabilities: Some(spec::capabilities_of(
            &user,
            wishes.set(privileged, shared.held_capabilities),
        )),
        rlimits: spec::ulimits::rlimits(host.resources.ulimits.iter().flatten())?,
        no_new_privileges: security.no_new_privileges,
        apparmor_profile: apparmor.to_owned(),
        ..oci::runtime::Process::default()
    })
}

/// Reads the container's files as its first process sees them.
fn resolve_user(wish: &str, group_add: &[String], init: i32) -> Result<user::User> {
    let path = format!("/proc/{init}/root");
    let root = std::fs::File::open(&path)
        .map_err(|cause| Error::conflict("the container's root cannot be read").because(cause))?;
    user::resolve(wish, group_add, &user::Files::read(root.as_fd()))
}
