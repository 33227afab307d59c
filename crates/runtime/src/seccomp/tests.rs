//! Programs run by an interpreter of classic BPF, against what the rules say read one by one; and on
//! the real kernel.

use oci::runtime::{Seccomp, SeccompArg, SeccompSyscall};
use proptest::prelude::*;

use super::arch::X32_BIT;
use super::*;

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0000 | 38;
const KILL: u32 = 0;

#[derive(Clone, Copy, Debug)]
struct Call {
    audit: u32,
    number: u32,
    args: [u64; 6],
}

fn run(program: &Program, call: Call) -> u32 {
    trace(program, call).0
}

/// linux/filter.h, as far as filters use it: the action, and after how many instructions.
fn trace(program: &Program, call: Call) -> (u32, usize) {
    let word = |offset: u32| match offset {
        0 => call.number,
        4 => call.audit,
        offset => {
            let arg = call.args[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { arg as u32 } else { (arg >> 32) as u32 }
        }
    };
    let (mut at, mut a, mut steps) = (0, 0_u32, 0);
    loop {
        steps += 1;
        let [c0, c1, jt, jf, v @ ..] = program.instructions[at].to_bytes();
        let value = u32::from_ne_bytes(v);
        let branch = |holds: bool| usize::from(if holds { jt } else { jf });
        at += 1;
        match u16::from_ne_bytes([c0, c1]) {
            0x20 => a = word(value),
            0x54 => a &= value,
            0x05 => at += value as usize,
            0x15 => at += branch(a == value),
            0x25 => at += branch(a > value),
            0x35 => at += branch(a >= value),
            0x06 => return (value, steps),
            other => panic!("instruction {other:#x}"),
        }
    }
}

/// The module's rules, read literally. `number` is within the range of named calls.
fn expected(rules: &Seccomp, arch: Arch, number: u32, args: [u64; 6]) -> u32 {
    let value = |name: &str, errno: Option<u32>| match name {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | errno.unwrap_or(1),
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        other => panic!("{other}"),
    };
    let default = value(&rules.default_action, rules.default_errno_ret);
    let holds = |arg: &SeccompArg| {
        let width =
            if matches!(arch, Arch::X86 | Arch::Arm) { u64::from(u32::MAX) } else { u64::MAX };
        let (actual, wanted) = (args[arg.index as usize], arg.value & width);
        match arg.op.as_str() {
            "SCMP_CMP_NE" => actual != wanted,
            "SCMP_CMP_LT" => actual < wanted,
            "SCMP_CMP_LE" => actual <= wanted,
            "SCMP_CMP_EQ" => actual == wanted,
            "SCMP_CMP_GE" => actual >= wanted,
            "SCMP_CMP_GT" => actual > wanted,
            "SCMP_CMP_MASKED_EQ" => actual & wanted == arg.value_two & width,
            other => panic!("{other}"),
        }
    };
    let of_call = || {
        rules
            .syscalls
            .iter()
            .filter(|rule| rule.names.iter().any(|name| arch.number(name) == Some(number)))
            .map(|rule| (rule, value(&rule.action, rule.errno_ret)))
            .filter(|(_, action)| *action != default)
    };
    let unconditional = of_call().find(|(rule, _)| rule.args.is_empty());
    let conditional = of_call().find(|(rule, _)| rule.args.iter().all(holds));
    unconditional.or(conditional).map_or(default, |(_, action)| action)
}

fn rule(action: &str, names: &[&str], args: Vec<SeccompArg>) -> SeccompSyscall {
    SeccompSyscall {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action: action.to_owned(),
        errno_ret: None,
        args,
    }
}

fn arg(index: u32, op: &str, value: u64, value_two: u64) -> SeccompArg {
    SeccompArg { index, value, value_two, op: format!("SCMP_CMP_{op}") }
}

fn profile(default: &str, syscalls: Vec<SeccompSyscall>) -> Seccomp {
    Seccomp { default_action: default.to_owned(), syscalls, ..Seccomp::default() }
}

fn native(name: &str, args: [u64; 6]) -> Call {
    Call { audit: Arch::NATIVE.audit(), number: Arch::NATIVE.number(name).unwrap(), args }
}

const OPS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

proptest! {
    #[test]
    fn comparisons_of_64_bits(op in 0..OPS.len(), value in word(), two in word(), actual in word()) {
        let rules = profile(
            "SCMP_ACT_ERRNO",
            vec![rule("SCMP_ACT_ALLOW", &["socket"], vec![arg(3, OPS[op], value, two)])],
        );
        let call = native("socket", [0, 0, 0, actual, 0, 0]);
        let program = compile(&rules).unwrap();
        prop_assert_eq!(run(&program, call), expected(&rules, Arch::NATIVE, call.number, call.args));
    }
}

/// Halves that collide often, and whole words.
fn word() -> impl Strategy<Value = u64> {
    let half = || prop_oneof![0..3_u64, Just(u64::from(u32::MAX))];
    prop_oneof![(half(), half()).prop_map(|(upper, lower)| upper << 32 | lower), any::<u64>()]
}

#[test]
fn arguments_of_a_rule_must_all_match_unless_one_is_named_twice() {
    let both = vec![arg(0, "EQ", 1, 0), arg(1, "EQ", 2, 0)];
    let either = vec![arg(0, "EQ", 1, 0), arg(0, "EQ", 2, 0)];
    let rules = profile(
        "SCMP_ACT_ERRNO",
        vec![
            rule("SCMP_ACT_ALLOW", &["socket"], both),
            rule("SCMP_ACT_ALLOW", &["personality"], either),
        ],
    );
    let program = compile(&rules).unwrap();
    let decide = |name, a, b| run(&program, native(name, [a, b, 0, 0, 0, 0]));
    assert_eq!([decide("socket", 1, 2), decide("socket", 1, 3)], [ALLOW, EPERM]);
    assert_eq!([decide("personality", 2, 9), decide("personality", 3, 9)], [ALLOW, EPERM]);
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let old = vec![rule("SCMP_ACT_ALLOW", &["read", "openat"], Vec::new())];
    let program = compile(&profile("SCMP_ACT_ERRNO", old.clone())).unwrap();
    assert_eq!(run(&program, native("mseal", [0; 6])), ENOSYS);
    assert_eq!(run(&program, native("write", [0; 6])), EPERM, "older than the profile");
    let program = compile(&profile("SCMP_ACT_LOG", old)).unwrap();
    assert_eq!(run(&program, native("mseal", [0; 6])), 0x7ffc_0000);
    let program = compile(&profile("SCMP_ACT_ERRNO", Vec::new())).unwrap();
    assert_eq!(run(&program, native("mseal", [0; 6])), EPERM, "it names no call at all");
}

#[test]
fn architectures_that_were_not_listed_are_killed() {
    let mut rules =
        profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["openat"], Vec::new())]);
    let call = |arch: Arch| Call {
        audit: arch.audit(),
        number: arch.number("openat").unwrap(),
        args: [0; 6],
    };
    let all = [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm];
    let program = compile(&rules).unwrap();
    for arch in all.into_iter().filter(|arch| *arch != Arch::NATIVE) {
        assert_eq!(run(&program, call(arch)), KILL, "{arch:?}");
    }
    let names = ["X86_64", "X86", "X32", "AARCH64", "ARM", "MIPS64"];
    rules.architectures = names.map(|name| format!("SCMP_ARCH_{name}")).to_vec();
    let program = compile(&rules).unwrap();
    for arch in all {
        assert_eq!(run(&program, call(arch)), ALLOW, "{arch:?}");
    }
}

