//! Names at 127.0.0.11.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::engine::{Engine, wait_for};

use super::{endpoint, exec, run};

/// What the container is told, as nslookup prints it.
#[track_caller]
fn ask(engine: &Engine, container: &str, flags: &str, name: &str) -> String {
    let script = format!("nslookup {flags} {name} 2>&1 || true");
    exec(engine, container, &["sh", "-c", &script])
}

/// The addresses of a name.
#[track_caller]
fn resolve(engine: &Engine, container: &str, name: &str) -> Vec<String> {
    let printed = ask(engine, container, "-type=a", name);
    let addresses = printed.lines().filter_map(|line| line.strip_prefix("Address: "));
    addresses.map(str::to_owned).collect()
}

#[track_caller]
fn is_known(engine: &Engine, container: &str, name: &str) -> bool {
    !resolve(engine, container, name).is_empty()
}

/// A name server of others, at port 53 of an address of this machine. It knows every name, at 192.0.2.7, and counts.
struct Elsewhere {
    asked: Arc<AtomicUsize>,
}

impl Elsewhere {
    fn at(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 53)).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                counter.fetch_add(1, Ordering::SeqCst);
                // One that is gone meanwhile needs no answer.
                let _ = socket.send_to(&known_answer(&query[..length]), client);
            }
        });
        Self { asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn known_answer(query: &[u8]) -> Vec<u8> {
    const A: u8 = 1;
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let has_address = query[end - 3] == A;
    let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, has_address.into(), 0, 0, 0, 0]].concat();
    answer.extend(&query[12..end]);
    if has_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    }
    answer
}

/// Two networks with a gateway that nobody else has: `a`, and the engine.
fn network(engine: &Engine, subnet: u8, flags: &[&str]) -> IpAddr {
    let cidr = format!("10.215.{subnet}.0/24");
    engine.gantry(&[&["network", "create", "--subnet", &cidr][..], flags].concat()).ok();
    [10, 215, subnet, 1].into()
}

#[test]
fn containers_are_found_by_all_their_names_on_their_networks_only() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    engine.gantry(&["network", "create", "b"]).ok();
    let names = ["--hostname", "h1.dom.example", "--network-alias", "al1"];
    run(&engine, "c1", &[&["--network", "a"][..], &names].concat());
    run(&engine, "c2", &["--network", "a", "--link", "c1:lnk"]);
    run(&engine, "far", &["--network", "b"]);
    let ip = endpoint(&engine, "c1", "a", "{{.IPAddress}}");
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "c1"]).ok();
    for name in ["c1", "C1", "al1", "lnk", &id[..12], "h1.dom.example", "c1.a", "al1.a"] {
        assert_eq!(resolve(&engine, "c2", name), [ip.as_str()], "{name}");
    }
    assert!(!is_known(&engine, "c1", "lnk"), "a link is a name for who has it");
    for name in ["c1", "al1", "c1.a"] {
        assert!(!is_known(&engine, "far", name), "{name} from another network");
    }
    // There is nothing at IPv6, and that is an answer.
    let printed = ask(&engine, "c2", "-type=aaaa", "c1");
    assert!(
        printed.contains("Non-authoritative answer:\n") && !printed.contains("can't"),
        "{printed}"
    );
    let reverse = ask(&engine, "c2", "", &ip);
    assert!(reverse.contains("name = c1.a"), "{reverse}");
    // By TCP, framed by hand: the length, and a query for c1.
    let query = r"\0\024\0\7\1\0\0\1\0\0\0\0\0\0\2c1\0\0\1\0\1";
    let script = format!("printf '{query}' | nc -w 2 127.0.0.11 53 | od -An -tu1 | tail -n 1");
    let answer = exec(&engine, "c2", &["sh", "-c", &script]);
    let bytes = ip.replace('.', " ");
    assert!(answer.split_whitespace().collect::<Vec<_>>().join(" ").ends_with(&bytes), "{answer}");
}

#[test]
fn a_shared_alias_has_the_addresses_of_all_in_turns() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    for name in ["w1", "w2", "w3"] {
        run(&engine, name, &["--network", "a", "--network-alias", "web"]);
    }
    let mut firsts: Vec<String> = (0..6)
        .map(|_| {
            let all = resolve(&engine, "w1", "web");
            assert_eq!(all.len(), 3, "{all:?}");
            all[0].clone()
        })
        .collect();
    firsts.sort();
    firsts.dedup();
    assert!(firsts.len() > 1, "always {firsts:?} first");
    engine.gantry(&["rm", "-f", "w2"]).ok();
    assert_eq!(resolve(&engine, "w1", "web").len(), 2);
}

#[test]
fn a_container_finds_itself_and_others_from_its_first_moment() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    run(&engine, "other", &["--network", "a"]);
    let script = "nslookup -type=a me && nslookup -type=a other";
    let me = ["run", "--rm", "--name", "me", "--network", "a", "busybox", "sh", "-c", script];
    let printed = engine.gantry(&me).ok();
    assert!(printed.contains("Name:\tme") && printed.contains("Name:\tother"), "{printed}");
}

