//! `gantry container stats`: what containers use, now and now and now.

use api::containers::Stats;
use client::Client;
use client::containers::List;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, render, wanted};
use crate::output::print;
use crate::output::units::{bytes_size, human_size, short_id};

pub(crate) const FLAGS: &[Flag] = &[
    Flag::bool("all", "Show all containers (default shows just running)").short('a'),
    Flag::format(),
    Flag::bool("no-stream", "Disable streaming stats and only pull the first result"),
    Flag::bool("no-trunc", "Do not truncate output"),
];

pub(crate) const COMMAND: Command = Command {
    name: "stats",
    aliases: &[],
    paths: &["container stats", "stats"],
    usage: "[OPTIONS] [CONTAINER...]",
    about: "Display a live stream of container(s) resource usage statistics",
    flags: &[FLAGS],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("Name", "NAME"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
    go_type: "*container.statsContext",
    quiet: "{{.ID}}",
    raw: &[],
};
const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";
/// Clears the terminal and goes to its corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    stream(context, parsed, async |client: &Client| names(client, parsed).await).await
}

/// Of those that are there each time it looks.
pub(crate) async fn stream(
    context: &Context,
    parsed: &Parsed,
    names: impl AsyncFn(&Client) -> Result<Vec<String>>,
) -> Done {
    let given = wanted(parsed, &context.config().stats_format);
    let style = Style::new(&LISTING, given, TABLE, false);
    let client = context.connect().await?;
    loop {
        let names = names(&client).await?;
        // A sample takes the engine a second, because rates need two looks: that is the pace.
        let rows = sample(&client, &names, parsed.bool("no-trunc")).await?;
        let text = render(&LISTING, &style, rows)?;
        if parsed.bool("no-stream") {
            print(text)?;
            return Ok(0);
        }
        print(format!("{CLEAR}{text}"))?;
        if names.is_empty() {
            // No sample sets the pace.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

async fn names(client: &Client, parsed: &Parsed) -> Result<Vec<String>> {
    if !parsed.args.is_empty() {
        return Ok(parsed.args.clone());
    }
    let list = List { all: parsed.bool("all"), ..List::default() };
    let containers = client.container_list(&list).await?;
    Ok(containers.iter().map(|container| short_id(&container.id)).collect())
}

/// All of them at the same time.
async fn sample(client: &Client, names: &[String], no_trunc: bool) -> Result<Vec<Row>> {
    let mut streams = Vec::new();
    for name in names {
        streams.push(client.container_stats(name).await?);
    }
    let mut rows = Vec::new();
    for (name, mut stream) in names.iter().zip(streams) {
        // The first one has nothing before it that rates could be told from.
        let first = stream.next().await?;
        if let Some(stats) = stream.next().await?.or(first) {
            rows.push(row(name, &stats, no_trunc));
        }
    }
    Ok(rows)
}

fn row(name: &str, stats: &Stats, no_trunc: bool) -> Row {
    let used = memory_in_use(stats) as f64;
    let limit = stats.memory_stats.limit as f64;
    let percent = if limit > 0.0 { used / limit * 100.0 } else { 0.0 };
    let (received, sent) = stats
        .networks
        .values()
        .fold((0, 0), |(rx, tx), network| (rx + network.rx_bytes, tx + network.tx_bytes));
    let (read, written) = block_io(stats);
    let pair =
        |a: u64, b: u64| format!("{} / {}", human_size(a as f64, 3), human_size(b as f64, 3));
    Row::new()
        .cell("Container", name)
        .cell("ID", if no_trunc { stats.id.clone() } else { short_id(&stats.id) })
        .cell("Name", stats.name.trim_start_matches('/'))
        .cell("CPUPerc", format!("{:.2}%", cpu_percent(stats)))
        .cell("MemUsage", format!("{} / {}", bytes_size(used), bytes_size(limit)))
        .cell("MemPerc", format!("{percent:.2}%"))
        .cell("NetIO", pair(received, sent))
        .cell("BlockIO", pair(read, written))
        .cell("PIDs", stats.pids_stats.current.to_string())
}

/// Of one CPU, so that two busy ones are 200 %.
fn cpu_percent(stats: &Stats) -> f64 {
    let (now, before) = (&stats.cpu_stats, &stats.precpu_stats);
    let used = now.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
    let passed = now.system_cpu_usage as f64 - before.system_cpu_usage as f64;
    let cpus = match now.online_cpus {
        0 => now.cpu_usage.percpu_usage.len() as f64,
        online => f64::from(online),
    };
    if used > 0.0 && passed > 0.0 { used / passed * cpus * 100.0 } else { 0.0 }
}

/// Without the page cache that nobody uses; cgroup v1 and v2 name it differently.
fn memory_in_use(stats: &Stats) -> u64 {
    let memory = &stats.memory_stats;
    let idle = ["total_inactive_file", "inactive_file"]
        .into_iter()
        .find_map(|name| memory.stats.get(name));
    idle.filter(|idle| **idle < memory.usage).map_or(memory.usage, |idle| memory.usage - idle)
}

fn block_io(stats: &Stats) -> (u64, u64) {
    let entries = stats.blkio_stats.io_service_bytes_recursive.iter().flatten();
    entries.fold((0, 0), |(read, written), entry| match entry.op.bytes().next() {
        Some(b'r' | b'R') => (read + entry.value, written),
        Some(b'w' | b'W') => (read, written + entry.value),
        _ => (read, written),
    })
}
