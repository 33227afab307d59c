//! One project, two tools: what Docker Compose started, `gantry compose` sees, leaves alone and ends, and the other way
//! round, on a real Docker.

use testkit::engine::Output;
use testkit::peers::Peers;

const FILE: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, init: true, depends_on: {db: {condition: service_healthy}}, volumes: ['data:/data', /anon], environment: {A: '1'}, mem_limit: 64m, ports: ['127.0.0.1::80']}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL, healthcheck: {test: 'true', interval: 1s}, networks: {default: {aliases: [x]}}}\nvolumes: {data: }\n";

const DOCKER: &str = "docker-compose";

#[test]
fn each_goes_on_with_what_the_other_started() {
    let Some(mut peers) = Peers::at_hand("projects of two tools on Docker") else { return };
    peers.load_all(&["busybox"]);
    let gantry = format!("{} compose", peers.bring("gantry"));
    let folder = format!("/tmp/compose-shared-{}", std::process::id());
    std::fs::create_dir_all(peers.outside(&folder)).unwrap();
    std::fs::write(peers.outside(&folder).join("compose.yaml"), FILE).unwrap();
    let run = |tool: &str, args: &str| -> Output {
        let host = "DOCKER_HOST=unix:///run/docker.sock";
        peers.sh(&format!("cd {folder} && {host} {tool} -p composeshared {args} 2>&1"))
    };
    for (first, second) in [(DOCKER, gantry.as_str()), (&gantry, DOCKER)] {
        run(first, "up -d --wait").ok();
        let again = run(second, "up -d").ok();
        let mut lines: Vec<&str> = again.lines().map(str::trim).collect();
        lines.retain(|line| line.ends_with("Running"));
        lines.sort_unstable();
        assert_eq!(
            lines,
            ["Container composeshared-db-1  Running", "Container composeshared-web-1  Running"],
            "{first}, then {second}: {again}"
        );
        let listed = run(second, "ps --services").ok();
        let mut listed: Vec<&str> = listed.lines().collect();
        listed.sort_unstable();
        assert_eq!(listed, ["db", "web"]);
        run(second, "down -v").ok();
        let left = "docker ps -aq --filter label=com.docker.compose.project=composeshared; docker volume ls -q --filter name=composeshared_; docker network ls -q --filter name=composeshared_";
        assert_eq!(peers.sh(left).ok(), "");
    }
    peers.sh(&format!("rm -rf {folder}")).ok();
}
