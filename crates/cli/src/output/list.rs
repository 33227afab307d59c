//! Lists of objects: a table, or a template per object.

use std::collections::BTreeMap;

use template::{Format, Json, Method, MissingKey, Of, Value};

use super::{print, table};
use crate::error::Result;
use crate::flags::Parsed;

/// How a noun is listed: its columns, what Go calls a row, and the table nobody asked to change.
pub(crate) struct Listing {
    /// Placeholder and title.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// `*formatter.ContainerContext`, as error messages name it.
    pub(crate) go_type: &'static str,
    /// What `--quiet` prints.
    pub(crate) quiet: &'static str,
    /// What `--format raw` prints of a row, where the noun has that.
    pub(crate) raw: &'static [RawLine],
}

/// A line of `--format raw`: its name, and the cell it shows.
pub(crate) enum RawLine {
    Always(&'static str, &'static str),
    /// Where the table has such a column too.
    WithColumn(&'static str, &'static str),
}

impl Listing {
    fn raw_template(&self, table: &str, quiet: bool) -> String {
        let mut template = String::new();
        for line in self.raw {
            let (name, cell, is_shown) = match line {
                RawLine::Always(name, cell) => (name, cell, true),
                RawLine::WithColumn(name, cell) => {
                    (name, cell, table.contains(&format!("{{{{.{cell}}}}}")))
                }
            };
            let text = format!("{name}:{{{{pad .{cell} 1 0}}}}");
            if quiet && self.quiet == format!("{{{{.{cell}}}}}") {
                return text;
            }
            if is_shown {
                template.push_str(&text);
                template.push('\n');
            }
        }
        template
    }
}

/// One object: its cells by placeholder.
#[derive(Default)]
pub(crate) struct Row {
    cells: BTreeMap<&'static str, Value>,
    methods: Vec<Method>,
    document: Option<Json>,
}

impl Row {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn cell(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.cells.insert(name, Value::from(value.into()));
        self
    }

    /// A cell that templates can ask about.
    pub(crate) fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.cells.insert(name, value.into());
        self
    }

    /// What it is as JSON, where that is not its cells.
    pub(crate) fn document(self, document: Json) -> Self {
        Self { document: Some(document), ..self }
    }

    /// A method of the row with one argument. Not part of its JSON.
    pub(crate) fn method(
        mut self,
        name: &'static str,
        f: impl Fn(&str) -> String + 'static,
    ) -> Self {
        self.methods.push((name, Box::new(f)));
        self
    }
}

impl From<Row> for Json {
    fn from(row: Row) -> Self {
        let json = |cell: &Value| {
            Self::parse(cell.json().as_bytes()).expect("what was written as JSON can be read")
        };
        let own = || row.cells.iter().map(|(name, cell)| ((*name).to_owned(), json(cell)));
        row.document.clone().unwrap_or_else(|| Self::Object(own().collect()))
    }
}

/// `--format`, or the config file's choice where nobody asked for anything; `--quiet` asks for something.
pub(crate) fn wanted<'a>(parsed: &'a Parsed, configured: &'a str) -> &'a str {
    match parsed.str("format") {
        "" if parsed.bool("quiet") => "",
        "" => configured,
        given => given,
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
            "raw" if !listing.raw.is_empty() => plain(listing.raw_template(default, quiet)),
            "json" => plain("{{json .}}".to_owned()),
            _ => match given.strip_prefix("table") {
                Some(_) if quiet => plain(listing.quiet.to_owned()),
                Some(template) => as_table(template),
                None => plain(unescape(given)),
            },
        }
    }
}

impl Style {
    /// Tries it on a row without anything in it, before any is asked for, as `ps` does.
    pub(crate) fn check(&self, listing: &Listing, empty: Row) -> Result<()> {
        let format = Format::parse(&self.template, Of::Objects)
            .map_err(|why| format!("failed to parse template: {why}"))?;
        let row = Value::row(listing.go_type, empty.cells, empty.methods, None);
        match format.execute(&row, MissingKey::NoValue) {
            Ok(_) => Ok(()),
            Err(failed) => Err(format!("failed to execute template: {}", failed.what).into()),
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
    let worded = |why: String| format!("template parsing error: {why}");
    let format = Format::parse(&style.template, Of::Objects).map_err(worded)?;
    let mut body = String::new();
    for Row { cells, methods, document } in rows {
        let row = Value::row(listing.go_type, cells, methods, document);
        body += &format.execute(&row, MissingKey::NoValue).map_err(|f| worded(f.what))?;
        body.push('\n');
    }
    if !style.table {
        return Ok(body);
    }
    let titles = Value::header(listing.columns);
    let header = Format::parse(&style.template, Of::Headers)?
        .execute(&titles, MissingKey::NoValue)
        .unwrap_or_else(|failed| failed.printed);
    Ok(table::align(&format!("{header}\n{body}")))
}
