//! `--link` on the default bridge.

use testkit::engine::Engine;

use super::{exec, run};

#[test]
fn a_link_brings_lines_and_variables_and_follows_the_other() {
    let engine = Engine::with_busybox();
    run(&engine, "db", &["-e", "FOO=a b", "--expose", "80", "--expose", "53/udp"]);
    run(&engine, "web", &["--link", "db", "--link", "db:ali"]);
    let ip = |name| engine.gantry(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name]).ok();
    let host = engine.gantry(&["inspect", "-f", "{{.Config.Hostname}}", "db"]).ok();
    let lines = || {
        let hosts = exec(&engine, "web", &["cat", "/etc/hosts"]);
        hosts.lines().skip(6).map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = || {
        let (db, web) = (ip("db"), ip("web"));
        let own = engine.gantry(&["inspect", "-f", "{{.Config.Hostname}}", "web"]).ok();
        [format!("{db}\tdb {host}"), format!("{db}\tali {host} db"), format!("{web}\t{own}")]
    };
    assert_eq!(lines(), expected());
    let db = ip("db");
    for env in [exec(&engine, "web", &["env"]), exec(&engine, "web", &["cat", "/proc/1/environ"])] {
        let env = env.replace('\0', "\n");
        for variable in [
            format!("DB_PORT=udp://{db}:53"),
            format!("ALI_PORT_80_TCP_ADDR={db}"),
            "ALI_PORT_80_TCP_PROTO=tcp".into(),
            "ALI_NAME=/web/ali".into(),
            "DB_ENV_FOO=a b".into(),
        ] {
            assert!(env.lines().any(|line| line == variable), "{variable} in {env}");
        }
    }
    let links = ["inspect", "-f", "{{json .HostConfig.Links}}", "web"];
    assert_eq!(engine.gantry(&links).ok(), r#"["/db:/web/db","/db:/web/ali"]"#);
    // It comes back with another address, under another name.
    engine.gantry(&["stop", "-t", "0", "db"]).ok();
    run(&engine, "between", &[]);
    engine.gantry(&["start", "db"]).ok();
    assert_eq!(lines(), expected());
    engine.gantry(&["rename", "db", "store"]).ok();
    assert_eq!(engine.gantry(&links).ok(), r#"["/store:/web/db","/store:/web/ali"]"#);
}

#[test]
fn links_that_lead_nowhere_are_refused_in_dockers_words() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "a"]).ok();
    run(&engine, "elsewhere", &["--network", "a"]);
    engine.gantry(&["create", "--name", "still", "busybox", "true"]).ok();
    let said = |link: &str| {
        let run = ["run", "--rm", "--name", "me", "--link", link, "busybox", "true"];
        engine.gantry(&run).fails(125)
    };
    for (link, words) in [
        ("nosuch", "could not get container for nosuch: No such container: nosuch"),
        ("elsewhere", "Cannot link to /elsewhere, as it does not belong to the default network."),
        ("still:s", "Cannot link to a non running container: /still AS /me/s"),
        ("a:b:c", "bad format for links: a:b:c"),
    ] {
        let said = said(link);
        assert!(said.contains(words), "{link}: {said}");
    }
    assert_eq!(engine.gantry(&["ps", "-aq", "--filter", "name=^me$"]).ok(), "");
}
