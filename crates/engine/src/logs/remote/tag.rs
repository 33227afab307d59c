//! The `tag` option: a template over what the driver knows of the container, as Docker's `logger.Info` has it.

use std::collections::BTreeMap;

use serde::Serialize;
use template::{Format, Json, MissingKey, Of, Type, Value};

/// Without a wish, for drivers that send one with each line.
const DEFAULT: &str = "{{.ID}}";

pub struct Tag(Format);

/// What a template sees.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Info {
    pub config: BTreeMap<String, String>,
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// With the leading slash.
    pub container_name: String,
    pub container_entrypoint: String,
    pub container_args: Vec<String>,
    #[serde(rename = "ContainerImageID")]
    pub container_image_id: String,
    pub container_image_name: String,
    pub container_created: String,
    pub container_env: Vec<String>,
    pub container_labels: BTreeMap<String, String>,
    /// Of drivers that keep a file for `logs` alone.
    pub log_path: String,
    pub daemon_name: &'static str,
}

impl Tag {
    /// An empty text is the default. Errors are Go's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = if text.is_empty() { DEFAULT } else { text };
        Format::named("log-tag", text, Of::Objects).map(Self)
    }

    /// Errors are Go's.
    pub fn apply(&self, info: &Info) -> Result<String, String> {
        let value = Value::typed(&Json::of(info), &Type::go("*logger.Info"));
        Ok(self.0.execute(&value, MissingKey::NoValue)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> Info {
        let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        Info {
            config: map("tag", "t"),
            container_id: "0123456789abcdef".into(),
            container_name: "/web".into(),
            container_entrypoint: "echo".into(),
            container_args: vec!["hi".into(), "there".into()],
            container_image_id: "sha256:9a903e5728b145c7".into(),
            container_image_name: "busybox".into(),
            container_created: "2026-11-21T10:07:53.509859491Z".into(),
            container_env: vec!["A=b".into(), "PATH=/bin".into()],
            container_labels: map("x", "yy"),
            log_path: "/d/x-json.log".into(),
            daemon_name: "docker",
        }
    }

    /// As Docker 26 answered for a container of this kind.
    #[test]
    fn templates_are_gos_over_dockers_info() {
        let info = info();
        let said = |text: &str| Tag::parse(text).and_then(|tag| tag.apply(&info));
        for (text, tag) in [
            ("", "0123456789ab"),
            ("{{.ID}} {{.FullID}}", "0123456789ab 0123456789abcdef"),
            ("{{.ImageName}}/{{ .Name }}/{{.ImageID}}", "busybox/web/sha256:9a903"),
            ("{{.ImageFullID}}", "sha256:9a903e5728b145c7"),
            ("{{.Command}} {{.DaemonName}} {{.LogPath}}", "echo hi there docker /d/x-json.log"),
            (r#"{{printf "%.3s" .ID}}"#, "012"),
            (r#"{{index .ContainerLabels "x"}}{{index .ContainerLabels "y"}}"#, "yy"),
            (
                r#"{{.ContainerEnv}} {{join .ContainerArgs ","}} {{upper .ContainerEntrypoint}}"#,
                "[A=b PATH=/bin] hi,there ECHO",
            ),
            ("{{.ContainerCreated}}", "2026-11-21 10:07:53.509859491 +0000 UTC"),
            ("{{.Config}}", "map[tag:t]"),
            (
                "{{.}}",
                "{map[tag:t] 0123456789abcdef /web echo [hi there] sha256:9a903e5728b145c7 busybox \
                 2026-11-21 10:07:53.509859491 +0000 UTC [A=b PATH=/bin] map[x:yy] /d/x-json.log docker}",
            ),
        ] {
            assert_eq!(said(text), Ok(tag.to_owned()), "{text}");
        }
        let whole: serde_json::Value = serde_json::from_str(&said("{{json .}}").unwrap()).unwrap();
        assert_eq!(whole, serde_json::to_value(&info).unwrap());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(said("{{.Hostname}}"), Ok(host));
    }

    #[test]
    fn what_is_wrong_is_told_in_gos_words() {
        let info = info();
        let error = |text: &str| Tag::parse(text).and_then(|tag| tag.apply(&info)).unwrap_err();
        let at = |place: &str, what: &str| {
            format!("template: log-tag:1:{place}: executing \"log-tag\" at {what}")
        };
        for (text, what) in [
            ("{{.Foo", "template: log-tag:1: unclosed action".to_owned()),
            ("{{.Foo}}", at("2", "<.Foo>: can't evaluate field Foo in type *logger.Info")),
            ("{{.ID 1}}", at("2", "<.ID>: wrong number of args for ID: want 0 got 1")),
            (
                "{{slice .ID 0 40}}",
                at("2", "<slice .ID 0 40>: error calling slice: index out of range: 40"),
            ),
            ("{{.Hostname.X}}", at("11", "<.Hostname.X>: can't evaluate field X in type string")),
            (r#"{{template "x"}}"#, at("11", r#"<{{template "x"}}>: template "x" not defined"#)),
        ] {
            assert_eq!(error(text), what);
        }
    }
}
