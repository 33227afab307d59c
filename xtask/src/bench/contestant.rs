//! Who takes part: this engine, the peers' engines, and OCI runtimes by themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testkit::engine::{Engine, binary};
use testkit::peers::Peers;

use super::image::{self, Image};
use super::memory::Processes;
use super::place::{Agent, Line, Place};
use super::registry::Server;
use crate::{Result, shell};

/// The container that runs all the time: for exec and ps, and so that our cgroup hierarchy stays mounted.
pub(super) const IDLE: &str = "gantry-bench-idle";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Engine,
    Runtime,
}

pub(super) struct Contestant {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Comes before every command's words.
    command: Line,
    place: Place,
    /// This program, where the engine's host is.
    program: String,
    /// The words that remove running containers by SIGKILL.
    remove: &'static [&'static str],
    /// On the engine's host; runtimes have none.
    registry: Option<Server>,
    /// What lets it be asked without TLS.
    in_clear: &'static [&'static str],
    pub(super) processes: Processes,
}

impl Contestant {
    pub(super) fn ours(engine: &Engine) -> Result<Self> {
        let own = super::own_path()?.to_string_lossy().into_owned();
        let gantry = binary("gantry").to_string_lossy().into_owned();
        Ok(Self {
            name: "gantry".into(),
            kind: Kind::Engine,
            command: vec![gantry, "-H".into(), engine.host()],
            place: Place::Here,
            program: own,
            remove: &["rm", "-f"],
            registry: Some(Server::start(
                &mut Command::new(super::own_path()?),
                &binary("gantryd").to_string_lossy(),
                "gantry",
            )?),
            in_clear: &[],
            processes: Processes::Ours {
                engine: engine.daemon_pid(),
                exec_root: engine.exec_root().to_string_lossy().into_owned(),
            },
        })
    }

    /// The seconds that one command takes.
    pub(super) fn run(&mut self, words: &[&str]) -> Result<f64> {
        let line = self.line(words);
        self.place.time(&[line], 1)
    }

    /// The number that one command prints.
    pub(super) fn told(&mut self, words: &[&str]) -> Result<f64> {
        let line = self.line(words);
        self.place.told(&line)
    }

    /// The number that this program prints on the engine's host.
    pub(super) fn host_told(&mut self, words: &[&str]) -> Result<f64> {
        let words = words.iter().map(|&word| word.to_owned());
        let line: Line = std::iter::once(self.program.clone()).chain(words).collect();
        self.place.told(&line)
    }

    /// The seconds that all the commands take, eight at a time.
    pub(super) fn run_all(&mut self, commands: &[Vec<&str>]) -> Result<f64> {
        let lines: Vec<Line> = commands.iter().map(|words| self.line(words)).collect();
        self.place.time(&lines, 8)
    }

    /// The seconds that removing the containers takes, with one command, as people do it.
    pub(super) fn remove(&mut self, names: &[&str]) -> Result<f64> {
        let words = [self.remove, names].concat();
        self.run(&words)
    }

    /// What an image is called in the registry on the engine's host.
    pub(super) fn name_in_registry(&self, image: &str) -> String {
        let address = self.registry.as_ref().map_or("", |server| server.address.as_str());
        format!("{address}/{image}")
    }

    /// The seconds that `push` or `pull` of an image there take.
    pub(super) fn run_in_clear(&mut self, verb: &str, image: &str) -> Result<f64> {
        let words = [&[verb], self.in_clear, &[image]].concat();
        self.run(&words)
    }

    pub(super) fn load(&mut self, archive: &Path) -> Result {
        self.run(&["load", "-i", &archive.to_string_lossy()]).map(drop)
    }

