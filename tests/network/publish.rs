//! `-p` and `-P`: what clients of the host's ports see, and what commands show of it.

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use testkit::engine::{Engine, wait_for};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A server in a container that answers each connection with a line, on each of the ports.
fn serve(engine: &Engine, name: &str, flags: &[&str], ports: &[u16]) {
    let servers: String =
        ports.iter().map(|port| format!("nc -ll -p {port} -e echo {name} & ")).collect();
    let script = format!("{servers} wait");
    let mut command = vec!["run", "-d", "--name", name];
    command.extend(flags);
    command.extend(["busybox", "sh", "-c", &script]);
    engine.gantry(&command).ok();
}

/// What the server at that address says; none if nobody is there.
fn ask(address: impl Into<SocketAddr>) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address.into(), Duration::from_secs(20)).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then(|| answer.trim_end().to_owned())
}

/// The servers in a container take a moment to listen.
fn comes_up(port: u16, name: &str) {
    wait_for("the server answers", || ask((LOCAL, port)).as_deref() == Some(name));
}

/// The host's ports, by the container's; both families have the same one.
fn port(engine: &Engine, name: &str, of: &str) -> u16 {
    let shown = engine.gantry(&["port", name, of]).ok();
    let first = shown.lines().next().expect("a line");
    first.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn a_published_port_is_reached_until_the_container_ends() {
    let engine = Engine::with_busybox();
    serve(&engine, "web", &["-p", "80", "-p", "127.0.0.1::81"], &[80, 81]);
    let (all, local) = (port(&engine, "web", "80"), port(&engine, "web", "81/tcp"));
    comes_up(all, "web");
    comes_up(local, "web");
    assert!(TcpListener::bind((LOCAL, all)).is_err(), "it is reserved");
    engine.gantry(&["stop", "-t", "0", "web"]).ok();
    assert_eq!(ask((LOCAL, all)), None);
    assert_eq!(engine.gantry(&["port", "web"]).ok(), "");
    TcpListener::bind((LOCAL, all)).expect("free again");
}

#[test]
fn a_container_that_is_started_again_has_its_ports_again() {
    let engine = Engine::with_busybox();
    serve(&engine, "web", &["-p", "127.0.0.1:20480:80"], &[80]);
    for _ in 0..3 {
        comes_up(20480, "web");
        engine.gantry(&["restart", "-t", "0", "web"]).ok();
    }
    comes_up(20480, "web");
    engine.gantry(&["rm", "-f", "web"]).ok();
    serve(&engine, "other", &["-p", "20480:80"], &[80]);
    comes_up(20480, "other");
}

#[test]
fn a_port_in_use_is_refused_with_its_owner_and_nothing_is_left() {
    let engine = Engine::with_busybox();
    serve(&engine, "web", &["-p", "20580:80"], &[80]);
    let run = |flags: &[&str]| {
        let mut command = vec!["run", "-d", "--name", "second"];
        command.extend(flags);
        command.extend(["busybox", "sleep", "100"]);
        let error = engine.gantry(&command).fails(125);
        let state =
            engine.gantry(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "second"]);
        assert_eq!(state.ok(), "created 128");
        engine.gantry(&["rm", "second"]).ok();
        error
    };
    let error = run(&["-p", "20581:81", "-p", "20580:80"]);
    assert!(
        error.contains("driver failed programming external connectivity on endpoint second ("),
        "{error}"
    );
    assert!(
        error.contains("Bind for 0.0.0.0:20580 failed: port is already allocated by container web"),
        "{error}"
    );
    let listener = TcpListener::bind((LOCAL, 0)).expect("a port");
    let taken = listener.local_addr().expect("bound").port();
    let error = run(&["-p", "20581:81", "-p", &format!("{taken}:80")]);
    let pid = std::process::id();
    assert!(
        error.contains(&format!("listen tcp4 0.0.0.0:{taken}: bind: address already in use by ")),
        "{error}"
    );
    assert!(error.contains(&format!("(pid {pid})")), "{error}");
    TcpListener::bind((LOCAL, 20581)).expect("what was taken before is given back");
    // How it ended the last time stays known.
    engine.gantry(&["kill", "web"]).ok();
    serve(&engine, "next", &["-p", "20580:80"], &[80]);
    engine.gantry(&["start", "web"]).fails(1);
    let code = engine.gantry(&["inspect", "-f", "{{.State.ExitCode}}", "web"]).ok();
    assert_eq!(code, "137");
}

