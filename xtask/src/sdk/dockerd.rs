//! A dockerd of our own among the peers: the tests prune everything, which the one that all share would not survive.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testkit::peers::Peers;

use super::create_dir;
use crate::{Result, shell};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Dockerd<'p> {
    peers: &'p Peers,
    /// The folder of everything it has, as it is called inside.
    dir: String,
    bridge: String,
    child: Child,
}

impl<'p> Dockerd<'p> {
    pub(super) fn start(peers: &'p Peers) -> Result<Self> {
        let pid = std::process::id();
        let (dir, bridge) = (format!("/tmp/gantry-sdk-{pid}"), format!("sdk{pid}"));
        create_dir(&peers.outside(&dir))?;
        // The tests run out here and name folders by our paths, which have to mean the same inside.
        let root = root(peers);
        let line = format!(
            "mkdir -p $(dirname {root}) && ln -sfn / {root}
             ip link add {bridge} type bridge && ip address add 10.213.7.1/24 dev {bridge} && ip link set {bridge} up
             exec dockerd --data-root={dir}/data --exec-root={dir}/exec --pidfile={dir}/pid \
                 -H unix://{dir}/docker.sock --bridge={bridge} --iptables=false >{dir}/log 2>&1"
        );
        let mut command = peers.inside();
        command.args(["sh", "-c", &line]).stdin(Stdio::null());
        let child = command.spawn().map_err(|error| format!("dockerd: {error}"))?;
        let started = Self { peers, dir, bridge, child };
        started.wait()?;
        Ok(started)
    }

    fn wait(&self) -> Result {
        let deadline = Instant::now() + PATIENCE;
        while shell::output(&mut self.docker(&["version"])).is_err() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.outside("log")).unwrap_or_default();
                return Err(format!("dockerd does not answer:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn docker(&self, words: &[&str]) -> Command {
        let mut command = self.peers.inside();
        command.args(["docker", "-H", &format!("unix://{}/docker.sock", self.dir)]).args(words);
        command
    }

    pub(super) fn load(&self, archive: &Path) -> Result {
        let archive = std::fs::File::open(archive).map_err(|error| error.to_string())?;
        shell::output(self.docker(&["load", "-q"]).stdin(archive)).map(drop)
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.outside("docker.sock").display())
    }

    /// A folder that both sides call by one name.
    pub(super) fn scratch(&self) -> PathBuf {
        self.outside("scratch")
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.peers.outside(&format!("{}/{name}", self.dir))
    }
}

/// Where the peers' root lies, seen from here.
fn root(peers: &Peers) -> String {
    peers.outside("/").to_string_lossy().trim_end_matches('/').to_owned()
}

impl Drop for Dockerd<'_> {
    fn drop(&mut self) {
        let Self { dir, bridge, .. } = self;
        let docker = format!("docker -H unix://{dir}/docker.sock");
        self.peers.sh(&format!(
            "{docker} ps -aq | xargs -r {docker} rm -f; kill $(cat {dir}/pid); ip link delete {bridge}"
        ));
        if let Err(error) = self.child.wait() {
            eprintln!("sdk: wait for dockerd: {error}");
        }
        self.peers.sh(&format!("rm -rf {dir}; rm -f {}", root(self.peers)));
    }
}
