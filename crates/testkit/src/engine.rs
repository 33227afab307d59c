//! An engine of its own for each test: private data root, exec root and socket. Dropping it removes
//! its containers, ends it, and fails the test when anything is left.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::archive::sha256;
use crate::sweeper::Sweeper;

/// Long enough for anything on a busy machine; a condition that takes longer will not come true.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running (or killed) engine and its folders.
pub struct Engine {
    /// The first, so that it does its work while the folders are there.
    sweeper: Sweeper,
    dir: TempDir,
    /// In memory where it can be, as /run is on a host in use.
    exec_root: TempDir,
    daemon: Option<Child>,
    flags: Vec<String>,
    /// A program and its arguments which run `gantryd` in their place.
    through: Vec<String>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output of a command that must succeed, without the last newline.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout.strip_suffix('\n').unwrap_or(&self.stdout).to_owned()
    }

    /// Standard error of a command that must fail with this exit code.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr.trim_end().to_owned()
    }
}

impl Engine {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With the busybox image loaded.
    pub fn with_busybox() -> Self {
        let engine = Self::start();
        engine.load("busybox");
        engine
    }

    /// With further flags of `gantryd`.
    pub fn start_with(flags: &[&str]) -> Self {
        Self::start_through(&[], flags)
    }

    /// As [`start_with`](Self::start_with), by a command that runs what follows it: in namespaces, say.
    pub fn start_through(through: &[&str], flags: &[&str]) -> Self {
        let dir = TempDir::with_prefix("gantry-test-").expect("a temporary folder");
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory } else { dir.path() };
        let exec_root =
            TempDir::with_prefix_in("gantry-test-", place).expect("a temporary folder in memory");
        let [flags, through] =
            [flags, through].map(|words| words.iter().map(|&word| word.to_owned()).collect());
        let pidfile = dir.path().join("gantryd.pid");
        let sweeper = Sweeper::start(&exec_root.path().join("exec"), &pidfile);
        let mut engine = Self { sweeper, dir, exec_root, daemon: None, flags, through };
        engine.launch();
        engine
    }

    /// Starts `gantryd` on the folders (again) and waits until it serves.
    pub fn launch(&mut self) {
        assert!(self.daemon.is_none(), "the engine is running");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the engine's log");
        let ready_before = self.times_ready();
        let child = self
            .daemon_command()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("gantryd is built");
        self.daemon = Some(child);
        self.wait_until("the engine serves", |engine| {
            let daemon = engine.daemon.as_mut().expect("launched above");
            if let Some(status) = daemon.try_wait().expect("own child") {
                panic!("gantryd ended: {status}\n{}", engine.log());
            }
            // Not by the socket: one that a killed engine listened on lives as long as a child of it that is just being
            // made.
            engine.times_ready() > ready_before
        });
    }

    fn times_ready(&self) -> usize {
        self.log().matches("is ready").count()
    }

    /// The command that [`launch`](Self::launch) runs.
    pub fn daemon_command(&self) -> Command {
        let mut words = self.through.iter().map(PathBuf::from).chain([binary("gantryd")]);
        let mut command = Command::new(words.next().expect("gantryd at least"));
        command
            .args(words)
            .arg("--data-root")
            .arg(self.data_root())
            .arg("--exec-root")
            .arg(self.exec_root())
            .arg("--pidfile")
            .arg(self.dir.path().join("gantryd.pid"))
            .arg("-H")
            .arg(self.host())
            .args(&self.flags);
        command
    }

    /// SIGKILL: what a crash, an OOM kill or an upgrade looks like.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("the engine is running");
        daemon.kill().expect("own child");
        daemon.wait().expect("own child");
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        let pid = Pid::from_child(&daemon);
        kill_process(pid, Signal::TERM).expect("own child");
        daemon.wait().expect("own child");
    }

    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().expect("the engine is running").id()
    }

    /// Runs `gantry` against this engine to its end.
    pub fn gantry(&self, args: &[&str]) -> Output {
        finish(self.command(args).stdin(Stdio::null()))
    }

    /// Like [`gantry`](Self::gantry) with something on standard input.
    pub fn gantry_with_input(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("gantry is built");
        let mut stdin = child.stdin.take().expect("piped above");
        let input = input.to_owned();
        // A thread of its own: the command may print before it has read everything. It may also
        // end without reading, which is its right.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("own child");
        writer.join().expect("the writer does not panic");
        text(output)
    }

    /// `gantry ARGS` for this engine, to be spawned by the caller.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary("gantry"));
        command.arg("-H").arg(self.host()).args(args).env_remove("DOCKER_HOST");
        command
    }

    /// Loads one of the base images by the name of its archive.
    #[track_caller]
    pub fn load(&self, image: &str) {
        let archive = image_archive(image);
        self.gantry(&["load", "-q", "-i", &archive.to_string_lossy()]).ok();
    }

    /// Waits for something that is expected to happen; says what did not.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited in vain until {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub fn data_root(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn exec_root(&self) -> PathBuf {
        self.exec_root.path().join("exec")
    }

    /// A folder for the test's own files.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("gantryd.log")
    }

    fn remove_containers(&mut self) {
        if self.daemon.is_none() {
            self.launch();
        }
        let ids = self.gantry(&["ps", "-aq", "--no-trunc"]).stdout;
        let mut remove = vec!["rm", "-f", "-v"];
        remove.extend(ids.lines());
        if remove.len() > 3 {
            self.gantry(&remove);
        }
    }

    /// Processes and mounts that name this engine's folders, and what it has in the kernel under its own name.
    fn leftovers(&self) -> Vec<String> {
        let folders =
            [&self.dir, &self.exec_root].map(|dir| dir.path().to_string_lossy().into_owned());
        let names_ours = |text: &str| folders.iter().any(|folder| text.contains(folder));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mounts =
            mounts.lines().filter(|line| names_ours(line)).map(|line| format!("mount {line}"));
        mounts.chain(processes(names_ours)).chain(self.kernel_objects()).collect()
    }

    /// What its firewall tables and cgroups are called; none of an engine that never served.
    pub fn kernel_name(&self) -> Option<String> {
        let id = fs::read_to_string(self.data_root().join("engine-id")).ok()?;
        Some(format!("gantry-{}", &sha256(id.trim().as_bytes())[..8]))
    }

    /// Its links in the host's network, by their folders below /sys.
    pub fn links(&self) -> Vec<PathBuf> {
        let Some(name) = self.kernel_name() else { return Vec::new() };
        let group = u32::from_str_radix(&name[7..], 16).expect("hexadecimal") & 0x7fff_fffe;
        let groups = [group.max(2), group.max(2) + 1].map(|group| group.to_string());
        let is_ours = |link: &PathBuf| {
            let group = fs::read_to_string(link.join("netdev_group")).unwrap_or_default();
            groups.iter().any(|ours| group.trim() == ours)
        };
        entries("/sys/class/net").filter(is_ours).collect()
    }

    /// Links, cgroups and firewall tables: nothing of them outlives an orderly end with nothing running.
    pub fn kernel_objects(&self) -> Vec<String> {
        let Some(name) = self.kernel_name() else { return Vec::new() };
        let links = self.links().into_iter();
        let cgroups = entries("/sys/fs/cgroup").chain([PathBuf::from("/sys/fs/cgroup")]);
        let cgroups = cgroups.map(|root| root.join(&name)).filter(|cgroup| cgroup.exists());
        let mut found: Vec<_> =
            links.chain(cgroups).map(|path| path.display().to_string()).collect();
        let tables = Command::new("nft").args(["list", "tables"]).output();
        let tables = tables.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let tables = tables.unwrap_or_default();
        found.extend(tables.lines().filter(|line| line.contains(&name)).map(str::to_owned));
        found
    }
}

