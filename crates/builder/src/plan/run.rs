//! RUN.

use oci::Platform;

use super::graph::{Mount, MountKind, Network, Op, Run};
use super::stage::{CONTEXT, Planner, Stage};
use super::{Entry, Error};
use crate::dockerfile::{self, Command, Heredoc, Instruction, Located};

/// Where a script with an interpreter of its own is seen.
const PIPES: &str = "/dev/pipes";

impl Planner<'_> {
    pub(super) fn run(
        &mut self,
        stage: &mut Stage,
        run: &dockerfile::Run,
        instruction: &Located<Instruction>,
    ) -> Result<(), Error> {
        let wrong = |message: &str| Err(Error::at(&instruction.lines)(message.to_owned()));
        let network = match run.network.as_deref() {
            Some("none") => Network::None,
            Some("host") => Network::Host,
            _ => self.request.network,
        };
        if network == Network::Host && !self.request.allows_host_network {
            return wrong("network.host is not allowed");
        }
        let insecure = run.security.as_deref() == Some("insecure");
        if insecure && !self.request.allows_insecure {
            return wrong("security.insecure is not allowed");
        }
        let mut inputs = vec![stage.vertex];
        let mut mounts = Vec::new();
        let mut env = stage.scope.variables.pairs();
        for (number, mount) in run.mounts.iter().enumerate() {
            let mount = self.mount(stage, mount, number, &mut inputs, instruction)?;
            if let MountKind::Ssh { .. } = mount.kind
                && !env.iter().any(|(name, _)| name == "SSH_AUTH_SOCK")
            {
                env.push(("SSH_AUTH_SOCK".into(), mount.target.clone()));
            }
            mounts.push(mount);
        }
        let (args, script) = arguments(stage, run);
        mounts.extend(script);
        let created_by =
            format!("RUN {}{} # buildkit", stage.scope.arguments_in_history(), args.join(" "));
        let op = Op::Run(Box::new(Run {
            args,
            env,
            proxies: stage.scope.proxies(&self.request.build_args),
            directory: stage.directory().to_owned(),
            user: stage.user().to_owned(),
            mounts,
            network,
            insecure,
            devices: run.devices.clone(),
        }));
        self.step(stage, op, inputs, instruction, &shown(run, &instruction.text))?;
        stage.history.push(Entry { created_by, vertex: Some(stage.vertex) });
        Ok(())
    }

    fn mount(
        &mut self,
        stage: &Stage,
        mount: &dockerfile::Mount,
        number: usize,
        inputs: &mut Vec<usize>,
        instruction: &Located<Instruction>,
    ) -> Result<Mount, Error> {
        use dockerfile::MountKind as Kind;
        let lines = &instruction.lines;
        let scope = &stage.scope;
        let target = scope.optional(mount.target.as_ref()).map_err(Error::at(lines))?;
        let source = scope.optional(mount.source.as_ref()).map_err(Error::at(lines))?;
        let id = scope.optional(mount.id.as_ref()).map_err(Error::at(lines))?;
        let from = scope.optional(mount.from.as_ref()).map_err(Error::at(lines))?;
        let target = target.map(|target| stage.absolute(&target));
        let mut input = |planner: &mut Self, platform: &Platform| -> Result<usize, Error> {
            inputs.push(match &from {
                None => planner.local(CONTEXT),
                Some(from) => planner.source(from, lines, platform)?,
            });
            Ok(inputs.len() - 1)
        };
        let missing = |what: &str| Error::at(lines)(format!("invalid mount: {what} is required"));
        let (uid, gid) = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
        match mount.kind {
            Kind::Bind => {
                let input = input(self, &stage.platform)?;
                let source = source.unwrap_or_else(|| "/".into());
                let writable = mount.read_write == Some(true);
                let target = target.ok_or_else(|| missing("target"))?;
                Ok(Mount { target, kind: MountKind::Bind { input, source, writable } })
            }
            Kind::Cache => {
                let target = target.ok_or_else(|| missing("target"))?;
                let input = match &from {
                    None => None,
                    Some(_) => Some(input(self, &stage.platform)?),
                };
                let kind = MountKind::Cache {
                    id: id.unwrap_or_else(|| target.clone()),
                    sharing: mount.sharing,
                    input,
                    source: source.unwrap_or_default(),
                    read_only: mount.read_write == Some(false),
                    mode: mount.mode.unwrap_or(0o755),
                    uid,
                    gid,
                };
                Ok(Mount { target, kind })
            }
            Kind::Tmpfs => {
                let target = target.ok_or_else(|| missing("target"))?;
                Ok(Mount { target, kind: MountKind::Tmpfs { size: mount.size } })
            }
            Kind::Secret => {
                let base = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
                let id = id.or(source).or_else(|| target.as_ref().map(base));
                let id = id.ok_or_else(|| missing("one of source, target"))?;
                let file = target.is_some() || mount.env.is_none();
                let target = target.unwrap_or_else(|| format!("/run/secrets/{}", base(&id)));
                let (env, required) = (mount.env.clone(), mount.required);
                let mode = mount.mode.unwrap_or(0o400);
                Ok(Mount {
                    target,
                    kind: MountKind::Secret { id, env, file, required, mode, uid, gid },
                })
            }
            Kind::Ssh => {
                let target = target.unwrap_or_else(|| format!("/run/buildkit/ssh_agent.{number}"));
                let id = id.unwrap_or_else(|| "default".into());
                let (required, mode) = (mount.required, mount.mode.unwrap_or(0o600));
                Ok(Mount { target, kind: MountKind::Ssh { id, required, mode, uid, gid } })
            }
        }
    }
}

/// What is executed, and the script that must be there for it.
fn arguments(stage: &mut Stage, run: &dockerfile::Run) -> (Vec<String>, Option<Mount>) {
    match (&run.command, run.heredocs.as_slice()) {
        (Command::Exec(words), _) => (words.clone(), None),
        (Command::Shell(line), [script]) if line.is_empty() => {
            let content = script.text();
            if !content.starts_with("#!") {
                return (stage.through_shell(content), None);
            }
            let target = format!("{PIPES}/{}", script.name);
            let kind = MountKind::Script { content };
            (stage.through_shell(target.clone()), Some(Mount { target, kind }))
        }
        (Command::Shell(line), heredocs) => {
            let mut text = line.clone();
            for Heredoc { name, content, .. } in heredocs {
                text.push('\n');
                text.push_str(content);
                text.push_str(name);
            }
            (stage.through_shell(text), None)
        }
    }
}

/// A script is shown by its first line.
fn shown(run: &dockerfile::Run, text: &str) -> String {
    match (&run.command, run.heredocs.as_slice()) {
        (Command::Shell(line), [script]) if line.is_empty() => {
            let content = script.text();
            let mut lines = content.lines();
            let first = lines.next().unwrap_or_default();
            let more = if lines.next().is_some() { "..." } else { "" };
            format!("{text} ({first}{more})")
        }
        _ => text.to_owned(),
    }
}
