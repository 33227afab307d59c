//! Hundreds: containers on one bridge, networks on one host.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use testkit::engine::{Engine, PATIENCE, wait_for};

use super::{custom, endpoint, exec, run};

const MANY: usize = 300;
const AT_ONCE: usize = 8;
const PORT: u16 = 7000;
/// That many questions of one container wait for their answers at a time.
const QUESTIONS: usize = 25;

/// Does it for each number below [`MANY`], several at once.
fn for_each(work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < MANY) {
            work(number);
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(worker))));
}

/// A container as the test sees it: the namespace, and a server in it that does not need a process.
struct Member {
    namespace: File,
    ip: Ipv4Addr,
    server: TcpListener,
}

impl Member {
    /// On a thread of its own, which stays where it is.
    fn find(pid: &str, ip: &str) -> Self {
        let ip = ip.parse().expect("an address");
        let namespace = File::open(format!("/proc/{pid}/ns/net")).expect("it runs");
        enter(&namespace);
        let server = TcpListener::bind((ip, PORT)).expect("its address");
        Self { namespace, ip, server }
    }

    fn all(engine: &Engine, names: &[String]) -> Vec<Self> {
        let format = "{{.State.Pid}} {{.NetworkSettings.Networks.many.IPAddress}}";
        let words = ["inspect", "-f", format].into_iter();
        let words: Vec<&str> = words.chain(names.iter().map(String::as_str)).collect();
        let shown = engine.gantry(&words).ok();
        let find = |line: &str| {
            let (pid, ip) = line.split_once(' ').expect("two words");
            std::thread::scope(|scope| scope.spawn(|| Self::find(pid, ip)).join().unwrap())
        };
        shown.lines().map(find).collect()
    }
}

/// The calling thread's sockets are the container's from now on.
fn enter(namespace: &File) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// What the container that the thread is in is told of these names. An answer is matched by its id.
fn resolve(names: &[String]) -> io::Result<Vec<Ipv4Addr>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect("127.0.0.11:53")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut found = vec![Ipv4Addr::UNSPECIFIED; names.len()];
    for (first, some) in (0..).step_by(QUESTIONS).zip(names.chunks(QUESTIONS)) {
        for (id, name) in (first..).zip(some) {
            socket.send(&question(id, name))?;
        }
        for _ in some {
            let mut answer = [0; 512];
            let length = socket.recv(&mut answer)?;
            let id = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
            let ip: [u8; 4] = answer[length - 4..length].try_into().expect("four bytes");
            found[id] = ip.into();
        }
    }
    Ok(found)
}

/// For the name's address (A, IN), recursion desired.
fn question(id: u16, name: &str) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let head = [high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let length = u8::try_from(name.len()).expect("a short name");
    [&head, &[length][..], name.as_bytes(), &[0, 0, 1, 0, 1]].concat()
}

/// Each knows all names. Each reaches the next: all pairs would be 90,000 neighbours, and a host has a table of 1,024
/// for all of its namespaces unless somebody asked for more (gc_thresh3).
#[test]
fn three_hundred_containers_on_one_bridge_know_and_reach_each_other() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "--subnet", "10.222.0.0/23", "many"]).ok();
    for_each(|number| run(&engine, &format!("c{number}"), &["--network", "many"]));
    let names: Vec<String> = (0..MANY).map(|number| format!("c{number}")).collect();
    let members = Member::all(&engine, &names);
    let addresses: Vec<Ipv4Addr> = members.iter().map(|member| member.ip).collect();
    assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), MANY, "{addresses:?}");

    for_each(|number| {
        let (own, next) = (&members[number], &members[(number + 1) % MANY]);
        enter(&own.namespace);
        let found = resolve(&names).unwrap_or_else(|error| panic!("c{number} asks: {error}"));
        assert_eq!(found, addresses, "what c{number} is told");
        let at = SocketAddr::from((next.ip, PORT));
        let _connection = TcpStream::connect_timeout(&at, PATIENCE)
            .unwrap_or_else(|error| panic!("c{number} to the next one at {at}: {error}"));
        let (_, from) = next.server.accept().unwrap();
        assert_eq!(from.ip(), own.ip, "it is seen as itself");
    });
}

#[test]
fn three_hundred_networks_are_apart_outlive_the_engine_and_go() {
    let mut engine = Engine::with_busybox();
    for_each(|number| {
        engine.gantry(&["network", "create", &format!("n{number}")]).ok();
    });
    let all = custom(&engine);
    assert_eq!(all.len(), MANY);
    let subnets = |engine: &Engine| -> BTreeSet<String> {
        let format = "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}";
        let words = ["network", "inspect", "-f", format];
        let names = all.iter().map(String::as_str);
        let shown = engine.gantry(&words.into_iter().chain(names).collect::<Vec<_>>()).ok();
        shown.lines().map(str::to_owned).collect()
    };
    let before = subnets(&engine);
    assert_eq!(before.len(), MANY, "each has its own");
    run(&engine, "one", &["--network", "n0"]);
    run(&engine, "other", &["--network", "n299"]);
    engine.kill();
    engine.launch();
    assert_eq!(subnets(&engine), before);
    assert_eq!(engine.links().len(), MANY + 3, "bridges, the default one, two containers");
    let other = endpoint(&engine, "other", "n299", "{{.IPAddress}}");
    let far = engine.gantry(&["exec", "one", "ping", "-c", "1", "-W", "1", &other]);
    assert_ne!(far.code, 0, "{}", far.stdout);
    engine.gantry(&["network", "connect", "n299", "one"]).ok();
    exec(&engine, "one", &["ping", "-c", "1", "-W", "5", "other"]);

    engine.gantry(&["rm", "-f", "one", "other"]).ok();
    let names = all.iter().map(String::as_str);
    engine.gantry(&["network", "rm"].into_iter().chain(names).collect::<Vec<_>>()).ok();
    assert!(custom(&engine).is_empty());
    wait_for("only the default bridge is left", || engine.links().len() == 1);
}
