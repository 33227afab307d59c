//! `gantry container ls`, `gantry ps`.

use api::Filters;
use api::containers::{Port, Summary};
use client::containers::List;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, RawLine, Row, Style, print_list, wanted};
use crate::output::units::{ago, ellipsis, go_time, human_size, short_id};

const FLAGS: &[Flag] = &[
    Flag::bool("all", "Show all containers (default shows just running)").short('a'),
    Flag::filter("Filter output based on conditions provided"),
    Flag::format(),
    Flag::int("last", "Show n last created containers (includes all states)")
        .short('n')
        .default("-1"),
    Flag::bool("latest", "Show the latest created container (includes all states)").short('l'),
    Flag::bool("no-trunc", "Don't truncate output"),
    Flag::bool("quiet", "Only display container IDs").short('q'),
    Flag::bool("size", "Display total file sizes").short('s'),
];

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &["list", "ps"],
    paths: &["container ls", "container list", "container ps", "ps"],
    usage: "[OPTIONS]",
    about: "List containers",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

pub(crate) const LISTING: Listing = Listing {
    columns: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
    ],
    go_type: "*formatter.ContainerContext",
    quiet: "{{.ID}}",
    raw: &[
        RawLine::Always("container_id", "ID"),
        RawLine::Always("image", "Image"),
        RawLine::Always("command", "Command"),
        RawLine::Always("created_at", "CreatedAt"),
        RawLine::Always("state", "State"),
        RawLine::Always("status", "Status"),
        RawLine::Always("names", "Names"),
        RawLine::Always("labels", "Labels"),
        RawLine::Always("ports", "Ports"),
        RawLine::WithColumn("size", "Size"),
    ],
};
const TABLE: &str =
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
const TABLE_WITH_SIZE: &str = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let quiet = parsed.bool("quiet");
    let given = wanted(parsed, &context.config().ps_format);
    let table = if parsed.bool("size") { TABLE_WITH_SIZE } else { TABLE };
    let style = Style::new(&LISTING, given, table, quiet);
    if !given.is_empty() {
        style.check(&LISTING, row(Summary::default(), false))?;
    }
    let last = parsed.int("last");
    let limit = if parsed.bool("latest") { Some(1) } else { Some(last).filter(|n| *n != -1) };
    let list = List {
        all: parsed.bool("all") || parsed.bool("latest") || last > 0,
        limit,
        // The engine measures sizes only where somebody looks at them.
        size: parsed.bool("size") || given.contains(".Size") || given.contains("json .}"),
        filters: filters(parsed),
    };
    let client = context.connect().await?;
    let no_trunc = parsed.bool("no-trunc");
    let rows = client.container_list(&list).await?;
    print_list(&LISTING, &style, rows.into_iter().map(|container| row(container, no_trunc)))?;
    Ok(0)
}

/// `--filter name=value`, repeated. Names are not told apart by case or by space around them.
pub(crate) fn filters(parsed: &Parsed) -> Filters {
    let pairs = parsed.list("filter");
    let split = |pair: &String| -> Option<(String, String)> {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_lowercase(), value.trim().to_owned()))
    };
    pairs.iter().filter_map(split).collect()
}

pub(crate) fn row(container: Summary, no_trunc: bool) -> Row {
    let command =
        if no_trunc { container.command.clone() } else { ellipsis(&container.command, 20) };
    let labels = container.labels.clone().unwrap_or_default();
    let networks = container.network_settings.and_then(|n| n.networks).unwrap_or_default();
    let mounts: Vec<String> = container
        .mounts
        .iter()
        .map(|mount| if mount.name.is_empty() { &mount.source } else { &mount.name })
        .map(|name| if no_trunc { name.clone() } else { ellipsis(name, 15) })
        .collect();
    let local = container.mounts.iter().filter(|mount| mount.driver == "local").count();
    let label_list: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Row::new()
        .cell("ID", if no_trunc { container.id.clone() } else { short_id(&container.id) })
        .cell("Names", names(&container.names, no_trunc))
        .cell("Image", image(&container.image, &container.image_id, no_trunc))
        .cell("Command", format!("{command:?}"))
        .cell("CreatedAt", go_time(container.created))
        .cell("RunningFor", ago(container.created))
        .cell("Ports", ports(container.ports))
        .cell("State", container.state)
        .cell("Status", container.status)
        .cell("Size", size(container.size_rw, container.size_root_fs))
        .cell("Labels", label_list.join(","))
        .cell("Mounts", mounts.join(","))
        .cell("LocalVolumes", local.to_string())
        .cell("Networks", networks.into_keys().collect::<Vec<_>>().join(","))
        .method("Label", move |key| labels.get(key).cloned().unwrap_or_default())
}

