//! Kernel modules in the order in which they can be inserted.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crate::packages::Packages;

/// The files of `names` and of what they depend on, each once, dependencies first. A module that this
/// kernel has built in, or not at all, is left out.
pub(super) fn in_order(packages: &Packages, names: &[&str]) -> io::Result<Vec<PathBuf>> {
    let directory = packages.modules()?;
    let table = std::fs::read_to_string(directory.join("modules.dep"))?;
    Ok(order(&table, names).into_iter().map(|file| directory.join(file)).collect())
}

/// `modules.dep` names the dependencies of each module, the nearest first.
fn order<'a>(table: &'a str, names: &[&str]) -> Vec<&'a str> {
    let entries = table.lines().filter_map(|line| line.split_once(':'));
    let by_name: BTreeMap<String, (&str, &str)> =
        entries.map(|(file, needs)| (name_of(file), (file, needs))).collect();
    let mut files = Vec::new();
    for (file, needs) in names.iter().filter_map(|name| by_name.get(*name)) {
        for file in needs.split_whitespace().rev().chain([*file]) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

/// `kernel/net/bridge/br_netfilter.ko` is `br_netfilter`; dashes and underscores are one.
fn name_of(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        let table = "k/llc.ko:\nk/stp.ko: k/llc.ko\nk/bridge.ko: k/stp.ko k/llc.ko\nk/br-nf.ko: k/bridge.ko k/stp.ko k/llc.ko\n";
        assert_eq!(
            order(table, &["bridge", "br_nf", "absent"]),
            ["k/llc.ko", "k/stp.ko", "k/bridge.ko", "k/br-nf.ko"]
        );
    }
}
