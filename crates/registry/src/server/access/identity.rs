//! Who asks, and what rules and tokens let them do.

use serde::Deserialize;

use super::super::names::Repository;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Action {
    Pull,
    Push,
    Delete,
    #[serde(rename = "*")]
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Identity {
    /// Nobody is asked who they are.
    Anybody,
    Anonymous,
    User(String),
    /// Whom somebody else knows, with what they may do here.
    Granted(Vec<Grant>),
}

/// Of a token's `access`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(in super::super) struct Grant {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    actions: Vec<String>,
}

/// Of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Rule {
    /// Patterns: `*` is any part of a name without `/`, `**` any part of it.
    repositories: Vec<String>,
    /// Names; `*` is each user, `anonymous` everybody.
    users: Vec<String>,
    actions: Vec<Action>,
}

impl Action {
    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }
}

impl Grant {
    pub(super) fn is_for_catalog(&self) -> bool {
        self.kind == "registry"
            && self.name == "catalog"
            && self.actions.iter().any(|own| own == "*")
    }

    pub(super) fn covers(&self, repository: &Repository, action: Action) -> bool {
        let names = |own: &String| own == action.as_str() || own == "*";
        self.kind == "repository"
            && self.name == repository.as_str()
            && self.actions.iter().any(names)
    }
}

impl Rule {
    pub(super) fn allows(
        &self,
        user: Option<&str>,
        repository: &Repository,
        action: Action,
    ) -> bool {
        let is_meant = |own: &String| match own.as_str() {
            "anonymous" => true,
            "*" => user.is_some(),
            own => user == Some(own),
        };
        self.users.iter().any(is_meant)
            && self.actions.iter().any(|own| *own == action || *own == Action::All)
            && self.repositories.iter().any(|pattern| matches(pattern, repository.as_str()))
    }
}

/// Goes back to the last star alone, so that a pattern of many takes no longer than its length times the name's.
pub(in super::super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    // For each beginning of the name, whether the pattern so far matches it.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some((&letter, after)) = rest.split_first() {
        let crosses = rest.starts_with(b"**");
        rest = if crosses { &after[1..] } else { after };
        if letter == b'*' {
            for at in 0..name.len() {
                reached[at + 1] |= reached[at] && (crosses || name[at] != b'/');
            }
        } else {
            for at in (0..name.len()).rev() {
                reached[at + 1] = reached[at] && name[at] == letter;
            }
            reached[0] = false;
        }
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("a", "a"),
            ("*", "abc"),
            ("a/*", "a/b"),
            ("**", "a/b/c"),
            ("a/**", "a/b/c"),
            ("a*c", "abbc"),
            ("*/x", "a/x"),
            ("**/x", "a/b/x"),
            ("a**", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "b"),
            ("a", "ab"),
            ("*", "a/b"),
            ("a/*", "a/b/c"),
            ("", "a"),
            ("*/x", "a/b/x"),
            ("a*c", "ab"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(1000), &"a".repeat(200)), "soon");
    }
}
