//! Lists of objects: a table, or a template per object.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;

use super::template::{Format, TEXT, missing_key, text};
use super::{print, table};
use crate::error::{Failure, Result};

/// How a noun is listed: its columns, what Go calls a row, and the table nobody asked to change.
pub(crate) struct Listing {
    /// Placeholder and title.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// `*formatter.ContainerContext`, as error messages name it.
    pub(crate) go_type: &'static str,
    /// What `--quiet` prints.
    pub(crate) quiet: &'static str,
}

/// One object: its cells by placeholder.
pub(crate) struct Row {
    pub(crate) cells: Vec<(&'static str, Value)>,
}

impl Row {
    pub(crate) fn new() -> Self {
        Self { cells: Vec::new() }
    }

    pub(crate) fn cell(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.cells.push((name, text(value.into())));
        self
    }

    /// A method of the row with one argument. Not part of its JSON.
    pub(crate) fn method(
        mut self,
        name: &'static str,
        f: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let function = move |args: &[Value]| {
            Ok(text(f(args.first().and_then(Value::as_str).unwrap_or_default())))
        };
        self.cells.push((name, Value::Function(Arc::new(function))));
        self
    }

    fn into_value(self) -> Value {
        let json = self.json();
        let cells = self.cells.into_iter().map(|(name, value)| (Arc::from(name), value));
        let mut cells: BTreeMap<_, _> = cells.collect();
        cells.insert(TEXT.into(), text(json));
        Value::Map(Arc::new(cells))
    }

    /// Sorted, and with the escapes of Go's own encoder.
    fn json(&self) -> String {
        let strings = self.cells.iter().filter_map(|(name, value)| Some((*name, value.as_str()?)));
        let cells: BTreeMap<&str, &str> = strings.collect();
        let json = serde_json::to_string(&cells).expect("a map of strings always encodes");
        json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
    }
}

/// What the user asked for, with the default table where he asked for nothing.
pub(crate) struct Style {
    template: String,
    table: bool,
}

impl Style {
    /// `given` is `--format` or the config file's choice; `default` is the noun's own table.
    pub(crate) fn new(listing: &Listing, given: &str, default: &str, quiet: bool) -> Self {
        let unescape = |text: &str| text.replace("\\t", "\t").replace("\\n", "\n");
        let plain = |template: String| Self { template, table: false };
        let as_table = |template: &str| Self { template: unescape(template.trim()), table: true };
        match given {
            "" | "table" if quiet => plain(listing.quiet.to_owned()),
            "" | "table" => as_table(default),
            "raw" if quiet => plain(listing.quiet.to_owned()),
            "json" => plain("{{json .}}".to_owned()),
            _ => match given.strip_prefix("table") {
                Some(_) if quiet => plain(listing.quiet.to_owned()),
                Some(template) => as_table(template),
                None => plain(unescape(given)),
            },
        }
    }
}

/// Prints the rows.
pub(crate) fn print_list(
    listing: &Listing,
    style: &Style,
    rows: impl IntoIterator<Item = Row>,
) -> Result<()> {
    print(render(listing, style, rows)?)
}

pub(crate) fn render(
    listing: &Listing,
    style: &Style,
    rows: impl IntoIterator<Item = Row>,
) -> Result<String> {
    let format = Format::parse(&style.template)
        .map_err(|error| format!("failed to parse template: {error}"))?;
    let mut body = String::new();
    for row in rows {
        let line = format.execute(&row.into_value()).map_err(|error| match missing_key(&error) {
            Some(key) => Failure::new(format!(
                "failed to execute template: template: :1:2: executing \"\" at <.{key}>: can't evaluate field {key} in type {}",
                listing.go_type
            )),
            None => Failure::new(format!("failed to execute template: {error}")),
        })?;
        body.push_str(&line);
        body.push('\n');
    }
    if !style.table {
        return Ok(body);
    }
    let titles =
        listing.columns.iter().map(|(name, title)| (Arc::from(*name), text((*title).to_owned())));
    let titles = Value::Map(Arc::new(titles.collect::<BTreeMap<_, _>>()));
    let header = Format::parse_header(&style.template)?.execute(&titles).unwrap_or_default();
    Ok(table::align(&format!("{header}\n{body}")))
}
