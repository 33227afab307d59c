//! `--log-driver`: what containers write arrives, at servers written here and at Debian's.

mod fluentd;
mod gelf;
mod journald;
mod rsyslog;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use testkit::engine::{Engine, PATIENCE};

/// A server on a stream that keeps what it reads. Dropping it ends it, connections included.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), Arc::default())
    }

    fn listen(listener: TcpListener, seen: Arc<Mutex<Vec<u8>>>) -> Self {
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (keep, ended) = (Arc::clone(&seen), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                if let Ok((connection, _)) = listener.accept() {
                    connection.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
                    connections.push(connection);
                }
                for connection in &mut connections {
                    let mut bytes = [0; 4096];
                    if let Ok(read @ 1..) = connection.read(&mut bytes) {
                        keep.lock().unwrap().extend_from_slice(&bytes[..read]);
                    }
                }
            }
        });
        Self { port, seen, over, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The numbers behind `line-`, each once.
fn numbers(text: &str) -> BTreeSet<u32> {
    let after = text.split("line-").skip(1);
    after
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect()
}

fn count_to(last: u32, pause: &str) -> String {
    format!("i=1; while [ $i -le {last} ]; do echo line-$i.; i=$((i+1)); {pause}; done")
}

#[test]
fn syslog_over_tcp_says_who_wrote_what_and_logs_reads_it_back() {
    let mut engine = Engine::with_busybox();
    let server = Server::start();
    let address = format!("syslog-address=tcp://127.0.0.1:{}", server.port);
    let driver = ["--log-driver", "syslog", "--log-opt", &address];
    let options = ["--log-opt", "syslog-format=rfc5424", "--log-opt", "syslog-facility=local1"];
    let tag = ["--log-opt", "tag={{.ImageName}}/{{.Name}}"];
    let run = [&["run", "--name", "box"][..], &driver, &options, &tag].concat();
    let script = ["busybox", "sh", "-c", "echo out; echo err >&2"];
    engine.gantry(&[&run[..], &script].concat()).ok();
    engine.wait_until("both lines arrive", |_| server.text().lines().count() == 2);
    let text = server.text();
    let line = |end: &str| text.lines().find(|line| line.ends_with(end)).unwrap().to_owned();
    assert!(line(" - out").starts_with("<142>1 20"), "{text}");
    assert!(line(" - err").starts_with("<139>1 20"), "{text}");
    assert!(text.contains(" busybox/box "), "{text}");
    assert_eq!(engine.gantry(&["logs", "box"]).ok(), "out");
    let path = engine.gantry(&["inspect", "-f", "{{.LogPath}}", "box"]).ok();
    assert_eq!(path, "", "Docker shows no file either");
}

/// A killed engine, a server that goes away and comes back: every line arrives.
#[test]
fn no_line_is_lost_while_engine_or_server_is_away() {
    const LAST: u32 = 600;
    let mut engine = Engine::with_busybox();
    let server = Server::start();
    let (port, seen) = (server.port, Arc::clone(&server.seen));
    let address = format!("syslog-address=tcp://127.0.0.1:{port}");
    let script = count_to(LAST, "usleep 5000");
    let run = ["run", "-d", "--name", "box", "--log-driver", "syslog", "--log-opt", &address];
    engine.gantry(&[&run[..], &["busybox", "sh", "-c", &script]].concat()).ok();
    let arrived = |seen: &Mutex<Vec<u8>>| {
        numbers(&String::from_utf8_lossy(&seen.lock().unwrap())).len() as u32
    };
    engine.wait_until("some lines arrive", |_| arrived(&seen) > 50);
    engine.kill();
    engine.launch();
    let before = arrived(&seen);
    engine.wait_until("the next engine goes on", |_| arrived(&seen) > before);
    drop(server);
    let lines = |engine: &Engine| engine.gantry(&["logs", "box"]).ok().lines().count() as u32;
    let written = lines(&engine);
    engine.wait_until("more is written", |engine| lines(engine) > written + 20);
    engine.kill();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let server = Server::listen(listener, Arc::clone(&seen));
    engine.launch();
    engine.wait_until("every line arrives", |_| arrived(&seen) == LAST);
    assert_eq!(numbers(&server.text()), BTreeSet::from_iter(1..=LAST));
}

/// `--rm` takes the log away: not before it has arrived.
#[test]
fn the_last_lines_of_a_container_that_removes_itself_arrive() {
    let engine = Engine::with_busybox();
    let server = Server::start();
    let address = format!("gelf-address=tcp://127.0.0.1:{}", server.port);
    let run = ["run", "--rm", "--log-driver", "gelf", "--log-opt", &address, "busybox"];
    engine.gantry(&[&run[..], &["sh", "-c", &count_to(2000, ":")]].concat()).ok();
    let deadline = std::time::Instant::now() + PATIENCE;
    while numbers(&server.text()).len() < 2000 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let text = server.text();
    assert_eq!(numbers(&text), BTreeSet::from_iter(1..=2000));
    let first: serde_json::Value = serde_json::from_str(text.split('\0').next().unwrap()).unwrap();
    assert_eq!(first["version"], "1.1");
    assert_eq!(first["short_message"], "line-1.");
    assert_eq!(first["_image_name"], "busybox");
}

#[test]
fn datagrams_of_gelf_and_syslog() {
    let engine = Engine::with_busybox();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = server.local_addr().unwrap().port();
    let gelf = [
        "--log-driver=gelf".to_owned(),
        format!("--log-opt=gelf-address=udp://localhost:{port}"),
        "--log-opt=gelf-compression-type=none".to_owned(),
    ];
    let syslog =
        ["--log-driver=syslog".into(), format!("--log-opt=syslog-address=udp://127.0.0.1:{port}")];
    let receive = |options: &[String]| {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        engine
            .gantry(&[&["run", "--rm"][..], &options, &["busybox", "echo", "hello"]].concat())
            .ok();
        let mut datagram = [0; 2000];
        let length = server.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..length]).into_owned()
    };
    assert!(receive(&gelf).contains("\"short_message\":\"hello\""));
    let text = receive(&syslog);
    assert!(text.starts_with("<30>") && text.ends_with(": hello\n"), "{text}");
}

