//! Engines behind a real sshd, by a real ssh: on a port of its own, with keys, users and configuration of the test's.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use testkit::engine::{Engine, Output, binary, finish, wait_for};
use testkit::packages::Packages;
use testkit::peers::Peers;
use testkit::servers;

/// The server's programs are in `there`, the client's `ssh` in `here`.
struct Sshd {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Sshd {
    /// Sessions have `environment`.
    fn start(packages: &Packages, environment: &str) -> Self {
        let dir = TempDir::with_prefix("gantry-sshd-").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = |name: &str| dir.path().join(name);
        for folder in ["here", "there", "home"] {
            fs::create_dir(path(folder)).unwrap();
        }
        for key in ["host", "user"] {
            let mut keygen = packages.command("usr/bin/ssh-keygen").unwrap();
            let made = finish(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(key)));
            made.ok();
        }
        let at = dir.path().display();
        let server = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\n\
             StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n\
             SetEnv PATH={at}/there:/usr/bin:/bin {environment}\n"
        );
        fs::write(path("server"), server).unwrap();
        let host_key = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let client = format!(
            "Host there\n HostName 127.0.0.1\n Port {port}\nHost *\n IdentityFile {at}/user\n IdentitiesOnly yes\n \
             UserKnownHostsFile {at}/known\n GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n BatchMode yes\n"
        );
        fs::write(path("client"), client).unwrap();
        write_ssh(packages, dir.path());
        let child = launch(packages, dir.path());
        wait_for("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { dir, port, child }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program of sessions'.
    fn install(&self, name: &str, program: &Path) {
        symlink(program, self.path("there").join(name)).unwrap();
    }

    /// A client that has nothing but its `ssh`.
    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.path("home")).env("DOCKER_CONFIG", self.path("home"));
        let path = format!("{}:/usr/bin:/bin", self.path("here").display());
        command.env("PATH", path).stdin(Stdio::null());
        command
    }

    fn run(&self, program: &Path, args: &[&str]) -> Output {
        finish(self.client(program).args(args))
    }
}

/// As a user would have it, but for where its files are: ssh asks the system for its user's home.
fn write_ssh(packages: &Packages, dir: &Path) {
    let ssh = packages.command("usr/bin/ssh").unwrap();
    let variables: String = ssh
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={} ", name.display(), value?.display())))
        .collect();
    let program = ssh.get_program().display();
    let text = format!("#!/bin/sh\n{variables}exec {program} -F {}/client \"$@\"\n", dir.display());
    let path = dir.join("here/ssh");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// In a mount namespace: sshd wants a user and a folder of its own on the host.
fn launch(packages: &Packages, dir: &Path) -> Child {
    let sshd = packages.command("usr/sbin/sshd").unwrap();
    let script = "set -e
        mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd /run/upper /run/work
        mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
        printf 'root:x:0:0:root:/:/bin/sh\\nsshd:x:99:65534::/run/sshd:/usr/sbin/nologin\\n' >/etc/passwd
        exec \"$@\"";
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "unshare", "-m", "sh", "-c", script, "sh"]);
    command.arg(sshd.get_program()).args(["-D", "-e", "-f"]).arg(dir.join("server"));
    command.envs(sshd.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sshd: {}", fs::read_to_string(self.path("log")).unwrap_or_default());
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What both clients are asked for, whatever is at the other end.
fn use_it(sshd: &Sshd, client: &Path, host: &str, name: &str) {
    let run = |args: &[&str]| sshd.run(client, &[&["-H", host][..], args].concat());
    let said = run(&["run", "--rm", "busybox", "sh", "-c", "echo hello; exit 7"]);
    assert_eq!((said.code, &*said.stdout), (7, "hello\n"), "{}", said.stderr);
    run(&["run", "-d", "--name", name, "busybox", "sleep", "300"]).ok();
    let mut cat = sshd.client(client);
    cat.args(["-H", host, "exec", "-i", name, "sh", "-c", "cat; echo end >&2"]);
    let mut cat =
        cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = "line\n".repeat(50_000);
    let mut stdin = cat.stdin.take().unwrap();
    let sent = input.clone();
    let writer = std::thread::spawn(move || {
        std::io::Write::write_all(&mut stdin, sent.as_bytes()).unwrap();
    });
    let output = cat.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.stdout == input.as_bytes(), "{} bytes came back", output.stdout.len());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "end\n");
    let file = sshd.path("home/copied").display().to_string();
    run(&["cp", &format!("{name}:/etc/passwd"), &file]).ok();
    assert!(fs::read_to_string(&file).unwrap().starts_with("root:"));
    assert_eq!(
        run(&["ps", "--filter", &format!("name={name}"), "--format", "{{.Names}}"]).ok(),
        name
    );
    run(&["rm", "-f", name]).ok();
}

