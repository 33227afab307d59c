//! `gantry build --check`: no engine is needed, and none is started.

use std::fs;
use std::path::Path;

use testkit::engine::Engine;

fn check(engine: &Engine, directory: &Path, more: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["build", "--check"];
    arguments.extend(more);
    arguments.push(directory.to_str().unwrap());
    let output = engine.gantry(&arguments);
    (output.code, output.stdout, output.stderr)
}

#[test]
fn findings_are_shown_with_their_lines() {
    let engine = Engine::with_busybox();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("Dockerfile"), "FROM busybox\nENV PATH=$PATH:$MINE\nCMD echo hi\n")
        .unwrap();
    let (code, stdout, stderr) = check(&engine, place.path(), &[]);
    let expected = "Check complete, 2 warnings have been found!

WARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/
Usage of undefined variable '$MINE'
Dockerfile:2
--------------------
   1 |     FROM busybox
   2 | >>> ENV PATH=$PATH:$MINE
   3 |     CMD echo hi
--------------------

WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
Dockerfile:3
--------------------
   2 |     ENV PATH=$PATH:$MINE
   3 | >>> CMD echo hi
   4 |     
--------------------
";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, expected, ""));
    let other = place.path().join("other");
    fs::write(&other, "# check=skip=all\nFROM busybox\nCMD echo hi\n").unwrap();
    let (code, stdout, _) = check(&engine, place.path(), &["-f", other.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (0, "Check complete, no warnings found.\n"));
}

#[test]
fn what_cannot_be_read_is_shown_where_it_is() {
    let engine = Engine::with_busybox();
    let place = tempfile::tempdir().unwrap();
    let (code, _, stderr) = check(&engine, place.path(), &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("failed to read dockerfile: open "), "{stderr}");
    fs::write(place.path().join("Dockerfile"), "FROM busybox\nRUNN x\n").unwrap();
    let (code, stdout, stderr) = check(&engine, place.path(), &[]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("   2 | >>> RUNN x\n"), "{stderr}");
    let message = "dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)";
    assert!(stderr.contains(message), "{stderr}");
    let (code, _, stderr) = check(&engine, &place.path().join("none"), &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("unable to prepare context: path "), "{stderr}");
}
