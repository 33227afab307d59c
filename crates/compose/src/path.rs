//! The path of an attribute: `services.web.ports.[]`.

use std::fmt;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    pub(crate) fn join(&self, part: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.to_owned());
        Self(parts)
    }

    /// `*` in a pattern is any one part.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        let mut parts = self.0.iter();
        for wanted in pattern.split('.') {
            match parts.next() {
                Some(part) if wanted == "*" || wanted == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_part_whatever_it_is() {
        let path = Path::root().join("services").join("we.b").join("ports");
        assert!(path.matches("services.*.ports"));
        assert!(!path.matches("services.*"));
        assert!(!path.matches("services.*.ports.[]"));
        assert_eq!(path.to_string(), "services.we.b.ports");
    }
}
