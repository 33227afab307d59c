//! The engine's own log on standard error, in dockerd's two formats: `time="..." level=info msg="..."` and, with
//! `--log-format json`, an object a line. The level follows the configuration, reloads included.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::config::Config;

/// Changes the level of a log that was begun.
pub struct Log(reload::Handle<LevelFilter, Registry>);

impl Log {
    /// Begins to log; once in a process.
    pub fn begin(config: &Config) -> Self {
        let format = if config.log_format == "json" { Format::Json } else { Format::Text };
        let (filter, handle) = reload::Layer::new(level(config));
        let lines =
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).event_format(format);
        tracing_subscriber::registry().with(filter).with(lines).init();
        Self(handle)
    }

    pub fn reload(&self, config: &Config) {
        // It fails only if the log is gone, which lives as long as the process.
        let _ = self.0.reload(level(config));
    }
}

fn level(config: &Config) -> LevelFilter {
    match (config.debug, config.log_level.as_str()) {
        (true, _) | (_, "debug") => LevelFilter::DEBUG,
        (_, "warn") => LevelFilter::WARN,
        (_, "error" | "fatal") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

enum Format {
    Text,
    Json,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
        writeln!(writer, "{}", self.line(&time, *event.metadata().level(), &fields))
    }
}

impl Format {
    fn line(&self, time: &str, level: Level, fields: &Fields) -> String {
        let level = match level {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            _ => "debug",
        };
        match self {
            Self::Text => {
                let mut line = format!("time={time:?} level={level} msg={:?}", fields.message);
                for (name, value) in &fields.others {
                    let _ = write!(line, " {name}={value}");
                }
                line
            }
            Self::Json => {
                let mut object = serde_json::Map::new();
                for (name, value) in &fields.others {
                    object.insert((*name).to_owned(), value.as_str().into());
                }
                object.insert("level".to_owned(), level.into());
                object.insert("msg".to_owned(), fields.message.as_str().into());
                object.insert("time".to_owned(), time.into());
                serde_json::Value::Object(object).to_string()
            }
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.others.push((name, format!("{value:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dockerds() {
        let fields = Fields {
            message: "it said \"no\"\n\u{1b}[31m".to_owned(),
            others: vec![("status", "500".to_owned())],
        };
        let line =
            |format: Format| format.line("2026-01-02T03:04:05.000000006Z", Level::WARN, &fields);
        assert_eq!(
            line(Format::Text),
            "time=\"2026-01-02T03:04:05.000000006Z\" level=warning msg=\"it said \\\"no\\\"\\n\\u{1b}[31m\" status=500"
        );
        assert_eq!(
            line(Format::Json),
            "{\"level\":\"warning\",\"msg\":\"it said \\\"no\\\"\\n\\u001b[31m\",\"status\":\"500\",\
             \"time\":\"2026-01-02T03:04:05.000000006Z\"}"
        );
    }

    #[test]
    fn debug_wins_over_the_level() {
        let config = Config { debug: true, log_level: "error".into(), ..Config::default() };
        assert_eq!(level(&config), LevelFilter::DEBUG);
        assert_eq!(level(&Config { debug: false, ..config }), LevelFilter::ERROR);
    }
}
