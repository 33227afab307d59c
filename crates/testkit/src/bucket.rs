//! An object storage that speaks S3, for a test: moto's server, in a Python environment in the cache, on the loopback.
//! What it holds is in its memory and ends with it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::engine::PATIENCE;
use crate::python;

const NEEDS: &[&str] = &["moto[s3]==5.2.1", "flask", "flask-cors"];
const NAME: &str = "registry";

pub struct Bucket {
    port: u16,
    server: Child,
}

impl Bucket {
    /// With an empty bucket; `None`, and a line that says so, where it cannot be had.
    pub fn start(test: &str) -> Option<Self> {
        let environment = fetch().inspect_err(|why| crate::skip(test, why)).ok()?;
        // Somebody else may take a port that was free: then another one.
        for _ in 0..10 {
            let mut bucket = serve(&environment);
            if bucket.answers() {
                assert!(bucket.ask("PUT", &format!("/{NAME}")).contains(" 200 "));
                return Some(bucket);
            }
        }
        panic!("no object storage starts");
    }

    /// As a registry is told of it.
    pub fn place(&self) -> String {
        format!("s3://{NAME}/some/prefix")
    }

    /// Where it is, and who one is there.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }

    /// The keys below the registry's prefix that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let own = "some/prefix/";
        let list = self.ask("GET", &format!("/{NAME}?list-type=2&prefix={own}{prefix}"));
        let keys = list.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
        keys.filter_map(|key| key.strip_prefix(own)).map(str::to_owned).collect()
    }

    fn answers(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if self.server.try_wait().expect("own child").is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn ask(&self, method: &str, target: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the storage");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Its environment, from the cache. Err is the reason to skip.
pub fn fetch() -> Result<PathBuf, String> {
    python::environment("moto", NEEDS)
}

fn serve(environment: &Path) -> Bucket {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    drop(listener);
    let server = Command::new(environment.join("venv/bin/python"))
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the environment's python");
    Bucket { port, server }
}