#[test]
fn every_action_and_flag() {
    for (name, value) in [
        ("KILL", 0),
        ("KILL_THREAD", 0),
        ("KILL_PROCESS", 0x8000_0000),
        ("TRAP", 0x0003_0000),
        ("ERRNO", 0x0005_0001),
        ("TRACE", 0x7ff0_0001),
        ("LOG", 0x7ffc_0000),
        ("NOTIFY", 0x7fc0_0000),
    ] {
        let rules = vec![rule(&format!("SCMP_ACT_{name}"), &["openat"], Vec::new())];
        let program = compile(&profile("SCMP_ACT_ALLOW", rules)).unwrap();
        assert_eq!(run(&program, native("openat", [0; 6])), value, "{name}");
        assert_eq!(run(&program, native("read", [0; 6])), ALLOW);
        assert_eq!(program.notifies(), name == "NOTIFY");
    }
    let mut rules = profile("SCMP_ACT_ALLOW", Vec::new());
    rules.flags = vec![String::from("SECCOMP_FILTER_FLAG_LOG")];
    assert_eq!(compile(&rules).unwrap().flags, sys::seccomp::FLAG_LOG);
}

#[test]
fn refused() {
    let action = |name: &str| compile(&profile(name, Vec::new())).unwrap_err();
    assert_eq!(action("SCMP_ACT_X"), Error::Action(String::from("SCMP_ACT_X")));
    assert!(matches!(action("SCMP_ACT_NOTIFY"), Error::Notify(_)));
    let one = |rule| compile(&profile("SCMP_ACT_ALLOW", vec![rule])).unwrap_err();
    assert!(matches!(one(rule("SCMP_ACT_NOTIFY", &["write"], Vec::new())), Error::Notify(_)));
    let bad = |arg| one(rule("SCMP_ACT_ERRNO", &["read"], vec![arg]));
    assert_eq!(bad(arg(6, "EQ", 0, 0)), Error::ArgumentIndex(6));
    assert!(matches!(bad(arg(0, "XX", 0, 0)), Error::Comparison(_)));
    let errno =
        SeccompSyscall { errno_ret: Some(5000), ..rule("SCMP_ACT_ERRNO", &["read"], Vec::new()) };
    assert_eq!(one(errno), Error::Errno(5000));
    let mut rules = profile("SCMP_ACT_ALLOW", Vec::new());
    rules.architectures = vec![String::from("SCMP_ARCH_VAX")];
    assert!(matches!(compile(&rules), Err(Error::Architecture(_))));
    let rules = vec![rule("SCMP_ACT_ERRNO", &["read"], vec![arg(0, "EQ", 1, 0)]); 2000];
    assert!(matches!(compile(&profile("SCMP_ACT_ALLOW", rules)), Err(Error::TooLong(_))));
}

