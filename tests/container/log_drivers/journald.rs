//! journald at a real systemd-journald. It and the engine are in a mount namespace of the test's, where /run is empty
//! and the journal is in memory: the host's own, if there is one, never hears of it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testkit::engine::{Engine, finish, wait_for};
use testkit::packages::Packages;
use testkit::servers;

struct Journald<'p> {
    packages: &'p Packages,
    child: Child,
    _dir: TempDir,
}

const CONFIGURATION: &str = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nRateLimitIntervalSec=0\n\
    ForwardToSyslog=no\nForwardToWall=no\n";

impl<'p> Journald<'p> {
    fn start(packages: &'p Packages) -> Self {
        let dir = TempDir::with_prefix("gantry-journald-").unwrap();
        let daemon = packages.command("lib/systemd/systemd-journald").unwrap();
        // Its messages about itself go to the kernel's log otherwise.
        let script = format!(
            "set -e
             mount --make-rprivate / && mount -t tmpfs tmpfs /run && mount --bind /dev/null /dev/kmsg
             mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal /run/upper /run/work
             mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
             echo 0123456789abcdef0123456789abcdef >/etc/machine-id
             printf '{}' >/run/systemd/journald.conf.d/test.conf
             exec \"$0\"",
            CONFIGURATION.replace('\n', "\\n")
        );
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "unshare", "-m", "-n", "sh", "-c", &script]);
        command.arg(daemon.get_program()).env("SYSTEMD_LOG_TARGET", "console");
        command.envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let server = Self { packages, child, _dir: dir };
        wait_for("journald listens", || server.inside("run/systemd/journal/socket").exists());
        server
    }

    /// A path of its mount namespace.
    fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/{path}", self.child.id()))
    }

    /// An engine in its mount namespace.
    fn engine(&self) -> Engine {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.child.id());
        let engine = Engine::start_through(&["nsenter", &namespace, "--"], &[]);
        engine.load("busybox");
        engine
    }

    /// The entries that journalctl shows for these fields.
    fn entries(&self, fields: &[&str]) -> Vec<Value> {
        let mut journalctl = self.packages.command("bin/journalctl").unwrap();
        journalctl.args(["-q", "-o", "json", "--all", "-D"]).arg(self.inside("run/log/journal"));
        let text = finish(journalctl.args(fields)).stdout;
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Journald<'_> {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn the_journal_has_dockers_fields_and_logs_reads_the_same() {
    let Some(packages) = servers::at_hand("the journal of a real journald") else { return };
    let journald = Journald::start(&packages);
    let engine = journald.engine();
    let run =
        ["run", "--name", "box", "--log-driver=journald", "-l", "com.team=blue", "-e", "_A=b"];
    let options = ["--log-opt=tag=t/{{.Name}}", "--log-opt=labels=com.team", "--log-opt=env=_A"];
    let script =
        "echo out; echo err >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'a\\001b\\n'";
    let disabled = ["--log-opt=cache-disabled=true"];
    let shell = ["busybox", "sh", "-c", script];
    engine.gantry(&[&run[..], &options, &disabled, &shell].concat()).ok();
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "box"]).ok();
    let of_box = || journald.entries(&[&format!("CONTAINER_ID_FULL={id}")]);
    wait_for("every part is in the journal", || of_box().len() == 6);
    let entries = of_box();
    for entry in &entries {
        for (field, value) in [
            ("CONTAINER_ID", &id[..12]),
            ("CONTAINER_NAME", "box"),
            ("CONTAINER_TAG", "t/box"),
            ("SYSLOG_IDENTIFIER", "t/box"),
            ("IMAGE_NAME", "busybox"),
            ("COM_TEAM", "blue"),
            ("A", "b"),
            ("_TRANSPORT", "journal"),
        ] {
            assert_eq!(entry[field], value, "{field} of {entry}");
        }
        assert!(entry["SYSLOG_TIMESTAMP"].as_str().unwrap().starts_with("20"));
    }
    let errors: Vec<_> = entries.iter().filter(|entry| entry["PRIORITY"] == "3").collect();
    assert_eq!(errors.iter().map(|entry| &entry["MESSAGE"]).collect::<Vec<_>>(), ["err"]);
    let out: Vec<_> = entries.iter().filter(|entry| entry["PRIORITY"] == "6").collect();
    assert_eq!(
        (&out[0]["MESSAGE"], &out[0]["CONTAINER_PARTIAL_ID"]),
        (&"out".into(), &Value::Null)
    );
    let parts = &out[1..4];
    let whole: String = parts.iter().map(|part| part["MESSAGE"].as_str().unwrap()).collect();
    assert_eq!(whole, "x".repeat(40_000));
    for (part, (ordinal, last)) in parts.iter().zip([("1", "false"), ("2", "false"), ("3", "true")])
    {
        assert_eq!(part["CONTAINER_PARTIAL_ORDINAL"], ordinal);
        assert_eq!(part["CONTAINER_PARTIAL_LAST"], last);
        assert_eq!(part["CONTAINER_PARTIAL_ID"], parts[0]["CONTAINER_PARTIAL_ID"]);
        assert_eq!(part["CONTAINER_PARTIAL_MESSAGE"] == "true", last == "false");
    }
    // As text where it is text, else as bytes.
    assert_eq!(out[4]["MESSAGE"], serde_json::json!([97, 1, 98]));
    // journald is read back even where no copy was wished for, as in Docker.
    let logs = engine.gantry(&["logs", "box"]);
    assert_eq!(logs.stdout, format!("out\n{}\na\u{1}b\n", "x".repeat(40_000)));
    assert_eq!(logs.stderr, "err\n");
    let ordinals: Vec<u64> = entries
        .iter()
        .map(|entry| entry["CONTAINER_LOG_ORDINAL"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(ordinals.is_sorted_by(|a, b| a < b), "{ordinals:?}");
}

#[test]
fn a_killed_engine_leaves_no_hole_in_the_journal() {
    const LAST: u32 = 400;
    let Some(packages) = servers::at_hand("the journal of a real journald") else { return };
    let journald = Journald::start(&packages);
    let mut engine = journald.engine();
    let script = super::count_to(LAST, "usleep 5000");
    let run = ["run", "-d", "--name", "box", "--log-driver=journald", "busybox", "sh", "-c"];
    engine.gantry(&[&run[..], &[&script]].concat()).ok();
    let seen = || -> std::collections::BTreeSet<u32> {
        let entries = journald.entries(&["CONTAINER_NAME=box"]);
        entries
            .iter()
            .flat_map(|entry| super::numbers(entry["MESSAGE"].as_str().unwrap()))
            .collect()
    };
    engine.wait_until("some lines arrive", |_| seen().len() > 50);
    engine.kill();
    engine.launch();
    engine.wait_until("every line arrives", |_| seen().len() == LAST as usize);
    assert!(seen().iter().copied().eq(1..=LAST));
}
