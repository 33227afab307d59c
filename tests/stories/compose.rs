//! A web application with its data base and its cache, as people write it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use testkit::engine::{Engine, Output, finish};

const FILE: &str = "version: '3.8'
services:
  web:
    build: .
    ports: ['127.0.0.1::5000']
    environment:
      GREETING: hello
    depends_on:
      db: {condition: service_healthy}
      cache: {condition: service_healthy}
    volumes: ['.:/app']
    restart: unless-stopped
    stop_signal: KILL
  db:
    image: postgres:15
    environment: {POSTGRES_USER: user, POSTGRES_PASSWORD: secret, POSTGRES_DB: shop}
    volumes: ['postgres_data:/var/lib/postgresql/data']
    healthcheck:
      test: ['CMD-SHELL', 'pg_isready -U user -d shop -h localhost']
      interval: 500ms
      retries: 200
  cache:
    image: redis
    healthcheck: {test: redis-cli ping, interval: 500ms, retries: 100}
    user: redis
    security_opt: ['no-new-privileges:true']
    cap_drop: [ALL]
    read_only: true
    tmpfs: [/tmp]
volumes:
  postgres_data:
";

/// Counts in the cache, and asks the data base whether it speaks TLS: `N` is its answer.
const APP: &str = r#"
import http.server, os, socket
def ask(host, port, what):
    with socket.create_connection((host, port), timeout=10) as there:
        there.sendall(what)
        return there.recv(100)
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        hits = ask("cache", 6379, b"INCR hits\r\n").decode().strip().lstrip(":")
        db = ask("db", 5432, bytes([0, 0, 0, 8, 4, 210, 22, 47])).decode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.environ['GREETING']} {hits} {db} {open('/app/word').read()}".encode())
http.server.ThreadingHTTPServer(("", 5000), Web).serve_forever()
"#;

struct Shop(Engine);

impl Shop {
    fn compose(&self, line: &str) -> Output {
        let words: Vec<&str> = std::iter::once("compose").chain(line.split(' ')).collect();
        self.run(&words)
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = self.0.command(words);
        finish(command.current_dir(self.0.scratch().join("shop")).stdin(Stdio::null()))
    }

    fn sql(&self, text: &str) -> Output {
        let words =
            ["compose", "exec", "-T", "db", "psql", "-At", "-U", "user", "shop", "-c", text];
        self.run(&words)
    }

    fn page(&self) -> String {
        let place = self.compose("port web 5000").ok();
        let fetch = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&place)?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = fetch().unwrap_or_default();
        answer.split_once("\r\n\r\n").map(|(_, page)| page.to_owned()).unwrap_or_default()
    }
}

#[test]
fn a_shop_runs_on_one_command_and_keeps_its_data() {
    let engine = Engine::start();
    ["python", "postgres", "redis"].iter().for_each(|image| engine.load(image));
    let folder = engine.scratch().join("shop");
    std::fs::create_dir(&folder).unwrap();
    let files = [
        ("compose.yaml", FILE),
        ("app.py", APP),
        ("word", "first"),
        (
            "Dockerfile",
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nCMD [\"python\", \"app.py\"]\n",
        ),
    ];
    files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    let shop = Shop(engine);
    let up = shop.compose("up -d");
    assert!(up.stderr.contains("the attribute `version` is obsolete"), "{up:?}");
    up.ok();
    wait(&shop, "the first page", |shop| shop.page() == "hello 1 N first");
    std::fs::write(folder.join("word"), "second").unwrap();
    assert_eq!(shop.page(), "hello 2 N second", "the folder is the container's");
    shop.sql("CREATE TABLE sold (what text)").ok();
    shop.sql("INSERT INTO sold VALUES ('book')").ok();
    let states = shop.compose("ps --format {{.Service}}:{{.State}}:{{.Health}}").ok();
    assert_eq!(states, "cache:running:healthy\ndb:running:healthy\nweb:running:");
    wait(&shop, "its log", |shop| shop.compose("logs web").stderr.contains("GET / HTTP/1.0"));
    assert_eq!(shop.compose("run --rm -T web cat /app/word").ok(), "second");
    assert_eq!(shop.compose("exec -T cache id -un").ok(), "redis");
    shop.compose("restart web").ok();
    wait(&shop, "a page after a restart", |shop| shop.page() == "hello 3 N second");
    shop.compose("build -q").ok();
    shop.compose("up -d --build").ok();
    shop.compose("down").ok();
    shop.compose("up -d").ok();
    assert_eq!(shop.sql("SELECT what FROM sold").ok(), "book");
    shop.compose("down -v").ok();
    shop.compose("up -d db --wait").ok();
    let gone = shop.sql("SELECT what FROM sold").fails(1);
    assert!(gone.contains("relation \"sold\" does not exist"), "{gone}");
    shop.compose("down -v").ok();
    assert_eq!(shop.0.gantry(&["volume", "ls", "-q", "--filter", "name=shop_"]).ok(), "");
}

fn wait(shop: &Shop, what: &str, condition: impl Fn(&Shop) -> bool) {
    testkit::engine::wait_for(what, || condition(shop));
}