#[test]
fn names_follow_rename_connect_disconnect_and_stop() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    engine.gantry(&["network", "create", "b"]).ok();
    run(&engine, "asker", &["--network", "a"]);
    run(&engine, "one", &["--network", "a"]);
    engine.gantry(&["rename", "one", "two"]).ok();
    assert!(is_known(&engine, "asker", "two") && !is_known(&engine, "asker", "one"));
    run(&engine, "late", &["--network", "b"]);
    assert!(!is_known(&engine, "asker", "late"));
    engine.gantry(&["network", "connect", "--alias", "also", "a", "late"]).ok();
    assert!(is_known(&engine, "asker", "late") && is_known(&engine, "asker", "also"));
    assert!(is_known(&engine, "late", "asker"));
    engine.gantry(&["network", "disconnect", "a", "late"]).ok();
    assert!(!is_known(&engine, "asker", "late") && !is_known(&engine, "late", "asker"));
    engine.gantry(&["stop", "-t", "0", "two"]).ok();
    assert!(!is_known(&engine, "asker", "two"));
    engine.gantry(&["start", "two"]).ok();
    assert!(is_known(&engine, "asker", "two"));
}

#[test]
fn resolv_conf_names_the_engine_on_user_defined_networks_only() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    run(&engine, "named", &["--network", "a", "--dns", "192.0.2.1", "--dns-search", "x.example"]);
    let text = exec(&engine, "named", &["cat", "/etc/resolv.conf"]);
    let (_, text) = text.split_once('\n').unwrap();
    assert_eq!(
        text,
        "\nnameserver 127.0.0.11\nsearch x.example\noptions ndots:0\n\n\
         # Based on host file: '/etc/resolv.conf' (internal resolver)\n\
         # ExtServers: [192.0.2.1]\n# Overrides: [nameservers search]\n# Option ndots from: internal"
    );
    let shared = ["run", "--rm", "--network", "container:named", "busybox"];
    let shared = engine.gantry(&[&shared[..], &["cat", "/etc/resolv.conf"]].concat()).ok();
    assert!(shared.contains("nameserver 127.0.0.11"), "{shared}");
    for network in ["bridge", "none", "host"] {
        let cat = ["run", "--rm", "--network", network, "busybox", "cat", "/etc/resolv.conf"];
        let text = engine.gantry(&cat).ok();
        assert!(!text.contains("127.0.0.11"), "{network}: {text}");
    }
}

#[test]
fn a_container_gets_its_name_server_with_its_first_user_defined_network() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    run(&engine, "other", &["--network", "a"]);
    let script = "echo '# mine' >>/etc/resolv.conf";
    run(&engine, "plain", &[]);
    run(&engine, "own", &[]);
    exec(&engine, "own", &["sh", "-c", script]);
    for name in ["plain", "own"] {
        engine.gantry(&["network", "connect", "a", name]).ok();
        let printed = exec(&engine, name, &["nslookup", "-type=a", "other", "127.0.0.11"]);
        assert!(printed.contains("Name:\tother"), "{printed}");
    }
    let is_ours = |name| exec(&engine, name, &["cat", "/etc/resolv.conf"]).contains("127.0.0.11");
    assert!(is_ours("plain") && !is_ours("own"), "what a container has changed stays");
    // It stays when the network goes, as in Docker, and comes once only.
    engine.gantry(&["network", "disconnect", "a", "plain"]).ok();
    assert!(is_ours("plain") && !is_known(&engine, "plain", "other"));
    engine.gantry(&["network", "connect", "a", "plain"]).ok();
    assert!(is_known(&engine, "plain", "other"));
}

#[test]
fn other_names_are_asked_of_the_given_servers_in_their_order() {
    let engine = Engine::with_busybox();
    let gateway = network(&engine, 0, &["out"]);
    let elsewhere = Elsewhere::at(gateway);
    // Nothing listens at the first one, which says so.
    let servers = ["--dns", "10.215.0.250", "--dns", "10.215.0.1"];
    run(&engine, "dead", &["--network", "out", "--ip", "10.215.0.250"]);
    run(&engine, "asker", &[&["--network", "out"][..], &servers].concat());
    assert_eq!(resolve(&engine, "asker", "www.example.org"), ["192.0.2.7"]);
    assert_eq!(resolve(&engine, "asker", "short"), ["192.0.2.7"]);
    let asked = elsewhere.asked();
    assert!(asked >= 2, "{asked}");
    // Containers' names never get there, whatever is asked of them.
    for kind in ["-type=a", "-type=aaaa", "-type=mx", "-type=txt", "-type=srv"] {
        ask(&engine, "asker", kind, "dead");
    }
    assert_eq!(elsewhere.asked(), asked);
    // Who completes names itself keeps short ones to itself.
    let flags = ["--network", "out", "--dns", "10.215.0.1", "--dns-option", "ndots:1"];
    run(&engine, "careful", &flags);
    assert!(!is_known(&engine, "careful", "short"));
    assert_eq!(elsewhere.asked(), asked);
    assert_eq!(resolve(&engine, "careful", "a.b"), ["192.0.2.7"]);
}

