//! From text to trees: anchors, aliases and merge keys are resolved here, duplicate keys refused.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{Map, Node, Place, Tag, Value, scalar};
use crate::error::{Error, Result};

/// What a file may hold, aliases expanded. Large files of people have some thousands.
const MOST_NODES: usize = 200_000;
const MOST_DEPTH: usize = 100;

/// The documents of a file, in order.
pub(crate) fn documents(file: &Arc<str>, text: &str) -> Result<Vec<Node>> {
    let mut reader = Reader {
        events: Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)),
        file: file.clone(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::DocumentStart(_), _) => {
                let first = reader.next()?;
                documents.push(reader.node(first, 0)?.node);
                reader.anchors.clear();
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    file: Arc<str>,
    /// Complete ones by their number, so that an alias within its own anchor is unknown.
    anchors: HashMap<usize, Counted>,
    nodes: usize,
}

/// A node and how many it and those below it are.
#[derive(Clone)]
struct Counted {
    node: Node,
    count: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span)> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(why)) => Err(self.broken(&why)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn broken(&self, why: &ScanError) -> Error {
        Error::Yaml { place: self.place(*why.marker()), why: why.info().to_owned() }
    }

    fn place(&self, marker: Marker) -> Place {
        Place { file: self.file.clone(), line: marker.line().max(1), column: marker.col() + 1 }
    }

    fn error(&self, place: &Place, why: impl Into<String>) -> Error {
        Error::Yaml { place: place.clone(), why: why.into() }
    }

    fn count(&mut self, more: usize, place: &Place) -> Result {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MOST_NODES {
            return Err(self.error(place, "document contains excessive aliasing"));
        }
        Ok(())
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Counted> {
        let place = self.place(span.start);
        if depth > MOST_DEPTH {
            return Err(self.error(&place, "exceeded max depth of 100"));
        }
        self.count(1, &place)?;
        let (anchor, made) = match event {
            Event::Alias(anchor) => return self.alias(anchor, &place),
            Event::Scalar(text, style, anchor, tag) => {
                let value = typed(&text, style, tag.as_deref());
                (anchor, (value, 1, tag))
            }
            Event::SequenceStart(anchor, tag) => {
                let (value, count) = self.list(depth)?;
                (anchor, (value, count, tag))
            }
            Event::MappingStart(anchor, tag) => {
                let (value, count) = self.map(depth)?;
                (anchor, (value, count, tag))
            }
            _ => return Err(self.error(&place, "did not find expected node content")),
        };
        let (value, count, tag) = made;
        let tag = tag.map_or(Tag::None, |tag| own_tag(&tag.handle, &tag.suffix));
        let made = Counted { node: Node { value, place, tag }, count };
        if anchor != 0 {
            self.anchors.insert(anchor, made.clone());
        }
        Ok(made)
    }

    fn alias(&mut self, anchor: usize, place: &Place) -> Result<Counted> {
        let found = self.anchors.get(&anchor).cloned();
        let found = found.ok_or_else(|| self.error(place, "anchor value contains itself"))?;
        self.count(found.count, place)?;
        Ok(found)
    }

    fn list(&mut self, depth: usize) -> Result<(Value, usize)> {
        let (mut list, mut count) = (Vec::new(), 1);
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok((Value::List(list), count)),
                event => {
                    let item = self.node(event, depth + 1)?;
                    count += item.count;
                    list.push(item.node);
                }
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<(Value, usize)> {
        let (mut map, mut count, mut merged) = (Map::new(), 1, Vec::new());
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => break,
                event => self.node(event, depth + 1)?,
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            count += key.count + value.count;
            let place = key.node.place.clone();
            let name = self.key(&key.node)?;
            if name == "<<" {
                merged.push(value.node);
                continue;
            }
            let node = Node { place: place.clone(), ..value.node };
            if let Some(first) = map.insert(name.clone(), node) {
                let line = first.place.line;
                let why = format!("mapping key {name:?} already defined at line {line}");
                return Err(self.error(&place, why));
            }
        }
        for node in merged {
            self.merge(&mut map, node)?;
        }
        Ok((Value::Map(map), count))
    }

    fn key(&self, key: &Node) -> Result<String> {
        match &key.value {
            Value::Null => Ok("null".to_owned()),
            _ => key.scalar().ok_or_else(|| self.error(&key.place, "Non-string key")),
        }
    }

    /// `<<`: what the mapping does not say itself; of several, the first that says it.
    fn merge(&self, map: &mut Map, from: Node) -> Result {
        let place = from.place.clone();
        let wrong =
            || self.error(&place, "map merge requires map or sequence of maps as the value");
        let sources = match from.value {
            Value::Map(source) => vec![source],
            Value::List(list) => list
                .into_iter()
                .map(|node| match node.value {
                    Value::Map(source) => Ok(source),
                    _ => Err(wrong()),
                })
                .collect::<Result<_>>()?,
            _ => return Err(wrong()),
        };
        for (name, node) in sources.into_iter().flatten() {
            map.entry(name).or_insert(node);
        }
        Ok(())
    }
}

fn typed(text: &str, style: ScalarStyle, tag: Option<&saphyr_parser::Tag>) -> Value {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match (core, style) {
        (Some("str"), _) => Value::Text(text.to_owned()),
        (Some(_), _) | (None, ScalarStyle::Plain) => scalar::resolve(text),
        (None, _) => Value::Text(text.to_owned()),
    }
}

fn own_tag(handle: &str, suffix: &str) -> Tag {
    match (handle, suffix) {
        ("!", "reset") => Tag::Reset,
        ("!", "override") => Tag::Override,
        _ => Tag::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Node>> {
        documents(&Arc::from("compose.yaml"), text)
    }

    fn one(text: &str) -> serde_json::Value {
        parse(text).expect("the text is YAML").remove(0).to_json()
    }

    fn refusal(text: &str) -> String {
        parse(text).expect_err("the text is refused").to_string()
    }

    #[test]
    fn merge_keys_fill_in_what_is_not_said() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 5}, *a]}";
        let tree = one(text);
        assert_eq!(tree["b"], serde_json::json!({"x": 1, "y": 3}));
        assert_eq!(tree["c"], serde_json::json!({"x": 5, "y": 2}));
    }

    #[test]
    fn a_key_twice_is_refused_where_the_second_is() {
        assert_eq!(
            refusal("services:\n  web:\n    image: x\n    image: y"),
            "compose.yaml:4:5: yaml: mapping key \"image\" already defined at line 3"
        );
    }

    #[test]
    fn a_few_lines_cannot_fill_memory() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{before}]\n");
        }
        assert!(refusal(&bomb).contains("excessive aliasing"));
        assert!(refusal(&"[".repeat(5000)).contains("yaml"));
        assert!(refusal("a: &a [*a]").contains("contains itself"));
    }

    #[test]
    fn places_are_those_of_the_keys() {
        let tree = parse("a:\n  b: 1\n  c: [x,\n   y]").expect("YAML").remove(0);
        let b = tree.get("a").and_then(|a| a.get("b")).expect("a.b");
        assert_eq!((b.place.line, b.place.column), (2, 3));
        let list = tree.get("a").and_then(|a| a.get("c")).and_then(Node::as_list).expect("a.c");
        assert_eq!((list[1].place.line, list[1].place.column), (4, 4));
    }
}
