use std::process::{Command, Stdio};

use testkit::engine::{Output, binary, finish};

use super::cases::{self, Case, Said};

fn run(case: &Case, root: &std::path::Path) -> Output {
    let mut command = Command::new(binary("gantry"));
    command.current_dir(case.unpack(root)).arg("compose").args(&case.args).stdin(Stdio::null());
    command.env_clear().env("HOME", "/root").env("PATH", "/usr/bin:/bin").env("TERM", "dumb");
    command.envs(case.env.iter().filter_map(|pair| pair.split_once('=')));
    finish(&mut command)
}

#[test]
fn every_case_is_read_as_docker_compose_reads_it_or_as_its_difference_says() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().canonicalize().unwrap();
    let mut wrong = Vec::new();
    let all = cases::all();
    for mut case in all {
        let said = case.said(&run(&case, &folder), folder.to_str().unwrap());
        let is_dockers = case.docker.as_ref().is_some_and(|docker| same(docker, &said));
        if cases::is_update() {
            case.gantry = (!is_dockers).then_some(said);
            case.save();
            continue;
        }
        let expected = case.expected().unwrap_or_else(|| panic!("{} expects nothing", case.name));
        if !same(expected, &said) {
            wrong.push(format!("{}: expected {expected:#?}, was {said:#?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

fn same(expected: &Said, said: &Said) -> bool {
    let end = |text: &str| text.trim_end().to_owned();
    let (expected, said) = (expected.without_places(), said.without_places());
    expected.code == said.code
        && end(&expected.stdout) == end(&said.stdout)
        && expected.stderr == said.stderr
}

#[test]
fn there_are_enough_cases_and_few_of_them_differ() {
    let all = cases::all();
    let different = all.iter().filter(|case| case.gantry.is_some()).count();
    println!("{} cases, {different} of them differ from Docker Compose", all.len());
    assert!(all.len() >= 150, "{}", all.len());
    assert!(different * 5 < all.len(), "{different} of {}", all.len());
}

/// The place of an error is the line and the column of its key.
#[test]
fn errors_name_their_place() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(
        root.path().join("compose.yaml"),
        "services:\n  web:\n    image: nginx\n    healthcheck:\n      tset: x\n",
    )
    .unwrap();
    let mut command = Command::new(binary("gantry"));
    let output = finish(command.args(["compose", "config"]).current_dir(root.path()));
    assert_eq!(output.code, 15);
    let place =
        "compose.yaml:5:7: services.web.healthcheck Additional property tset is not allowed";
    assert!(output.stderr.contains(place), "{output:?}");
}

#[test]
fn a_file_from_standard_input_and_one_to_write_to() {
    use std::io::Write;
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary("gantry"));
    command.args(["compose", "-p", "p", "-f", "-", "config", "-o", "out.yaml"]);
    let mut child = command.current_dir(root.path()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"services: {web: {image: nginx}}").unwrap();
    assert!(child.wait().unwrap().success());
    let written = std::fs::read_to_string(root.path().join("out.yaml")).unwrap();
    assert!(written.starts_with("name: p\nservices:\n  web:\n    image: nginx\n"), "{written}");
}

/// CVE-2025-62725 and its like: what is not on this machine is not read at all.
#[test]
fn remote_files_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let config = |text: &str| {
        std::fs::write(root.path().join("compose.yaml"), text).unwrap();
        let mut command = Command::new(binary("gantry"));
        finish(command.args(["compose", "config"]).current_dir(root.path()))
    };
    for remote in
        ["oci://example.com/app:1", "https://example.com/app.git", "git@example.com:a/b.git"]
    {
        let output =
            config(&format!("include: [{remote:?}]\nservices: {{web: {{image: nginx}}}}\n"));
        assert_eq!(output.code, 15, "{output:?}");
        assert!(output.stderr.contains("remote files are refused"), "{output:?}");
    }
    let mut command = Command::new(binary("gantry"));
    let output = finish(command.args(["compose", "-f", "oci://example.com/app:1", "config"]));
    assert!(output.stderr.contains("remote Compose files are refused"), "{output:?}");
}

/// Files that are no text, have no end or never open.
#[test]
fn files_that_are_none_are_refused_at_once() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("binary.yaml"), b"services: {a: {image: \xff\xfe}}").unwrap();
    for (file, why) in
        [("binary.yaml", "not text"), ("/dev/zero", "larger than"), (".", "is a directory")]
    {
        let mut command = Command::new(binary("gantry"));
        command.args(["compose", "-f", file, "config"]).current_dir(root.path());
        let output = finish(&mut command);
        assert_eq!(output.code, 14, "{output:?}");
        assert!(output.stderr.contains(why), "{output:?}");
    }
}