#[test]
fn programs_survive_being_kept() {
    let program = compile(&docker::default_profile::<&str>(&[], Arch::NATIVE, (6, 1))).unwrap();
    assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
    assert_eq!(Program::from_bytes(&[]), None);
    assert_eq!(Program::from_bytes(&[0; 13]), None);
}

/// Docker's own document, where it is at hand.
fn reference() -> Option<String> {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference/seccomp-default.json");
    let places = std::env::var("GANTRY_REFERENCE").map(|dir| dir + "/seccomp-default.json");
    let text = std::fs::read_to_string(places.as_deref().unwrap_or(path)).ok();
    if text.is_none() {
        println!("skipped: Docker's seccomp-default.json is not at hand (GANTRY_REFERENCE)");
    }
    text
}

#[test]
fn the_default_profile_is_docker_s() {
    let Some(text) = reference() else { return };
    let caps =
        ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_BPF", "CAP_SYS_TIME", "CAP_DAC_READ_SEARCH"];
    for caps in (0..=caps.len()).map(|n| &caps[..n]) {
        for (arch, kernel) in
            [(Arch::X86_64, (6, 18)), (Arch::X86_64, (4, 4)), (Arch::Aarch64, (5, 15))]
        {
            let ours = docker::default_profile(caps, arch, kernel);
            assert_eq!(
                ours,
                docker::from_json(&text, caps, arch, kernel).unwrap(),
                "{caps:?} {arch:?}"
            );
        }
    }
}