#[test]
fn a_local_socket_and_no_copy_to_read() {
    let engine = Engine::with_busybox();
    let path = engine.scratch().join("syslog.sock");
    let server = UnixDatagram::bind(&path).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = format!("syslog-address=unixgram://{}", path.display());
    let run = ["run", "--name", "box", "--log-driver", "syslog", "--log-opt", &address];
    let disabled = ["--log-opt", "cache-disabled=true", "busybox", "echo", "hello"];
    engine.gantry(&[&run[..], &disabled].concat()).ok();
    let mut datagram = [0; 2000];
    let length = server.recv(&mut datagram).unwrap();
    assert!(datagram[..length].ends_with(b": hello\n"));
    let error = engine.gantry(&["logs", "box"]).fails(1);
    assert!(error.ends_with("configured logging driver does not support reading"), "{error}");
}

#[test]
fn what_a_driver_does_not_understand_is_refused_before_anything_is_made() {
    let engine = Engine::with_busybox();
    for (options, answer) in [
        (&["--log-driver=gelf"][..], "gelf-address is a required parameter"),
        (&["--log-driver=syslog", "--log-opt=syslog-facility=x"], "invalid syslog facility"),
        (
            &["--log-driver=syslog", "--log-opt=max-buffer-size=1m"],
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            &["--log-driver=journald", "--log-opt=max-size=1m"],
            "unknown log opt 'max-size' for journald log driver",
        ),
    ] {
        let error = engine.gantry(&[&["create"][..], options, &["busybox"]].concat()).fails(1);
        assert!(error.contains(&format!("Error response from daemon: {answer}")), "{error}");
    }
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}
