//! Docker, Podman, skopeo and containerd push to a registry of ours and pull from it.

use std::process::{Child, Stdio};

use testkit::engine::wait_for;
use testkit::peers::Peers;

/// A registry of ours on a port inside their namespaces.
struct Inside {
    peers: Peers,
    child: Child,
    address: String,
}

impl Inside {
    fn start(test: &str, port: u16) -> Option<Self> {
        Self::start_with(test, port, "")
    }

    fn start_with(test: &str, port: u16, flags: &str) -> Option<Self> {
        let mut peers = Peers::at_hand(test)?;
        let program = peers.bring("gantryd");
        let address = format!("127.0.0.1:{port}");
        let root = format!("/tmp/server-registry-{port}");
        peers.sh(&format!("rm -rf {root}")).ok();
        let serve = format!("{program} registry-serve --address={address} --root={root} {flags}");
        let mut command = peers.inside();
        command.args(["sh", "-c", &format!("echo $$ >{root}.pid; exec {serve}")]);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let inside = Self { peers, child, address };
        wait_for("the registry answers", || inside.sh("curl -sf http://REG/healthz").code == 0);
        Some(inside)
    }

    /// A shell line in which REG is the registry.
    fn sh(&self, line: &str) -> testkit::engine::Output {
        self.peers.sh(&line.replace("REG", &self.address))
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        self.sh(line).ok()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let root = format!("/tmp/server-registry-{port}");
        self.peers.sh(&format!("kill $(cat {root}.pid)"));
        let _ = self.child.wait();
        self.peers.sh(&format!("rm -rf {root} {root}.pid"));
    }
}

#[test]
fn docker_pushes_and_pulls() {
    let Some(inside) = Inside::start("docker_pushes_and_pulls", 5917) else { return };
    inside.peers.load_all(&["busybox"]);
    inside.ok("docker tag busybox REG/server/busybox:1");
    let pushed = inside.ok("docker push REG/server/busybox:1");
    let digest = pushed.split("digest: ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let again = inside.ok("docker push REG/server/busybox:1");
    assert!(again.contains("Layer already exists") && again.contains(&digest), "{again}");
    inside.ok("docker tag busybox REG/server/other:1");
    let mounted = inside.ok("docker push REG/server/other:1");
    assert!(mounted.contains("Mounted from server/busybox"), "{mounted}");
    inside.ok("docker rmi REG/server/busybox:1 REG/server/other:1");
    let pulled = inside.ok("docker pull REG/server/busybox:1");
    assert!(pulled.contains(&digest), "{pulled}");
    inside.ok(&format!("docker pull REG/server/busybox@{digest}"));
    inside.ok("docker pull -a -q REG/server/busybox");
    inside.ok("docker manifest inspect --insecure REG/server/busybox:1");
    inside.ok("docker rmi -f REG/server/busybox:1");
}

#[test]
fn podman_and_skopeo_push_and_pull() {
    let Some(mut inside) = Inside::start("podman_and_skopeo_push_and_pull", 5918) else { return };
    let archive = inside.peers.bring_image("busybox");
    inside.ok(&format!(
        "skopeo copy -q --dest-tls-verify=false docker-archive:{archive} docker://REG/server/a:1"
    ));
    inside.ok(&format!("skopeo copy -q -f oci --dest-tls-verify=false docker-archive:{archive} docker://REG/server/a:oci"));
    let tags = inside.ok("skopeo list-tags --tls-verify=false docker://REG/server/a");
    assert!(tags.contains("\"1\"") && tags.contains("\"oci\""), "{tags}");
    let digest = |name: &str| {
        inside.ok(&format!(
            "skopeo inspect --tls-verify=false --format '{{{{.Digest}}}}' docker://REG/{name}"
        ))
    };
    let first = digest("server/a:oci");
    inside.ok("skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false docker://REG/server/a:oci docker://REG/server/b:1");
    assert_eq!(digest("server/b:1"), first);
    inside.ok("podman pull -q --tls-verify=false REG/server/a:oci");
    inside.ok("podman push -q --tls-verify=false REG/server/a:oci docker://REG/server/podman:1");
    assert!(digest("server/podman:1").starts_with("sha256:"));
    inside.ok("podman rmi -f REG/server/a:oci");
    inside.ok("skopeo delete --tls-verify=false docker://REG/server/b:1");
    assert!(inside.sh("skopeo inspect --tls-verify=false docker://REG/server/b:1").code != 0);
}

#[test]
fn containerd_pulls_and_pushes() {
    let Some(mut inside) = Inside::start("containerd_pulls_and_pushes", 5919) else { return };
    let archive = inside.peers.bring_image("busybox");
    inside.ok(&format!(
        "skopeo copy -q --dest-tls-verify=false docker-archive:{archive} docker://REG/server/c:1"
    ));
    let ctr = "ctr -a /run/docker/containerd/containerd.sock -n server-test";
    if inside.sh(&format!("{ctr} version")).code != 0 {
        testkit::skip("containerd_pulls_and_pushes", "no containerd answers inside");
        return;
    }
    inside.ok(&format!("{ctr} images pull --plain-http REG/server/c:1"));
    inside.ok(&format!("{ctr} images push --plain-http REG/server/d:1 REG/server/c:1"));
    let both = inside.ok("for i in c d; do skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://REG/server/$i:1; done");
    let digests: Vec<_> = both.lines().collect();
    assert!(digests.len() == 2 && digests[0] == digests[1], "{both}");
    inside.ok(&format!("{ctr} images rm REG/server/c:1"));
}

#[test]
fn docker_logs_in() {
    let users = "/tmp/server-registry-5920.users";
    let flags = format!("--htpasswd={users}");
    let Some(peers) = Peers::at_hand("docker_logs_in") else { return };
    // bcrypt of "secret", at the lowest cost.
    let line = "ann:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    peers.sh(&format!("echo '{line}' >{users}")).ok();
    let Some(inside) = Inside::start_with("docker_logs_in", 5920, &flags) else { return };
    inside.peers.load_all(&["busybox"]);
    let docker = "docker --config /tmp/server-registry-5920.docker";
    inside.ok("docker tag busybox REG/server/private:1");
    assert!(
        inside.sh(&format!("{docker} push REG/server/private:1")).code != 0,
        "nobody is known yet"
    );
    assert!(inside.sh(&format!("{docker} login -u ann -p wrong REG")).code != 0);
    inside.ok(&format!("{docker} login -u ann -p secret REG"));
    inside.ok(&format!("{docker} push REG/server/private:1"));
    inside.ok(&format!("{docker} pull REG/server/private:1"));
    inside.ok(&format!("{docker} logout REG"));
    assert!(inside.sh(&format!("{docker} pull REG/server/private:1")).code != 0);
    inside.ok(&format!(
        "docker rmi -f REG/server/private:1; rm -rf {users} /tmp/server-registry-5920.docker"
    ));
}
