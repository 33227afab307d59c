//! `WWW-Authenticate` (RFC 9110, section 11.6.1): what a registry wants to see.

/// The schemes that registries use; others are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: String },
}

/// The best of a header's challenges: a token rather than the password itself.
pub(super) fn best<'h>(headers: impl IntoIterator<Item = &'h str>) -> Option<Challenge> {
    let mut found = None;
    for header in headers {
        for (scheme, parameters) in split(header) {
            let parameter = |name: &str| {
                let mut known = parameters.iter().filter(|(key, _)| key == name);
                known.next().map(|(_, value)| value.clone()).unwrap_or_default()
            };
            if scheme.eq_ignore_ascii_case("bearer") && !parameter("realm").is_empty() {
                let (realm, service) = (parameter("realm"), parameter("service"));
                return Some(Challenge::Bearer { realm, service });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                found = Some(Challenge::Basic);
            }
        }
    }
    found
}

type Parameters = Vec<(String, String)>;

/// Each scheme with its parameters, keys in lower case. What is malformed ends the list.
fn split(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            return challenges;
        }
        let blank = after.trim_start_matches([' ', '\t']);
        let Some(value) = blank.strip_prefix('=') else {
            challenges.push((word.to_owned(), Vec::new()));
            rest = after;
            continue;
        };
        let (Some((value, after)), Some((_, parameters))) =
            (value_of(value.trim_start_matches([' ', '\t'])), challenges.last_mut())
        else {
            return challenges;
        };
        parameters.push((word.to_ascii_lowercase(), value));
        rest = after;
    }
}

fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c));
    text.split_at(end.unwrap_or(text.len()))
}

/// A token or a quoted string.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = token(text);
        return Some((word.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let bearer = r#"Bearer realm="https://auth.example/token",service="reg, \"x\"",scope=a"#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token".into(),
            service: "reg, \"x\"".into(),
        };
        assert_eq!(best([bearer]), Some(expected.clone()));
        assert_eq!(best(["Basic realm=\"x\"", bearer]), Some(expected.clone()));
        assert_eq!(best([format!("Basic realm=\"x\", {bearer}").as_str()]), Some(expected));
        assert_eq!(best(["basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn what_is_malformed_is_no_challenge() {
        for header in [
            "",
            "Bearer",
            "Bearer realm=",
            "Bearer realm=\"x",
            "=x",
            "Digest realm=\"x\"",
            "\"Bearer\"",
        ] {
            assert_eq!(best([header]), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(header in "\\PC*") {
            let _ = split(&header);
        }
    }
}
