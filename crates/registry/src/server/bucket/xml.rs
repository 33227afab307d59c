//! As much of XML as object storages answer with: elements by their names, without attributes that matter.

/// The insides of all elements of that name, in order; those within one of the same name are part of it.
pub(super) fn elements<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open.as_str()) {
        let Some((inside, after)) = after.split_once(close.as_str()) else { break };
        found.push(inside);
        rest = after;
    }
    found
}

/// The text of the first element of that name.
pub(super) fn text(text: &str, name: &str) -> Option<String> {
    elements(text, name).first().map(|inside| unescape(inside))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'");
    let text = text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'");
    // Last: what it stands for begins no other escape.
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_are_read() {
        let list = "<?xml version=\"1.0\"?><L><Contents><Key>a&amp;b</Key></Contents>\
                    <Contents><Key>c</Key></Contents><Contents><Key>cut";
        let keys: Vec<_> =
            elements(list, "Contents").iter().map(|one| text(one, "Key").unwrap()).collect();
        assert_eq!(keys, ["a&b", "c"]);
        assert_eq!(text(list, "None"), None);
        assert_eq!(escape("\"a\"<&>"), "&quot;a&quot;&lt;&amp;&gt;");
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_as_it_was(word in "[ -~]{0,20}") {
            prop_assert_eq!(text(&format!("<K>{}</K>", escape(&word)), "K"), Some(word));
        }

        #[test]
        fn no_answer_is_too_odd(answer in "(<|>|/|&|;|K|amp){0,30}") {
            let _ = text(&answer, "K");
        }
    }
}
