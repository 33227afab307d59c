//! Which events a client asked for.

use api::Filters;

use super::{Event, Kind};

/// The filters of GET /events. Values of one filter are alternatives; filters are all required.
pub struct Filter(Filters);

impl Filter {
    /// Docker ignores filters that it does not have here.
    pub fn new(filters: Filters) -> Self {
        Self(filters)
    }

    pub fn matches(&self, event: &Event) -> bool {
        self.kind(event)
            && self.action(event)
            && self.object("container", Kind::Container, event)
            && self.object("daemon", Kind::Daemon, event)
            && self.object("network", Kind::Network, event)
            && self.object("volume", Kind::Volume, event)
            && self.image(event)
            && self.labels(event)
            && self.0.matches_exactly("scope", "local")
    }

    fn kind(&self, event: &Event) -> bool {
        self.0.matches_exactly("type", event.kind.as_str())
    }

    /// `exec_create` also matches `exec_create: sh -c x`, and `health_status` its results.
    fn action(&self, event: &Event) -> bool {
        let base = event.action.split(':').next().unwrap_or("");
        self.0.matches_exactly("event", &event.action)
            || (matches!(base, "exec_create" | "exec_start" | "health_status")
                && self.0.matches_exactly("event", base))
    }

    /// By id, by a prefix of it, or by name.
    fn object(&self, filter: &str, kind: Kind, event: &Event) -> bool {
        if !self.0.contains(filter) {
            return true;
        }
        let name = event.attributes.get("name").map_or("", String::as_str);
        event.kind == kind
            && self.0.get(filter).any(|wanted| {
                wanted == name
                    || wanted.strip_prefix('/') == Some(name)
                    || (!wanted.is_empty() && event.id.starts_with(wanted))
            })
    }

    /// An image's own events by id or reference, and those of containers made from it; with or without the tag.
    fn image(&self, event: &Event) -> bool {
        if !self.0.contains("image") {
            return true;
        }
        let attribute = if event.kind == Kind::Image { "name" } else { "image" };
        let names = [event.id.as_str(), event.attributes.get(attribute).map_or("", String::as_str)];
        self.0
            .get("image")
            .any(|wanted| names.iter().any(|name| wanted == *name || wanted == without_tag(name)))
    }

    fn labels(&self, event: &Event) -> bool {
        self.0.labels_match("label", |key| event.attributes.get(key).map(String::as_str))
    }
}

fn without_tag(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(filters: &str, kind: Kind, action: &str) -> bool {
        let attributes = [("name", "web"), ("image", "host:5000/nginx:1"), ("env", "prod")];
        let attributes = attributes.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let (action, id) = (action.to_owned(), "0123456789ab".to_owned());
        let event = Event { sequence: 1, time: 0, kind, action, id, attributes };
        Filter::new(Filters::parse(filters).unwrap()).matches(&event)
    }

    #[test]
    fn filters() {
        use Kind::{Container, Image};
        let table = [
            ("{}", Container, "start", true),
            (r#"{"type":["container"]}"#, Container, "start", true),
            (r#"{"type":["image"]}"#, Container, "start", false),
            (r#"{"type":["image","container"]}"#, Container, "start", true),
            (r#"{"event":["start"]}"#, Container, "start", true),
            (r#"{"event":["start"]}"#, Container, "die", false),
            (r#"{"event":["exec_create"]}"#, Container, "exec_create: sh", true),
            (r#"{"event":["health_status"]}"#, Container, "health_status: healthy", true),
            (r#"{"container":["web"]}"#, Container, "start", true),
            (r#"{"container":["/web"]}"#, Container, "start", true),
            (r#"{"container":["0123"]}"#, Container, "start", true),
            (r#"{"container":["we"]}"#, Container, "start", false),
            (r#"{"container":["web"]}"#, Image, "tag", false),
            (r#"{"image":["host:5000/nginx:1"]}"#, Container, "start", true),
            (r#"{"image":["host:5000/nginx"]}"#, Container, "start", true),
            (r#"{"image":["nginx"]}"#, Container, "start", false),
            (r#"{"image":["web"]}"#, Image, "tag", true),
            (r#"{"label":["env"]}"#, Container, "start", true),
            (r#"{"label":["env=prod"]}"#, Container, "start", true),
            (r#"{"label":["env=dev"]}"#, Container, "start", false),
            (r#"{"scope":["local"]}"#, Container, "start", true),
            (r#"{"scope":["swarm"]}"#, Container, "start", false),
            (r#"{"type":["container"],"event":["die"]}"#, Container, "start", false),
        ];
        for (filters, kind, action, expected) in table {
            assert_eq!(matches(filters, kind, action), expected, "{filters} {kind:?} {action}");
        }
    }
}
