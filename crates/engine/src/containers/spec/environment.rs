//! What a process finds in its environment.

use api::containers::Config;

use super::user::User;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// PATH, HOSTNAME and with a terminal TERM, then the configuration's own, which win; HOME last where nobody set it.
pub fn environment(config: &Config, user: &User) -> Vec<String> {
    let mut all = vec![PATH.to_owned(), format!("HOSTNAME={}", config.hostname)];
    if config.tty {
        all.push("TERM=xterm".to_owned());
    }
    let mut all = merged(all, config.env.iter().flatten());
    if !all.iter().any(|variable| key(variable) == "HOME") {
        all.push(format!("HOME={}", user.home));
    }
    all
}

/// `base` with `overrides`: a variable takes the place of its namesake, and a name without `=` removes it.
pub fn merged<'a>(
    base: Vec<String>,
    overrides: impl IntoIterator<Item = &'a String>,
) -> Vec<String> {
    let mut all = base;
    for variable in overrides {
        let same = all.iter().position(|present| key(present) == key(variable));
        match (same, variable.contains('=')) {
            (Some(place), true) => variable.clone_into(&mut all[place]),
            (Some(place), false) => drop(all.remove(place)),
            (None, true) => all.push(variable.clone()),
            (None, false) => {}
        }
    }
    all
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
        assert_eq!(environment(&config, &user), [PATH, "HOSTNAME=x", "A=2", "HOME=/root"]);
    }
}
