//! The namespaces that the engine lives in: their life, what they lend, and their way out.

use std::fs;
use std::io::{BufRead, BufReader};

use rustix::process::{Signal, kill_process};

use super::user::User;
use super::with_busybox;

#[test]
fn containers_go_on_when_the_engine_is_killed_and_the_next_one_finds_them() {
    let user = with_busybox();
    let gantry = |args: &[&str]| user.gantry(args).ok();
    let id = gantry(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]);
    let address = "{{.NetworkSettings.IPAddress}} {{.State.Pid}}";
    let before = gantry(&["inspect", "-f", address, "web"]);
    user.kill_engine();
    assert_eq!(gantry(&["ps", "-q", "--no-trunc"]), id);
    assert_eq!(gantry(&["inspect", "-f", address, "web"]), before);
    assert_eq!(gantry(&["exec", "web", "echo", "there"]), "there");
    let (ip, _) = before.split_once(' ').unwrap();
    gantry(&["run", "--rm", "busybox", "ping", "-c", "1", "-W", "5", ip]);
    gantry(&["rm", "-f", "web"]);
}

#[test]
fn a_container_ends_with_its_monitor() {
    let user = with_busybox();
    user.gantry(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    let monitor = |(pid, _): &(rustix::process::Pid, String)| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("\0monitor\0")
    };
    let monitors: Vec<_> = user.processes().into_iter().filter(monitor).collect();
    let [(monitor, _)] = &monitors[..] else { panic!("one monitor, not {monitors:?}") };
    kill_process(*monitor, Signal::KILL).unwrap();
    assert_eq!(user.gantry(&["wait", "web"]).fails(1), "the container's monitor was killed");
    user.wait_until("it has ended", || !user.processes().iter().any(|(_, name)| name == "sleep"));
    user.gantry(&["rm", "web"]).ok();
}

#[test]
fn the_engines_end_takes_the_namespaces_with_it_once_nothing_runs() {
    let user = with_busybox();
    user.gantry(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    user.stop_engine();
    let names =
        |user: &User| user.processes().into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert!(names(&user).contains(&"sleep".to_owned()), "what runs goes on");
    user.gantry(&["rm", "-f", "web"]).ok();
    user.stop_engine();
    user.wait_until("nothing is left", || names(&user).is_empty());
}

#[test]
fn an_engine_killed_while_it_starts_leaves_nothing_that_the_next_one_does_not_know() {
    let user = User::new();
    for moment in 0..24 {
        let mut engine = user.start_engine();
        // Over the whole of a start, which takes some 100 ms.
        std::thread::sleep(std::time::Duration::from_millis(moment * 6));
        engine.kill().unwrap();
        engine.wait().unwrap();
    }
    user.load("busybox");
    assert_eq!(user.gantry(&["run", "--rm", "busybox", "echo", "well"]).ok(), "well");
    let ways_out = ["slirp", "pasta", "passt"];
    let is_way_out = |name: &str| ways_out.iter().any(|way| name.starts_with(way));
    assert_eq!(user.processes().iter().filter(|(_, name)| is_way_out(name)).count(), 1);
    user.stop_engine();
    user.wait_until("nothing is left", || user.processes().is_empty());
}

#[test]
fn containers_reach_the_hosts_network() {
    let user = with_busybox();
    fs::write(user.home().join("page"), "from outside").unwrap();
    let home = user.home();
    let server = ["python3", "-u", "-m", "http.server", "--bind", user.host(), "--directory"];
    let server = [&server[..], &[home.to_str().unwrap(), "0"]].concat();
    let mut server = user.on_host_in_background(&server);
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    // Serving HTTP on ADDRESS port NUMBER (URL) ...
    let port = line.split_whitespace().nth(5).unwrap();
    let request = "GET /page HTTP/1.0\\r\\n\\r\\n";
    let fetch = format!("printf '{request}' | timeout 20 nc {} {port} | tail -n 1", user.host());
    let said = user.gantry(&["run", "--rm", "busybox", "sh", "-c", &fetch]);
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(said.ok(), "from outside", "{}", user.log());
    let resolver = user.gantry(&["run", "--rm", "busybox", "cat", "/etc/resolv.conf"]).ok();
    assert!(resolver.contains("nameserver 10.0.2.3"), "the host's loopback is not the container's");
}

#[test]
fn a_user_who_was_lent_no_ids_is_told_how_to_get_some() {
    let user = User::new();
    user.on_host(&["sh", "-c", ": > /etc/subuid"]).ok();
    let words = user.gantry(&["ps"]).fails(1);
    assert!(words.contains("/etc/subuid has no ids for tester"), "{words}");
    assert!(words.contains("usermod --add-subuids"), "{words}");
}
