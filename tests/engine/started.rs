//! The default socket: the command line starts an engine of its own accord. In namespaces where /run and /var/lib are
//! empty, so that the host's engine, if it has one, is not met.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::engine::{binary, finish};

const PRELUDE: &str = r#"
mount -t tmpfs run /run; mount -t tmpfs lib /var/lib; ip link set lo up
unset DOCKER_HOST GANTRY_HOST
end() {
    [ -s "$1" ] || return 0
    kill "$(cat "$1")"
    while [ -e "$1" ]; do sleep 0.05; done
}
trap 'end /run/gantry/gantry.pid; end /run/other/gantry.pid' EXIT
cd /
"#;

/// What a script printed that ran with nothing in /run, and `GANTRY` and `GANTRYD` naming the binaries.
fn alone(script: &str, environment: &[(&str, &Path)]) -> String {
    let mut command = Command::new("timeout");
    command.args(["60", "unshare", "--mount", "--net", "--propagation=private", "sh", "-ec"]);
    command.arg(format!("{PRELUDE}{script}")).stdin(Stdio::null());
    command.env("GANTRY", binary("gantry")).env("GANTRYD", binary("gantryd"));
    command.envs(environment.iter().copied());
    finish(&mut command).ok()
}

/// The first line `key=value`.
#[track_caller]
fn value<'a>(output: &'a str, key: &str) -> &'a str {
    let mut values = output.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.next().unwrap_or_else(|| panic!("no {key} in\n{output}"))
}

/// A cgroup that the command line is called in, removed afterwards: which fails while a process is inside.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str) -> Self {
        let root = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(Path::new);
        let root = root.into_iter().find(|root| root.join("cgroup.procs").exists());
        let path = root.expect("a cgroup hierarchy").join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).unwrap();
    }
}

#[test]
fn it_has_nothing_of_the_command_that_started_it() {
    let cgroup = Cgroup::new(&format!("gantry-test-{}", std::process::id()));
    let script = r#"
echo $$ >"$CGROUP/cgroup.procs"
# A reader of descriptor 7 would wait for an engine that kept it.
said=$( { SECRET=1 "$GANTRY" version >&2; echo ended >&7; } 7>&1 )
echo "said=$said"
pid=$(cat /run/gantry/gantry.pid)
echo "environment=$(tr '\0' ' ' </proc/$pid/environ)"
echo "cgroup=$(grep -c gantry-test /proc/$pid/cgroup)"
set -- $(sed 's/.*) //' /proc/$pid/stat)
echo "session=$([ "$4" = "$pid" ] && echo own)"
echo "terminal=$5"
echo "folder=$(readlink /proc/$pid/cwd)"
"#;
    let output = alone(script, &[("CGROUP", cgroup.0.as_path())]);
    assert_eq!(value(&output, "said"), "ended");
    let environment = value(&output, "environment");
    assert!(environment.starts_with("PATH=") && !environment.contains("SECRET"), "{environment}");
    assert_eq!(value(&output, "cgroup"), "0");
    assert_eq!((value(&output, "session"), value(&output, "terminal")), ("own", "0"));
    assert_eq!(value(&output, "folder"), "/");
}

#[test]
fn two_commands_at_once_start_one_engine() {
    let script = r#"
"$GANTRY" info --format 'first={{.ID}}' & first=$!
"$GANTRY" info --format 'second={{.ID}}' & second=$!
wait $first; wait $second
echo "started=$(grep -c 'is ready' /run/gantry/gantryd.log)"
"#;
    let output = alone(script, &[]);
    assert_eq!(value(&output, "first"), value(&output, "second"));
    assert_eq!(value(&output, "started"), "1");
}

#[test]
fn dockers_socket_is_served_too() {
    let script = r#"
"$GANTRY" info --format 'own={{.ID}}'
"$GANTRY" -H unix:///run/docker.sock info --format 'docker={{.ID}}'
echo "mode=$(stat -c %a:%u /run/docker.sock)"
end /run/gantry/gantry.pid
echo "left=$(ls /run | grep -c sock || true)"
"#;
    let output = alone(script, &[]);
    assert_eq!(value(&output, "own"), value(&output, "docker"));
    assert_eq!(value(&output, "mode"), "660:0");
    assert_eq!(value(&output, "left"), "0");
}

#[test]
fn dockers_socket_of_another_engine_is_left_alone() {
    let script = r#"
"$GANTRYD" --data-root /var/lib/other --exec-root /run/other -H unix:///run/docker.sock 2>/dev/null &
while [ ! -e /run/docker.sock ]; do sleep 0.05; done
"$GANTRY" info --format 'own={{.ID}}'
"$GANTRY" -H unix:///run/docker.sock info --format 'docker={{.ID}}'
end /run/gantry/gantry.pid
echo "still=$(test -S /run/docker.sock && echo there)"
"#;
    let output = alone(script, &[]);
    assert_ne!(value(&output, "own"), value(&output, "docker"));
    assert_eq!(value(&output, "still"), "there");
}

#[test]
fn an_ordinary_user_is_told_what_to_do() {
    let script = r#"
cp "$GANTRY" /run/gantry-cli
setpriv --reuid 65534 --regid 65534 --clear-groups /run/gantry-cli ps 2>&1 || echo "code=$?"
"$GANTRY" version >/dev/null
setpriv --reuid 65534 --regid 65534 --clear-groups /run/gantry-cli ps 2>&1 || echo "again=$?"
"#;
    let output = alone(script, &[]);
    assert_eq!((value(&output, "code"), value(&output, "again")), ("1", "1"));
    assert!(output.contains("For one of your own set XDG_RUNTIME_DIR"), "{output}");
    assert!(output.contains("permission denied while trying to connect"), "{output}");
}
