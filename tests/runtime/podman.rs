use testkit::peers::Peers;

#[test]
fn podman_runs_execs_pauses_and_removes() {
    let Some(mut peers) = Peers::at_hand("Podman with gantry-runtime") else { return };
    let runtime = peers.bring("gantry-runtime");
    let image = peers.bring_image("busybox");
    peers.sh(&format!("podman load -q -i {image}")).ok();
    let name = format!("p-{}", std::process::id());
    let podman = |args: &str| peers.sh(&format!("podman --runtime {runtime} {args}"));

    assert_eq!(podman("run --rm --network none busybox echo hi").ok(), "hi");
    assert_eq!(podman("run --rm --network none busybox sh -c 'exit 7'").code, 7);
    assert_eq!(podman("run --rm --network none busybox no-such-program").code, 127);
    podman(&format!("run -d --name {name} --network none --memory 64m busybox sleep 300")).ok();
    assert_eq!(podman(&format!("exec {name} cat /proc/1/comm")).ok(), "sleep");
    assert_eq!(podman(&format!("exec {name} sh -c 'exit 4'")).code, 4);
    podman(&format!("pause {name}")).ok();
    assert_eq!(podman(&format!("inspect -f '{{{{.State.Status}}}}' {name}")).ok(), "paused");
    podman(&format!("unpause {name}")).ok();
    podman(&format!("rm -f -t 0 {name}")).ok();
    assert_eq!(podman(&format!("ps -aq --filter name={name}")).ok(), "");
}
