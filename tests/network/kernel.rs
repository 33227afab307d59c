//! What an engine has in the host's network, in lines that can be compared: links and their addresses, routes, and the
//! contents of its tables. Numbers that the kernel gives anew each time (handles, indexes) are left out.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;

use regex_lite::Regex;
use serde_json::Value;
use testkit::engine::{Engine, PATIENCE, finish, wait_for};

pub(crate) type Lines = BTreeSet<String>;

/// All of it.
pub(crate) fn seen(engine: &Engine) -> Lines {
    let names: BTreeSet<String> = link_names(engine);
    let mut lines = Lines::new();
    lines.extend(links(&names));
    lines.extend(routes(&names));
    let table = engine.kernel_name().expect("it has served");
    for family in ["inet", "bridge"] {
        lines.extend(table_lines(family, &table));
    }
    lines
}

/// Once links that go behind an answer are gone, and with them what the tables had of them.
#[track_caller]
pub(crate) fn settled(engine: &Engine) -> Lines {
    let port = Regex::new(r"\bveth[0-9a-f]+").expect("a pattern");
    let settings = ["inspect", "-f", "{{len .NetworkSettings.Networks}}"].into_iter();
    let is_settled = |lines: &Lines| {
        let ids = engine.gantry(&["ps", "-q"]).ok();
        let words: Vec<&str> = settings.clone().chain(ids.lines()).collect();
        let counts = if ids.is_empty() { ids } else { engine.gantry(&words).ok() };
        let wanted: usize = counts.lines().map(|count| count.parse::<usize>().unwrap()).sum();
        let links = link_names(engine);
        let ports = links.iter().filter(|name| name.starts_with("veth")).count();
        let named = lines.iter().flat_map(|line| port.find_iter(line));
        ports == wanted && named.into_iter().all(|name| links.contains(name.as_str()))
    };
    wait_for("links of those who left are gone", || is_settled(&seen(engine)));
    seen(engine)
}

/// Fails with what is in one of them only.
#[track_caller]
pub(crate) fn assert_same(before: &Lines, after: &Lines, when: &str) {
    let gone: Vec<_> = before.difference(after).map(|line| format!("- {line}")).collect();
    let new: Vec<_> = after.difference(before).map(|line| format!("+ {line}")).collect();
    assert!(gone.is_empty() && new.is_empty(), "{when}:\n{}", [gone, new].concat().join("\n"));
}

fn link_names(engine: &Engine) -> BTreeSet<String> {
    let name = |link: std::path::PathBuf| Some(link.file_name()?.to_string_lossy().into_owned());
    engine.links().into_iter().filter_map(name).collect()
}

fn links(names: &BTreeSet<String>) -> Vec<String> {
    let all = json("ip", &["-j", "-d", "addr", "show"]);
    let ours = items(&all).filter(|link| names.contains(text(&link["ifname"])));
    let line = |link: &Value| {
        let port = &link["linkinfo"]["info_slave_data"];
        let addresses: Vec<String> = items(&link["addr_info"]).filter_map(address).collect();
        let [name, mac, bridge, mtu] = ["ifname", "address", "master", "mtu"].map(|key| &link[key]);
        let [isolated, hairpin] = ["isolated", "hairpin"].map(|key| &port[key]);
        format!(
            "link {name} {mac} of {bridge} mtu {mtu} isolated {isolated} hairpin {hairpin}: {addresses:?}"
        )
    };
    ours.map(line).collect()
}

/// The kernel's own of IPv6 (fe80::) come and go with a link's carrier.
fn address(info: &Value) -> Option<String> {
    let is_given = info["scope"] != "link";
    is_given.then(|| format!("{}/{}", text(&info["local"]), info["prefixlen"]))
}

fn routes(names: &BTreeSet<String>) -> Vec<String> {
    let of = |family| {
        let all = json("ip", &["-j", family, "route", "show", "table", "all"]);
        let ours = items(&all).filter(|route| names.contains(text(&route["dev"])));
        let line = |route: &Value| {
            let [kind, to, dev, table] = ["type", "dst", "dev", "table"].map(|key| &route[key]);
            format!("route {family} {kind} {to} {dev} in {table} from {}", route["prefsrc"])
        };
        let of_the_kernel = |line: &String| line.contains("fe80:") || line.contains("ff00:");
        ours.map(line).filter(|line| !of_the_kernel(line)).collect::<Vec<_>>()
    };
    [of("-4"), of("-6")].concat()
}

/// An element of a set, a rule, a chain: a line each.
fn table_lines(family: &str, table: &str) -> Vec<String> {
    let all = json("nft", &["-j", "list", "table", family, table]);
    let mut lines = Vec::new();
    for object in items(&all["nftables"]) {
        let Some((kind, content)) = object.as_object().and_then(|object| object.iter().next())
        else {
            continue;
        };
        let mut content = content.clone();
        let Some(fields) = content.as_object_mut() else { continue };
        fields.remove("handle");
        if kind == "table" {
            // Who owns it, in words that differ with the state of nft's memory.
            fields.remove("flags");
        }
        let elements = fields.remove("elem").unwrap_or_default();
        let place = format!("{family} {} {}", text(&content["chain"]), text(&content["name"]));
        lines.extend(items(&elements).map(|element| format!("{place}: {element}")));
        if kind != "metainfo" {
            lines.push(format!("{family} {kind} {content}"));
        }
    }
    lines
}

fn json(program: &str, arguments: &[&str]) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let output = finish(Command::new(program).args(arguments)).ok();
        // A list of nothing is no text at all.
        if output.is_empty() {
            return Value::Null;
        }
        // nft stops in the midst of a list while somebody else changes a table of his.
        match serde_json::from_str(&output) {
            Ok(value) => return value,
            Err(error) if error.is_eof() && Instant::now() < until => {}
            Err(error) => panic!("{program}: {error} in {output}"),
        }
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
