//! The `tag` option: a template with the container's names in it.

use super::Subject;

/// A template as Docker's, as far as it names fields: `{{.ID}}`, `{{.FullID}}`, `{{.Name}}`, `{{.FullName}}`,
/// `{{.ImageID}}`, `{{.ImageFullID}}`, `{{.ImageName}}`, `{{.Command}}`, `{{.DaemonName}}`, `{{.Hostname}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

const FIELDS: [&str; 10] = [
    "ID",
    "FullID",
    "Name",
    "FullName",
    "ImageID",
    "ImageFullID",
    "ImageName",
    "Command",
    "DaemonName",
    "Hostname",
];

impl Tag {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (action, after) =
                after.split_once("}}").ok_or("template: log-tag:1: unclosed action")?;
            let name = action.trim().strip_prefix('.').unwrap_or_default();
            if !FIELDS.contains(&name) {
                let at = text.len() - rest.len() + before.len() + 2;
                return Err(format!(
                    "template: log-tag:1:{at}: executing \"log-tag\" at <{}>: can't evaluate field {name} in type *logger.Info",
                    action.trim()
                ));
            }
            parts.extend([Part::Text(before.to_owned()), Part::Field(name.to_owned())]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    pub fn apply(&self, subject: &Subject) -> String {
        let short = |id: &str| id.chars().take(12).collect::<String>();
        let field = |name: &str| match name {
            "ID" => short(&subject.id),
            "FullID" => subject.id.clone(),
            "Name" => subject.name.clone(),
            "FullName" => format!("/{}", subject.name),
            "ImageID" => short(subject.image_id.trim_start_matches("sha256:")),
            "ImageFullID" => subject.image_id.clone(),
            "ImageName" => subject.image_name.clone(),
            "Command" => subject.command.clone(),
            "DaemonName" => "docker".into(),
            _ => subject.host.clone(),
        };
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Field(name) => field(name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_others_refused_in_dockers_words() {
        let subject = Subject {
            id: "0123456789abcdef".into(),
            name: "web".into(),
            image_id: "sha256:aabbccddeeff00".into(),
            image_name: "nginx:1".into(),
            ..Subject::default()
        };
        let said = |text: &str| Tag::parse(text).map(|tag| tag.apply(&subject));
        assert_eq!(
            said("{{.ImageName}}/{{ .Name }}/{{.ID}}-{{.ImageID}}"),
            Ok("nginx:1/web/0123456789ab-aabbccddeeff".into())
        );
        assert_eq!(said(""), Ok(String::new()));
        assert_eq!(
            said("{{.Foo}}").unwrap_err(),
            "template: log-tag:1:2: executing \"log-tag\" at <.Foo>: can't evaluate field Foo in type *logger.Info"
        );
        assert_eq!(said("{{.Foo").unwrap_err(), "template: log-tag:1: unclosed action");
    }
}
