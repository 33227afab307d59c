use testkit::peers::Peers;

const SOCKET: &str = "/run/docker/containerd/containerd.sock";

#[test]
fn containerd_runs_execs_pauses_and_removes() {
    let Some(mut peers) = Peers::at_hand("containerd with gantry-runtime") else { return };
    let runtime = peers.bring("gantry-runtime");
    let image = peers.bring_image("busybox");
    let (space, name) = (format!("ns{}", std::process::id()), format!("c-{}", std::process::id()));
    let ctr = |args: &str| peers.sh(&format!("ctr -a {SOCKET} -n {space} {args}"));
    let flags = format!("--runtime io.containerd.runc.v2 --runc-binary {runtime}");
    let busybox = "docker.io/library/busybox:latest";

    ctr(&format!("image import {image}")).ok();
    assert_eq!(ctr(&format!("run --rm {flags} {busybox} {name}-a echo hi")).ok(), "hi");
    assert_eq!(ctr(&format!("run --rm {flags} {busybox} {name}-b sh -c 'exit 7'")).code, 7);
    ctr(&format!("run -d {flags} {busybox} {name} sleep 300")).ok();
    assert_eq!(ctr(&format!("task exec --exec-id e {name} cat /proc/1/comm")).ok(), "sleep");
    ctr(&format!("task pause {name}")).ok();
    assert!(ctr("task ls").ok().contains("PAUSED"));
    ctr(&format!("task resume {name}")).ok();
    ctr(&format!("task kill -s KILL {name}")).ok();
    ctr(&format!("task rm -f {name}"));
    ctr(&format!("container rm {name}")).ok();
    ctr(&format!("image rm {busybox} docker.io/library/alpine:latest")).ok();
    ctr("content prune references");
    peers.sh(&format!("ctr -a {SOCKET} namespace rm {space}"));
}
