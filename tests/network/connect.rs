//! `network connect`.

use testkit::engine::Engine;

use super::{endpoint, exec, run};
use crate::threats::api::post;

#[test]
fn a_container_that_runs_gets_a_link_its_own_hosts_stay_and_events_tell() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "--subnet", "10.212.0.0/24", "late"]).ok();
    run(&engine, "web", &[]);
    exec(&engine, "web", &["sh", "-c", "echo 1.2.3.4 mine >>/etc/hosts"]);
    let connect = ["network", "connect", "--ip", "10.212.0.9", "--alias", "w", "late", "web"];
    engine.gantry(&connect).ok();
    assert!(exec(&engine, "web", &["ip", "addr", "show", "eth1"]).contains("inet 10.212.0.9/24"));
    let hosts = exec(&engine, "web", &["cat", "/etc/hosts"]);
    assert!(hosts.contains("1.2.3.4 mine") && hosts.contains("10.212.0.9\t"), "{hosts}");
    assert!(endpoint(&engine, "web", "late", "{{json .DNSNames}}").starts_with(r#"["web","w","#));
    let events = ["events", "--since", "1h", "--until", "0s", "--filter", "type=network"];
    let format = ["--format", "{{.Action}} {{.Actor.Attributes.name}}"];
    let told = engine.gantry(&[&events[..], &format].concat()).ok();
    assert_eq!(told.lines().collect::<Vec<_>>(), ["create late", "connect bridge", "connect late"]);
    // What was connected while it did not run, is there when it does.
    engine.gantry(&["network", "create", "more"]).ok();
    engine.gantry(&["stop", "-t", "0", "web"]).ok();
    engine.gantry(&["network", "connect", "more", "web"]).ok();
    engine.gantry(&["start", "web"]).ok();
    assert_eq!(exec(&engine, "web", &["ls", "/sys/class/net"]).split_whitespace().count(), 4);
    assert_eq!(endpoint(&engine, "web", "late", "{{.IPAddress}}"), "10.212.0.9");
}

#[test]
fn the_gateway_priority_says_which_network_leads_out() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "--subnet", "10.213.0.0/24", "a"]).ok();
    engine.gantry(&["network", "create", "--subnet", "10.214.0.0/24", "b"]).ok();
    run(&engine, "web", &["--network", "a"]);
    let route = || exec(&engine, "web", &["sh", "-c", "ip route | grep default"]);
    engine.gantry(&["network", "connect", "b", "web"]).ok();
    assert!(route().contains("via 10.213.0.1"), "{}", route());
    engine.gantry(&["network", "disconnect", "b", "web"]).ok();
    engine.gantry(&["network", "connect", "--gw-priority", "1", "b", "web"]).ok();
    assert!(route().contains("via 10.214.0.1"), "{}", route());
}

#[test]
fn who_shares_a_containers_network_goes_by_its_name() {
    let engine = Engine::with_busybox();
    run(&engine, "web", &["--hostname", "front"]);
    let shared = ["run", "--rm", "--network", "container:web"];
    let said = engine.gantry(&[&shared[..], &["busybox", "hostname"]].concat()).ok();
    assert_eq!(said, "front");
    for own in ["--dns=1.2.3.4", "--add-host=a:1.2.3.4", "--expose=80"] {
        let refused = engine.gantry(&[&shared[..], &[own, "busybox", "true"]].concat());
        assert_eq!(refused.code, 125, "{own}");
        assert!(refused.stderr.contains("conflicting options: "), "{own}: {}", refused.stderr);
    }
    // It is shared with that container, whatever it is called later and whoever has its name then.
    let later = ["create", "--name", "later", "--network", "container:web", "busybox", "hostname"];
    engine.gantry(&later).ok();
    engine.gantry(&["rename", "web", "old"]).ok();
    run(&engine, "web", &["--hostname", "other"]);
    assert_eq!(engine.gantry(&["start", "-a", "later"]).ok(), "front");
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "old"]).ok();
    let mode = engine.gantry(&["inspect", "-f", "{{.HostConfig.NetworkMode}}", "later"]).ok();
    assert_eq!(mode, format!("container:{id}"));
    engine.gantry(&["restart", "-t", "0", "old"]).ok();
    assert_eq!(engine.gantry(&["start", "-a", "later"]).ok(), "front");
    let missing = ["run", "--network", "container:nobody", "busybox", "true"];
    assert!(engine.gantry(&missing).fails(125).contains("No such container: nobody"));
}

/// Of the API: the client always names the mode's network as well.
#[test]
fn networks_that_are_named_are_all_and_networking_can_be_off() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    engine.gantry(&["network", "create", "b"]).ok();
    let create = |name: &str, more: &str| {
        let body = format!(r#"{{"Image":"busybox","Cmd":["sleep","1000"],{more}}}"#);
        let answer = post(&engine, &format!("/containers/create?name={name}"), &body);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        engine.gantry(&["start", name]).ok();
        let links = exec(&engine, name, &["ls", "/sys/class/net"]);
        let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
        (links, engine.gantry(&["inspect", "-f", networks, name]).ok())
    };
    let only_b =
        r#""HostConfig":{"NetworkMode":"a"},"NetworkingConfig":{"EndpointsConfig":{"b":{}}}"#;
    let (links, networks) = create("one", only_b);
    assert_eq!(links.split_whitespace().collect::<Vec<_>>(), ["eth0", "lo"]);
    assert_eq!(networks.trim(), "b");
    let (links, networks) = create("off", r#""NetworkDisabled":true"#);
    assert_eq!((links.as_str(), networks.as_str()), ("lo", ""));
}

#[test]
fn hosts_that_are_added_are_there_with_the_hosts_network_too() {
    let engine = Engine::with_busybox();
    let run = ["run", "--rm", "--network", "host", "--add-host", "one=1.2.3.4"];
    let hosts = engine.gantry(&[&run[..], &["busybox", "cat", "/etc/hosts"]].concat()).ok();
    assert!(hosts.contains("1.2.3.4\tone"), "{hosts}");
}
