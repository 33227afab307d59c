//! Beside a real ufw, on a host of the test's own (a network namespace): it drops what containers are sent and send until
//! somebody has it told otherwise.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;
use testkit::engine::{Engine, Output, finish, wait_for};
use testkit::packages::Packages;

use super::policy::{HOST, Host, ask, serve};

const PATH: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// The host with ufw as if it were installed, in mounts that nobody else sees.
struct Ufw {
    host: Host,
    folder: TempDir,
    child: Child,
}

impl Ufw {
    fn start(packages: &Packages) -> Self {
        let host = Host::new();
        let folder = TempDir::new().unwrap();
        let (place, root) = (folder.path().display(), packages.root().display());
        let script = format!(
            "set -e; mkdir {place}/own; mount -t tmpfs none {place}/own; cd {place}/own; mkdir usr etc usr.work etc.work
             mount -t overlay none -o lowerdir={root}/usr:/usr,upperdir=usr,workdir=usr.work /usr
             mount -t overlay none -o lowerdir={root}/etc:/etc,upperdir=etc,workdir=etc.work /etc
             cp -a {root}/lib/ufw /usr/lib; [ ! -d {root}/sbin ] || cp -a {root}/sbin/. /usr/sbin
             cp /usr/share/ufw/*.rules /usr/share/ufw/*.init /usr/share/ufw/ufw.conf /etc/ufw
             for name in iptables ip6tables; do for end in '' -restore -save; do
                 ln -sf xtables-nft-multi /usr/sbin/$name$end
             done; done
             ufw --force enable; touch {place}/ready; exec sleep infinity"
        );
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", host.name))
            .args(["unshare", "--mount", "env", PATH, "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let ufw = Self { host, folder, child };
        wait_for("ufw is on", || {
            let log = fs::read_to_string(ufw.folder.path().join("log")).unwrap();
            assert!(!log.contains("ERROR"), "{log}");
            ufw.folder.path().join("ready").exists()
        });
        ufw
    }

    fn engine(&self) -> Engine {
        let namespace = format!("--net=/run/netns/{}", self.host.name);
        let engine = Engine::start_through(&["nsenter", &namespace, "--"], &[]);
        engine.load("busybox");
        engine
    }

    /// Where ufw is to be found.
    fn gantry(&self, engine: &Engine, arguments: &[&str]) -> Output {
        let gantry = engine.command(arguments);
        let mut command = Command::new("nsenter");
        let process = self.child.id();
        command.arg(format!("--net=/proc/{process}/ns/net"));
        command.arg(format!("--mount=/proc/{process}/ns/mnt")).args(["env", PATH]);
        command.arg(gantry.get_program()).args(gantry.get_args());
        finish(command.env_remove("DOCKER_HOST"))
    }
}

impl Drop for Ufw {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn ufw_lets_through_what_it_is_asked_to_and_nothing_else() {
    let Some(packages) = testkit::servers::ufw_at_hand("ufw") else { return };
    let ufw = Ufw::start(&packages);
    let engine = ufw.engine();
    serve(&engine, "web", &["-p", "21980:80", "-p", "21981:81"]);
    let why = |arguments: &[&str]| {
        ufw.gantry(&engine, &[&["network", "why", "--from"], arguments].concat()).ok()
    };
    wait_for("the server answers", || why(&["host", "web:80"]).contains(": reachable"));
    let reached = || ufw.host.elsewhere(|| [21980, 21981].map(|port| ask(HOST, port)));
    assert_eq!(reached(), [None, None]);
    let before = ufw.host.nft("list chain ip filter ufw-user-forward");
    let told = why(&["outside", ":21980"]);
    let option = r#"{{index .Options "com.docker.network.bridge.name"}}"#;
    let bridge = engine.gantry(&["network", "inspect", "-f", option, "bridge"]).ok();
    let command = format!("ufw route allow out on {bridge} to any port 80 proto tcp");
    assert!(told.contains(&command) && !told.contains(": reachable"), "{told}");
    assert_eq!(ufw.host.nft("list chain ip filter ufw-user-forward"), before, "nobody asked");

    let told = why(&["outside", ":21980", "--ufw"]);
    assert!(told.contains(": reachable") && !told.contains("ufw route"), "{told}");
    assert_eq!(reached(), [Some("web".into()), None]);

    // A server of the neighbour's, for what containers send.
    let server = ufw.host.elsewhere(|| TcpListener::bind("10.224.0.2:21990").unwrap());
    let serving = thread::spawn(move || server.accept().map(drop).unwrap());
    let connect = ["exec", "web", "nc", "-w", "2", "10.224.0.2", "21990"];
    engine.gantry(&connect).fails(1);
    let told = why(&["web", "10.224.0.2:21990", "--ufw"]);
    assert!(
        told.contains("web leaves by network bridge") && told.contains(": reachable"),
        "{told}"
    );
    engine.gantry(&connect).ok();
    serving.join().unwrap();
    engine.gantry(&["network", "create", "inner", "--internal"]).ok();
    engine.gantry(&["run", "-d", "--name", "kept", "--network", "inner", "busybox", "top"]).ok();
    let told = why(&["kept", "10.224.0.2:21990", "--ufw"]);
    assert!(told.contains("unreachable") && !told.contains("ufw route"), "{told}");
}
