//! Steps on a real engine, without a client.

use std::path::Path;
use std::sync::Arc;

use store::builds::{MountRequest, Sharing};
use tokio::sync::mpsc;

use super::*;
use crate::config::{self, Config, Places};
use crate::engine::Engine;
use crate::runtime_binary::RuntimeBinary;

struct Fixture {
    engine: Engine,
    steps: Steps,
    store: Arc<Store>,
    busybox: Vec<Digest>,
    place: tempfile::TempDir,
}

async fn open(place: &Path) -> Engine {
    let flag = |name: &str, part: &str| format!("--{name}={}", place.join(part).display());
    let words = [flag("data-root", "data"), flag("exec-root", "exec"), "--bridge=none".into()];
    let invocation = config::parse(words, Places::default()).unwrap();
    let config = Config::load(&invocation).unwrap();
    std::fs::create_dir_all(place.join("exec")).unwrap();
    let runtime = RuntimeBinary::open(&testkit::engine::binary("gantry-runtime")).unwrap();
    Engine::open(config, runtime, None).await.unwrap()
}

impl Fixture {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let engine = open(place.path()).await;
        let store = engine.builds.store();
        let mut archive = std::fs::File::open(testkit::engine::image_archive("busybox")).unwrap();
        let loaded = store.images().load(&mut archive, &mut |_| ()).unwrap().remove(0);
        let image = store.images().by_id(&loaded.id).unwrap();
        let busybox = image.config.rootfs.diff_ids;
        let steps = Steps::new(Arc::clone(&store), engine.containers.clone());
        Self { engine, steps, store, busybox, place }
    }

    fn step(&self, line: &str) -> Step {
        Step {
            layers: self.busybox.clone(),
            args: ["/bin/sh", "-c", line].map(str::to_owned).into(),
            env: vec!["A=b".into()],
            cwd: "/".into(),
            user: String::new(),
            network: Network::None,
            security: Security::Sandbox,
            mounts: Vec::new(),
            extra_hosts: Vec::new(),
            shm_size: 0,
            ulimits: Vec::new(),
            cgroup_parent: String::new(),
            limits: Limits::default(),
            devices: Vec::new(),
        }
    }

    fn lease(&self) -> Arc<Lease<'static>> {
        Arc::new(self.store.shared_lease("test"))
    }

    /// How it ended, and what it wrote.
    async fn run(&self, step: Step, lease: &Arc<Lease<'static>>) -> (Ended, String) {
        let (output, mut written) = mpsc::channel(1);
        let running = self.steps.run(step, Arc::clone(lease), output, std::future::pending());
        let reading = async {
            let mut all = Vec::new();
            while let Some((_, bytes)) = written.recv().await {
                all.extend(bytes);
            }
            String::from_utf8(all).unwrap()
        };
        let (ended, said) = tokio::join!(running, reading);
        (ended.unwrap(), said)
    }

    /// Names in the layer, sorted.
    fn names(&self, layer: &Layer) -> Vec<String> {
        let mut tar = Vec::new();
        self.store.write_layer_tar(layer, &mut tar).unwrap();
        let limits = store::Limits::default();
        let mut reader =
            archive::reader::Reader::new(tar.as_slice(), archive::reader::Forget, limits);
        let mut names = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            names.push(String::from_utf8(entry.path).unwrap());
        }
        names.sort();
        names
    }

    /// Until what is removed behind an answer is gone.
    async fn settled(&self) {
        while !self.engine.containers.index().hidden().is_empty() || self.scratches() > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Directories of what steps are given.
    fn scratches(&self) -> usize {
        std::fs::read_dir(self.place.path().join("exec/steps")).map_or(0, Iterator::count)
    }

    async fn close(self) {
        self.engine.containers.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_s_layer_is_what_it_changed_and_nobody_sees_its_container() {
    let fixture = Fixture::new().await;
    let lease = fixture.lease();
    let line =
        "env | sort; hostname; cat /etc/hosts; ls /etc/hostname; echo x > /new; echo err >&2";
    let (ended, said) = fixture.run(fixture.step(line), &lease).await;
    assert_eq!(
        said,
        "A=b\nHOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nSHLVL=1\n\
         buildkitsandbox\n127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         ls: /etc/hostname: No such file or directory\nerr\n"
    );
    assert_eq!(ended.code, 0);
    let layer = ended.layer.unwrap();
    assert_eq!(fixture.names(&layer), ["new"]);
    let mut below = fixture.busybox.clone();
    below.push(layer.diff_id);
    let next = Step { layers: below, ..fixture.step("cat /new; sleep 0; exit 7") };
    let (ended, said) = fixture.run(next, &lease).await;
    assert_eq!((ended.code, said.as_str(), ended.layer), (7, "x\n", None));
    let (ended, _) = fixture.run(fixture.step("true"), &lease).await;
    assert_eq!((ended.code, ended.layer), (0, None));
    fixture.settled().await;
    assert!(fixture.engine.containers.index().all().is_empty());
    assert!(fixture.store.containers().all().unwrap().is_empty());
    fixture.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_is_given_is_in_no_layer() {
    let fixture = Fixture::new().await;
    let lease = fixture.lease();
    let (seed, _) =
        fixture.run(fixture.step("mkdir /seed; echo seeded > /seed/file"), &lease).await;
    let request = MountRequest {
        id: "cache",
        sharing: Sharing::Shared,
        base: &[],
        owner: (0, 0),
        mode: 0o755,
    };
    let cache = fixture.store.builds().cache_mount(&request, || ()).unwrap().unwrap();
    let kept = cache.directory().to_owned();
    let mut step = fixture.step(
        "set -e; cat /run/secrets/s; cat /from/file; echo own > /from/file; cat /from/file; \
         cat /one; echo c > /made/here/cache/kept; touch /made/tmp/x; ls -l /run/secrets/s | cut -c1-10; \
         ! echo no > /run/secrets/s; echo done > /result",
    );
    let layers = vec![seed.layer.unwrap().diff_id];
    let mount = |target: &str, subpath: &str, writable| StepMount::Layers {
        layers: layers.clone(),
        subpath: subpath.into(),
        target: target.into(),
        writable,
    };
    step.mounts = vec![
        StepMount::Secret {
            target: "/run/secrets/s".into(),
            bytes: b"hidden\n".to_vec(),
            mode: 0o400,
            uid: 0,
            gid: 0,
        },
        mount("/from", "seed", true),
        mount("/one", "seed/file", false),
        StepMount::Cache {
            mount: Arc::new(cache),
            subpath: String::new(),
            target: "/made/here/cache".into(),
            read_only: false,
        },
        StepMount::Tmpfs { target: "/made/tmp".into(), size: 1 << 20 },
    ];
    let (ended, said) = fixture.run(step, &lease).await;
    assert!(said.starts_with("hidden\nseeded\nown\nseeded\n-r--------\n"), "{said}");
    assert_eq!(ended.code, 0, "{said}");
    assert_eq!(fixture.names(&ended.layer.unwrap()), ["result"]);
    assert_eq!(std::fs::read_to_string(kept.join("kept")).unwrap(), "c\n");
    fixture.settled().await;
    assert!(fixture.place.path().join("exec/steps").exists(), "secrets were kept there");
    fixture.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_told_as_buildkit_tells_it() {
    let fixture = Fixture::new().await;
    let step = Step { args: vec!["nope".into()], ..fixture.step("") };
    let (ended, said) = fixture.run(step, &fixture.lease()).await;
    assert_eq!(ended.code, 1);
    assert_eq!(
        said,
        "runc run failed: unable to start container process: exec: \"nope\": executable file not found in $PATH\n"
    );
    fixture.settled().await;
    fixture.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_ends_with_whoever_waits_for_it() {
    let fixture = Fixture::new().await;
    let lease = fixture.lease();
    let line = "sleep 1000 & echo begun; while true; do :; done";
    for drops in [false, true] {
        let (output, mut written) = mpsc::channel(1);
        let (cancel, cancelled) = oneshot::channel::<()>();
        let cancelling = async move { drop(cancelled.await) };
        let step = fixture.step(line);
        let mut running = Box::pin(fixture.steps.run(step, Arc::clone(&lease), output, cancelling));
        tokio::select! {
            ended = &mut running => panic!("{ended:?}"),
            said = written.recv() => assert_eq!(said, Some((1, Bytes::from("begun\n")))),
        }
        if drops {
            drop(running);
        } else {
            cancel.send(()).unwrap();
            assert_eq!(running.await.unwrap_err().to_string(), "context canceled");
        }
        fixture.settled().await;
    }
    fixture.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_leaves_running_dies_with_it() {
    let fixture = Fixture::new().await;
    let line =
        "(while true; do echo late >> /file; sleep 0.01; done) & while [ ! -e /file ]; do :; done";
    let lease = fixture.lease();
    let (ended, _) = fixture.run(fixture.step(line), &lease).await;
    assert_eq!(ended.code, 0);
    // Hashed again: nobody wrote to it since.
    assert_eq!(fixture.names(&ended.layer.unwrap()), ["file"]);
    fixture.settled().await;
    fixture.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_insecure_step_may_mount() {
    let fixture = Fixture::new().await;
    let lease = fixture.lease();
    let line = "mount -t tmpfs none /tmp && umount -l /tmp /etc/hosts /etc/resolv.conf && echo mine > /etc/hosts";
    let (ended, _) = fixture.run(fixture.step(line), &lease).await;
    assert_ne!(ended.code, 0);
    let step = Step { security: Security::Insecure, ..fixture.step(line) };
    let (ended, said) = fixture.run(step, &lease).await;
    assert_eq!(ended.code, 0, "{said}");
    assert_eq!(fixture.names(&ended.layer.unwrap()), ["etc/", "etc/hosts"]);
    fixture.settled().await;
    fixture.close().await;
}