/// Without leading slashes, and without the names that links gave.
fn names(names: &[String], no_trunc: bool) -> String {
    let bare = names.iter().map(|name| name.trim_start_matches('/'));
    let shown: Vec<&str> = bare.filter(|name| no_trunc || !name.contains('/')).collect();
    shown.join(",")
}

fn image(name: &str, id: &str, no_trunc: bool) -> String {
    if name.is_empty() {
        return "<no image>".to_owned();
    }
    if no_trunc {
        return name.to_owned();
    }
    if short_id(name) == short_id(id) {
        return short_id(id);
    }
    match name.split_once('@') {
        Some((tagged, _)) if tagged.rsplit('/').next().is_some_and(|last| last.contains(':')) => {
            tagged.to_owned()
        }
        _ => name.to_owned(),
    }
}

fn size(writable: i64, whole: i64) -> String {
    let written = human_size(writable as f64, 3);
    if whole > 0 { format!("{written} (virtual {})", human_size(whole as f64, 3)) } else { written }
}

/// Neighbouring ports that are published under their own numbers, or not at all, are shown as ranges.
fn ports(mut ports: Vec<Port>) -> String {
    ports.sort_by(|a, b| {
        (a.private_port, &a.ip, a.public_port, &a.kind).cmp(&(
            b.private_port,
            &b.ip,
            b.public_port,
            &b.kind,
        ))
    });
    let mut ranges: Vec<(String, String, u16, u16)> = Vec::new();
    let mut shown = Vec::new();
    let mut mapped = Vec::new();
    for port in ports {
        if !port.ip.is_empty() && port.public_port != port.private_port {
            mapped.push(format!(
                "{}:{}->{}/{}",
                port.ip, port.public_port, port.private_port, port.kind
            ));
            continue;
        }
        let open = ranges.iter_mut().find(|(ip, kind, ..)| *ip == port.ip && *kind == port.kind);
        match open {
            Some((.., last)) if port.private_port == *last + 1 => *last = port.private_port,
            Some(range) => {
                shown.push(range_text(range));
                *range = (port.ip, port.kind, port.private_port, port.private_port);
            }
            None => ranges.push((port.ip, port.kind, port.private_port, port.private_port)),
        }
    }
    ranges.sort_by_key(
        |(ip, kind, ..)| if ip.is_empty() { kind.clone() } else { format!("{ip}/{kind}") },
    );
    shown.extend(ranges.iter().map(range_text));
    shown.extend(mapped);
    shown.join(", ")
}

fn range_text((ip, kind, first, last): &(String, String, u16, u16)) -> String {
    let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
    if ip.is_empty() { format!("{range}/{kind}") } else { format!("{ip}:{range}->{range}/{kind}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, public_port: u16, private_port: u16) -> Port {
        Port { ip: ip.to_owned(), private_port, public_port, kind: "tcp".to_owned() }
    }

    #[test]
    fn ports_are_grouped() {
        assert_eq!(
            ports(vec![port("", 0, 81), port("", 0, 80), port("", 0, 90)]),
            "80-81/tcp, 90/tcp"
        );
        let published = vec![port("0.0.0.0", 8080, 80), port("0.0.0.0", 81, 81), port("", 0, 443)];
        assert_eq!(ports(published), "0.0.0.0:81->81/tcp, 443/tcp, 0.0.0.0:8080->80/tcp");
    }

    #[test]
    fn images_are_shown_by_what_people_know() {
        let id = "sha256:0123456789abcdef";
        assert_eq!(image("sha256:0123456789abcdef", id, false), "0123456789ab");
        assert_eq!(image("a:1@sha256:00", id, false), "a:1");
        assert_eq!(image("a@sha256:00", id, false), "a@sha256:00");
        assert_eq!(image("", id, false), "<no image>");
    }
}