#[test]
fn all_exposed_ports_are_published_on_request() {
    let engine = Engine::with_busybox();
    serve(&engine, "web", &["-P", "--expose", "80", "--expose", "53/udp"], &[80]);
    comes_up(port(&engine, "web", "80"), "web");
    let shown = engine.gantry(&["port", "web"]).ok();
    assert_eq!(shown.matches("80/tcp -> ").count(), shown.matches("53/udp -> ").count(), "{shown}");
}

#[test]
fn ranges_are_published_and_shown_in_one_piece() {
    let engine = Engine::with_busybox();
    let flags =
        ["-p", "127.0.0.1:21000-21009:21000-21009", "-p", "0.0.0.0:22000-22999:22000-22999"];
    serve(&engine, "web", &flags, &[21004, 22500]);
    comes_up(21004, "web");
    comes_up(22500, "web");
    let shown = engine.gantry(&["ps", "--format", "{{.Ports}}"]).ok();
    assert_eq!(
        shown,
        "0.0.0.0:22000-22999->22000-22999/tcp, 127.0.0.1:21000-21009->21000-21009/tcp"
    );
    assert_eq!(port(&engine, "web", "22500"), 22500);
}

#[test]
fn published_ports_outlive_the_engine() {
    let mut engine = Engine::with_busybox();
    serve(&engine, "web", &["-p", "20680:80", "-p", "20690-20699:90-99"], &[80, 95]);
    // A transfer that goes on for as long as somebody reads.
    let endless = "nc -ll -p 82 -e cat /dev/zero";
    let run = [
        "run",
        "-d",
        "--name",
        "endless",
        "-p",
        "127.0.0.1:20682:82",
        "busybox",
        "sh",
        "-c",
        endless,
    ];
    engine.gantry(&run).ok();
    comes_up(20680, "web");
    comes_up(20695, "web");
    wait_for("the transfer begins", || TcpStream::connect((LOCAL, 20682)).is_ok());
    let mut transfer = TcpStream::connect((LOCAL, 20682)).expect("connect");
    let mut go_on = || transfer.read_exact(&mut [0; 1 << 20]).expect("the transfer goes on");
    go_on();
    let ports = engine.gantry(&["inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"]).ok();
    engine.kill();
    go_on();
    assert_eq!(ask((LOCAL, 20680)).as_deref(), Some("web"), "without an engine");
    assert!(TcpListener::bind((LOCAL, 20680)).is_err(), "the monitor holds it");
    engine.launch();
    go_on();
    assert_eq!(ask((LOCAL, 20695)).as_deref(), Some("web"), "with the next engine");
    let after = engine.gantry(&["inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"]).ok();
    assert_eq!(after, ports);
    let taken = engine.gantry(&["run", "-d", "-p", "20680:80", "busybox", "true"]).fails(125);
    assert!(taken.contains("port is already allocated by container web"), "{taken}");
    engine.gantry(&["rm", "-f", "web"]).ok();
    assert_eq!(ask((LOCAL, 20680)), None);
    assert_eq!(ask((LOCAL, 20695)), None);
}

#[test]
fn ports_are_published_where_the_engine_is_told_to() {
    let engine = Engine::start_with(&["--ip", "127.0.0.1"]);
    engine.load("busybox");
    serve(&engine, "web", &["-p", "20780:80"], &[80]);
    comes_up(20780, "web");
    assert_eq!(engine.gantry(&["port", "web"]).ok(), "80/tcp -> 127.0.0.1:20780");
}

