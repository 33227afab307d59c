//! Published ports of a user's containers, as the host's network sees them.

use super::user::User;
use super::with_busybox;

/// Connects, or over UDP sends a word, and prints what comes back.
const ASK: &str = "
import socket, sys
kind, address, port = sys.argv[1:4]
family = socket.AF_INET6 if ':' in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((address, int(port)))
if kind == 'udp': s.send(b'hello')
print(s.recv(100).decode().strip())
";
/// Listens until it is killed.
const LISTEN: &str = "
import socket, sys, time
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('ready', flush=True)
time.sleep(600)
";

const ADDRESSES: [&str; 4] = ["127.0.0.1", "::1", "203.0.113.1", "198.51.100.1"];

/// What is answered on the host's port; none if nobody does.
fn ask(user: &User, kind: &str, address: &str, port: u16) -> Option<String> {
    let output = user.on_host(&["python3", "-c", ASK, kind, address, &port.to_string()]);
    (output.code == 0).then(|| output.stdout.trim().to_owned())
}

/// The server in the container takes a moment to listen; clients are let in before.
#[track_caller]
fn answers(user: &User, address: &str, port: u16, word: &str) {
    let what = format!("{address} port {port} says {word}");
    user.wait_until(&what, || ask(user, "tcp", address, port).as_deref() == Some(word));
}

fn serve(user: &User, name: &str, flags: &[&str], ports: &[u16]) {
    let servers: String =
        ports.iter().map(|port| format!("nc -ll -p {port} -e echo {name} & ")).collect();
    let script = format!("{servers} wait");
    let run = [&["run", "-d", "--name", name], flags, &["busybox", "sh", "-c", &script]].concat();
    user.gantry(&run).ok();
}

fn proxies(user: &User) -> usize {
    user.processes().iter().filter(|(_, name)| name == "gantry-proxy").count()
}

