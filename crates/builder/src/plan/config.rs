//! Instructions that change the image's configuration alone.

use oci::image::{Empty, Healthcheck as Check};

use super::graph::{Mkdir, Op};
use super::scope::{Given, Variables};
use super::stage::Stage;
use super::words;
use crate::dockerfile::{Command, Healthcheck, Instruction};

/// A range of more is no mistake that anybody wants carried out.
const PORTS: u32 = 65_536;

impl Stage {
    pub(super) fn configure(
        &mut self,
        instruction: &Instruction,
        given: &Given,
        globals: &Variables,
    ) -> Result<(), String> {
        match instruction {
            Instruction::Arg(arguments) => self.arguments(arguments, given, globals),
            Instruction::Cmd(command) => self.cmd(command),
            Instruction::Entrypoint(command) => self.entrypoint(command),
            Instruction::Env(pairs) => self.env(pairs),
            Instruction::Expose(ports) => self.expose(ports),
            Instruction::Healthcheck(check) => self.healthcheck(check),
            Instruction::Label(pairs) => self.label_image(pairs),
            Instruction::Maintainer(name) => {
                self.image.author.clone_from(name);
                self.note(format!("MAINTAINER {name}"));
                Ok(())
            }
            Instruction::Onbuild(trigger) => {
                // BuildKit's history does not speak of it.
                self.config().on_build.get_or_insert_default().push(trigger.clone());
                Ok(())
            }
            Instruction::Shell(words) => {
                self.config().shell = Some(words.clone());
                self.note(format!("SHELL [{}]", words.join(" ")));
                Ok(())
            }
            Instruction::Stopsignal(signal) => {
                let signal = self.scope.word(signal)?;
                self.config().stop_signal.clone_from(&signal);
                self.note(format!("STOPSIGNAL {signal}"));
                Ok(())
            }
            Instruction::User(user) => {
                let user = self.scope.word(user)?;
                self.config().user.clone_from(&user);
                self.note(format!("USER {user}"));
                Ok(())
            }
            Instruction::Volume(paths) => self.volume(paths),
            // Steps, which the planner carries out itself.
            Instruction::Add(_)
            | Instruction::Copy(_)
            | Instruction::Run(_)
            | Instruction::Workdir(_) => Ok(()),
        }
    }

    /// Gives what makes the folder, unless it is the root.
    pub(super) fn workdir(&mut self, path: &str) -> Result<Option<Op>, String> {
        let path = self.scope.word(path)?;
        if path.is_empty() {
            return Err("WORKDIR requires exactly one argument".into());
        }
        let path = self.absolute(&path);
        self.config().working_dir.clone_from(&path);
        let user = self.user().to_owned();
        Ok((path != "/").then_some(Op::Mkdir(Mkdir { path, user })))
    }

    /// The shell's words, with a line for it.
    pub(super) fn through_shell(&mut self, line: String) -> Vec<String> {
        let default = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
        let mut words = self.config().shell.clone().unwrap_or_else(default);
        words.push(line);
        words
    }