fn entries(dir: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", self.log());
        }
        self.remove_containers();
        self.stop();
        let deadline = Instant::now() + PATIENCE;
        while !self.leftovers().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = self.leftovers();
        if !std::thread::panicking() {
            assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
            self.sweeper.all_is_well();
        }
    }
}

/// Waits for something that no engine has a part in.
#[track_caller]
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A binary of this workspace: in `GANTRY_BIN`, else beside the test that runs.
pub fn binary(name: &str) -> PathBuf {
    let dir = std::env::var_os("GANTRY_BIN").map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().expect("a running program has a path");
        let deps = test.parent().expect("a program is in a folder");
        deps.parent().expect("tests are in target/<host>/<profile>/deps").to_owned()
    });
    dir.join(name)
}

/// The archive of a base image, made by `cargo xtask images`.
pub fn image_archive(name: &str) -> PathBuf {
    let dir = std::env::var_os("GANTRY_IMAGES").map(PathBuf::from);
    let path = dir.unwrap_or_else(|| "/var/cache/gantry/images".into()).join(format!("{name}.tar"));
    assert!(path.exists(), "{} is missing: run cargo xtask images {name}", path.display());
    path
}

/// Runs a command to its end and takes what it printed.
pub fn finish(command: &mut Command) -> Output {
    let output =
        command.output().unwrap_or_else(|e| panic!("{}: {e}", command.get_program().display()));
    text(output)
}

fn text(output: std::process::Output) -> Output {
    use std::os::unix::process::ExitStatusExt;
    let status = output.status;
    Output {
        code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn processes(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        wanted(&command).then(|| format!("process {pid} {command}"))
    })
    .collect()
}
