//! `--security-opt`.

use template::Json;

use super::env::os_error;

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
            Some((_, "")) => return Err(format!("Invalid --security-opt: {word:?}")),
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

fn seccomp_profile(path: &str) -> Result<String, String> {
    let text = std::fs::read(path).map_err(|error| {
        format!("opening seccomp profile ({path}) failed: open {path}: {}", os_error(&error))
    })?;
    let json = Json::parse(&text).map_err(|error| {
        let why = in_gos_words(&text, &error);
        format!("compacting json for seccomp profile ({path}) failed: {why}")
    })?;
    Ok(json.compact())
}

/// What is no JSON from its first character on, or ends early; the rest in the decoder's own words.
fn in_gos_words(text: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let text = String::from_utf8_lossy(text);
    match text.trim_start().chars().next() {
        Some(first) if !"{[\"-0123456789tfn".contains(first) => {
            format!("invalid character {first:?} looking for beginning of value")
        }
        _ => error.to_string(),
    }
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
    fn profiles_are_read_here() {
        assert!(options(&words(&["seccomp=unconfined"])).is_ok());
        assert!(
            options(&words(&["seccomp=/nowhere.json"]))
                .err()
                .unwrap()
                .contains("opening seccomp profile")
        );
        for bad in ["what", "seccomp=", "label="] {
            assert!(options(&words(&[bad])).is_err(), "{bad}");
        }
    }
}
