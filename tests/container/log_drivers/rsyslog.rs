//! syslog at a real rsyslog: by datagrams, streams, a local socket and TLS with certificates of both sides.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;
use testkit::engine::{Engine, wait_for};
use testkit::packages::Packages;
use testkit::servers;

use super::{count_to, numbers};
use crate::authority::Authority;

struct Rsyslog<'p> {
    packages: &'p Packages,
    dir: TempDir,
    authority: Authority,
    /// udp, tcp, tls.
    ports: [u16; 3],
    child: Option<Child>,
}

impl<'p> Rsyslog<'p> {
    fn start(packages: &'p Packages) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let [tcp, tls] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [udp.local_addr(), tcp.local_addr(), tls.local_addr()]
            .map(|address| address.unwrap().port());
        drop((udp, tcp, tls));
        let dir = TempDir::with_prefix("gantry-rsyslog-").unwrap();
        let mut server = Self { packages, dir, authority: Authority::new(), ports, child: None };
        fs::write(server.path("conf"), server.configuration()).unwrap();
        server.launch();
        server
    }

    fn configuration(&self) -> String {
        let [udp, tcp, tls] = self.ports;
        let [ca, cert, key] = ["ca.pem", "server-cert.pem", "server-key.pem"]
            .map(|name| self.authority.file(name).display().to_string());
        let [socket, seen] = ["log", "seen"].map(|name| self.path(name).display().to_string());
        format!(
            r#"global(maxMessageSize="64k" defaultNetstreamDriverCAFile="{ca}"
                defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")
            module(load="imudp") module(load="imptcp") module(load="imuxsock" sysSock.use="off")
            module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
            template(name="all" type="string"
                string="%app-name%|%procid%|%hostname%|%pri%|%timestamp:::date-rfc3339%|%msg%\n")
            ruleset(name="all") {{ action(type="omfile" file="{seen}" template="all") }}
            input(type="imuxsock" socket="{socket}" ruleset="all")
            input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="all")
            input(type="imptcp" address="127.0.0.1" port="{tcp}" ruleset="all")
            input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="all")
            "#
        )
    }

    fn launch(&mut self) {
        let modules = format!("usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
        let modules = self.packages.program(&format!("{modules}/imudp.so")).unwrap();
        let log = fs::File::create(self.path("errors")).unwrap();
        let mut command = self.packages.command("usr/sbin/rsyslogd").unwrap();
        command.args(["-n", "-iNONE", "-f"]).arg(self.path("conf")).arg("-M");
        command.arg(modules.parent().unwrap()).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        let [udp, tcp, tls] = self.ports;
        wait_for("rsyslog listens", || {
            [tcp, tls].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
                && UdpSocket::bind(("127.0.0.1", udp)).is_err()
                && self.path("log").exists()
        });
    }

    fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn seen(&self) -> String {
        fs::read(self.path("seen"))
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    fn tls_options(&self) -> [String; 4] {
        let file = |name: &str| self.authority.file(name).display().to_string();
        [
            format!("syslog-address=tcp+tls://127.0.0.1:{}", self.ports[2]),
            format!("syslog-tls-ca-cert={}", file("ca.pem")),
            format!("syslog-tls-cert={}", file("cert.pem")),
            format!("syslog-tls-key={}", file("key.pem")),
        ]
    }
}

impl Drop for Rsyslog<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let errors = fs::read_to_string(self.path("errors")).unwrap_or_default();
            eprintln!("rsyslog saw:\n{}\nand said:\n{errors}", self.seen());
        }
        self.kill();
    }
}

/// `run` with these options of the log.
fn run(engine: &Engine, name: &str, options: &[String], script: &str) -> testkit::engine::Output {
    let mut args = vec!["run", "-d", "--name", name, "--log-driver", "syslog"];
    args.extend(options.iter().flat_map(|option| ["--log-opt", option.as_str()]));
    args.extend(["busybox", "sh", "-c", script]);
    engine.gantry(&args)
}

/// One line of what rsyslog made of a message.
#[derive(Debug)]
struct Line<'a> {
    process: &'a str,
    host: &'a str,
    priority: &'a str,
    time: &'a str,
    text: &'a str,
}

fn lines<'a>(seen: &'a str, tag: &str) -> Vec<Line<'a>> {
    let parse = |line: &'a str| {
        let [app, process, host, priority, time, text] =
            line.splitn(6, '|').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        (app == tag).then(|| Line { process, host, priority, time, text: text.trim_start() })
    };
    seen.lines().filter_map(parse).collect()
}

