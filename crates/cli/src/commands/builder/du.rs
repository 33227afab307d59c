//! `gantry builder du`: what the build cache holds.

use std::fmt::Write as _;

use api::build::CacheRecord;
use jiff::Timestamp;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::print;
use crate::output::units::{ago, human_size};
use crate::prune;

const FLAGS: &[Flag] = &[
    prune::filter("Provide filter values"),
    Flag::bool("verbose", "Provide a more verbose output"),
    Flag::string("builder", "Override the configured builder instance").hidden(),
];

pub(crate) const COMMAND: Command = Command {
    name: "du",
    aliases: &[],
    paths: &["builder du", "buildx du"],
    usage: "",
    about: "Disk usage",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

/// Caches of RUN steps, which change: all else is as it was made.
const MUTABLE: &str = "exec.cachemount";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let records = client.system_df().await?.build_cache.unwrap_or_default();
    let mut chosen = Vec::new();
    for record in records {
        if is_wanted(&record, parsed)? {
            chosen.push(record);
        }
    }
    chosen.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.id.cmp(&b.id)));
    print(if parsed.bool("verbose") { verbose(&chosen) } else { table(&chosen) })?;
    Ok(0)
}

fn is_wanted(record: &CacheRecord, parsed: &Parsed) -> Result<bool> {
    let filters = ls::filters(parsed);
    let known = ["description", "id", "inuse", "private", "shared", "type"];
    if let Some(unknown) = filters.unknown(&known) {
        return Err(Failure::new(format!("ERROR: invalid filter {unknown:?}")));
    }
    let flag = |name: &str| filters.boolean(name).map_err(|error| Failure::new(error.0));
    let fits = |name: &str, fits: &dyn Fn(&str) -> bool| {
        !filters.contains(name) || filters.get(name).any(fits)
    };
    Ok(fits("id", &|id| record.id.starts_with(id))
        && fits("type", &|kind| record.kind == kind)
        && fits("description", &|part| record.description.contains(part))
        && flag("inuse")?.is_none_or(|in_use| in_use == record.in_use)
        && flag("shared")?.is_none_or(|shared| shared == record.shared)
        && flag("private")?.is_none_or(|private| private != record.shared))
}

fn table(records: &[CacheRecord]) -> String {
    let mut out = String::from("ID\t\t\t\t\t\tRECLAIMABLE\tSIZE\t\tLAST ACCESSED\n");
    for record in records {
        let id = format!("{}{}", record.id, if record.kind == MUTABLE { "*" } else { "" });
        let size = format!("{}{}", size(record.size), if record.shared { "*" } else { "" });
        // Writing to a String does not fail.
        let _ =
            writeln!(out, "{id:<40}\t{:<5}\t\t{size:<10}\t{}", !record.in_use, last_used(record));
    }
    out + &totals(records)
}

fn verbose(records: &[CacheRecord]) -> String {
    let mut out = String::new();
    for record in records {
        let parent = match record.parents.as_slice() {
            [] => String::new(),
            [parent] => format!("Parent:\t\t{parent}\n"),
            parents => format!("Parents:\t{}\n", parents.join(", ")),
        };
        let created = record.created_at.parse::<Timestamp>().unwrap_or_default();
        let created = created.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC");
        let CacheRecord { id, shared, description, usage_count, kind, in_use, .. } = record;
        out += &format!(
            "ID:\t\t{id}\n{parent}Created at:\t{created}\nMutable:\t{}\nReclaimable:\t{}\nShared:\t\t{shared}\n\
             Size:\t\t{}\nDescription:\t{description}\nUsage count:\t{usage_count}\nLast used:\t{}\nType:\t\t{kind}\n\n",
            kind == MUTABLE,
            !in_use,
            size(record.size),
            last_used(record),
        );
    }
    out + &totals(records)
}

fn totals(records: &[CacheRecord]) -> String {
    let sum = |of: &dyn Fn(&&CacheRecord) -> bool| {
        size(records.iter().filter(of).map(|record| record.size).sum())
    };
    let mut out = String::new();
    if records.iter().any(|record| record.shared) {
        out += &format!("Shared:\t\t{}\n", sum(&|record| record.shared));
        out += &format!("Private:\t{}\n", sum(&|record| !record.shared));
    }
    out += &format!("Reclaimable:\t{}\n", sum(&|record| !record.in_use));
    out + &format!("Total:\t\t{}\n", sum(&|_| true))
}

fn size(bytes: i64) -> String {
    human_size(bytes as f64, 4)
}

fn last_used(record: &CacheRecord) -> String {
    let used = record.last_used_at.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    used.map(|used| ago(used.as_second())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_added_up_by_whose_they_are() {
        let record = |id: &str, size, shared, in_use| CacheRecord {
            id: id.into(),
            size,
            shared,
            in_use,
            kind: if in_use { MUTABLE.into() } else { "regular".into() },
            ..CacheRecord::default()
        };
        let records = [record("a", 1000, false, true), record("b", 500, true, false)];
        expect_test::expect![[r#"
            ID						RECLAIMABLE	SIZE		LAST ACCESSED
            a*                                      	false		1kB       	
            b                                       	true 		500B*     	
            Shared:		500B
            Private:	1kB
            Reclaimable:	500B
            Total:		1.5kB
        "#]]
        .assert_eq(&table(&records));
    }
}