    fn words_of(&mut self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(line) => self.through_shell(line.clone()),
        }
    }

    fn cmd(&mut self, command: &Command) -> Result<(), String> {
        let words = self.words_of(command);
        self.note(format!("CMD {}", words::quoted(&words)));
        let config = self.config();
        config.cmd = Some(words);
        config.args_escaped = true;
        self.has_cmd = true;
        Ok(())
    }

    /// The command of the base belongs to the base's entry point.
    fn entrypoint(&mut self, command: &Command) -> Result<(), String> {
        let words = self.words_of(command);
        self.note(format!("ENTRYPOINT {}", words::quoted(&words)));
        self.config().entrypoint = Some(words);
        if !self.has_cmd {
            self.config().cmd = None;
        }
        self.has_entrypoint = true;
        Ok(())
    }

    fn arguments(
        &mut self,
        arguments: &[(String, Option<String>)],
        given: &Given,
        globals: &Variables,
    ) -> Result<(), String> {
        let mut shown = Vec::new();
        for (name, default) in arguments {
            shown.push(self.scope.name_argument(name, default.as_deref(), given, globals)?);
        }
        self.note(format!("ARG {}", shown.join(" ")));
        Ok(())
    }

    /// All values see the variables as they were before the instruction.
    fn pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
        let expand = |(name, value): &(String, String)| {
            Ok((self.scope.word(name)?, self.scope.word(value)?))
        };
        pairs.iter().map(expand).collect()
    }

    fn env(&mut self, pairs: &[(String, String)]) -> Result<(), String> {
        let pairs = self.pairs(pairs)?;
        for (name, value) in &pairs {
            let entry = format!("{name}={value}");
            let env = self.config().env.get_or_insert_default();
            let is_it = |old: &&mut String| old.split('=').next() == Some(name);
            match env.iter_mut().find(is_it) {
                Some(old) => *old = entry,
                None => env.push(entry),
            }
            self.scope.variables.set(name, value.clone());
        }
        self.note(format!("ENV {}", joined(&pairs)));
        Ok(())
    }

    fn label_image(&mut self, pairs: &[(String, String)]) -> Result<(), String> {
        let pairs = self.pairs(pairs)?;
        self.note(format!("LABEL {}", joined(&pairs)));
        self.config().labels.get_or_insert_default().extend(pairs);
        Ok(())
    }

    fn expose(&mut self, ports: &[String]) -> Result<(), String> {
        let mut exposed = Vec::new();
        for port in self.scope.words(ports)? {
            exposed.extend(port_range(&port)?);
        }
        let mut sorted: Vec<_> = exposed.iter().map(|port| format!("{port}:{{}}")).collect();
        sorted.sort();
        sorted.dedup();
        self.note(format!("EXPOSE map[{}]", sorted.join(" ")));
        let all = self.config().exposed_ports.get_or_insert_default();
        all.extend(exposed.into_iter().map(|port| (port, Empty {})));
        Ok(())
    }

    fn volume(&mut self, paths: &[String]) -> Result<(), String> {
        let paths =
            paths.iter().map(|path| self.scope.word(path)).collect::<Result<Vec<_>, _>>()?;
        if paths.iter().any(String::is_empty) {
            return Err("VOLUME specified can not be an empty string".into());
        }
        self.note(format!("VOLUME [{}]", paths.join(" ")));
        let all = self.config().volumes.get_or_insert_default();
        all.extend(paths.into_iter().map(|path| (path, Empty {})));
        Ok(())
    }

    fn healthcheck(&mut self, check: &Healthcheck) -> Result<(), String> {
        let check = match check {
            Healthcheck::None => Check { test: Some(vec!["NONE".into()]), ..Check::default() },
            Healthcheck::Command {
                command,
                interval,
                timeout,
                start_period,
                start_interval,
                retries,
            } => {
                let nanos = |duration: &Option<std::time::Duration>| {
                    let duration = duration.unwrap_or_default();
                    i64::try_from(duration.as_nanos()).map_err(|_| "duration is too long")
                };
                let mut test = Vec::new();
                match command {
                    Command::Exec(words) => {
                        test.push("CMD".to_owned());
                        test.extend(words.iter().cloned());
                    }
                    Command::Shell(line) => test.extend(["CMD-SHELL".to_owned(), line.clone()]),
                }
                Check {
                    test: Some(test),
                    interval: nanos(interval)?,
                    timeout: nanos(timeout)?,
                    start_period: nanos(start_period)?,
                    start_interval: nanos(start_interval)?,
                    retries: retries.unwrap_or(0).into(),
                }
            }
        };
        self.note(format!("HEALTHCHECK {}", words::healthcheck(&check)));
        self.config().healthcheck = Some(check);
        Ok(())
    }
}

fn joined(pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

/// `80`, `80-90/udp`: each port with its protocol.
fn port_range(text: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("invalid containerPort: {text}");
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(format!("invalid proto: {protocol}"));
    }
    // `host:container` is accepted, and the host's part means nothing in an image.
    let ports = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let first: u32 = first.parse().map_err(|_| wrong())?;
    let last: u32 = last.parse().map_err(|_| wrong())?;
    if first > last || last >= PORTS {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}
