//! Ports that are not the table's to lead to: `publish.mode host-policy`, `--iptables=false`, and UDP over IPv6 to containers
//! without it. Each test has a host of its own (a network namespace) and another one beside it.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use testkit::engine::{Engine, Output, finish, wait_for};

use super::echo::{Echo, is_echoed, within_network};
use super::{endpoint, exec, run};

pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 224, 0, 1);
const HOST_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x224, 0, 0, 0, 0, 0, 1);
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub(super) struct Host {
    pub(super) name: String,
    neighbour: String,
}

impl Host {
    pub(super) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        // Tests may be threads of one process.
        let number = std::process::id() * 10 + MADE.fetch_add(1, Ordering::Relaxed);
        let host = Self { name: format!("gph{number}"), neighbour: format!("gpn{number}") };
        for name in [&host.name, &host.neighbour] {
            ip(&format!("netns add {name}"));
            ip(&format!("-n {name} link set lo up"));
        }
        ip(&format!(
            "-n {} link add cable type veth peer cable netns {}",
            host.name, host.neighbour
        ));
        for (name, last) in [(&host.name, 1), (&host.neighbour, 2)] {
            ip(&format!("-n {name} addr add 10.224.0.{last}/24 dev cable"));
            ip(&format!("-n {name} addr add fd00:224::{last}/64 dev cable nodad"));
            ip(&format!("-n {name} link set cable up"));
        }
        host
    }

    fn engine(&self, flags: &[&str]) -> Engine {
        let namespace = format!("--net=/run/netns/{}", self.name);
        let engine = Engine::start_through(&["nsenter", &namespace, "--"], flags);
        engine.load("busybox");
        engine
    }

    /// What `nft` prints there.
    pub(super) fn nft(&self, words: &str) -> String {
        let namespace = format!("--net=/run/netns/{}", self.name);
        let words = words.split_whitespace();
        finish(Command::new("nsenter").args([&namespace, "nft"]).args(words)).ok()
    }

    fn here<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.name, work)
    }

    pub(super) fn elsewhere<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.neighbour, work)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for name in [&self.name, &self.neighbour] {
            finish(Command::new("ip").args(["netns", "del", name]).stdin(Stdio::null()));
        }
    }
}

#[track_caller]
fn ip(words: &str) {
    let Output { code, stderr, .. } = finish(Command::new("ip").args(words.split_whitespace()));
    assert_eq!(code, 0, "ip {words}: {stderr}");
}

/// On a thread of its own, which stays there.
fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    within_network(&format!("/run/netns/{name}"), work)
}

/// What the server at that address says; none if nobody is there.
pub(super) fn ask(ip: impl Into<IpAddr>, port: u16) -> Option<String> {
    let address = SocketAddr::new(ip.into(), port);
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then(|| answer.trim_end().to_owned())
}

/// A server in a container that answers each connection with its name, on ports 80 to 82.
pub(super) fn serve(engine: &Engine, name: &str, flags: &[&str]) {
    let servers: String =
        (80..=82).map(|port| format!("nc -ll -p {port} -e echo {name} & ")).collect();
    let script = format!("{servers} wait");
    let run = ["run", "-d", "--name", name];
    engine.gantry(&[&run[..], flags, &["busybox", "sh", "-c", &script]].concat()).ok();
}

#[test]
fn with_the_hosts_policy_its_input_hook_decides_who_reaches_a_port() {
    let host = Host::new();
    host.nft("add table inet mine");
    host.nft("add chain inet mine input { type filter hook input priority 0 ; policy drop ; }");
    for allowed in ["iif lo", "ct state established,related", "tcp dport 21581"] {
        host.nft(&format!("add rule inet mine input {allowed} accept"));
    }
    let mut engine = host.engine(&["--publish-mode", "host-policy"]);
    serve(&engine, "web", &["-p", "21580:80", "-p", "21581-21582:81-82", "-p", "21553:53/udp"]);
    let _echo = Echo::start(&engine, "web", 53);
    let said = |ip: Ipv4Addr, port| host.here(|| ask(ip, port));
    wait_for("the server answers", || said(LOCAL, 21580).as_deref() == Some("web"));
    let look = |when: &str| {
        let seen = host.elsewhere(|| [21580, 21581, 21582].map(|port| ask(HOST, port)));
        assert_eq!(seen, [None, Some("web".into()), None], "{when}");
        for ip in [IpAddr::V4(LOCAL), HOST.into(), Ipv6Addr::LOCALHOST.into()] {
            assert_eq!(host.here(|| ask(ip, 21582)).as_deref(), Some("web"), "{when}: {ip}");
        }
        let by_udp = [IpAddr::V4(LOCAL), Ipv6Addr::LOCALHOST.into()];
        let by_udp = by_udp.map(|ip| host.here(|| is_echoed(ip, 21553)));
        assert_eq!(by_udp, [true, true], "{when}");
    };
    look("at first");
    let why = |port: &str| engine.gantry(&["network", "why", port, "--from", "outside"]).ok();
    let (blocked, allowed) = (why(":21580"), why(":21581"));
    assert!(blocked.contains("chain inet mine input may drop it by its policy"), "{blocked}");
    assert!(blocked.contains("the engine's proxy carries it on"), "{blocked}");
    assert!(!allowed.contains("mine input"), "{allowed}");
    let taken = engine.gantry(&["run", "--rm", "-p", "21580:80", "busybox", "true"]).fails(125);
    assert!(taken.contains("port is already allocated by container web"), "{taken}");

    engine.kill();
    look("without an engine");
    engine.launch();
    look("with the next engine");
    // Where its default route goes, there it is reached.
    engine.gantry(&["network", "create", "other"]).ok();
    engine.gantry(&["network", "connect", "other", "web"]).ok();
    engine.gantry(&["network", "disconnect", "bridge", "web"]).ok();
    look("at another address");
    engine.gantry(&["rm", "-f", "web"]).ok();
    assert_eq!(said(LOCAL, 21582), None);
}