#[test]
fn a_container_without_a_bridge_has_no_ports() {
    let engine = Engine::with_busybox();
    let run = [
        "run",
        "-d",
        "--name",
        "alone",
        "--network",
        "none",
        "-p",
        "20880:80",
        "busybox",
        "sleep",
        "100",
    ];
    engine.gantry(&run).ok();
    assert_eq!(engine.gantry(&["port", "alone"]).ok(), "");
    TcpListener::bind((LOCAL, 20880)).expect("free");
}

#[test]
fn ports_are_reached_over_ipv6_by_one_proxy_that_outlives_the_engine() {
    let mut engine = Engine::with_busybox();
    let flags = ["-p", "21080:80", "-p", "[::1]:21081:81", "-p", "21090-21099:90-99"];
    serve(&engine, "web", &flags, &[80, 81, 95]);
    comes_up(21080, "web");
    let over_ipv6 = |port| {
        wait_for("the server answers", || {
            ask((Ipv6Addr::LOCALHOST, port)).as_deref() == Some("web")
        });
    };
    [21080, 21081, 21095].into_iter().for_each(over_ipv6);
    assert_eq!(ask((LOCAL, 21081)), None, "published on ::1 alone");
    let proxies = |engine: &Engine| -> Vec<u32> {
        let socket = engine.exec_root().join("proxy/control.sock");
        let processes = std::fs::read_dir("/proc").expect("proc").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&*socket.to_string_lossy())
        })
        .collect()
    };
    let before = proxies(&engine);
    assert_eq!(before.len(), 1, "one for all ports");
    engine.kill();
    [21080, 21081, 21095].into_iter().for_each(over_ipv6);
    engine.launch();
    [21080, 21081, 21095].into_iter().for_each(over_ipv6);
    serve(&engine, "other", &["-p", "21082:80"], &[80]);
    comes_up(21082, "other");
    assert_eq!(ask((Ipv6Addr::LOCALHOST, 21082)).as_deref(), Some("other"));
    assert_eq!(proxies(&engine), before, "the one that is there is adopted");
    engine.gantry(&["rm", "-f", "web"]).ok();
    assert_eq!(ask((Ipv6Addr::LOCALHOST, 21080)), None);
}

#[test]
fn ports_of_a_running_container_change() {
    let mut engine = Engine::with_busybox();
    serve(
        &engine,
        "web",
        &["-p", "127.0.0.1:21180:80", "-p", "127.0.0.1:21190-21199:90-99"],
        &[80, 81, 95, 96],
    );
    comes_up(21180, "web");
    comes_up(21195, "web");
    let add = [
        "update",
        "--publish-add",
        "127.0.0.1:21181:81",
        "--publish-rm",
        "21180:80",
        "--publish-rm",
        "95",
        "web",
    ];
    assert_eq!(engine.gantry(&add).ok(), "web");
    comes_up(21181, "web");
    assert_eq!(ask((LOCAL, 21180)), None);
    assert_eq!(ask((LOCAL, 21195)), None);
    comes_up(21196, "web");
    TcpListener::bind((LOCAL, 21180)).expect("given back");
    assert!(TcpListener::bind((LOCAL, 21181)).is_err(), "reserved");

    // The same port of the host for another of the container.
    engine
        .gantry(&["run", "-d", "--name", "guest", "--network", "container:web", "busybox", "top"])
        .ok();
    let said = engine.gantry(&["update", "--publish-add", "21187:80", "guest"]).fails(1);
    assert!(said.contains("port publishing and the container type network mode"), "{said}");
    let exchange = ["update", "--publish-rm", "81", "--publish-add", "127.0.0.1:21181:80", "web"];
    engine.gantry(&exchange).ok();
    assert_eq!(engine.gantry(&["port", "web", "80"]).ok(), "127.0.0.1:21181");
    comes_up(21181, "web");

    let listener = TcpListener::bind((LOCAL, 0)).expect("a port");
    let taken = format!("127.0.0.1:{}:82", listener.local_addr().expect("bound").port());
    let refused = ["update", "--publish-rm", "80", "--publish-add", &taken, "web"];
    let error = engine.gantry(&refused).fails(1);
    assert!(error.contains("address already in use"), "{error}");
    comes_up(21181, "web");
    let missing = engine.gantry(&["update", "--publish-rm", "4444", "web"]).fails(1);
    assert!(missing.contains("No public port '4444/tcp' published for web"), "{missing}");

    engine.kill();
    engine.launch();
    comes_up(21181, "web");
    engine.gantry(&["restart", "-t", "0", "web"]).ok();
    comes_up(21181, "web");
    assert_eq!(ask((LOCAL, 21180)), None);
}

