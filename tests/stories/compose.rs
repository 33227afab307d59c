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
      DATABASE_URL: postgresql://user:secret@db/shop
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

const APP: &str = r#"
import os, flask, psycopg2, redis
app = flask.Flask(__name__)
cache = redis.Redis("cache")
@app.get("/")
def page():
    hits = cache.incr("hits")
    with psycopg2.connect(os.environ["DATABASE_URL"]) as db, db.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS sold (what text)")
        cursor.execute("SELECT count(*) FROM sold")
        sold = cursor.fetchone()[0]
    return f"{os.environ['GREETING']} {hits} {sold} {open('/app/word').read()}"
@app.get("/health")
def health():
    return "well"
"#;

const DOCKERFILE: &str = r#"FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
RUN groupadd -r appuser && \
    useradd -r -g appuser appuser
COPY --chown=appuser:appuser . .
EXPOSE 5000
ENV FLASK_APP=app.py
HEALTHCHECK --interval=1s --timeout=10s --start-period=5s --retries=3 \
    CMD python -c "import urllib.request as r; r.urlopen('http://localhost:5000/health')" || exit 1
USER appuser
CMD ["python", "-m", "flask", "run", "--host=0.0.0.0"]
"#;

/// The base image with the index that pip is to ask: what the application needs, on its own disk.
const WITH_WHEELS: &str = "FROM python:3.11-slim
COPY *.whl /wheels/
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
";

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
    let skip = |why: &String| testkit::skip("a_shop_runs_on_one_command_and_keeps_its_data", why);
    let Ok(wheels) = testkit::python::wheels().inspect_err(skip) else { return };
    let engine = Engine::start();
    ["python", "postgres", "redis"].iter().for_each(|image| engine.load(image));
    let build = ["build", "-q", "-t", "python:3.11-slim", "-f", "-", wheels.to_str().unwrap()];
    engine.gantry_with_input(&build, WITH_WHEELS.as_bytes()).ok();
    let folder = engine.scratch().join("shop");
    std::fs::create_dir(&folder).unwrap();
    let files = [
        ("compose.yaml", FILE),
        ("app.py", APP),
        ("requirements.txt", "flask\nredis\npsycopg2-binary\n"),
        ("word", "first"),
        ("Dockerfile", DOCKERFILE),
    ];
    files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    let shop = Shop(engine);
    let up = shop.compose("up -d");
    assert!(up.stderr.contains("the attribute `version` is obsolete"), "{up:?}");
    up.ok();
    wait(&shop, "the first page", |shop| shop.page() == "hello 1 0 first");
    std::fs::write(folder.join("word"), "second").unwrap();
    assert_eq!(shop.page(), "hello 2 0 second", "the folder is the container's");
    shop.sql("INSERT INTO sold VALUES ('book')").ok();
    let is_well = |shop: &Shop| shop.compose("ps web --format {{.Health}}").ok() == "healthy";
    wait(&shop, "its health", is_well);
    let states = shop.compose("ps --format {{.Service}}:{{.State}}:{{.Health}}").ok();
    assert_eq!(states, "cache:running:healthy\ndb:running:healthy\nweb:running:healthy");
    wait(&shop, "its log", |shop| shop.compose("logs web").stderr.contains("GET / HTTP/1.0"));
    assert_eq!(shop.compose("run --rm -T web cat /app/word").ok(), "second");
    assert_eq!(shop.compose("exec -T cache id -un").ok(), "redis");
    shop.compose("restart web").ok();
    wait(&shop, "a page after a restart", |shop| shop.page() == "hello 3 1 second");
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