#[test]
fn without_tables_none_are_written_and_ports_are_served() {
    let host = Host::new();
    let mut engine = host.engine(&["--iptables=false"]);
    engine.gantry(&["network", "create", "apart"]).ok();
    serve(&engine, "web", &["-p", "21680:80", "-p", "127.0.0.1:21681:81", "-p", "21653:53/udp"]);
    let _echo = Echo::start(&engine, "web", 53);
    run(&engine, "other", &[]);
    run(&engine, "named", &["--network", "apart"]);
    wait_for("the server answers", || host.here(|| ask(LOCAL, 21680)).is_some());
    let look = |engine: &Engine, when: &str| {
        assert_eq!(host.nft("list tables"), "", "{when}");
        let seen = host.elsewhere(|| [21680, 21681].map(|port| ask(HOST, port)));
        assert_eq!(seen, [Some("web".into()), None], "{when}");
        assert_eq!(host.here(|| ask(Ipv6Addr::LOCALHOST, 21680)).as_deref(), Some("web"), "{when}");
        assert!(host.elsewhere(|| is_echoed(HOST, 21653)), "{when}");
        let web = endpoint(engine, "web", "bridge", "{{.IPAddress}}");
        exec(engine, "other", &["ping", "-c", "1", "-W", "5", &web]);
        assert!(exec(engine, "named", &["nslookup", "-type=a", "named"]).contains("Name:\tnamed"));
        assert!(exec(engine, "other", &["nc", &HOST.to_string(), "21680"]).contains("web"));
    };
    look(&engine, "at first");
    engine.kill();
    engine.launch();
    look(&engine, "with the next engine");
    engine.gantry(&["rm", "-f", "web", "other", "named"]).ok();
    engine.gantry(&["network", "rm", "apart"]).ok();
    assert_eq!(host.here(|| ask(LOCAL, 21680)), None);
}

#[test]
fn udp_over_ipv6_is_carried_to_containers_without_it() {
    let host = Host::new();
    let mut engine = host.engine(&[]);
    let ports =
        ["-p", "21753:53/udp", "-p", "[::1]:21754:53/udp", "-p", "21760-21769:21760-21769/udp"];
    run(&engine, "dns", &ports);
    let _echoes = [53, 21765].map(|port| Echo::start(&engine, "dns", port));
    let look = |when: &str| {
        let local =
            [21753, 21754, 21765].map(|port| host.here(|| is_echoed(Ipv6Addr::LOCALHOST, port)));
        assert_eq!(local, [true; 3], "{when}: by ::1");
        let remote = [21753, 21765].map(|port| host.elsewhere(|| is_echoed(HOST_IPV6, port)));
        assert_eq!(remote, [true; 2], "{when}: from another host");
        assert!(host.here(|| is_echoed(LOCAL, 21753)), "{when}: by IPv4");
    };
    look("at first");
    // One socket, several ports: each is answered by whom it asked.
    host.here(|| {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for port in [21753, 21754, 21765, 21753] {
            socket.send_to(b"x", (Ipv6Addr::LOCALHOST, port)).unwrap();
            let (_, from) = socket.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(from, SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
        }
    });
    engine.kill();
    look("without an engine");
    engine.launch();
    look("with the next engine");
    // A client that goes on is led to whoever has the port now.
    let (client, mut answer) =
        (host.here(|| UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap()), [0; 8]);
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.connect((Ipv6Addr::LOCALHOST, 21753)).unwrap();
    client.send(b"x").unwrap();
    client.recv(&mut answer).unwrap();
    engine.gantry(&["rm", "-f", "dns"]).ok();
    run(&engine, "next", &["-p", "21753:54/udp"]);
    let _echo = Echo::start(&engine, "next", 54);
    client.send(b"x").unwrap();
    client.recv(&mut answer).unwrap();
}
