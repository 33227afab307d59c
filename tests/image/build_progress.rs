//! What is told of a build while it runs, and what only its client has: output, errors with their lines, secrets, agents.

use std::fs;
use std::os::unix::net::UnixListener;

use super::site::Site;

#[test]
fn output_comes_line_by_line_under_its_step() {
    let site = Site::new();
    let dockerfile = "FROM busybox AS base\nRUN echo out; echo err >&2; printf unended\n";
    let told = site.build_of(dockerfile, &["--progress", "plain"]);
    assert_eq!((told.code, told.stdout.as_str()), (0, ""));
    let lines: Vec<&str> = told.stderr.lines().collect();
    assert!(lines[0].starts_with("#0 building with \"default\" instance"), "{}", told.stderr);
    let heading = lines
        .iter()
        .find(|line| line.ends_with("[base 2/2] RUN echo out; echo err >&2; printf unended"));
    let number = heading.unwrap().split(' ').next().unwrap();
    for text in ["out", "err", "unended"] {
        let is_line = |line: &&&str| {
            line.starts_with(&format!("{number} ")) && line.ends_with(&format!(" {text}"))
        };
        assert!(lines.iter().skip(1).find(is_line).is_some(), "{text}: {}", told.stderr);
    }
    let again = site.build_of(dockerfile, &["--progress", "plain"]).stderr;
    assert!(again.contains(" CACHED\n"), "{again}");
    assert!(!again.lines().any(|line| line.ends_with(" err")), "{again}");
    let raw = site.build_of(dockerfile, &["--progress", "rawjson"]).stderr;
    let documents = serde_json::Deserializer::from_str(&raw).into_iter::<serde_json::Value>();
    let keys: Vec<String> = documents
        .flat_map(|document| {
            document.unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        })
        .collect();
    let known = ["vertexes", "statuses", "logs", "warnings"];
    assert!(!keys.is_empty() && keys.iter().all(|key| known.contains(&key.as_str())), "{keys:?}");
}

#[test]
fn a_command_that_fails_is_shown_with_its_output_and_its_lines() {
    let site = Site::new();
    let dockerfile = "FROM busybox\nRUN echo before\nRUN echo oops >&2; \\\n    exit 3\nCMD x\n";
    for progress in ["plain", "quiet"] {
        let said = site.build_of(dockerfile, &["--progress", progress]).fails(1);
        let end = "--------------------
   2 |     RUN echo before
   3 | >>> RUN echo oops >&2; \\
   4 | >>>     exit 3
   5 |     CMD x
--------------------
ERROR: failed to solve: process \"/bin/sh -c echo oops >&2;     exit 3\" did not complete successfully: exit code: 3";
        assert!(said.ends_with(end), "{said}");
        assert_eq!(
            said.contains(" > [3/3] RUN echo oops >&2;     exit 3:\n"),
            progress == "plain",
            "{said}"
        );
    }
    // No half image.
    let ids = site.engine.gantry(&["images", "-aq", "--no-trunc"]).ok();
    assert_eq!(ids, site.engine.gantry(&["images", "-q", "--no-trunc", "busybox"]).ok());
}

#[test]
fn steps_that_write_nothing_may_be_many() {
    let site = Site::new();
    let dockerfile = "FROM busybox\nRUN true\nRUN true # again\nRUN echo three\nCMD echo fine\n";
    let id = site.build_of(dockerfile, &["-q"]).ok();
    assert_eq!(site.engine.gantry(&["run", "--rm", "--network", "none", &id]).ok(), "fine");
}

#[test]
fn secrets_are_given_to_their_steps_and_are_in_nothing_that_stays() {
    let site = Site::new();
    fs::write(site.path().join("hidden"), "from a file").unwrap();
    let dockerfile = "FROM busybox\nRUN --mount=type=secret,id=a cat /run/secrets/a\nRUN --mount=type=secret,id=b,env=B echo \"$B\"\n";
    let words = [
        "--progress",
        "plain",
        "--secret",
        "id=a,src=hidden",
        "--secret",
        "id=b,env=SECRET_OF_TESTS",
    ];
    let told = site.build_of(dockerfile, &words);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(
        told.stderr.contains("from a file") && told.stderr.contains("from a variable"),
        "{}",
        told.stderr
    );
    let required = "FROM busybox\nRUN --mount=type=secret,id=none,required=true true\n";
    let said = site.build_of(required, &["--progress", "plain"]).fails(1);
    assert!(said.contains("secret none: not found"), "{said}");
    fs::write(site.path().join("large"), vec![b'x'; 600_000]).unwrap();
    let dockerfile = "FROM busybox\nRUN --mount=type=secret,id=a true\n";
    let said = site.build_of(dockerfile, &["--secret", "id=a,src=large"]).fails(1);
    assert!(said.contains("too big"), "{said}");
}

#[test]
fn an_agent_of_this_side_has_its_socket_in_a_step() {
    let site = Site::new();
    let socket = site.path().join("agent.sock");
    let agent = UnixListener::bind(&socket).unwrap();
    let dockerfile = "FROM busybox\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK\n";
    let ssh = format!("default={}", socket.display());
    let told = site.build_of(dockerfile, &["--progress", "plain", "--ssh", &ssh]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    drop(agent);
    let said = site.build_of(dockerfile, &["--ssh", "default=/etc/passwd"]).fails(1);
    assert!(said.contains("/etc/passwd is no agent's socket"), "{said}");
}

#[test]
fn what_this_version_does_not_make_is_refused_by_name() {
    let site = Site::new();
    for (words, said) in [
        (&["--attest", "mode=max"][..], "attestation type not specified"),
        (&["--attest", "type=what"], "unknown attestation type \"what\""),
        (&["--progress", "what"], "invalid progress mode what"),
        (&["-o", "type=what"], "unsupported output type: what"),
        (&["--secret", "src=x"], "secret missing \"id\" field"),
    ] {
        let told = site.build_of("FROM busybox\n", words).fails(1);
        assert!(told.contains(said), "{words:?}: {told}");
    }
    site.build_of("FROM busybox\n", &["--provenance", "false", "--sbom=false"]).ok();
    let place = site.engine.gantry(&["build", "https://127.0.0.1:1/x.tar.gz"]).fails(1);
    assert!(place.contains("is not fetched in this version"), "{place}");
}
