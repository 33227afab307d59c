//! `gantry manifest annotate`: what a list of here says of one of its manifests.

use oci::Platform;

use super::full;
use super::lists::Lists;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[
    Flag::string("arch", "Set architecture"),
    Flag::string("os", "Set operating system"),
    Flag::list("os-features", "Set operating system feature").type_name("strings"),
    Flag::string("os-version", "Set operating system version"),
    Flag::string("variant", "Set architecture variant"),
];

pub(crate) const COMMAND: Command = Command {
    name: "annotate",
    aliases: &[],
    paths: &["manifest annotate"],
    usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
    about: "Add additional information to a local image manifest",
    flags: &[FLAGS],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

/// Those that Docker takes.
const KNOWN: [(&str, &[&str]); 9] = [
    ("darwin", &["386", "amd64", "arm", "arm64"]),
    ("dragonfly", &["amd64"]),
    ("freebsd", &["386", "amd64", "arm"]),
    (
        "linux",
        &["386", "amd64", "arm", "arm64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"],
    ),
    ("netbsd", &["386", "amd64", "arm"]),
    ("openbsd", &["386", "amd64", "arm"]),
    ("plan9", &["386", "amd64"]),
    ("solaris", &["amd64"]),
    ("windows", &["386", "amd64"]),
];

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (list, manifest) = (parsed.arg(0), parsed.arg(1));
    let named = |what: &str, text: &str| {
        full(text).map_err(|why| {
            Failure::new(format!("annotate: error parsing name for {what} {text}: {why}"))
        })
    };
    let (list_name, name) = (named("manifest list", list)?, named("manifest", manifest)?);
    let lists = Lists::of(context);
    let Some(mut entry) = lists.get(&list_name, &name)? else {
        return Err(Failure::new(format!(
            "manifest for image {manifest} does not exist in {list}"
        )));
    };
    let platform = entry.descriptor.platform.get_or_insert_default();
    change(platform, parsed);
    if !is_known(platform) {
        return Err(Failure::new(format!(
            "manifest entry for image has unsupported os/arch combination: {}/{}",
            parsed.str("os"),
            parsed.str("arch")
        )));
    }
    lists.keep(&list_name, &entry)?;
    Ok(0)
}

fn change(platform: &mut Platform, parsed: &Parsed) {
    let texts = [
        ("arch", &mut platform.architecture),
        ("os", &mut platform.os),
        ("os-version", &mut platform.os_version),
        ("variant", &mut platform.variant),
    ];
    for (flag, value) in texts {
        if !parsed.str(flag).is_empty() {
            *value = parsed.string(flag);
        }
    }
    for feature in parsed.list("os-features").iter().flat_map(|list| list.split(',')) {
        if !platform.os_features.iter().any(|known| known == feature) {
            platform.os_features.push(feature.to_owned());
        }
    }
}

fn is_known(platform: &Platform) -> bool {
    let is_it = |(os, architectures): &(&str, &[&str])| {
        platform.os == *os && architectures.contains(&platform.architecture.as_str())
    };
    KNOWN.iter().any(is_it)
}
