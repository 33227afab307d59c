//! `list`: the containers below the root.

use super::{Command, Global, state};
use crate::error::{Error, Result};
use crate::flags::{Args, Order, switch, value};
use crate::state::Container;

pub(super) const COMMAND: Command = Command {
    name: "list",
    usage: "[options]",
    help: "list the containers started with the given root",
    flags: &[
        value("format", "FORMAT", "table or json (default: table)").short('f'),
        switch("quiet", "display only container IDs").short('q'),
    ],
    order: Order::Interspersed,
    arguments: (0, 0),
    run,
};

const COLUMNS: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];

fn run(global: &Global, args: &Args) -> Result<u8> {
    let containers = Container::all(&global.root)?;
    if args.has("quiet") {
        containers.iter().for_each(|container| println!("{}", container.record.id));
        return Ok(0);
    }
    let documents: Vec<_> = containers.iter().filter_map(|c| state::document(c).ok()).collect();
    match args.get("format") {
        None | Some("table") => print_table(&documents),
        Some("json") => println!("{}", serde_json::Value::from(documents)),
        Some(other) => return Err(Error::invalid(format!("invalid format option {other:?}"))),
    }
    Ok(0)
}

fn print_table(documents: &[serde_json::Value]) {
    let text = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let cells =
        |document: &serde_json::Value| COLUMNS.map(|name| text(&document[name.to_lowercase()]));
    let rows: Vec<_> =
        std::iter::once(COLUMNS.map(str::to_owned)).chain(documents.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 3;
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    for row in &rows {
        let line: String =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", line.trim_end());
    }
}
