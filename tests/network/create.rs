//! `network create`.

use testkit::engine::Engine;

use super::{custom, endpoint, exec, run};

#[test]
fn containers_of_a_network_reach_each_other_and_strangers_do_not() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "front"]).ok();
    engine.gantry(&["network", "create", "back"]).ok();
    run(&engine, "web", &["--network", "front"]);
    run(&engine, "db", &["--network", "back"]);
    run(&engine, "app", &["--network", "front", "--network", "back"]);
    let ip =
        |container: &str, network: &str| endpoint(&engine, container, network, "{{.IPAddress}}");
    let ping = |from: &str, to: &str| {
        engine.gantry(&["exec", from, "ping", "-c", "1", "-W", "1", to]).code == 0
    };
    assert!(ping("web", &ip("app", "front")) && ping("db", &ip("app", "back")));
    assert!(!ping("web", &ip("db", "back")) && !ping("db", &ip("web", "front")));
    assert_eq!(exec(&engine, "app", &["ls", "/sys/class/net"]).split_whitespace().count(), 3);
}

#[test]
fn what_was_acknowledged_outlives_a_killed_engine_with_its_containers() {
    let mut engine = Engine::with_busybox();
    let flags = ["--subnet", "10.211.0.0/24", "--label", "a=b", "--opt", "x=y"];
    engine.gantry(&[&["network", "create"], &flags[..], &["web"]].concat()).ok();
    engine.gantry(&["network", "create", "other"]).ok();
    run(&engine, "one", &["--network", "web"]);
    run(&engine, "two", &["--network", "web", "--ip", "10.211.0.77"]);
    engine.gantry(&["network", "connect", "other", "one"]).ok();
    let shown = |engine: &Engine| {
        let networks = engine.gantry(&["network", "inspect", "web", "other"]).ok();
        let format = "{{json .NetworkSettings.Networks}}";
        networks + &engine.gantry(&["inspect", "-f", format, "one", "two"]).ok()
    };
    let before = shown(&engine);
    let kernel = engine.kernel_objects();
    engine.kill();
    engine.launch();
    assert_eq!(shown(&engine), before, "the same addresses and MAC addresses");
    assert_eq!(engine.kernel_objects(), kernel);
    exec(&engine, "one", &["ping", "-c", "1", "-W", "5", "10.211.0.77"]);
    let again = engine.gantry(&["run", "--rm", "--network", "web", "busybox", "ip", "addr"]).ok();
    assert!(again.contains("10.211.0.") && !again.contains("10.211.0.77/"), "{again}");
    let taken = ["run", "--rm", "--network", "web", "--ip", "10.211.0.77", "busybox", "true"];
    assert!(engine.gantry(&taken).fails(125).contains("Address already in use"));
    let overlap = engine.gantry(&["network", "create", "--subnet", "10.211.0.0/16", "x"]).fails(1);
    assert!(overlap.contains("Pool overlaps with other one on this address space"), "{overlap}");
}

#[test]
fn names_that_are_paths_and_names_that_are_taken_are_refused() {
    let engine = Engine::start();
    for name in ["a/b", "../x", "container:x", "/"] {
        let said = engine.gantry(&["network", "create", name]).fails(1);
        assert!(said.contains("invalid name"), "{said}");
    }
    engine.gantry(&["network", "create", "web"]).ok();
    let said = engine.gantry(&["network", "create", "web"]).fails(1);
    assert!(said.contains("network with name web already exists"), "{said}");
    assert_eq!(custom(&engine), ["web"]);
    // What fails at its bridge, here since IPv6 needs larger packets, leaves none.
    let bridges = engine.links();
    let mtu = "com.docker.network.driver.mtu=1000";
    let small = ["network", "create", "--ipv6", "--subnet", "fd00:c1::/64", "--opt", mtu, "small"];
    assert!(engine.gantry(&small).fails(1).contains("failed to set up the bridge"));
    assert_eq!((engine.links(), custom(&engine)), (bridges, vec!["web".to_owned()]));
}

