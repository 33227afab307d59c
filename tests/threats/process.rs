//! Who a container's processes are, what they hold, and where they start.

use std::fs;

use serde_json::json;
use testkit::engine::{Engine, binary};

use super::{Entry, load_hostile};

const ROOT: &str = "root:x:0:0:root:/root:/bin/sh\n";

#[test]
fn cve_2016_3697_a_user_named_like_a_number_is_that_number() {
    let engine = Engine::start();
    let passwd = format!("{ROOT}1000:x:0:0::/root:/bin/sh\n");
    load_hostile(&engine, &[Entry::File("etc/passwd", &passwd)], json!({ "User": "1000" }));
    assert_eq!(engine.gantry(&["run", "--rm", "hostile", "id", "-u"]).ok(), "1000");
    engine.gantry(&["run", "-d", "--name", "box", "-u", "0", "hostile", "sleep", "60"]).ok();
    assert_eq!(engine.gantry(&["exec", "-u", "1000", "box", "id", "-u"]).ok(), "1000");
}

#[test]
fn cve_2024_40635_an_image_s_user_does_not_wrap_to_root() {
    for user in ["4294967296", "4294967295", "2147483648", "-1", "0:4294967296"] {
        let engine = Engine::start();
        load_hostile(&engine, &[], json!({ "User": user }));
        let said = engine.gantry(&["run", "--rm", "hostile", "id", "-u"]).fails(125);
        assert!(said.contains("uids and gids must be in range 0-2147483647"), "{user}: {said}");
    }
}

#[test]
fn cve_2026_30892_an_exec_s_user_that_does_not_parse_runs_nothing() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "60"]).ok();
    for user in ["4294967296", "1:4294967296", "0x0", " 0", "root ", "1000,0", "nobody:0:0", "٣"] {
        let ran = engine.gantry(&["exec", "-u", user, "box", "touch", "/ran"]);
        assert_ne!(ran.code, 0, "{user:?}: {ran:?}");
    }
    assert_eq!(engine.gantry(&["exec", "-u", "7:8", "box", "id", "-u"]).ok(), "7");
    engine.gantry(&["exec", "box", "test", "-e", "/ran"]).fails(1);
}

#[test]
fn cve_2026_47262_a_giant_passwd_is_read_to_its_bound() {
    let engine = Engine::start();
    let giant = format!("{ROOT}{}", "x:x:1:1::/:\n".repeat(400_000));
    let late = format!("{giant}late:x:5:5::/:\n");
    let entries = [Entry::File("etc/passwd", &late), Entry::File("etc/group", &giant)];
    load_hostile(&engine, &entries, json!({ "Cmd": ["id", "-u"] }));
    assert_eq!(engine.gantry(&["run", "--rm", "hostile"]).ok(), "0");
    let said = engine.gantry(&["run", "--rm", "-u", "late", "hostile"]).fails(125);
    assert!(said.contains("unable to find user late"), "{said}");
}

#[test]
fn cve_2026_47262_an_endless_passwd_inside_does_not_hold_up_an_exec() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "60"]).ok();
    for file in ["/dev/zero", "/proc/kmsg", "/proc/self/mem", "/proc/1/fd/0"] {
        engine.gantry(&["exec", "box", "ln", "-sf", file, "/etc/passwd"]).ok();
        assert_eq!(engine.gantry(&["exec", "-u", "0", "box", "echo", "in"]).ok(), "in", "{file}");
    }
}

#[test]
fn cve_2024_9676_a_fifo_for_passwd_holds_nothing_up() {
    let engine = Engine::start();
    let entries = [Entry::Fifo("etc/passwd"), Entry::Fifo("etc/group")];
    load_hostile(&engine, &entries, json!({}));
    assert_eq!(engine.gantry(&["run", "--rm", "-u", "5:6", "hostile", "echo", "in"]).ok(), "in");
    engine.gantry(&["run", "--rm", "-u", "somebody", "hostile", "true"]).fails(125);
}

#[test]
fn cve_2016_8867_cve_2022_24769_run_and_exec_have_no_inheritable_or_ambient_capabilities() {
    let engine = Engine::with_busybox();
    let script = "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | tr '\\n' ' '";
    let (none, root) = ("0000000000000000", "00000000a82425fb");
    let run =
        ["run", "--rm", "--cap-add", "SYS_ADMIN", "-u", "1000", "busybox", "sh", "-c", script];
    assert_eq!(engine.gantry(&run).ok().trim_end(), [none; 4].join(" "));
    let args = ["run", "-d", "--name", "box", "--cap-add", "SYS_ADMIN", "busybox", "sleep", "60"];
    engine.gantry(&args).ok();
    let of = |user: &str| engine.gantry(&["exec", "-u", user, "box", "sh", "-c", script]).ok();
    assert_eq!(of("1000").trim_end(), [none; 4].join(" "));
    let root_s = of("0");
    assert_eq!(root_s.trim_end(), [none, root, root, none].join(" "));
}

