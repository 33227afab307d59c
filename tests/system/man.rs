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
