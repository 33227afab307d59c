//! Beside a real firewalld, on a host of the test's own (a network namespace) with a bus of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use testkit::engine::{Engine, finish, wait_for};
use testkit::packages::Packages;

use super::policy::{HOST, Host, ask, serve};
use super::{exec, run};

/// A rule that firewalld is given until it forgets what it was not told for good.
const MARK: &str = "54321";
const NEIGHBOUR: &str = "10.224.0.2";

struct Firewalld {
    host: Host,
    packages: Packages,
    folder: TempDir,
    child: Child,
}

impl Firewalld {
    fn start(packages: Packages) -> Self {
        let host = Host::new();
        let folder = TempDir::new().unwrap();
        let place = folder.path().display();
        let config = format!(
            "<busconfig><type>session</type><listen>unix:path={place}/bus</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>"
        );
        std::fs::write(folder.path().join("bus.conf"), config).unwrap();
        // As if it were installed, in mounts that nobody else sees. A line in `again` has it begin anew.
        let root = packages.root().display();
        let script = format!(
            "set -e; mkdir {place}/own; mount -t tmpfs none {place}/own; mkdir {place}/own/upper {place}/own/work
             mount -t overlay none -o lowerdir={root}/usr:/usr /usr
             mount -t overlay none -o lowerdir={root}/etc:/etc,upperdir={place}/own/upper,workdir={place}/own/work /etc
             mount -t tmpfs none /run; mount -t tmpfs none /var/log; mkfifo {place}/again
             dbus-daemon --config-file={place}/bus.conf --nofork &
             until [ -S {place}/bus ]; do sleep 0.1; done; export DBUS_SYSTEM_BUS_ADDRESS=unix:path={place}/bus
             while :; do /usr/sbin/firewalld --nofork --nopid & pid=$!; read line <{place}/again; kill $pid; wait $pid || :; done"
        );
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", host.name))
            .args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let firewalld = Self { host, packages, folder, child };
        wait_for("firewalld has its table", || firewalld.rules().contains("table inet firewalld"));
        firewalld
    }

    fn bus(&self) -> String {
        format!("DBUS_SYSTEM_BUS_ADDRESS=unix:path={}/bus", self.folder.path().display())
    }

    fn engine(&self) -> Engine {
        let namespace = format!("--net=/run/netns/{}", self.host.name);
        let engine = Engine::start_through(&["nsenter", &namespace, "env", &self.bus()], &[]);
        engine.load("busybox");
        engine
    }

    fn rules(&self) -> String {
        self.host.nft("list ruleset")
    }

    /// A method and its arguments.
    #[track_caller]
    fn call(&self, method: &str, arguments: &[&str]) {
        let mut command = self.packages.command("usr/bin/dbus-send").unwrap();
        let (variable, bus) =
            self.bus().split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        command.env(variable, bus);
        command.args(["--system", "--print-reply", "--dest=org.fedoraproject.FirewallD1"]);
        command.args([
            "/org/fedoraproject/FirewallD1",
            &format!("org.fedoraproject.FirewallD1.{method}"),
        ]);
        finish(command.args(arguments)).ok();
    }

    fn mark(&self) {
        let port = format!("string:{MARK}");
        self.call("zone.addPort", &["string:public", &port, "string:tcp", "int32:0"]);
        assert!(self.rules().contains(MARK));
    }

    fn reload(&self) {
        self.call("reload", &[]);
    }

    fn begin_anew(&self) {
        std::fs::write(self.again(), "\n").unwrap();
    }

    fn again(&self) -> PathBuf {
        self.folder.path().join("again")
    }

    /// Whether it has begun anew since it was marked, and has those bridges.
    fn has_anew(&self, bridges: &[&str]) -> bool {
        let rules = self.rules();
        let table = rules.split_once("table inet firewalld").map_or("", |(_, table)| table);
        let table = table.split("\ntable ").next().unwrap_or_default();
        !table.contains(MARK) && bridges.iter().all(|bridge| table.contains(bridge))
    }
}

impl Drop for Firewalld {
    fn drop(&mut self) {
        // All that it started ends with it.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn bridges_are_in_a_zone_of_firewalld_that_lets_them_out() {
    let Some(packages) = testkit::servers::firewall_at_hand("firewalld") else { return };
    let firewalld = Firewalld::start(packages);
    let mut engine = firewalld.engine();
    let id = engine.gantry(&["network", "create", "own"]).ok();
    let own = format!("br-{}", &id[..12]);
    let option = r#"{{index .Options "com.docker.network.bridge.name"}}"#;
    let bridge = engine.gantry(&["network", "inspect", "-f", option, "bridge"]).ok();
    assert!(firewalld.has_anew(&[&own]), "at once: {}", firewalld.rules());
    wait_for("the default bridge is in the zone", || firewalld.has_anew(&[&bridge, &own]));
    serve(&engine, "web", &["-p", "21880:80"]);
    run(&engine, "named", &["--network", "own"]);
    let look = |engine: &Engine, when: &str| {
        for container in ["web", "named"] {
            exec(engine, container, &["ping", "-c", "1", "-W", "10", NEIGHBOUR]);
        }
        let reached = || firewalld.host.elsewhere(|| ask(HOST, 21880)).as_deref() == Some("web");
        wait_for(&format!("the port is reached {when}"), reached);
    };
    look(&engine, "at first");
    // What it is for.
    firewalld.call("zone.removeInterface", &["string:gantry", &format!("string:{own}")]);
    engine.gantry(&["exec", "named", "ping", "-c", "1", "-W", "2", NEIGHBOUR]).fails(1);
    for (when, change) in [
        ("after a reload", Firewalld::reload as fn(&Firewalld)),
        ("after firewalld began anew", Firewalld::begin_anew),
    ] {
        firewalld.mark();
        change(&firewalld);
        wait_for(when, || firewalld.has_anew(&[&bridge, &own]));
        look(&engine, when);
    }
    // One that the administrator has put elsewhere stays there.
    firewalld.call("zone.addInterface", &["string:trusted", "string:chosen"]);
    let option = "com.docker.network.bridge.name=chosen";
    engine.gantry(&["network", "create", "-o", option, "theirs"]).ok();
    assert!(firewalld.rules().contains(r#"iifname "chosen" goto filter_FWD_trusted"#));
    engine.gantry(&["network", "rm", "theirs"]).ok();

    engine.kill();
    firewalld.mark();
    firewalld.reload();
    assert!(!firewalld.rules().contains(MARK));
    engine.launch();
    wait_for("the next engine tells it", || firewalld.has_anew(&[&bridge, &own]));
    look(&engine, "with the next engine");
    engine.gantry(&["rm", "-f", "web", "named"]).ok();
    engine.gantry(&["network", "rm", "own"]).ok();
    wait_for("the network is out of the zone", || !firewalld.has_anew(&[&own]));
}
