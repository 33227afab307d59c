//! Manual pages: one for each command, which roff prints without complaint and in which every flag is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use testkit::engine::{binary, finish};

use crate::help_text::{of_gantry, tree};

#[test]
fn each_command_has_a_page_that_renders_and_names_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let texts = tree(of_gantry);
    let mut pages = BTreeSet::new();
    for (command, text) in &texts {
        let page = format!("gantry {command}").trim_end().replace(' ', "-");
        let shown = rendered(&folder.path().join(format!("{page}.1")));
        let summary = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(summary.contains(&page), "{page} is not named in its page:\n{shown}");
        for flag in text.flags() {
            let named = |word: &str| word.trim_end_matches(',') == flag;
            assert!(shown.split_whitespace().any(named), "{flag} is not in {page}:\n{shown}");
        }
        for listed in text.commands(command) {
            let name = format!("gantry-{}(1)", listed.replace(' ', "-"));
            assert!(shown.contains(&name), "{name} is not in {page}:\n{shown}");
        }
        pages.insert(format!("{page}.1"));
    }
    let written: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(written.is_superset(&pages), "{:?}", pages.difference(&written));
    // What is more is another name of a command: `gantry image list`.
    for name in written.difference(&pages) {
        let leads_to = std::fs::read_link(folder.path().join(name)).unwrap();
        assert!(pages.contains(leads_to.to_str().unwrap()), "{name} -> {}", leads_to.display());
    }
}

#[test]
fn the_other_programs_have_pages_of_all_that_their_help_offers() {
    let folder = tempfile::tempdir().unwrap();
    let programs = ["gantryd", "gantry-runtime"].map(binary);
    let written =
        finish(Command::new(binary("gantry")).arg("__man").arg(folder.path()).args(&programs));
    assert_eq!((written.code, written.stderr.as_str()), (0, ""));
    let help = |program: &Path, words: &[&str]| finish(Command::new(program).args(words)).ok();
    for program in &programs {
        let name = program.file_name().unwrap().to_str().unwrap();
        let shown = rendered(&folder.path().join(format!("{name}.8")));
        let flags = |text: &str| -> BTreeSet<String> {
            let words = text.split_whitespace().map(|word| word.trim_end_matches(','));
            words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
        };
        let mut offered = flags(&help(program, &["--help"]));
        if name == "gantry-runtime" {
            for verb in ["create", "exec", "update"] {
                offered.extend(flags(&help(program, &[verb, "--help"])));
            }
        }
        assert!(offered.len() > 20, "{offered:?}");
        let named = flags(&shown);
        assert!(named.is_superset(&offered), "{:?}", offered.difference(&named));
        assert!(shown.contains(&format!("{name} - ")), "{shown}");
    }
    let missing =
        finish(Command::new(binary("gantry")).args(["__man", "/tmp", "/no/such/program"]));
    assert!(missing.fails(1).contains("/no/such/program"));
}

#[test]
fn pages_are_written_over_those_of_an_earlier_version() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let first = std::fs::read(folder.path().join("gantry-ps.1")).unwrap();
    write(folder.path());
    assert_eq!(std::fs::read(folder.path().join("gantry-ps.1")).unwrap(), first);
}

fn write(folder: &Path) {
    let output = finish(Command::new(binary("gantry")).arg("__man").arg(folder));
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""));
}

/// As a terminal shows it, without bold and the like; every warning that roff has is a failure.
fn rendered(page: &Path) -> String {
    let groff = ["-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=200n"];
    let output = finish(Command::new("groff").args(groff).arg(page));
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", page.display());
    output.stdout
}
