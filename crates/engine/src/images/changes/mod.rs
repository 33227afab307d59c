//! `--change` of commit and import: single instructions of a Dockerfile, applied to an image's configuration.

mod health;
mod ports;
mod words;

use std::path::Component;

use api::containers::Config;
use api::{Empty, StrSlice};

use crate::containers::signal;
use crate::error::{Error, Result};

const MAX_CHANGES: usize = 1024;
const KNOWN: [&str; 11] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Applies each change in turn; the first wrong one is the error, and one that no image can have comes before all.
pub fn apply(config: &mut Config, changes: &[String]) -> Result<()> {
    let lines = changes.iter().flat_map(|change| change.lines()).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let instructions: Vec<(&str, &str)> =
        lines.map(|line| line.split_once(char::is_whitespace).unwrap_or((line, ""))).collect();
    if instructions.len() > MAX_CHANGES {
        return Err(Error::invalid("too many changes"));
    }
    if instructions.is_empty() && !changes.is_empty() {
        return Err(Error::invalid("file with no instructions"));
    }
    let is_known = |word: &str| KNOWN.contains(&word.to_ascii_uppercase().as_str());
    if let Some((word, _)) = instructions.iter().find(|(word, _)| !is_known(word)) {
        return Err(Error::invalid(format!("{word} is not a valid change command")));
    }
    let mut command_is_new = false;
    for (word, rest) in instructions {
        let word = word.to_ascii_uppercase();
        instruction(config, &word, rest.trim())?;
        match word.as_str() {
            "CMD" => command_is_new = true,
            // The command of before was meant for another entrypoint.
            "ENTRYPOINT" if !command_is_new => config.cmd = None,
            _ => {}
        }
    }
    Ok(())
}

fn instruction(config: &mut Config, word: &str, rest: &str) -> Result<()> {
    let variables = config.env.clone().unwrap_or_default();
    let expand = |text: &str| words::expand(text, &variables);
    match word {
        "CMD" => config.cmd = Some(command(config, rest)?),
        "ENTRYPOINT" => config.entrypoint = Some(command(config, rest)?),
        "ENV" => {
            for (key, value) in pairs(word, rest, &variables)? {
                set_variable(config.env.get_or_insert_default(), &key, &value);
            }
        }
        "LABEL" => {
            config.labels.get_or_insert_default().extend(pairs(word, rest, &variables)?);
        }
        "EXPOSE" => {
            for port in some(word, rest.split_whitespace().collect())? {
                let keys = ports::keys(&expand(port)?)?;
                let exposed = config.exposed_ports.get_or_insert_default();
                exposed.extend(keys.into_iter().map(|key| (key, Empty {})));
            }
        }
        "VOLUME" => {
            let plain = || rest.split_whitespace().map(str::to_owned).collect();
            for volume in some(word, json_words(rest)?.unwrap_or_else(plain))? {
                let volume = expand(volume.trim())?;
                if volume.is_empty() {
                    return Err(Error::invalid("VOLUME specified can not be an empty string"));
                }
                config.volumes.get_or_insert_default().insert(volume, Empty {});
            }
        }
        "USER" => config.user = expand(one(word, rest)?)?,
        "STOPSIGNAL" => {
            let wanted = expand(one(word, rest)?)?;
            signal::parse(&wanted)?;
            config.stop_signal = wanted;
        }
        "WORKDIR" => config.working_dir = joined(&config.working_dir, &expand(one(word, rest)?)?),
        "ONBUILD" => config.on_build.get_or_insert_default().push(trigger(rest)?),
        _ => config.healthcheck = Some(health::healthcheck(rest)?),
    }
    Ok(())
}

fn some<T>(word: &str, arguments: Vec<T>) -> Result<Vec<T>> {
    if arguments.is_empty() {
        return Err(Error::invalid(format!("{word} requires at least one argument")));
    }
    Ok(arguments)
}

fn one<'t>(word: &str, rest: &'t str) -> Result<&'t str> {
    if rest.is_empty() {
        return Err(Error::invalid(format!("{word} requires exactly one argument")));
    }
    Ok(rest)
}

/// The exec form is a JSON list; anything else is for a shell.
fn command(config: &Config, text: &str) -> Result<StrSlice> {
    if let Some(words) = json_words(text)? {
        return Ok(words.into());
    }
    let shell = config.shell.as_ref().filter(|shell| !shell.is_empty());
    let shell = shell.map_or_else(|| vec!["/bin/sh".into(), "-c".into()], |shell| shell.to_vec());
    let text = Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(shell.into_iter().chain(text).collect::<Vec<String>>().into())
}

/// A JSON list of strings; none for what is no JSON list at all.
fn json_words(text: &str) -> Result<Option<Vec<String>>> {
    let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Ok(None) };
    let word = |value: serde_json::Value| match value {
        serde_json::Value::String(word) => Ok(word),
        _ => Err(Error::invalid(
            "when using JSON array syntax, arrays must be comprised of strings only",
        )),
    };
    list.into_iter().map(word).collect::<Result<_>>().map(Some)
}

