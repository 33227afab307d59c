//! An ordinary user made for one test: known to nobody outside of a mount namespace in which the files that say who
//! there is are others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testkit::engine::{Output, PATIENCE, binary, image_archive};

/// Not the one that programs like pasta take over into the user's network.
const HOST: &str = "203.0.113.1";

pub(super) struct User {
    dir: TempDir,
    uid: u32,
    /// What the mount namespace, and the host's network as this user knows it, belong to.
    holder: Child,
}

impl User {
    pub(super) fn new() -> Self {
        let dir = TempDir::with_prefix("gantry-user-").unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        // One for each test process: who is left over is found by the number.
        let uid = 30_000 + std::process::id() % 30_000;
        let add = |file: &str, line: String| {
            let text = fs::read_to_string(format!("/etc/{file}")).unwrap_or_default();
            fs::write(dir.path().join(file), text + &line).unwrap();
        };
        let home = dir.path().join("home");
        add("passwd", format!("tester:x:{uid}:{uid}::{}:/bin/sh\n", home.display()));
        add("group", format!("tester:x:{uid}:\n"));
        add("subuid", format!("tester:{}:65536\n", uid * 65_536));
        add("subgid", format!("tester:{}:65536\n", uid * 65_536));
        fs::write(dir.path().join("resolv.conf"), "nameserver 127.0.0.53\n").unwrap();
        for (name, mode) in [("home", 0o700), ("run", 0o700), ("bin", 0o755)] {
            let path = dir.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            chown(&path, Some(uid), Some(uid)).unwrap();
        }
        let holder = hold(dir.path());
        Self { dir, uid, holder }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(super) fn run_directory(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// A network address of the host.
    pub(super) fn host(&self) -> &'static str {
        HOST
    }

    /// Runs `gantry` as this user; the first that needs an engine starts it.
    pub(super) fn gantry(&self, args: &[&str]) -> Output {
        let program = self.dir.path().join("bin/gantry");
        self.run(Command::new("setpriv").args(self.identity()).arg(program).args(args))
    }

    /// Runs a command on the host of this user, as its root.
    pub(super) fn on_host(&self, words: &[&str]) -> Output {
        self.run(Command::new(words[0]).args(&words[1..]))
    }

    pub(super) fn on_host_in_background(&self, words: &[&str]) -> Child {
        let mut command = self.entered(Command::new(words[0]).args(&words[1..]));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// An engine that nobody waits for: the process is the engine's own.
    pub(super) fn start_engine(&self) -> Child {
        let program = self.dir.path().join("bin/gantryd");
        let mut command = Command::new("setpriv");
        command.args(self.identity()).arg(program);
        let mut command = self.entered(&command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub(super) fn load(&self, image: &str) {
        let copy = self.dir.path().join("image.tar");
        fs::copy(image_archive(image), &copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
        self.gantry(&["load", "-q", "-i", copy.to_str().unwrap()]).ok();
        fs::remove_file(copy).unwrap();
    }

    /// The engine's process, as it says itself.
    pub(super) fn engine(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.run_directory().join("gantry/gantry.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    pub(super) fn kill_engine(&self) {
        self.end_engine(Signal::KILL);
    }

    /// What runs as this user, or as those whom it lends its ids to.
    pub(super) fn processes(&self) -> Vec<(Pid, String)> {
        let lent = self.uid * 65_536..(self.uid + 1) * 65_536;
        let process = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
            let uid = field("Uid:")?.split_whitespace().next()?.parse().ok()?;
            // The first thread may be gone before the others, with which descriptors stay open.
            let threads = fs::read_dir(entry.path().join("task")).ok()?.count();
            let is_alive = threads > 1 || !field("State:")?.trim().starts_with('Z');
            let is_ours = (uid == self.uid || lent.contains(&uid)) && is_alive;
            is_ours.then_some((Pid::from_raw(pid)?, field("Name:")?.trim().to_owned()))
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(process).collect()
    }

    /// In its ordinary way.
    pub(super) fn stop_engine(&self) {
        self.end_engine(Signal::TERM);
    }

    fn end_engine(&self, signal: Signal) {
        let engine = self.engine().unwrap();
        kill_process(engine, signal).unwrap();
        let is_it = |(pid, _): &(Pid, String)| *pid == engine;
        self.wait_until("the engine has ended", || !self.processes().iter().any(is_it));
    }

    #[track_caller]
    pub(super) fn wait_until(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "{what}: not in time; {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    pub(super) fn log(&self) -> String {
        let path = self.run_directory().join("gantry/gantryd.log");
        fs::read_to_string(path).unwrap_or_default()
    }

    fn identity(&self) -> Vec<String> {
        let id = self.uid;
        vec![format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".into()]
    }

    fn run(&self, command: &Command) -> Output {
        let output = self.entered(command).stdin(Stdio::null()).output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn entered(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered
            .arg(format!("--target={}", self.holder.id()))
            .args(["--mount", "--net", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.run_directory());
        entered
    }
}

/// A process in namespaces of its own, where this user exists, may open /dev/net/tun as on any other host, finds the
/// programs, and has a network with a way out that leads nowhere.
fn hold(dir: &Path) -> Child {
    let bin = binary("gantry");
    let script = format!(
        "set -e
         mount --make-rprivate /
         for file in passwd group subuid subgid resolv.conf; do mount --bind {dir}/$file /etc/$file; done
         mount --bind {bin} {dir}/bin
         mknod -m 666 {dir}/tun c 10 200
         mount --bind {dir}/tun /dev/net/tun
         ip link set lo up
         ip link add name eth0 type veth peer name far
         ip addr add 198.51.100.1/24 dev eth0
         ip addr add {HOST}/24 dev far
         ip link set eth0 up
         ip link set far up
         ip route add default via 198.51.100.254
         echo ready
         exec cat",
        dir = dir.display(),
        bin = bin.parent().unwrap().display(),
    );
    let mut holder = Command::new("unshare")
        .args(["--mount", "--net", "--", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut word = [0; 6];
    let said = std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut word);
    assert!(said.is_ok() && &word == b"ready\n", "the test's own host could not be made");
    holder
}

impl Drop for User {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            eprintln!("{}", self.log());
        }
        self.gantry(&["system", "prune", "-af", "--volumes"]);
        self.stop_engine_gently();
        let left = self.processes();
        for (pid, _) in &left {
            let _ = kill_process(*pid, Signal::KILL);
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        if !failed {
            assert!(left.is_empty(), "processes of the user are left: {left:?}");
        }
    }
}

impl User {
    fn stop_engine_gently(&self) {
        if let Some(engine) = self.engine() {
            let _ = kill_process(engine, Signal::TERM);
        }
        // What it ends goes with it, a moment later.
        let start = Instant::now();
        while !self.processes().is_empty() && start.elapsed() < PATIENCE / 3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
