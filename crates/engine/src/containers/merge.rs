//! A container's configuration where it meets its image's.

use std::collections::{BTreeMap, HashSet};

use api::StrSlice;
use api::containers::Config;

use super::spec::environment::key;
use crate::error::Error;

/// Fills what the user left open from the image, by Docker's rules: variables, labels, ports and volumes are united
/// with the user's winning; a command of the user's own replaces the image's, an entrypoint replaces both.
pub fn with_image(config: &mut Config, image: &Config) {
    fill(&mut config.user, &image.user);
    fill(&mut config.working_dir, &image.working_dir);
    fill(&mut config.stop_signal, &image.stop_signal);
    unite(&mut config.exposed_ports, &image.exposed_ports);
    unite(&mut config.volumes, &image.volumes);
    // Clients send empty maps for what was not asked for; inspect shows what there is.
    config.volumes.take_if(|volumes| volumes.is_empty());
    unite(&mut config.labels, &image.labels);
    config.env = with_image_env(config.env.take(), image.env.as_deref());
    if is_empty(&config.entrypoint) {
        if is_empty(&config.cmd) {
            config.cmd.clone_from(&image.cmd);
            config.args_escaped = image.args_escaped;
        }
        // `--entrypoint ""` is sent as one empty word: no entrypoint, the image's neither.
        if config.entrypoint.is_none() {
            config.entrypoint.clone_from(&image.entrypoint);
        }
    }
    if config.entrypoint.as_ref().is_some_and(|words| words.len() == 1 && words[0].is_empty()) {
        config.entrypoint = None;
    }
    config.stop_timeout = config.stop_timeout.or(image.stop_timeout);
    if config.shell.is_none() {
        config.shell.clone_from(&image.shell);
    }
    merge_healthcheck(config, image);
}

/// Entrypoint and command: what is run.
pub fn command(config: &Config) -> Result<Vec<String>, Error> {
    let words =
        |slice: &Option<StrSlice>| slice.as_ref().map_or(Vec::new(), |words| words.to_vec());
    let mut all = words(&config.entrypoint);
    all.extend(words(&config.cmd));
    match all.first() {
        Some(_) => Ok(all),
        None => Err(Error::invalid("no command specified")),
    }
}

fn is_empty(words: &Option<StrSlice>) -> bool {
    words.as_ref().is_none_or(|words| words.is_empty())
}

fn fill(own: &mut String, image: &str) {
    if own.is_empty() {
        image.clone_into(own);
    }
}

fn unite<V: Clone>(own: &mut Option<BTreeMap<String, V>>, image: &Option<BTreeMap<String, V>>) {
    let Some(image) = image else { return };
    let own = own.get_or_insert_default();
    for (key, value) in image {
        own.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// The user's variables first, then the image's that the user has not set.
fn with_image_env(own: Option<Vec<String>>, image: Option<&[String]>) -> Option<Vec<String>> {
    let Some(image) = image.filter(|image| !image.is_empty()) else { return own };
    let mut all = own.unwrap_or_default();
    let mut set: HashSet<String> = all.iter().map(|variable| key(variable).to_owned()).collect();
    all.extend(image.iter().filter(|variable| set.insert(key(variable).to_owned())).cloned());
    Some(all)
}

fn merge_healthcheck(config: &mut Config, image: &Config) {
    let Some(from_image) = &image.healthcheck else { return };
    let Some(own) = &mut config.healthcheck else {
        config.healthcheck = Some(from_image.clone());
        return;
    };
    if own.test.is_empty() {
        own.test.clone_from(&from_image.test);
    }
    for (own, image) in [
        (&mut own.interval, from_image.interval),
        (&mut own.timeout, from_image.timeout),
        (&mut own.start_period, from_image.start_period),
        (&mut own.start_interval, from_image.start_interval),
        (&mut own.retries, from_image.retries),
    ] {
        if *own == 0 {
            *own = image;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Option<StrSlice> {
        Some(StrSlice(words.iter().map(|word| (*word).to_owned()).collect()))
    }

    fn merged(entrypoint: Option<StrSlice>, cmd: Option<StrSlice>) -> Vec<String> {
        let image =
            Config { entrypoint: words(&["/entry"]), cmd: words(&["serve"]), ..Config::default() };
        let mut own = Config { entrypoint, cmd, ..Config::default() };
        with_image(&mut own, &image);
        command(&own).unwrap_or_default()
    }

    #[test]
    fn commands_replace_commands_and_entrypoints_replace_both() {
        assert_eq!(merged(None, None), ["/entry", "serve"]);
        assert_eq!(merged(None, words(&["sh"])), ["/entry", "sh"]);
        assert_eq!(merged(words(&["/mine"]), None), ["/mine"]);
        assert_eq!(merged(words(&["/mine"]), words(&["x"])), ["/mine", "x"]);
        assert_eq!(merged(words(&[""]), words(&["x"])), ["x"]);
    }

    #[test]
    fn the_users_variables_win() {
        let image = Config { env: Some(vec!["A=1".into(), "B=2".into()]), ..Config::default() };
        let mut own = Config { env: Some(vec!["B=3".into()]), ..Config::default() };
        with_image(&mut own, &image);
        assert_eq!(own.env.unwrap(), ["B=3", "A=1"]);
    }

    #[test]
    fn nothing_to_run_is_refused() {
        let said = command(&Config::default()).unwrap_err().to_string();
        assert_eq!(said, "no command specified");
    }
}