#[test]
fn gantry_works_through_a_real_sshd() {
    let Some(packages) = servers::at_hand("gantry through a real sshd") else { return };
    let engine = Engine::with_busybox();
    let sshd = Sshd::start(&packages, &format!("DOCKER_HOST={}", engine.host()));
    sshd.install("gantry", &binary("gantry"));
    let gantry = binary("gantry");
    use_it(&sshd, &gantry, "ssh://root@there", "box");
    // The user, the port and the socket of the URL's.
    let whole = format!("ssh://root@127.0.0.1:{}{}", sshd.port, engine.socket().display());
    assert_eq!(sshd.run(&gantry, &["-H", &whole, "ps", "-aq"]).ok(), "");
    let create = ["context", "create", "far", "--docker", "host=ssh://root@there"];
    sshd.run(&gantry, &create).ok();
    let info = ["--context", "far", "info", "--format", "{{.DockerRootDir}}"];
    assert_eq!(sshd.run(&gantry, &info).ok(), engine.data_root().display().to_string());
}

/// Docker's own command at the far end, whoever serves it there.
#[test]
fn without_gantry_over_there_dockers_command_is_asked() {
    let Some(packages) = servers::at_hand("docker through a real sshd") else { return };
    let engine = Engine::with_busybox();
    let sshd = Sshd::start(&packages, &format!("DOCKER_HOST={}", engine.host()));
    sshd.install("docker", &binary("gantry"));
    use_it(&sshd, &binary("gantry"), "ssh://root@there", "box");
    let Some(peers) = Peers::at_hand("Docker's client through a real sshd") else { return };
    use_it(&sshd, &peers.outside("/usr/bin/docker"), "ssh://root@there", "box");
}

#[test]
fn gantry_reaches_a_real_docker_behind_ssh() {
    let Some(packages) = servers::at_hand("docker through a real sshd") else { return };
    let Some(peers) = Peers::at_hand("a real Docker behind a real sshd") else { return };
    peers.load_all(&["busybox"]);
    let socket = format!("DOCKER_HOST=unix://{}", peers.outside("/sock/docker.sock").display());
    let sshd = Sshd::start(&packages, &socket);
    sshd.install("docker", &peers.outside("/usr/bin/docker"));
    let name = format!("behind-ssh-{}", std::process::id());
    use_it(&sshd, &binary("gantry"), "ssh://root@there", &name);
}

#[test]
fn what_ssh_and_the_far_end_complain_of_is_told() {
    let Some(packages) = servers::at_hand("gantry through a real sshd") else { return };
    let sshd = Sshd::start(&packages, "DOCKER_HOST=unix:///nowhere.sock");
    let gantry = binary("gantry");
    let none = sshd.run(&gantry, &["-H", "ssh://root@there", "ps"]).fails(1);
    assert!(none.contains("docker: not found") && none.contains("ended before"), "{none}");
    sshd.install("gantry", &gantry);
    let dead = sshd.run(&gantry, &["-H", "ssh://root@there", "ps"]).fails(1);
    assert!(dead.contains("/nowhere.sock"), "{dead}");
    let stranger = sshd.run(&gantry, &["-H", "ssh://stranger@there", "ps"]).fails(1);
    assert!(stranger.contains("Permission denied"), "{stranger}");
    fs::write(sshd.path("known"), "").unwrap();
    let unknown = sshd.run(&gantry, &["-H", "ssh://root@there", "ps"]).fails(1);
    assert!(unknown.contains("Host key verification failed"), "{unknown}");
}
