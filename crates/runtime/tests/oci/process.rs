//! What the program is given.

use oci::runtime::Rlimit;

use crate::bundle::Bundle;

#[test]
fn the_program_runs_as_the_user_it_was_given() {
    let Some(mut bundle) = Bundle::new("user", "id; umask; pwd; echo $HOME") else { return };
    let user = &mut bundle.process().user;
    (user.uid, user.gid, user.umask) = (5, 6, Some(0o27));
    user.additional_gids = vec![7, 8];
    bundle.process().cwd = "/tmp".into();
    let ran = bundle.run();
    assert_eq!(ran.out, "uid=5 gid=6 groups=7,8\n0027\n/tmp\n/\n", "{ran:?}");
}

#[test]
fn the_home_is_the_passwd_file_s_for_the_number() {
    let Some(bundle) = Bundle::new("home", "echo $HOME") else { return };
    assert_eq!(bundle.run().out, "/root\n");
}

#[test]
fn cve_2016_3697_a_name_that_looks_like_a_number_is_no_user() {
    let Some(mut bundle) = Bundle::new("numeric name", "id -u; echo $HOME") else { return };
    bundle.process().user.uid = 1000;
    assert_eq!(bundle.run().out, "1000\n/\n");
}

#[test]
fn limits_are_set() {
    let Some(mut bundle) = Bundle::new("rlimits", "grep 'open files' /proc/self/limits") else {
        return;
    };
    let limit = Rlimit { kind: "RLIMIT_NOFILE".into(), soft: 100, hard: 200 };
    bundle.process().rlimits = vec![limit];
    let ran = bundle.run();
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    assert_eq!(words[3..5], ["100", "200"], "{ran:?}");
}

#[test]
fn a_missing_working_directory_is_made() {
    let Some(mut bundle) = Bundle::new("cwd", "pwd") else { return };
    bundle.process().cwd = "/made/for/this".into();
    assert_eq!(bundle.run().out, "/made/for/this\n");
}

#[test]
fn errors_have_docker_s_words_and_the_shell_s_status() {
    let cases = [
        ("/nope", 127, "exec: \"/nope\": stat /nope: no such file or directory"),
        ("nope", 127, "exec: \"nope\": executable file not found in $PATH"),
        ("/etc/passwd", 126, "exec: \"/etc/passwd\": permission denied"),
        ("/etc", 126, "exec: \"/etc\": is a directory"),
        ("/bin/text", 126, "exec: \"/bin/text\": exec format error"),
    ];
    for (program, status, words) in cases {
        let Some(mut bundle) = Bundle::new("exec errors", "") else { return };
        let text = bundle.root().join("bin/text");
        std::fs::write(&text, "no program\n").unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
        bundle.process().args = vec![program.into()];
        let ran = bundle.run();
        assert_eq!(ran.status, status, "{ran:?}");
        assert!(ran.err.trim_end().ends_with(words), "{ran:?}");
    }
}

#[test]
fn signals_are_as_a_new_program_expects_them() {
    let Some(mut bundle) = Bundle::new("signals", "") else { return };
    let words = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    bundle.process().args = words.map(str::to_owned).into();
    let ran = bundle.run();
    assert_eq!(ran.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}
