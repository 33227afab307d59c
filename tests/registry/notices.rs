//! What is told to others of what is pushed, pulled and deleted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::bucket::Bucket;
use testkit::engine::wait_for;

use super::access::users;
use super::{OCI_MANIFEST, Registry, digest};

/// Takes events, once it has refused so many times.
struct Ear {
    address: String,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    refusals: u32,
    heads: String,
    events: Vec<Value>,
}

impl Ear {
    fn that_refuses(refusals: u32) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Heard { refusals, ..Heard::default() }));
        let own = Arc::clone(&heard);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap();
                let mut body = vec![0; length.split("\r\n").next().unwrap().parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let status = own.lock().unwrap().hear(&head, &body);
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, heard }
    }

    /// The flag of a configuration that tells it, with what else the configuration has.
    fn flag(&self, folder: &TempDir, mut rest: Value, ignore: &Value) -> String {
        let file = folder.path().join("config.json");
        rest["notifications"] = json!([{
            "name": "ci", "url": format!("http://{}/hook?token=hidden", self.address),
            "headers": {"Authorization": "Bearer open-sesame"}, "ignore": ignore,
        }]);
        fs::write(&file, rest.to_string()).unwrap();
        format!("--config={}", file.display())
    }

    fn events(&self) -> Vec<Value> {
        self.heard.lock().unwrap().events.clone()
    }

    /// Action, repository, digest and tag of each.
    fn told(&self) -> Vec<[String; 4]> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fields = |event: &Value| {
            let target = &event["target"];
            [&event["action"], &target["repository"], &target["digest"], &target["tag"]].map(text)
        };
        self.events().iter().map(fields).collect()
    }
}

impl Heard {
    fn hear(&mut self, head: &str, body: &[u8]) -> u16 {
        if self.refusals > 0 {
            self.refusals -= 1;
            return 500;
        }
        self.heads += head;
        let envelope: Value = serde_json::from_slice(body).unwrap();
        self.events.extend(envelope["events"].as_array().unwrap().iter().cloned());
        200
    }
}

fn told(action: &str, repository: &str, digest: &str, tag: &str) -> [String; 4] {
    [action, repository, digest, tag].map(str::to_owned)
}

#[test]
fn pushes_pulls_and_deletes_are_told_of_until_they_are_taken() {
    let (folder, ear) = (TempDir::new().unwrap(), Ear::that_refuses(2));
    let ignore = json!({"mediatypes": ["application/octet-stream"]});
    let rest = json!({"htpasswd": users(folder.path())});
    let registry = Registry::start_with(&[&ear.flag(&folder, rest, &ignore), "--debug"]);
    let who = ("Authorization", "Basic YW5uOnNlY3JldA==");
    let ask = |method: &str, path: &str, kind: &str, body: &[u8]| {
        let headers = [who, ("User-Agent", "tester"), ("Content-Type", kind)];
        registry.connect().ask(method, path, &headers, body)
    };
    let config = digest(b"{}");
    let upload = format!("/v2/team/app/blobs/uploads/?digest={config}");
    assert_eq!(ask("POST", &upload, "", b"{}").status, 201);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","layers":[],
        "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}}}}"#
    );
    let (image, tagged) = (digest(text.as_bytes()), "/v2/team/app/manifests/v1");
    assert_eq!(ask("PUT", tagged, OCI_MANIFEST, text.as_bytes()).status, 201);
    assert_eq!(ask("HEAD", tagged, "", b"").status, 200);
    assert_eq!(ask("GET", tagged, "", b"").status, 200);
    wait_for("the pull is told of", || ear.events().len() == 2);
    let path = format!("/v2/team/app/manifests/{image}");
    assert_eq!(ask("DELETE", &path, "", b"").status, 202);
    assert_eq!(ask("DELETE", &path, "", b"").status, 404);
    wait_for("the delete is told of", || ear.events().len() == 3);
    let mut all = ear.told();
    assert_eq!(all.pop(), Some(told("delete", "team/app", &image, "")));
    all.sort();
    assert_eq!(
        all,
        [told("pull", "team/app", &image, "v1"), told("push", "team/app", &image, "v1")]
    );
    let events = ear.events();
    let push = events.iter().find(|event| event["action"] == "push").unwrap();
    let target = &push["target"];
    assert_eq!(target["mediaType"], OCI_MANIFEST);
    assert_eq!((&target["size"], &target["length"]), (&json!(text.len()), &json!(text.len())));
    assert_eq!(target["url"], format!("http://registry{path}"));
    assert_eq!(push["request"]["method"], "PUT");
    assert_eq!(
        (&push["request"]["useragent"], &push["actor"]["name"]),
        (&json!("tester"), &json!("ann"))
    );
    let heads = ear.heard.lock().unwrap().heads.to_ascii_lowercase();
    assert!(heads.starts_with("post /hook?token=hidden http/1.1\r\n"), "{heads}");
    assert!(heads.contains("authorization: bearer open-sesame"), "{heads}");
    assert!(heads.contains("content-type: application/vnd.docker.distribution.events.v2+json"));
    let log = registry.log();
    assert!(
        log.contains("the answer is 500") && !log.contains("sesame") && !log.contains("hidden")
    );
    // Nothing waits any more.
    wait_for("the queue is empty", || {
        fs::read_dir(registry.root.join("notices/ci")).unwrap().count() == 0
    });
}