#[test]
fn cve_2016_9962_cve_2024_21626_only_three_descriptors_are_open() {
    let engine = Engine::with_busybox();
    // The fourth is the listing's own. A shell would hide what is closed when the next program starts.
    let list = ["ls", "/proc/self/fd"];
    for flags in [&["run", "--rm"][..], &["run", "--rm", "--init"], &["run", "--rm", "-i"]] {
        let args = [flags, &["busybox"], &list].concat();
        assert_eq!(engine.gantry(&args).ok(), "0\n1\n2\n3", "{flags:?}");
    }
    let tty = engine.gantry(&["run", "--rm", "-t", "busybox", "ls", "-1", "/proc/self/fd"]).ok();
    assert_eq!(tty.replace('\r', ""), "0\n1\n2\n3");
    engine.gantry(&["run", "-d", "--init", "--name", "box", "busybox", "sleep", "60"]).ok();
    assert_eq!(engine.gantry(&["exec", "box", "ls", "/proc/self/fd"]).ok(), "0\n1\n2\n3");
    assert_eq!(engine.gantry(&["exec", "-i", "box", "ls", "/proc/self/fd"]).ok(), "0\n1\n2\n3");
    // --init holds its child, which is the container's, and nothing else.
    let script = "for f in /proc/1/fd/[3-9]*; do readlink $f; done; grep ^Pid: /proc/1/fdinfo/3";
    let own = engine.gantry(&["exec", "box", "sh", "-c", script]).ok();
    let child = own.strip_prefix("anon_inode:[pidfd]\nPid:\t").expect(&own);
    assert!(child.parse::<u32>().unwrap() > 1, "{own}");
}

#[test]
fn cve_2024_21626_nothing_starts_behind_a_descriptor() {
    let engine = Engine::start();
    engine.load("busybox");
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "60"]).ok();
    for number in 0..16 {
        let directory = format!("/proc/self/fd/{number}");
        let run = engine.gantry(&["run", "--rm", "-w", &directory, "busybox", "ls"]);
        assert_ne!(run.code, 0, "run in {directory}: {run:?}");
        let exec = engine.gantry(&["exec", "-w", &directory, "box", "ls"]);
        assert_ne!(exec.code, 0, "exec in {directory}: {exec:?}");
        // The refusal comes where the output would have been, as Docker has it.
        assert_eq!(run.stdout, "");
        assert!(exec.stdout.starts_with("OCI runtime exec failed"), "{exec:?}");
    }
    // By way of a link that the image ships.
    let entries = [Entry::Symlink("cwd", "/proc/self/fd/8")];
    load_hostile(&engine, &entries, json!({ "WorkingDir": "/cwd" }));
    assert_ne!(engine.gantry(&["run", "--rm", "hostile", "ls"]).code, 0);
}

#[test]
fn cve_2019_5736_the_runtime_is_not_written_through_its_own_processes() {
    let engine = Engine::start();
    let runtime = binary("gantry-runtime");
    let before = fs::read(&runtime).unwrap();
    let script = "#!/proc/self/exe\n";
    let entries = [Entry::File("again", script), Entry::Symlink("sneak", "/proc/self/exe")];
    load_hostile(&engine, &entries, json!({ "Cmd": ["/sneak"] }));
    for program in ["/proc/self/exe", "/sneak", "/again"] {
        engine.gantry(&["run", "--rm", "hostile", program, "version"]);
    }
    // While execs come in, a process with root's rights tries every program it can see.
    let race = "while true; do for p in /proc/[0-9]*; do echo x 2>/dev/null >>$p/exe; done; done";
    let flags = ["run", "-d", "--name", "racer", "--pid", "host", "hostile", "sh", "-c", race];
    engine.gantry(&flags).ok();
    engine.gantry(&["run", "-d", "--name", "inside", "hostile", "sh", "-c", race]).ok();
    for _ in 0..20 {
        engine.gantry(&["exec", "racer", "/proc/self/exe", "version"]);
        engine.gantry(&["exec", "inside", "/sneak", "version"]);
    }
    assert!(fs::read(&runtime).unwrap() == before, "the runtime was overwritten");
    assert_eq!(engine.gantry(&["run", "--rm", "hostile", "echo", "fine"]).ok(), "fine");
}
