//! The five-minute rule: `gantry NOUN VERB` is the file commands/NOUN/VERB.rs, and the client's function behind it
//! is NOUN_VERB.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

const NOUNS: [&str; 5] = ["container", "image", "network", "system", "volume"];

/// Verbs whose endpoint has another name in the Engine API, or which are made of several.
const OTHER_NAMES: [(&str, &str, &str); 18] = [
    ("container", "cp", "container_archive"),
    ("container", "diff", "container_changes"),
    ("container", "exec", "exec_create"),
    ("container", "ls", "container_list"),
    ("container", "port", "container_inspect"),
    ("container", "rm", "container_remove"),
    ("container", "run", "container_create"),
    ("image", "inspect", "image_inspect_raw"),
    ("image", "ls", "image_list"),
    ("image", "rm", "image_remove"),
    ("network", "inspect", "network_inspect_raw"),
    ("network", "ls", "network_list"),
    ("network", "rm", "network_remove"),
    ("system", "dial_stdio", "connection"),
    ("volume", "inspect", "volume_inspect_raw"),
    ("volume", "ls", "volume_list"),
    ("volume", "rm", "volume_remove"),
    ("volume", "update", "volume_inspect_raw"),
];

/// Verbs of the command line without their function in the client.
pub(super) fn check(crates: &Path) -> Result<Vec<String>> {
    let mut client = String::new();
    for file in files(&crates.join("client/src"))? {
        client += &read(&file)?;
    }
    let mut broken = Vec::new();
    for noun in NOUNS {
        for file in files(&crates.join("cli/src/commands").join(noun))? {
            // Others are what verbs share.
            if read(&file)?.contains("const COMMAND:") {
                let verb = file.file_stem().unwrap_or_default().to_string_lossy();
                broken.extend(without_function(noun, &verb, &client));
            }
        }
    }
    Ok(broken)
}

fn without_function(noun: &str, verb: &str, client: &str) -> Option<String> {
    let other = OTHER_NAMES.iter().find(|(n, v, _)| (*n, *v) == (noun, verb));
    let function = other.map_or(format!("{noun}_{verb}"), |(_, _, name)| (*name).to_owned());
    (!client.contains(&format!("fn {function}(")))
        .then(|| format!("gantry {noun} {verb}: the client has no function {function}"))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e| format!("{}: {e}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_needs_its_function_by_its_own_name_or_the_stated_one() {
        let client = "pub async fn container_stop(\npub async fn image_list(";
        assert_eq!(without_function("container", "stop", client), None);
        assert_eq!(without_function("image", "ls", client), None);
        assert_eq!(
            without_function("image", "tag", client).as_deref(),
            Some("gantry image tag: the client has no function image_tag")
        );
    }
}
