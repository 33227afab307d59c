//! A registry of our own, asked over HTTP as any client would.

mod access;
mod blobs;
mod bucket;
mod cache;
mod cut;
mod garbage;
mod hostile;
mod http;
mod lists;
mod manifest;
mod manifests;
mod notices;
mod peers;
mod proxy;
mod quotas;
mod search;
mod serve;
mod shared;
mod uploads;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testkit::archive::sha256;
use testkit::bucket::Bucket;
use testkit::engine::{binary, wait_for};

use http::{Connection, Reply};

/// A registry that runs, on a port of the kernel's choice.
pub(crate) struct Registry {
    child: Child,
    pub(crate) address: String,
    log: PathBuf,
    root: PathBuf,
    _folder: TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(flags: &[&str]) -> Self {
        let folder = TempDir::with_prefix("gantry-test-").unwrap();
        let root = folder.path().join("registry");
        Self::launch(folder, &root, flags)
    }

    /// Another one over the same content.
    fn beside(&self, flags: &[&str]) -> Self {
        Self::launch(TempDir::with_prefix("gantry-test-").unwrap(), &self.root, flags)
    }

    fn launch(folder: TempDir, root: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(binary("gantry"));
        command
            .args(["registry", "serve", "--address=127.0.0.1:0", "--root"])
            .arg(root)
            .args(flags);
        Self::run(folder, root, command)
    }

    /// With its content in a bucket.
    fn over(bucket: &Bucket, flags: &[&str]) -> Self {
        let folder = TempDir::with_prefix("gantry-test-").unwrap();
        let root = folder.path().join("none");
        let mut command = Command::new(binary("gantry"));
        command
            .args(["registry", "serve", "--address=127.0.0.1:0", "--storage", &bucket.place()])
            .args(flags)
            .envs(bucket.variables());
        Self::run(folder, &root, command)
    }

    fn run(folder: TempDir, root: &Path, mut command: Command) -> Self {
        let log = folder.path().join("log");
        let file = File::create(&log).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let ready = || fs::read_to_string(&log).unwrap().contains(" is ready");
        wait_for("the registry is ready", ready);
        let text = fs::read_to_string(&log).unwrap();
        let address = text.split("the registry on ").nth(1).unwrap().split(' ').next().unwrap();
        Self { child, address: address.to_owned(), log, root: root.to_owned(), _folder: folder }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    fn ask(&self, method: &str, path: &str) -> Reply {
        self.connect().ask(method, path, &[], b"")
    }

    fn get(&self, path: &str) -> Reply {
        self.ask("GET", path)
    }

    /// What is served there, which is text.
    #[track_caller]
    pub(crate) fn text(&self, path: &str) -> String {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}");
        String::from_utf8(reply.body).unwrap()
    }

    /// Pushes a blob in one request and returns its digest.
    #[track_caller]
    fn push_blob(&self, repository: &str, content: &[u8]) -> String {
        let digest = digest(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let reply = self.connect().ask("POST", &path, &[], content);
        assert_eq!(reply.status, 201, "{reply:?}");
        digest
    }

    #[track_caller]
    fn put_manifest(&self, repository: &str, reference: &str, kind: &str, text: &str) -> Reply {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.connect().ask("PUT", &path, &[("Content-Type", kind)], text.as_bytes())
    }

    /// Pushes an image of one small layer under a tag and returns its digest.
    #[track_caller]
    fn push_image(&self, repository: &str, tag: &str, content: &str) -> String {
        let text = self.image(repository, content);
        let reply = self.put_manifest(repository, tag, OCI_MANIFEST, &text);
        assert_eq!(reply.status, 201, "{reply:?}");
        digest(text.as_bytes())
    }

    /// Pushes an image's blobs and returns its manifest.
    #[track_caller]
    fn image(&self, repository: &str, content: &str) -> String {
        let (config, layer) =
            (self.push_blob(repository, b"{}"), self.push_blob(repository, content.as_bytes()));
        let length = content.len();
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}",
            "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{length}}}]}}"#
        )
    }

    /// Begins an upload and returns where it goes on.
    #[track_caller]
    fn begin(&self, repository: &str) -> String {
        let reply = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"));
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.header("location").to_owned()
    }

    /// Sends most of a body, all but `rest` bytes, and returns once some of it is written: the request has begun.
    fn begin_body(&self, connection: &mut Connection, place: &str, rest: usize) -> Vec<u8> {
        let sent = vec![b'x'; 3 << 20];
        connection.head("PATCH", place, &[], sent.len() + rest);
        connection.send(&sent).unwrap();
        let data = self.root.join("uploads").join(place.rsplit('/').next().unwrap()).join("data");
        let written = || fs::metadata(&data).unwrap().len() > 1000;
        wait_for("some of the body is written", written);
        sent
    }

    fn open_uploads(&self) -> usize {
        fs::read_dir(self.root.join("uploads")).unwrap().count()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Tells it to end and waits until it has.
    fn stop(&mut self) -> i32 {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the registry's log:\n{}", self.log());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", sha256(content))
}
