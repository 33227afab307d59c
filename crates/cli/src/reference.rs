//! Names of images as far as a client must understand them; the engine checks them.

/// `repository[:tag]` apart, as something to be made: a digest can only be referred to.
pub(crate) fn split(text: &str) -> Result<(String, String), String> {
    const INVALID: &str = "invalid reference format";
    let (repository, tag) = tag_of(text);
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        let library = if repository.contains('/') { "" } else { "library/" };
        return Err(format!(
            "{INVALID}: repository name ({library}{repository}) must be lowercase"
        ));
    }
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    let part_of_tag = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !repository.chars().all(part_of_name) || !tag.unwrap_or_default().chars().all(part_of_tag) {
        return Err(INVALID.to_owned());
    }
    Ok((repository.to_owned(), tag.unwrap_or_default().to_owned()))
}

/// With `:latest` where it has neither tag nor digest.
pub(crate) fn with_tag(text: &str) -> String {
    match tag_of(text) {
        (_, None) if !text.contains('@') => format!("{text}:latest"),
        _ => text.to_owned(),
    }
}

/// Name, and the tag or digest to pull.
pub(crate) fn to_pull(text: &str) -> (String, String) {
    if let Some((name, digest)) = text.split_once('@') {
        return (name.to_owned(), digest.to_owned());
    }
    let (name, tag) = tag_of(text);
    (name.to_owned(), tag.unwrap_or("latest").to_owned())
}

/// A colon before the last slash belongs to a registry's port.
fn tag_of(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_not_tags() {
        assert_eq!(with_tag("localhost:5000/a"), "localhost:5000/a:latest");
        assert_eq!(with_tag("a:1"), "a:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
        assert_eq!(to_pull("localhost:5000/a:2"), ("localhost:5000/a".to_owned(), "2".to_owned()));
        assert_eq!(split("a"), Ok(("a".to_owned(), String::new())));
        assert!(split("BAD").unwrap_err().contains("(library/BAD) must be lowercase"));
        assert!(split("a@sha256:00").is_err() && split("a:b c").is_err());
    }
}