    /// Starts the container that runs all the time, and makes sure that commands do run: who does nothing is fast.
    pub(super) fn stand_by(&mut self) -> Result {
        if self.kind == Kind::Runtime {
            return Ok(());
        }
        // One that an earlier, interrupted run left behind.
        let _ = self.remove(&[IDLE]);
        self.run(&["run", "-d", "--name", IDLE, image::NAME, "sleep", "1000000"])?;
        match self.run(&["exec", IDLE, "sh", "-c", "exit 3"]) {
            Ok(_) => Err("a command that exits with 3 seems to succeed".into()),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn stand_down(&mut self) -> Result {
        match self.kind {
            Kind::Runtime => Ok(()),
            Kind::Engine => self.remove(&[IDLE]).map(drop),
        }
    }

    fn line(&self, words: &[&str]) -> Line {
        self.command.iter().cloned().chain(words.iter().map(|&word| word.to_owned())).collect()
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        if self.kind == Kind::Engine {
            // Nothing more can be done if the engine is gone.
            let _ = self.remove(&[IDLE]);
            let _ = self.run(&["rmi", "-f", image::NAME]);
        }
    }
}

/// The peers with what we brought them: this program, the image, a bundle for runtimes.
pub(super) struct Guests {
    peers: Peers,
    program: String,
    archive: String,
    /// Our engine, which is also the registry.
    server: String,
    bundle: Bundle,
}

impl Guests {
    pub(super) fn new(mut peers: Peers, image: &Image) -> Result<Self> {
        let program = format!("/usr/local/bin/xtask-{}", std::process::id());
        let archive = format!("/tmp/gantry-bench-{}.tar", std::process::id());
        peers.copy(&super::own_path()?, &program);
        peers.copy(&image.archive, &archive);
        let server = peers.bring("gantryd");
        let bundle = Bundle::new(&peers, image)?;
        Ok(Self { peers, program, archive, server, bundle })
    }

    /// The engines asked for, each with the runtime it uses.
    pub(super) fn contestants(&self, names: &[String]) -> Result<Vec<Contestant>> {
        let mut contestants = Vec::new();
        for name in names {
            let (runtime, engine, helpers, remove, in_clear) = match name.as_str() {
                "docker" => (
                    "runc",
                    &["dockerd", "containerd"][..],
                    &["containerd-shim", "docker-proxy"][..],
                    &["rm", "-f"][..],
                    &[][..],
                ),
                // Podman would first ask politely, for ten seconds each.
                _ => (
                    "crun",
                    &[][..],
                    &["conmon"][..],
                    &["rm", "-f", "-t", "0"][..],
                    &["--tls-verify=false"][..],
                ),
            };
            let processes =
                Processes::Theirs { namespace: self.mount_namespace()?, engine, helpers };
            let mut contestant = Contestant {
                name: name.clone(),
                kind: Kind::Engine,
                command: vec![name.clone()],
                place: self.place()?,
                program: self.program.clone(),
                remove,
                registry: Some(Server::start(
                    self.peers.inside().arg(&self.program),
                    &self.server,
                    name,
                )?),
                in_clear,
                processes,
            };
            contestant.load(Path::new(&self.archive))?;
            contestants.push(contestant);
            contestants.push(self.runtime(runtime, runtime)?);
        }
        Ok(contestants)
    }

    pub(super) fn our_runtime(&mut self) -> Result<Contestant> {
        let program = self.peers.bring("gantry-runtime");
        self.runtime("gantry-runtime", &program)
    }

    fn runtime(&self, name: &str, program: &str) -> Result<Contestant> {
        Ok(Contestant {
            name: name.into(),
            kind: Kind::Runtime,
            command: [program, "run", "-b", &self.bundle.inside, "gantry-bench"]
                .map(str::to_owned)
                .to_vec(),
            place: self.place()?,
            program: self.program.clone(),
            remove: &[],
            registry: None,
            in_clear: &[],
            processes: Processes::None,
        })
    }

    fn place(&self) -> Result<Place> {
        Agent::start(self.peers.inside().arg(&self.program).arg("bench-agent")).map(Place::Inside)
    }

    fn mount_namespace(&self) -> Result<String> {
        let link = shell::output(self.peers.inside().args(["readlink", "/proc/self/ns/mnt"]))?;
        Ok(link.trim().to_owned())
    }
}

/// A bundle in the peers' root that runs `true`; removed when dropped.
struct Bundle {
    inside: String,
    outside: PathBuf,
}

impl Bundle {
    fn new(peers: &Peers, image: &Image) -> Result<Self> {
        let inside = format!("/tmp/gantry-bench-{}", std::process::id());
        let bundle = Self { outside: peers.outside(&inside), inside };
        fs::create_dir_all(&bundle.outside)
            .map_err(|e| format!("{}: {e}", bundle.outside.display()))?;
        shell::run(
            Command::new("cp").arg("-a").arg(&image.root).arg(bundle.outside.join("rootfs")),
        )?;
        shell::run(peers.inside().args(["runc", "spec", "-b", &bundle.inside]))?;
        bundle.edit_config().map_err(|e| format!("{}: {e}", bundle.outside.display()))?;
        Ok(bundle)
    }

    fn edit_config(&self) -> std::io::Result<()> {
        let path = self.outside.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
        config["process"]["args"] = json!(["true"]);
        config["process"]["terminal"] = json!(false);
        fs::write(&path, config.to_string())
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.outside) {
            eprintln!("bench: {}: {error}", self.outside.display());
        }
    }
}