/// `key=value ...`, or `key the rest` as one pair.
fn pairs(word: &str, rest: &str, variables: &[String]) -> Result<Vec<(String, String)>> {
    let written = some(word, words::split(rest))?;
    let pair = |key: &str, value: &str| {
        let key = words::expand(key, variables)?;
        if key.is_empty() {
            return Err(Error::invalid(format!("{word} names can not be blank")));
        }
        Ok((key, words::expand(value, variables)?))
    };
    if !written[0].contains('=') {
        let (key, value) = rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| Error::invalid(format!("{word} must have two arguments")))?;
        return Ok(vec![pair(key, value.trim_start())?]);
    }
    let split = |written: &String| match written.split_once('=') {
        Some((key, value)) => pair(key, value),
        None => Err(Error::invalid(format!(
            "Syntax error - can't find = in {written:?}. Must be of the form: name=value"
        ))),
    };
    written.iter().map(split).collect()
}

fn set_variable(env: &mut Vec<String>, key: &str, value: &str) {
    let variable = format!("{key}={value}");
    let same = |old: &&mut String| old.split('=').next() == Some(key);
    match env.iter_mut().find(same) {
        Some(old) => *old = variable,
        None => env.push(variable),
    }
}

/// A path seen from the folder of before; `.` and `..` are taken out by name.
fn joined(old: &str, new: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let path = if new.starts_with('/') { new.to_owned() } else { format!("{old}/{new}") };
    for part in std::path::Path::new(&path).components() {
        match part {
            Component::Normal(name) => parts.extend(name.to_str()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    format!("/{}", parts.join("/"))
}

fn trigger(rest: &str) -> Result<String> {
    let word = rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    match word.as_str() {
        "" => Err(Error::invalid("ONBUILD requires at least one argument")),
        "ONBUILD" => Err(Error::invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
        "MAINTAINER" | "FROM" => {
            Err(Error::invalid(format!("{word} isn't allowed as an ONBUILD trigger")))
        }
        _ => Ok(rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn applied(changes: &[&str]) -> Result<Config, String> {
        let mut config = Config::default();
        let changes: Vec<_> = changes.iter().map(|change| (*change).to_owned()).collect();
        apply(&mut config, &changes).map(|()| config).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_have_two_forms() {
        let config = applied(&["CMD echo hi", r#"entrypoint ["a", "b"]"#]).unwrap();
        assert_eq!(config.cmd.unwrap().0, ["/bin/sh", "-c", "echo hi"]);
        assert_eq!(config.entrypoint.unwrap().0, ["a", "b"]);
        assert_eq!(applied(&[r#"CMD ["a"#]).unwrap().cmd.unwrap().0[2], r#"["a"#);
        assert!(applied(&[r#"CMD ["a", 1]"#]).unwrap_err().contains("strings only"));
    }

    #[test]
    fn an_entrypoint_alone_takes_the_old_command_away() {
        let mut config = Config { cmd: Some(vec!["old".to_owned()].into()), ..Config::default() };
        apply(&mut config, &["ENTRYPOINT x".to_owned()]).unwrap();
        assert!(config.cmd.is_none());
    }

    #[test]
    fn variables_and_labels() {
        let config =
            applied(&["ENV A=1 B='x y' C=\"p\\\"q\"", "ENV A 2 3", "ENV D=$A:/x", "LABEL k=v"])
                .unwrap();
        assert_eq!(config.env.unwrap(), ["A=2 3", "B=x y", "C=p\"q", "D=2 3:/x"]);
        assert_eq!(config.labels.unwrap()["k"], "v");
    }

    #[test]
    fn ports_volumes_and_folders() {
        let config =
            applied(&["EXPOSE 80 53/udp", "VOLUME /a /b", "WORKDIR x", "WORKDIR ../y", "USER u:g"])
                .unwrap();
        let keys = |map: &BTreeMap<String, Empty>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&config.exposed_ports.unwrap()), ["53/udp", "80/tcp"]);
        assert_eq!(keys(&config.volumes.unwrap()), ["/a", "/b"]);
        assert_eq!((config.working_dir.as_str(), config.user.as_str()), ("/y", "u:g"));
    }

    #[test]
    fn what_is_wrong_is_said_in_dockers_words() {
        for (change, said) in [
            ("", "file with no instructions"),
            ("# x\n ", "file with no instructions"),
            ("FOO x", "FOO is not a valid change command"),
            ("RUN x", "RUN is not a valid change command"),
            ("USER", "USER requires exactly one argument"),
            ("WORKDIR", "WORKDIR requires exactly one argument"),
            ("STOPSIGNAL FOO", "invalid signal: FOO"),
            ("ENV", "ENV requires at least one argument"),
            ("ENV A", "ENV must have two arguments"),
            ("ENV =b", "ENV names can not be blank"),
            ("LABEL a", "LABEL must have two arguments"),
            ("VOLUME []", "VOLUME requires at least one argument"),
            ("ONBUILD", "ONBUILD requires at least one argument"),
            ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
            ("ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"),
        ] {
            assert_eq!(applied(&[change]).unwrap_err(), said);
        }
        let both = applied(&["USER", "RUN x"]).unwrap_err();
        assert_eq!(both, "RUN is not a valid change command", "what is no change is found first");
    }
}
