//! A command line in words, as a shell would split it: quotes and backslashes, nothing else.

/// Nothing where a quote has no end.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut started) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => word.push(c),
            (_, '\\') => {
                word.push(chars.next()?);
                started = true;
            }
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                started = true;
            }
            (None, c) if c.is_whitespace() => {
                if started {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            (None, c) => {
                word.push(c);
                started = true;
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    if started {
        words.push(word);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        let words = |line: &str| split(line).expect("every quote has an end").join("|");
        assert_eq!(words("sh -c 'echo \"a b\"'  x"), "sh|-c|echo \"a b\"|x");
        assert_eq!(words(r#"a\ b "c \" d" ''"#), "a b|c \" d|");
        assert_eq!(words(""), "");
        assert_eq!(split("a \"b"), None);
        assert_eq!(split("a\\"), None);
    }
}