#[test]
fn published_ports_are_reached_from_the_hosts_addresses_with_and_without_an_engine() {
    let user = with_busybox();
    let flags = ["-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "9000-9999:9000-9999"];
    serve(&user, "web", &flags, &[80, 9500]);
    for address in ADDRESSES {
        answers(&user, address, 8080, "web");
        answers(&user, address, 9500, "web");
    }
    answers(&user, "127.0.0.1", 8081, "web");
    assert_eq!(ask(&user, "tcp", "203.0.113.1", 8081), None, "on the loopback address alone");
    assert_eq!(proxies(&user), 1, "for two thousand sockets");
    assert_eq!(user.gantry(&["port", "web", "80"]).ok().lines().count(), 3);

    user.kill_engine();
    answers(&user, "203.0.113.1", 8080, "web");
    // The next one takes the proxy over.
    user.gantry(&["ps"]).ok();
    answers(&user, "203.0.113.1", 8080, "web");
    answers(&user, "::1", 9999 - 499, "web");
    let taken = user.gantry(&["run", "-d", "-p", "9400:80", "busybox", "true"]).fails(125);
    assert!(taken.contains("by container web"), "{taken}");
    serve(&user, "other", &["-p", "8090:80"], &[80]);
    answers(&user, "127.0.0.1", 8090, "other");
    assert_eq!(proxies(&user), 1);

    user.gantry(&["rm", "-f", "web"]).ok();
    assert_eq!(ask(&user, "tcp", "127.0.0.1", 8080), None);
    assert_eq!(ask(&user, "tcp", "127.0.0.1", 9500), None);
    answers(&user, "127.0.0.1", 8090, "other");
    user.gantry(&["rm", "-f", "other"]).ok();
}

#[test]
fn ports_of_what_ended_without_an_engine_are_closed_and_lost_ones_are_there_again() {
    let user = with_busybox();
    serve(&user, "web", &["-p", "8080:80"], &[80]);
    serve(&user, "other", &["-p", "8081:80"], &[80]);
    answers(&user, "127.0.0.1", 8080, "web");
    answers(&user, "127.0.0.1", 8081, "other");
    let init = user.gantry(&["inspect", "-f", "{{.State.Pid}}", "web"]).ok();
    user.kill_engine();
    user.on_host(&["kill", "-9", &init]).ok();
    user.gantry(&["ps"]).ok();
    assert_eq!(ask(&user, "tcp", "127.0.0.1", 8080), None);
    user.on_host(&["python3", "-c", "import socket; socket.create_server(('', 8080))"]).ok();
    answers(&user, "127.0.0.1", 8081, "other");

    user.kill_engine();
    let is_proxy = |(_, name): &&(rustix::process::Pid, String)| name == "gantry-proxy";
    let processes = user.processes();
    let (proxy, _) = processes.iter().find(is_proxy).expect("it goes on");
    rustix::process::kill_process(*proxy, rustix::process::Signal::KILL).unwrap();
    user.gantry(&["ps"]).ok();
    answers(&user, "127.0.0.1", 8081, "other");
    user.gantry(&["rm", "-f", "web", "other"]).ok();
}

#[test]
fn a_port_of_the_host_in_use_or_privileged_is_refused_and_nothing_is_left() {
    let user = with_busybox();
    let mut server = user.on_host_in_background(&["python3", "-c", LISTEN, "8085"]);
    let mut line = String::new();
    let stdout = server.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let run = |flags: &[&str], code| {
        let command = [&["run", "--rm"], flags, &["busybox", "true"]].concat();
        user.gantry(&command).fails(code)
    };
    let error = run(&["-p", "8084:80", "-p", "8085:80"], 125);
    let _ = server.kill();
    let _ = server.wait();
    let words = "driver failed programming external connectivity on endpoint ";
    assert!(error.contains(words), "{error}");
    assert!(error.contains("listen tcp4 0.0.0.0:8085: bind: address already in use"), "{error}");
    user.on_host(&["python3", "-c", "import socket; socket.create_server(('', 8084))"]).ok();
    let error = run(&["-p", "80:80"], 126);
    assert!(error.contains("cannot expose privileged port 80"), "{error}");
    assert!(error.contains("listen tcp4 0.0.0.0:80: bind: permission denied"), "{error}");
    let error = run(&["-p", "192.0.2.1:8084:80"], 125);
    assert!(error.contains("cannot assign requested address"), "{error}");
    let error = run(&["-p", "8084:80/sctp"], 125);
    assert!(error.contains("publishes no ports of sctp"), "{error}");
}

#[test]
fn datagrams_are_answered_and_ports_change_while_it_runs() {
    let user = with_busybox();
    user.load("debian");
    let server = "$s = IO::Socket::INET->new(LocalPort => 53, Proto => 'udp'); \
                  while ($s->recv($m, 100)) { $s->send(\"got $m\") }";
    let run = ["run", "-d", "--name", "names", "-p", "5353:53/udp", "debian"];
    user.gantry(&[&run[..], &["perl", "-MIO::Socket::INET", "-e", server]].concat()).ok();
    for address in ADDRESSES {
        user.wait_until("the datagram is answered", || {
            ask(&user, "udp", address, 5353).as_deref() == Some("got hello")
        });
    }
    serve(&user, "web", &["-p", "8080:80"], &[80, 81]);
    answers(&user, "127.0.0.1", 8080, "web");
    let change =
        ["update", "--publish-rm", "8080:80", "--publish-add", "127.0.0.1:8070-8079:80-89", "web"];
    user.gantry(&change).ok();
    answers(&user, "127.0.0.1", 8070, "web");
    assert_eq!(ask(&user, "tcp", "127.0.0.1", 8080), None);
    user.on_host(&["python3", "-c", "import socket; socket.create_server(('', 8080))"]).ok();
    user.gantry(&["rm", "-f", "web", "names"]).ok();
}