#[test]
fn an_event_outlives_the_process_and_blobs_are_told_of_too() {
    let (folder, ear) = (TempDir::new().unwrap(), Ear::that_refuses(u32::MAX));
    let flag = ear.flag(&folder, json!({}), &json!({"actions": ["pull"]}));
    let mut registry = Registry::start_with(&[&flag]);
    let layer = registry.push_blob("a", b"layer");
    let mount = format!("/v2/b/blobs/uploads/?mount={layer}&from=a");
    assert_eq!(registry.ask("POST", &mount).status, 201);
    assert_eq!(registry.get(&format!("/v2/b/blobs/{layer}")).body, b"layer");
    registry.kill();
    ear.heard.lock().unwrap().refusals = 0;
    let _other = registry.beside(&[&flag]);
    wait_for("both are told of", || ear.events().len() >= 2);
    assert_eq!(ear.told(), [told("push", "a", &layer, ""), told("mount", "b", &layer, "")]);
    let target = &ear.events()[1]["target"];
    assert_eq!((&target["size"], &target["fromRepository"]), (&json!(5), &json!("a")));
}

#[test]
fn instances_over_one_bucket_tell_of_each_event_once() {
    let Some(bucket) = Bucket::start("instances that tell") else { return };
    let (folder, ear) = (TempDir::new().unwrap(), Ear::that_refuses(0));
    let flag = ear.flag(&folder, json!({}), &json!({}));
    let (one, other) = (Registry::over(&bucket, &[&flag]), Registry::over(&bucket, &[&flag]));
    let blobs: BTreeSet<_> = (0..6)
        .map(|at| {
            if at % 2 == 0 { &one } else { &other }.push_blob("a", format!("{at}").as_bytes())
        })
        .collect();
    wait_for("all are told of", || bucket.keys("notices/").is_empty());
    let told: Vec<_> = ear.told().into_iter().map(|[_, _, digest, _]| digest).collect();
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(BTreeSet::from_iter(told), blobs);
}

#[test]
fn a_configuration_that_tells_nobody_is_refused() {
    let folder = TempDir::new().unwrap();
    for wrong in [
        json!([{"name": "../x", "url": "http://127.0.0.1/"}]),
        json!([{"name": "a", "url": "http://user:pass@127.0.0.1/"}]),
        json!([{"name": "a", "url": "http://127.0.0.1/"}, {"name": "a", "url": "http://127.0.0.1/"}]),
        json!([{"name": "a"}]),
    ] {
        let file = folder.path().join("config.json");
        fs::write(&file, json!({ "notifications": wrong }).to_string()).unwrap();
        let output = std::process::Command::new(testkit::engine::binary("gantry"))
            .args(["registry", "serve", "--address=127.0.0.1:0", "--config"])
            .arg(&file)
            .arg("--root")
            .arg(folder.path().join("registry"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("pass@"), "{output:?}");
    }
}