#[test]
fn the_default_profile_decides_as_its_rules_say() {
    let values =
        [0, 1, 8, 16, 37, 38, 39, 40, 41, 0x20000, 0x20008, 0xffff_ffff, 0x7e02_0000, 1 << 32];
    for caps in [&[][..], &["CAP_SYS_ADMIN"]] {
        let rules = docker::default_profile(caps, Arch::X86_64, (6, 1));
        let program = compile(&rules).unwrap();
        for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
            let named = rules.syscalls.iter().flat_map(|rule| &rule.names);
            let newest = named.filter_map(|name| arch.number(name)).max().unwrap();
            let first = newest & X32_BIT;
            for number in first..=newest {
                for value in values {
                    let call = Call { audit: arch.audit(), number, args: [value; 6] };
                    let wanted = expected(&rules, arch, number, call.args);
                    assert_eq!(run(&program, call), wanted, "{arch:?} {call:?}");
                }
            }
            let newer = Call { audit: arch.audit(), number: newest + 1, args: [0; 6] };
            assert_eq!(run(&program, newer), ENOSYS);
        }
    }
}

#[test]
fn a_call_is_decided_in_few_instructions() {
    let rules = docker::default_profile::<&str>(&[], Arch::NATIVE, (6, 1));
    let program = compile(&rules).unwrap();
    for name in ["read", "openat", "futex", "clock_gettime", "rseq"] {
        let (action, steps) = trace(&program, native(name, [0; 6]));
        assert_eq!(action, ALLOW);
        assert!(steps <= 16, "{name}: {steps} of {}", program.instructions.len());
    }
}

#[test]
fn profiles_that_contradict_themselves_are_refused() {
    let read = |text: &str| docker::from_json::<&str>(text, &[], Arch::NATIVE, (6, 1));
    let both = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
        "archMap":[{"architecture":"SCMP_ARCH_X86_64"}]}"#;
    assert!(read(both).is_err());
    let names = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"]}]}"#;
    assert!(read(names).is_err());
    assert!(read("{}").is_err() && read("[").is_err());
    let old = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"chmod","action":"SCMP_ACT_ERRNO"}]}"#;
    assert_eq!(read(old).unwrap().syscalls[0].names, ["chmod"]);
}

/// A filter belongs to the thread that installs it, so a thread is all it takes to try one.
#[test]
fn the_kernel_obeys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    std::thread::spawn(move || {
        let errno = SeccompSyscall {
            errno_ret: Some(77),
            ..rule("SCMP_ACT_ERRNO", &["mkdir", "mkdirat"], Vec::new())
        };
        compile(&profile("SCMP_ACT_ALLOW", vec![errno])).unwrap().install().unwrap();
        let error = std::fs::create_dir(path.join("a")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(77));
        std::fs::write(path.join("b"), "other calls go on").unwrap();
    })
    .join()
    .unwrap();
}

#[test]
fn the_kernel_takes_the_default_profile() {
    std::thread::spawn(|| {
        let rules = docker::default_profile::<&str>(&[], Arch::NATIVE, (6, 1));
        compile(&rules).unwrap().install().unwrap();
        let mounted = rustix::mount::mount(
            "none",
            "/proc/self/no-such-directory",
            "tmpfs",
            rustix::mount::MountFlags::empty(),
            None::<&std::ffi::CStr>,
        );
        assert_eq!(mounted, Err(rustix::io::Errno::PERM));
        assert!(
            std::fs::read_to_string("/proc/thread-self/status").unwrap().contains("Seccomp:\t2")
        );
    })
    .join()
    .unwrap();
}
