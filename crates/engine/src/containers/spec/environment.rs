//! What a process finds in its environment.

use std::collections::HashMap;

use api::containers::Config;

use super::user::User;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// PATH, HOSTNAME, with a terminal TERM, and those of links, then the configuration's own, which win; HOME last where nobody
/// set it.
pub fn environment(config: &Config, user: &User, linked: Vec<String>) -> Vec<String> {
    let mut all = vec![PATH.to_owned(), format!("HOSTNAME={}", config.hostname)];
    if config.tty {
        all.push("TERM=xterm".to_owned());
    }
    all.extend(linked);
    with_home(merged(all, config.env.iter().flatten()), user)
}

/// Of a step of a build: PATH, the configuration's own, HOME. As BuildKit has it.
pub fn of_step(config: &Config, user: &User) -> Vec<String> {
    with_home(merged(vec![PATH.to_owned()], config.env.iter().flatten()), user)
}

fn with_home(mut all: Vec<String>, user: &User) -> Vec<String> {
    if !all.iter().any(|variable| key(variable) == "HOME") {
        all.push(format!("HOME={}", user.home));
    }
    all
}

/// `base` with `overrides`: a variable takes the place of its namesake, and a name without `=` removes it. Images
/// may bring hundreds of thousands.
pub fn merged<'a>(
    base: Vec<String>,
    overrides: impl IntoIterator<Item = &'a String>,
) -> Vec<String> {
    let mut places: HashMap<String, usize> = base
        .iter()
        .enumerate()
        .map(|(place, variable)| (key(variable).to_owned(), place))
        .collect();
    let mut all: Vec<Option<String>> = base.into_iter().map(Some).collect();
    for variable in overrides {
        let name = key(variable);
        match (places.get(name), variable.contains('=')) {
            (Some(place), true) => all[*place] = Some(variable.clone()),
            (Some(place), false) => {
                all[*place] = None;
                places.remove(name);
            }
            (None, true) => {
                places.insert(name.to_owned(), all.len());
                all.push(Some(variable.clone()));
            }
            (None, false) => {}
        }
    }
    all.into_iter().flatten().collect()
}

pub fn key(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_variables_win_and_home_comes_last() {
        let env = Some(vec!["A=1".into(), "HOSTNAME=x".into(), "TERM".into(), "A=2".into()]);
        let config = Config { hostname: "h".into(), tty: true, env, ..Config::default() };
        let user = User { home: "/root".into(), ..User::default() };
        let linked = vec!["A=0".to_owned(), "DB_NAME=/me/db".to_owned()];
        let all = environment(&config, &user, linked);
        assert_eq!(all, [PATH, "HOSTNAME=x", "A=2", "DB_NAME=/me/db", "HOME=/root"]);
    }
}