#[test]
fn rsyslog_understands_each_transport_and_format() {
    let Some(packages) = servers::at_hand("syslog at a real rsyslog") else { return };
    let engine = Engine::with_busybox();
    let rsyslog = Rsyslog::start(&packages);
    let [udp, tcp, _] = rsyslog.ports;
    let socket = rsyslog.path("log").display().to_string();
    let to = |address: String| vec![format!("syslog-address={address}")];
    let transports = [
        ("udp", to(format!("udp://127.0.0.1:{udp}"))),
        ("tcp", to(format!("tcp://127.0.0.1:{tcp}"))),
        ("unix", to(format!("unix://{socket}"))),
        ("unixgram", to(format!("unixgram://{socket}"))),
        ("tls", rsyslog.tls_options().to_vec()),
    ];
    let mut tags = Vec::new();
    for (transport, options) in &transports {
        let formats = ["", "rfc3164", "rfc5424", "rfc5424micro"];
        // A local socket's messages have no host: rsyslog puts it there.
        let formats = if transport.starts_with("unix") { &formats[..1] } else { &formats };
        for format in formats {
            let tag = format!("{transport}-{format}");
            let more = [
                "syslog-facility=local1".to_owned(),
                format!("syslog-format={format}"),
                format!("tag={tag}"),
            ];
            let script = "echo out with words; echo err >&2";
            run(&engine, &format!("box-{tag}"), &[&options[..], &more].concat(), script).ok();
            tags.push(tag);
        }
    }
    wait_for("rsyslog has both lines of each", || {
        let seen = rsyslog.seen();
        tags.iter().all(|tag| lines(&seen, tag).len() == 2)
    });
    let (seen, engine_pid) = (rsyslog.seen(), engine.daemon_pid().to_string());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for tag in &tags {
        let mut lines = lines(&seen, tag);
        lines.sort_by_key(|line| line.priority);
        let [err, out] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((out.priority, out.text), ("142", "out with words"), "{tag}");
        assert_eq!((err.priority, err.text), ("139", "err"), "{tag}");
        assert_eq!(out.process, engine_pid, "{tag}");
        if tag.contains("rfc") {
            assert_eq!(out.host, host, "{tag}");
        }
        let micro = tag.ends_with("micro");
        assert_eq!(out.time.contains('.'), micro || tag.starts_with("unix"), "{tag}: {}", out.time);
    }
}

/// Who shows no certificate, or trusts another authority, gets nothing through; the container does not notice.
#[test]
fn rsyslog_refuses_who_has_no_certificate_and_is_refused_without_a_right_one() {
    let Some(packages) = servers::at_hand("syslog at a real rsyslog") else { return };
    let mut engine = Engine::with_busybox();
    let rsyslog = Rsyslog::start(&packages);
    let options = rsyslog.tls_options();
    run(&engine, "none", &options[..2], "echo none").ok();
    let stranger = Authority::new();
    let mut wrong = options.to_vec();
    wrong[1] = format!("syslog-tls-ca-cert={}", stranger.file("ca.pem").display());
    run(&engine, "wrong", &wrong, "echo wrong").ok();
    engine.wait_until("both were refused", |engine| {
        engine.log().matches("the log server at Tls").count() >= 2
    });
    let blind = [&wrong[..], &["syslog-tls-skip-verify=true".to_owned()]].concat();
    run(&engine, "blind", &blind, "echo blind").ok();
    run(&engine, "right", &options, "echo right").ok();
    wait_for("the others are let in", || {
        ["|right", "| right"].iter().any(|end| rsyslog.seen().contains(end))
            && rsyslog.seen().contains("blind")
    });
    assert!(!rsyslog.seen().contains("none") && !rsyslog.seen().contains("wrong"));
    assert_eq!(engine.gantry(&["logs", "none"]).ok(), "none");
}

#[test]
fn no_line_is_lost_while_rsyslog_is_killed_under_a_stream() {
    const LAST: u32 = 1500;
    let Some(packages) = servers::at_hand("syslog at a real rsyslog") else { return };
    let mut engine = Engine::with_busybox();
    let mut rsyslog = Rsyslog::start(&packages);
    let tcp = [format!("syslog-address=tcp://127.0.0.1:{}", rsyslog.ports[1])];
    run(&engine, "tcp", &tcp, &count_to(LAST, "usleep 2000")).ok();
    for round in [100, 500] {
        engine.wait_until("lines arrive", |_| numbers(&rsyslog.seen()).len() > round);
        rsyslog.kill();
        fs::remove_file(rsyslog.path("log")).unwrap();
        rsyslog.launch();
    }
    engine.wait_until("every line arrives", |_| numbers(&rsyslog.seen()).len() == LAST as usize);
    assert!(numbers(&rsyslog.seen()).iter().copied().eq(1..=LAST));
    assert!(Path::new(&rsyslog.path("log")).exists());
}