#[test]
fn cve_2024_29018_no_question_leaves_an_internal_network() {
    let engine = Engine::with_busybox();
    let gateway = network(&engine, 1, &["--internal", "inside"]);
    let elsewhere = Elsewhere::at(gateway);
    run(&engine, "other", &["--network", "inside"]);
    run(&engine, "asker", &["--network", "inside", "--dns", "10.215.1.1"]);
    assert!(is_known(&engine, "asker", "other"));
    for name in ["secret.example.org", "secret", "7.2.0.192.in-addr.arpa"] {
        let printed = ask(&engine, "asker", "", name);
        assert!(printed.contains("SERVFAIL"), "{printed}");
    }
    assert_eq!(elsewhere.asked(), 0);
    // With a network that leads out, it may ask.
    engine.gantry(&["network", "create", "out"]).ok();
    engine.gantry(&["network", "connect", "out", "asker"]).ok();
    assert_eq!(resolve(&engine, "asker", "public.example.org"), ["192.0.2.7"]);
}

/// The host's resolv.conf may name a server on its own loopback, and may change.
#[test]
fn the_hosts_servers_are_asked_from_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    std::fs::write(&file, "nameserver 127.215.0.1\n").unwrap();
    let script = format!("mount --bind {} /etc/resolv.conf; exec \"$@\"", file.display());
    let engine = Engine::start_through(&["unshare", "-m", "sh", "-c", &script, "sh"], &[]);
    engine.load("busybox");
    let elsewhere = Elsewhere::at([127, 215, 0, 1].into());
    engine.gantry(&["network", "create", "a"]).ok();
    run(&engine, "asker", &["--network", "a"]);
    let text = exec(&engine, "asker", &["cat", "/etc/resolv.conf"]);
    assert!(text.contains("# ExtServers: [host(127.215.0.1)]"), "{text}");
    assert_eq!(resolve(&engine, "asker", "www.example.org"), ["192.0.2.7"]);
    let before = elsewhere.asked();
    assert!(before > 0);
    let moved = Elsewhere::at([127, 215, 0, 2].into());
    std::fs::write(&file, "nameserver 127.215.0.2\n").unwrap();
    wait_for("the other server is asked", || {
        resolve(&engine, "asker", "www.example.org");
        moved.asked() > 0
    });
}

/// Bytes that wait in the sockets of the container's name server.
fn waiting(pid: &str) -> bool {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap();
    let ours = table.lines().filter(|line| line.contains(" 0B00007F:"));
    ours.filter_map(|line| line.split_whitespace().nth(4)?.split_once(':'))
        .any(|(_, received)| u64::from_str_radix(received, 16).is_ok_and(|bytes| bytes > 0))
}

#[test]
fn questions_wait_for_the_next_engine() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    run(&engine, "other", &["--network", "a"]);
    run(&engine, "late", &[]);
    engine.gantry(&["network", "connect", "a", "late"]).ok();
    let script = "while [ ! -e /go ]; do usleep 20000; done; nslookup -type=a other >/out 2>&1; \
        nslookup -type=a late >>/out 2>&1; touch /done; sleep 1000";
    let asker = ["run", "-d", "--name", "asker", "--network", "a", "busybox", "sh", "-c", script];
    engine.gantry(&asker).ok();
    let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", "asker"]).ok();
    let root = format!("/proc/{pid}/root");
    engine.kill();
    std::fs::write(Path::new(&root).join("go"), "").unwrap();
    wait_for("a question waits", || waiting(&pid));
    engine.launch();
    wait_for("it is answered", || Path::new(&root).join("done").exists());
    let printed = std::fs::read_to_string(Path::new(&root).join("out")).unwrap();
    assert!(printed.contains("Name:\tother") && printed.contains("Name:\tlate"), "{printed}");
    // What was set up while it ran goes on, too.
    assert!(is_known(&engine, "late", "asker") && is_known(&engine, "asker", "late"));
}

#[test]
fn hosts_of_the_containers_own_are_in_its_file() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    let flags = ["--add-host", "host.docker.internal:host-gateway", "--add-host", "x:1.2.3.4"];
    run(&engine, "box", &[&["--network", "a"][..], &flags].concat());
    let hosts = exec(&engine, "box", &["cat", "/etc/hosts"]);
    let gateway = ["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge"];
    let gateway = engine.gantry(&gateway).ok();
    assert!(hosts.contains(&format!("{gateway}\thost.docker.internal\n1.2.3.4\tx\n")), "{hosts}");
}