#[test]
fn sixteen_clients_at_once_leave_nothing_behind() {
    let engine = Engine::start();
    let before = engine.kernel_objects();
    std::thread::scope(|scope| {
        for client in 0..16 {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..3 {
                    let name = format!("n{client}-{round}");
                    engine.gantry(&["network", "create", &name]).ok();
                    engine.gantry(&["network", "rm", &name]).ok();
                }
                // One name that all of them want: one of them gets it.
                let common = engine.gantry(&["network", "create", "common"]);
                assert!(common.code == 0 || common.stderr.contains("already exists"));
            });
        }
    });
    assert_eq!(custom(&engine), ["common"]);
    engine.gantry(&["network", "rm", "common"]).ok();
    testkit::engine::wait_for("links are gone", || engine.kernel_objects() == before);
}

#[test]
fn a_bridge_has_one_subnet_of_a_family_and_its_own_addresses_are_hosts() {
    let engine = Engine::start();
    let refused = |args: &[&str]| {
        let said = engine.gantry(&[&["network", "create"], args, &["x"]].concat());
        assert_eq!(said.code, 1, "{args:?}");
        said.stderr
    };
    let two = refused(&["--subnet", "10.215.0.0/24", "--subnet", "10.216.0.0/24"]);
    assert!(two.contains("bridge driver doesn't support multiple subnets"), "{two}");
    let gateway = refused(&["--subnet", "10.215.0.0/24", "--gateway", "10.215.0.0"]);
    assert!(gateway.contains("failed to allocate gateway (10.215.0.0): Address already in use"));
    // Nothing of what was refused is in the way.
    engine.gantry(&["network", "create", "--subnet", "10.215.0.0/24", "x"]).ok();
}

#[test]
fn the_default_bridge_and_new_networks_are_as_gantryd_was_told() {
    let flags = [
        "--bip=10.231.7.1/24",
        "--fixed-cidr=10.231.7.64/26",
        "--default-gateway=10.231.7.254",
        "--ipv6",
        "--fixed-cidr-v6=fd77:231::/64",
        "--default-network-opt=bridge=com.docker.network.driver.mtu=1400",
    ];
    let engine = Engine::start_with(&flags);
    engine.load("busybox");
    run(&engine, "web", &[]);
    let shown = endpoint(&engine, "web", "bridge", "{{.Gateway}} {{.GlobalIPv6Address}}");
    assert_eq!(shown, "10.231.7.254 fd77:231::2");
    let routes = exec(&engine, "web", &["ip", "route"]);
    assert!(routes.contains("default via 10.231.7.254 dev eth0"), "{routes}");
    let address = endpoint(&engine, "web", "bridge", "{{.IPAddress}}");
    let last: u8 = address.rsplit('.').next().and_then(|text| text.parse().ok()).expect("one");
    assert!((64..128).contains(&last), "{address}");
    let inspect = ["network", "inspect", "-f", "{{.EnableIPv6}}", "bridge"];
    assert_eq!(engine.gantry(&inspect).ok(), "true");
    engine.gantry(&["network", "create", "made"]).ok();
    let inspect = ["network", "inspect", "-f", "{{json .Options}}", "made"];
    assert_eq!(engine.gantry(&inspect).ok(), r#"{"com.docker.network.driver.mtu":"1400"}"#);
}

#[test]
fn without_a_default_bridge_containers_have_loopback_unless_they_name_a_network() {
    let engine = Engine::start_with(&["--bridge", "none"]);
    engine.load("busybox");
    let list = ["network", "ls", "--format", "{{.Name}}"];
    assert_eq!(engine.gantry(&list).ok(), "host\nnone");
    assert!(engine.links().is_empty(), "{:?}", engine.links());
    run(&engine, "alone", &["-p", "21780:80"]);
    assert_eq!(exec(&engine, "alone", &["ls", "/sys/class/net"]), "lo");
    assert_eq!(engine.gantry(&["port", "alone"]).ok(), "");
    let wrong = ["run", "--rm", "--network", "bridge", "busybox", "true"];
    assert!(engine.gantry(&wrong).fails(125).contains("network bridge not found"));
    engine.gantry(&["network", "create", "own"]).ok();
    run(&engine, "one", &["--network", "own"]);
    run(&engine, "two", &["--network", "own"]);
    exec(&engine, "one", &["ping", "-c", "1", "-W", "5", "two"]);
}
