//! Lines into words. Quotes and escapes stay as they are: expansion takes them away.

/// Splits at white space outside of quotes.
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c.is_whitespace() && quote.is_none() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        word.push(c);
        match quote {
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            // Nothing is escaped between single quotes.
            _ if c == escape && quote != Some('\'') => word.extend(characters.next()),
            _ => {}
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `["a", "b"]`; `None` for what is no JSON array.
///
/// # Errors
/// An array of something else than strings.
pub(super) fn json(text: &str) -> Result<Option<Vec<String>>, String> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Ok(None) };
    let strings = values.into_iter().map(|value| match value {
        serde_json::Value::String(text) => Ok(text),
        _ => Err("when using JSON array syntax, arrays must be comprised of strings only".into()),
    });
    strings.collect::<Result<Vec<_>, _>>().map(Some)
}

/// `name=value ...`, or the old form of one: `name value`.
///
/// # Errors
/// In BuildKit's words.
pub(super) fn pairs(
    keyword: &str,
    text: &str,
    escape: char,
) -> Result<Vec<(String, String)>, String> {
    let words = split(text, escape);
    let Some(first) = words.first() else {
        return Err(format!("{keyword} requires at least one argument"));
    };
    if !first.contains('=') {
        let two = || format!("{keyword} must have two arguments");
        let (name, value) = text.split_once(char::is_whitespace).ok_or_else(two)?;
        return Ok(vec![(name.to_owned(), value.trim_start().to_owned())]);
    }
    let pair = |word: &String| match word.split_once('=') {
        Some(("", _)) => Err(format!("{keyword} names can not be blank")),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            Err(format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value"))
        }
    };
    words.iter().map(pair).collect()
}