/// The default route goes by the network whose name comes first.
#[test]
fn ports_follow_the_default_route() {
    let engine = Engine::with_busybox();
    for network in ["a-first", "b-second"] {
        engine.gantry(&["network", "create", network]).ok();
    }
    serve(&engine, "web", &["--network", "b-second", "-p", "127.0.0.1:21680:80"], &[80]);
    comes_up(21680, "web");
    engine.gantry(&["network", "connect", "a-first", "web"]).ok();
    engine.gantry(&["network", "disconnect", "b-second", "web"]).ok();
    assert_eq!(ask((LOCAL, 21680)).as_deref(), Some("web"), "the only network that is left");
    engine.gantry(&["network", "connect", "b-second", "web"]).ok();
    engine.gantry(&["network", "disconnect", "a-first", "web"]).ok();
    assert_eq!(ask((LOCAL, 21680)).as_deref(), Some("web"));
}

#[test]
fn ports_come_with_the_first_network_and_go_with_the_last() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    engine.gantry(&["network", "create", "inner", "--internal"]).ok();
    let port = |name: &str| engine.gantry(&["port", name]).ok();
    serve(&engine, "web", &["--network", "inner", "-p", "127.0.0.1:21690:80"], &[80]);
    assert_eq!(port("web"), "");
    engine.gantry(&["network", "connect", "a", "web"]).ok();
    comes_up(21690, "web");
    assert_eq!(port("web"), "80/tcp -> 127.0.0.1:21690");

    // Whoever comes second stays off the network, and has it once the first one has left.
    serve(&engine, "next", &["--network", "none", "-p", "127.0.0.1:21690:80"], &[80]);
    engine.gantry(&["network", "disconnect", "none", "next"]).ok();
    let taken = engine.gantry(&["network", "connect", "a", "next"]).fails(1);
    assert!(taken.contains("driver failed programming external connectivity"), "{taken}");
    assert!(taken.contains("port is already allocated by container web"), "{taken}");
    let networks = ["inspect", "-f", "{{json .NetworkSettings.Networks}}", "next"];
    assert_eq!(engine.gantry(&networks).ok(), "{}");
    engine.gantry(&["network", "disconnect", "a", "web"]).ok();
    assert_eq!((port("web").as_str(), ask((LOCAL, 21690))), ("", None));
    engine.gantry(&["network", "connect", "a", "next"]).ok();
    assert_eq!(ask((LOCAL, 21690)).as_deref(), Some("next"));
    engine.gantry(&["rm", "-f", "next"]).ok();

    // What is held by nobody is free for the host's programs.
    drop(std::net::TcpListener::bind((LOCAL, 21690)).expect("a free port"));
    engine.gantry(&["network", "connect", "a", "web"]).ok();
    assert_eq!(ask((LOCAL, 21690)).as_deref(), Some("web"));
}

#[test]
fn a_network_says_where_ports_are_published() {
    let engine = Engine::with_busybox();
    let option = "com.docker.network.bridge.host_binding_ipv4=127.0.0.2";
    engine.gantry(&["network", "create", "-o", option, "local"]).ok();
    serve(&engine, "web", &["--network", "local", "-p", "21780:80"], &[80]);
    wait_for("the server answers", || ask(([127, 0, 0, 2], 21780)).as_deref() == Some("web"));
    assert_eq!(engine.gantry(&["port", "web"]).ok(), "80/tcp -> 127.0.0.2:21780");
    assert_eq!(ask((LOCAL, 21780)), None);
}
