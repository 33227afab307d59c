//! A second kernel: Debian's, in a machine emulated by software, with cgroup v2 and everything else that
//! a host of this project's users has.
//!
//! qemu and the kernel are Debian packages, unpacked into a cache outside the tree and never installed.
//! A run packs an initramfs of busybox, the modules of [`MODULES`], the caller's files and its script,
//! boots it, copies the serial console, and ends with the script's exit status:
//!
//! ```text
//! initramfs -> tmpfs as root (pivot_root needs one) -> modules -> mounts -> /script -> marker -> off
//! ```

mod cpio;
mod debian;
mod modules;

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cpio::Archive;

use crate::packages::Packages;

/// What containers and their networks need, and this kernel does not have built in.
const MODULES: &[&str] = &[
    "overlay",
    "veth",
    "bridge",
    "br_netfilter",
    "nf_tables",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_redir",
    "nft_meta_bridge",
    "nft_ct",
    "nft_fib_inet",
    "nft_reject_inet",
    "nf_conntrack",
    "loop",
    "ipvlan",
    "macvlan",
    "8021q",
    "dummy",
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "quota_v2",
    "xfs",
];
/// Printed before the exit status; nothing else on the console says it.
const MARKER: &str = "gantry-guest-exit:";
const INIT: &str = include_str!("guest/init.sh");

/// A machine to be booted once.
pub struct Guest {
    packages: Packages,
    files: Vec<(PathBuf, String)>,
    disks: Vec<PathBuf>,
    megabytes: u32,
    limit: Duration,
}

pub struct Outcome {
    /// The script's exit status; None where the machine stopped, or the time was up, before it ended.
    pub status: Option<i32>,
    /// Both outputs of the script, and what the kernel had to say.
    pub console: String,
}

impl Guest {
    /// Fetches the packages if they are not in the cache. Err is the reason to skip.
    pub fn new() -> Result<Self, String> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(String::from("the guest's kernel is for x86-64"));
        }
        let packages = debian::fetch()?;
        let (files, disks, limit) = (Vec::new(), Vec::new(), Duration::from_secs(120));
        Ok(Self { packages, files, disks, megabytes: 1024, limit })
    }

    /// Copies a file of the host in, executable.
    pub fn file(mut self, host: impl Into<PathBuf>, guest: &str) -> Self {
        self.files.push((host.into(), guest.to_owned()));
        self
    }

    /// Attaches an image of a file system: the first is `/dev/vda`.
    pub fn disk(mut self, image: impl Into<PathBuf>) -> Self {
        self.disks.push(image.into());
        self
    }

    /// Copies programs of a package in, which are linked to the C library alone, with that. Err is the reason to skip.
    pub fn programs(mut self, package: &str, paths: &[&str]) -> Result<Self, String> {
        let packages = debian::fetch_also(package)?;
        for path in paths {
            let program = packages.program(path.trim_start_matches('/'));
            self = self.file(program.map_err(|error| error.to_string())?, path);
        }
        for library in ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"] {
            self = self.file(library, library);
        }
        Ok(self)
    }

    pub fn memory(mut self, megabytes: u32) -> Self {
        self.megabytes = megabytes;
        self
    }

    /// The machine is stopped when it has not ended by then.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs a shell script as root, in `/`.
    pub fn run(&self, script: &str) -> io::Result<Outcome> {
        let directory = tempfile::tempdir()?;
        let initramfs = directory.path().join("initramfs");
        std::fs::write(&initramfs, self.initramfs(script)?)?;
        let mut machine = self.boot(&initramfs)?;
        let console = watch(&mut machine, self.limit);
        machine.kill()?;
        machine.wait()?;
        let console = console?;
        let status = console.lines().find_map(|line| line.trim().strip_prefix(MARKER));
        Ok(Outcome { status: status.and_then(|status| status.trim().parse().ok()), console })
    }

    fn initramfs(&self, script: &str) -> io::Result<Vec<u8>> {
        let mut archive = Archive::default();
        archive.add("init", INIT.replace("@MARKER@", MARKER).as_bytes());
        archive.add("script", script.as_bytes());
        archive.add("bin/busybox", &std::fs::read(self.packages.busybox()?)?);
        let modules = modules::in_order(&self.packages, MODULES)?;
        for (at, module) in modules.iter().enumerate() {
            archive.add(&format!("modules/{at:03}.ko"), &std::fs::read(module)?);
        }
        for (host, guest) in &self.files {
            let content = std::fs::read(host)
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", host.display())))?;
            archive.add(guest.trim_start_matches('/'), &content);
        }
        Ok(archive.finish())
    }

    fn boot(&self, initramfs: &Path) -> io::Result<Child> {
        let mut qemu = self.packages.qemu()?;
        qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]);
        qemu.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
        qemu.arg("-m").arg(self.megabytes.to_string());
        qemu.arg("-kernel").arg(self.packages.kernel()?);
        qemu.arg("-initrd").arg(initramfs);
        // The kernel's test of its timer takes a machine that is not scheduled for a while for a broken one.
        let kernel = "console=ttyS0 quiet loglevel=1 panic=-1 random.trust_cpu=on no_timer_check";
        qemu.args(["-append", kernel]);
        qemu.args(["-serial", "stdio"]);
        for disk in &self.disks {
            qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio", disk.display()));
        }
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        die_with_parent(&mut qemu).spawn()
    }
}

/// A test that is killed must not leave a machine running.
fn die_with_parent(qemu: &mut Command) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(qemu.get_program()).args(qemu.get_args());
    for (name, value) in qemu.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The console up to the marker, the machine's end or the limit.
fn watch(machine: &mut Child, limit: Duration) -> io::Result<String> {
    let deadline = Instant::now() + limit;
    let stdout = machine.stdout.take().ok_or_else(|| io::Error::other("qemu has no console"))?;
    let (sender, lines) = std::sync::mpsc::channel();
    // Ends when the console does, which is when the machine is gone.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n') {
            let Ok(line) = line else { return };
            let _ = sender.send(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    });
    let mut console = String::new();
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        console.push_str(&line);
        console.push('\n');
        if line.starts_with(MARKER) {
            break;
        }
    }
    Ok(console)
}
