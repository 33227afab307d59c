//! Who may do what: the rules, and the two ways to say who one is.

mod basic;
mod config;
mod identity;
mod keys;
mod token;

use hyper::header::{HeaderMap, WWW_AUTHENTICATE};

use basic::Passwords;
pub use config::Config;
pub(super) use identity::matches;
pub(super) use identity::{Action, Identity};
use identity::{Grant, Rule};
use token::Tokens;

use super::error::{Code, Error};
use super::names::Repository;

/// What requests are checked against. Without a way to say who one is, everybody may do everything.
pub(super) struct Access {
    way: Way,
    rules: Option<Vec<Rule>>,
}

enum Way {
    Open,
    Passwords(Passwords),
    Tokens(Tokens),
}

impl Access {
    /// # Errors
    /// Texts that name the file.
    pub(super) fn open(config: &Config) -> Result<Self, String> {
        let way = match (&config.htpasswd, &config.token) {
            (None, None) if config.rules.is_some() => {
                return Err("rules need htpasswd or token: nobody says who they are".to_owned());
            }
            (None, None) => Way::Open,
            (Some(file), None) => Way::Passwords(Passwords::open(file)?),
            (None, Some(token)) => Way::Tokens(Tokens::open(token)?),
            (Some(_), Some(_)) => return Err("htpasswd and token exclude one another".to_owned()),
        };
        Ok(Self { way, rules: config.rules.clone() })
    }

    /// Who asks. Credentials that are wrong are refused, whatever is asked for.
    pub(super) async fn identify(&self, headers: &HeaderMap) -> Result<Identity, Error> {
        match &self.way {
            Way::Open => Ok(Identity::Anybody),
            Way::Passwords(passwords) => match passwords.identify(headers).await? {
                Some(identity) => Ok(identity),
                None => Err(self.unauthorized(None)),
            },
            Way::Tokens(tokens) => tokens.identify(headers).ok_or_else(|| self.unauthorized(None)),
        }
    }

    /// For what is about no repository: whoever said who they are.
    pub(super) fn known(&self, identity: &Identity) -> Result<(), Error> {
        if matches!(identity, Identity::Anonymous) { Err(self.unauthorized(None)) } else { Ok(()) }
    }

    pub(super) fn allows(
        &self,
        identity: &Identity,
        repository: &Repository,
        action: Action,
    ) -> bool {
        match identity {
            Identity::Anybody => true,
            Identity::Granted(grants) => {
                grants.iter().any(|grant| grant.covers(repository, action))
            }
            Identity::Anonymous => self.rule_allows(None, repository, action),
            Identity::User(name) => self.rule_allows(Some(name), repository, action),
        }
    }

    /// Whether a list of all repositories has this one.
    pub(super) fn shows(&self, identity: &Identity, repository: &Repository) -> bool {
        let all = matches!(identity, Identity::Granted(grants) if grants.iter().any(Grant::is_for_catalog));
        all || self.allows(identity, repository, Action::Pull)
    }

    /// # Errors
    /// 401 where other credentials would help, else 403.
    pub(super) fn check(
        &self,
        identity: &Identity,
        repository: &Repository,
        action: Action,
    ) -> Result<(), Error> {
        if self.allows(identity, repository, action) {
            return Ok(());
        }
        Err(match identity {
            Identity::User(_) => {
                Error::new(Code::Denied, "requested access to the resource is denied")
            }
            _ => self.unauthorized(Some((repository, action))),
        })
    }

    fn rule_allows(&self, user: Option<&str>, repository: &Repository, action: Action) -> bool {
        match &self.rules {
            None => user.is_some(),
            Some(rules) => rules.iter().any(|rule| rule.allows(user, repository, action)),
        }
    }

    fn unauthorized(&self, wanted: Option<(&Repository, Action)>) -> Error {
        let error = Error::new(Code::Unauthorized, "authentication required");
        match &self.way {
            Way::Open => error,
            Way::Passwords(_) => {
                error.with_header(WWW_AUTHENTICATE, "Basic realm=\"Gantry registry\"")
            }
            Way::Tokens(tokens) => error.with_header(WWW_AUTHENTICATE, tokens.challenge(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(rules: &str) -> Access {
        let rules = serde_json::from_str(rules).unwrap();
        Access { way: Way::Open, rules }
    }

    fn may(access: &Access, identity: &Identity, repository: &str, action: Action) -> bool {
        access.allows(identity, &Repository::parse(repository).unwrap(), action)
    }

    #[test]
    fn without_rules_users_may_do_everything_and_others_nothing() {
        let access = access("null");
        let user = Identity::User("ann".to_owned());
        assert!(may(&access, &user, "a", Action::Delete));
        assert!(!may(&access, &Identity::Anonymous, "a", Action::Pull));
        assert!(may(&access, &Identity::Anybody, "a", Action::Push));
    }

    #[test]
    fn rules_say_who_may_do_what_where() {
        let access = access(
            r#"[{"repositories":["team/*"],"users":["ann"],"actions":["pull","push"]},
                {"repositories":["public/**"],"users":["anonymous"],"actions":["pull"]},
                {"repositories":["**"],"users":["*"],"actions":["pull"]},
                {"repositories":["**"],"users":["root"],"actions":["*"]}]"#,
        );
        let user = |name: &str| Identity::User(name.to_owned());
        assert!(may(&access, &user("ann"), "team/app", Action::Push));
        assert!(!may(&access, &user("ann"), "team/app", Action::Delete));
        assert!(!may(&access, &user("ann"), "team/app/deeper", Action::Push));
        assert!(may(&access, &user("bob"), "team/app", Action::Pull));
        assert!(!may(&access, &user("bob"), "team/app", Action::Push));
        assert!(may(&access, &Identity::Anonymous, "public/a/b", Action::Pull));
        assert!(!may(&access, &Identity::Anonymous, "team/app", Action::Pull));
        assert!(may(&access, &user("root"), "x", Action::Delete));
    }
}
