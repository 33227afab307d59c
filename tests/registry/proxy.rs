//! The engine's way to a registry through a proxy: by CONNECT where there is TLS, else by addresses in full.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use testkit::engine::Engine;

use super::Registry;

/// A proxy for ann, whose password is `p@ss`, that takes every name for the one server it knows. Its threads end with
/// the test's process.
struct Proxy {
    address: String,
    /// First lines of requests.
    seen: Arc<Mutex<Vec<String>>>,
}

const ANN: &str = "proxy-authorization: basic yw5uonbac3m=";

impl Proxy {
    fn before(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (lines, server) = (Arc::clone(&seen), server.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (lines, server) = (Arc::clone(&lines), server.clone());
                std::thread::spawn(move || serve(client, &server, &lines));
            }
        });
        Self { address, seen }
    }

    fn saw(&self, start: &str) -> bool {
        self.seen.lock().unwrap().iter().any(|line| line.starts_with(start))
    }

    fn flags(&self, user: &str) -> [String; 2] {
        ["--http-proxy", "--https-proxy"]
            .map(|flag| format!("{flag}=http://{user}{}", self.address))
    }
}

/// One request, or one tunnel, for each connection.
fn serve(mut client: TcpStream, server: &str, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let head: Vec<String> =
        (&mut reader).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some((line, headers)) = head.split_first() else { return };
    seen.lock().unwrap().push(line.clone());
    if !headers.iter().any(|header| header.to_lowercase() == ANN) {
        let refused = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        client.write_all(refused.as_bytes()).unwrap();
        return;
    }
    let mut upstream = TcpStream::connect(server).unwrap();
    if line.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    } else {
        let (method, rest) = line.split_once(" http://").unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        let own = |header: &&String| !header.to_lowercase().starts_with("proxy-");
        let headers: Vec<&str> = headers.iter().filter(own).map(String::as_str).collect();
        let head =
            format!("{method} {path}\r\n{}\r\nConnection: close\r\n\r\n", headers.join("\r\n"));
        upstream.write_all(head.as_bytes()).unwrap();
    }
    let (mut back, mut forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    let answers = std::thread::spawn(move || pass(&mut forth, &mut back));
    pass(&mut reader, &mut upstream);
    answers.join().unwrap();
}

fn pass(from: &mut impl Read, to: &mut TcpStream) {
    // Either side may have gone.
    let _ = std::io::copy(from, to);
    let _ = to.shutdown(Shutdown::Write);
}

fn engine(flags: &[String]) -> Engine {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let engine = Engine::start_with(&flags);
    engine.load("busybox");
    engine
}

#[test]
fn a_registry_is_pushed_to_and_pulled_from_through_a_proxy() {
    let registry = Registry::start();
    let proxy = Proxy::before(&registry.address);
    let [http, https] = proxy.flags("ann:p%40ss@");
    let engine = engine(&[http, https, "--insecure-registry=reg.test:5000".into(), "-D".into()]);
    let name = "reg.test:5000/busy:1";
    engine.gantry(&["tag", "busybox", name]).ok();
    engine.gantry(&["push", "-q", name]).ok();
    engine.gantry(&["rmi", name, "busybox"]).ok();
    assert_eq!(engine.gantry(&["pull", "-q", name]).ok(), name);
    assert!(proxy.saw("CONNECT reg.test:5000 HTTP/1.1"), "{:?}", proxy.seen);
    assert!(proxy.saw("PUT http://reg.test:5000/v2/busy/manifests/1 HTTP/1.1"), "{:?}", proxy.seen);
    let format = "{{.HTTPProxy}} {{.HTTPSProxy}}";
    let masked = format!("http://xxxxx:xxxxx@{}", proxy.address);
    assert_eq!(engine.gantry(&["info", "-f", format]).ok(), format!("{masked} {masked}"));
    assert!(!engine.log().contains("p%40ss") && !engine.log().contains("p@ss"), "{}", engine.log());
}

#[test]
fn tls_goes_through_a_proxy_to_its_server() {
    let folder = TempDir::new().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["reg.test".to_owned()]).unwrap();
    fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
    fs::write(&key, pair.serialize_pem()).unwrap();
    let flags = [("cert", &cert), ("key", &key)]
        .map(|(flag, path)| format!("--tls-{flag}={}", path.display()));
    let registry = Registry::start_with(&[&flags[0], &flags[1]]);
    let proxy = Proxy::before(&registry.address);
    let [_, https] = proxy.flags("ann:p%40ss@");
    let engine = engine(&[https, "--insecure-registry=reg.test".into()]);
    let name = "reg.test/busy:1";
    engine.gantry(&["tag", "busybox", name]).ok();
    engine.gantry(&["push", "-q", name]).ok();
    assert_eq!(engine.gantry(&["pull", "-q", name]).ok(), name);
    let seen = proxy.seen.lock().unwrap();
    assert!(seen.iter().all(|line| line == "CONNECT reg.test:443 HTTP/1.1"), "{seen:?}");
}

#[test]
fn a_proxy_that_refuses_is_quoted_and_what_is_exempt_is_not_asked_of_it() {
    let registry = Registry::start();
    registry.push_image("a", "1", "layer");
    let proxy = Proxy::before(&registry.address);
    let [http, https] = proxy.flags("ann:wrong@");
    let exempt = "--no-proxy=.exempt.invalid,10.0.0.0/8".to_owned();
    let engine = engine(&[http, https, exempt]);
    assert_eq!(
        engine.gantry(&["pull", "reg.test/a:1"]).fails(1),
        "Error response from daemon: Get \"https://reg.test/v2/\": Proxy Authentication Required"
    );
    let direct = engine.gantry(&["pull", "x.exempt.invalid/a:1"]).fails(1);
    assert!(direct.contains("lookup x.exempt.invalid: no such host"), "{direct}");
    assert!(!proxy.saw("CONNECT x.exempt.invalid"), "{:?}", proxy.seen);
    // The loopback never is.
    let here = engine.gantry(&["pull", &format!("{}/none:1", registry.address)]).fails(1);
    assert!(here.contains("not found"), "{here}");
    assert_eq!(proxy.seen.lock().unwrap().len(), 1, "{:?}", proxy.seen);
}
