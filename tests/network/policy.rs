//! Ports that are not the table's to lead to: `publish.mode host-policy`, and `--iptables=false`. Each test has a host of
//! its own (a network namespace) and another one beside it.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use testkit::engine::{Engine, Output, finish, wait_for};

use super::{endpoint, exec, run};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 224, 0, 1);
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

struct Host {
    name: String,
    neighbour: String,
}

impl Host {
    fn new() -> Self {
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
    fn nft(&self, words: &str) -> String {
        let namespace = format!("--net=/run/netns/{}", self.name);
        let words = words.split_whitespace();
        finish(Command::new("nsenter").args([&namespace, "nft"]).args(words)).ok()
    }

    fn here<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.name, work)
    }

    fn elsewhere<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
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
    within_that(&format!("/run/netns/{name}"), work)
}

fn within_that<T: Send>(path: &str, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(path).unwrap();
    let enter = || {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
}

/// What the server at that address says; none if nobody is there.
fn ask(ip: impl Into<IpAddr>, port: u16) -> Option<String> {
    let address = SocketAddr::new(ip.into(), port);
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then(|| answer.trim_end().to_owned())
}

/// A server in a container that answers each connection with its name, on ports 80 to 82.
fn serve(engine: &Engine, name: &str, flags: &[&str]) {
    let servers: String =
        (80..=82).map(|port| format!("nc -ll -p {port} -e echo {name} & ")).collect();
    let script = format!("{servers} wait");
    let run = ["run", "-d", "--name", name];
    engine.gantry(&[&run[..], flags, &["busybox", "sh", "-c", &script]].concat()).ok();
}

/// Sends back what comes to port 53 of a container by UDP, until it is dropped.
struct Echo(Arc<AtomicBool>);

impl Echo {
    fn start(engine: &Engine, name: &str) -> Self {
        let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", name]).ok();
        let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap();
        let socket = within_that(&format!("/proc/{pid}/ns/net"), bind);
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_over);
        std::thread::spawn(move || {
            let mut datagram = [0; 64];
            while !watched.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut datagram) {
                    // Who is gone needs no answer.
                    let _ = socket.send_to(&datagram[..length], from);
                }
            }
        });
        Self(is_over)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_echoed(ip: impl Into<IpAddr>, port: u16) -> bool {
    let ip = ip.into();
    let own: IpAddr =
        if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(b"datagram", (ip, port)).unwrap();
    let mut answer = [0; 64];
    socket.recv_from(&mut answer).is_ok_and(|(length, from)| {
        &answer[..length] == b"datagram" && from == SocketAddr::new(ip, port)
    })
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
    let _echo = Echo::start(&engine, "web");
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
    let _echo = Echo::start(&engine, "web");
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
