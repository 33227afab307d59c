//! `--security-opt`.

use std::collections::BTreeSet;

use super::env::os_error;
use crate::output::json::Json;

pub(super) struct Security {
    pub(super) options: Vec<String>,
    /// `systempaths=unconfined`: nothing of /proc and /sys is masked. A thing of the client: the engine
    /// gets empty lists.
    pub(super) unconfined_paths: bool,
}

/// Profiles named by file are sent by content, since the engine may be elsewhere.
pub(super) fn options(words: &[String]) -> Result<Security, String> {
    let mut security = Security { options: Vec::new(), unconfined_paths: false };
    for word in words {
        if word == "systempaths=unconfined" {
            security.unconfined_paths = true;
            continue;
        }
        let split = word.split_once('=').or_else(|| word.split_once(':'));
        security.options.push(match split {
            Some(("seccomp", profile)) if !matches!(profile, "unconfined" | "builtin") => {
                format!("seccomp={}", seccomp_profile(profile)?)
            }
            None if word != "no-new-privileges" => {
                return Err(format!("Invalid --security-opt: {word:?}"));
            }
            _ => word.clone(),
        });
    }
    Ok(security)
}

/// Capabilities to add and to drop, under their full names, each once. Adding wins over dropping.
pub(super) fn capabilities(add: &[String], drop: &[String]) -> (Vec<String>, Vec<String>) {
    let named = |words: &[String]| -> BTreeSet<String> {
        let names: BTreeSet<String> = words.iter().map(|word| full_name(word)).collect();
        if names.contains(ALL) { BTreeSet::from([ALL.to_owned()]) } else { names }
    };
    let (add, mut drop) = (named(add), named(drop));
    drop.retain(|name| !add.contains(name));
    (add.into_iter().collect(), drop.into_iter().collect())
}

const ALL: &str = "ALL";

fn full_name(word: &str) -> String {
    let name = word.trim().to_ascii_uppercase();
    if name == ALL || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

fn seccomp_profile(path: &str) -> Result<String, String> {
    let text = std::fs::read(path).map_err(|error| {
        format!("opening seccomp profile ({path}) failed: open {path}: {}", os_error(&error))
    })?;
    let json = Json::parse(&text)
        .map_err(|error| format!("compacting json for seccomp profile ({path}) failed: {error}"))?;
    Ok(json.compact())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(of: &[&str]) -> Vec<String> {
        of.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn paths_are_unmasked_by_the_client() {
        let security = options(&words(&["systempaths=unconfined", "no-new-privileges"])).unwrap();
        assert!(security.unconfined_paths);
        assert_eq!(security.options, ["no-new-privileges"]);
    }

    #[test]
    fn capabilities_have_full_names_and_adding_wins() {
        let (add, drop) =
            capabilities(&words(&["sys_time", "CAP_CHOWN", "chown"]), &words(&["all", "kill"]));
        assert_eq!(add, ["CAP_CHOWN", "CAP_SYS_TIME"]);
        assert_eq!(drop, ["ALL"]);
        assert_eq!(capabilities(&words(&["kill"]), &words(&["KILL"])).1, Vec::<String>::new());
    }

    #[test]
    fn profiles_are_read_here() {
        assert!(options(&words(&["seccomp=unconfined"])).is_ok());
        assert!(
            options(&words(&["seccomp=/nowhere.json"]))
                .err()
                .unwrap()
                .contains("opening seccomp profile")
        );
        assert!(options(&words(&["what"])).is_err());
    }
}
