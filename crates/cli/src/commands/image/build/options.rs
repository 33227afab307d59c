//! What the flags ask for: of the engine, and of this side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use api::build::{BuildOptions, Output};

use super::caches;
use crate::commands::container::options::{env, limits, mounts};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{self, Flag, Parsed};
use crate::{platform, reference};

pub(super) const FLAGS: &[Flag] = &[
    Flag::list("add-host", "Add a custom host-to-IP mapping (format: \"host:ip\")")
        .type_name("strings"),
    Flag::list(
        "allow",
        "Allow extra privileged entitlement (e.g., \"network.host\", \"security.insecure\")",
    )
    .type_name("strings"),
    array("annotation", "Add annotation to the image"),
    array("attest", "Attestation parameters (format: \"type=sbom,generator=image\")"),
    array("build-arg", "Set build-time variables"),
    array("build-context", "Additional build contexts (e.g., name=path)"),
    array(
        "cache-from",
        "External cache sources (e.g., \"user/app:cache\", \"type=local,src=path/to/dir\")",
    ),
    array(
        "cache-to",
        "Cache export destinations (e.g., \"user/app:cache\", \"type=local,dest=path/to/dir\")",
    ),
    Flag::string("cgroup-parent", "Set the parent cgroup for the \"RUN\" instructions during build"),
    Flag::bool("check", "Check the Dockerfile, and build nothing"),
    Flag::bool("explain-cache", "Say of each step why it ran"),
    Flag::string("file", "Name of the Dockerfile (default: \"PATH/Dockerfile\")").short('f'),
    Flag::string("iidfile", "Write the image ID to the file"),
    array("label", "Set metadata for an image").check(env::check_label),
    Flag::bool("load", "Shorthand for \"--output=type=docker\""),
    Flag::string("metadata-file", "Write build result metadata to the file"),
    Flag::string("network", "Set the networking mode for the \"RUN\" instructions during build")
        .default("default"),
    Flag::bool("no-cache", "Do not use cache when building the image"),
    array("no-cache-filter", "Do not cache specified stages"),
    array("output", "Output destination (format: \"type=local,dest=path\")").short('o'),
    array("platform", "Set target platform for build"),
    Flag::string(
        "progress",
        "Set type of progress output (\"auto\", \"plain\", \"tty\", \"rawjson\", \"quiet\"). Use plain to show container output",
    )
    .default("auto"),
    // Of one of several builds that are shown together.
    Flag::string("progress-prefix", "").hidden(),
    Flag::string("provenance", "Shorthand for \"--attest=type=provenance\""),
    Flag::bool("pull", "Always attempt to pull all referenced images"),
    Flag::bool("push", "Shorthand for \"--output=type=registry\""),
    Flag::bool("quiet", "Suppress the build output and print image ID on success").short('q'),
    Flag::string("sbom", "Shorthand for \"--attest=type=sbom\""),
    array("secret", "Secret to expose to the build (format: \"id=mysecret[,src=/local/secret]\")"),
    Flag::bytes("shm-size", "Shared memory size for build containers"),
    array(
        "ssh",
        "SSH agent socket or keys to expose to the build (format: \"default|<id>[=<socket>|<key>[,<key>]]\")",
    ),
    array("tag", "Name and optionally a tag (format: \"name:tag\")").short('t').check(check_tag),
    Flag::string("target", "Set the target build stage to build"),
    Flag::list("ulimit", "Ulimit options")
        .type_name("ulimit")
        .default("[]")
        .check(limits::check_ulimit),
    // What the classic builder has beside.
    Flag::bool("compress", "Compress the build context using gzip").hidden(),
    Flag::bool("force-rm", "Always remove intermediate containers").hidden(),
    Flag::bool("rm", "Remove intermediate containers after a successful build").default("true").hidden(),
    Flag::bool("disable-content-trust", "Skip image verification").default("true").hidden(),
    Flag::bytes("memory", "Memory limit").short('m').hidden(),
    Flag::bytes_or_unlimited("memory-swap", "Swap limit equal to memory plus swap").hidden(),
    Flag::int("cpu-period", "Limit the CPU CFS (Completely Fair Scheduler) period").hidden(),
    Flag::int("cpu-quota", "Limit the CPU CFS (Completely Fair Scheduler) quota").hidden(),
    Flag::int("cpu-shares", "CPU shares (relative weight)").short('c').hidden(),
    Flag::string("cpuset-cpus", "CPUs in which to allow execution").hidden(),
    Flag::string("cpuset-mems", "MEMs in which to allow execution").hidden(),
    Flag::string("builder", "Override the configured builder instance").hidden(),
];

const fn array(long: &'static str, help: &'static str) -> Flag {
    Flag::list(long, help).type_name("stringArray")
}

fn check_tag(tag: &str) -> Result<(), String> {
    reference::check(tag)
}

/// What stays on this side.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// Folders by the name of the context.
    pub(super) contexts: BTreeMap<String, PathBuf>,
    pub(super) secrets: BTreeMap<String, Secret>,
    /// Sockets of SSH agents.
    pub(super) agents: BTreeMap<String, PathBuf>,
    /// Folders of caches, by their places among the options'.
    pub(super) cache_sources: BTreeMap<usize, PathBuf>,
    pub(super) cache_targets: BTreeMap<usize, PathBuf>,
    /// By their place among the options' outputs.
    pub(super) destinations: BTreeMap<usize, Destination>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Secret {
    File(PathBuf),
    Variable(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Destination {
    Folder(PathBuf),
    File(PathBuf),
    Stdout,
}

/// The options, without the Dockerfile, and this side's part.
pub(super) fn parse(context: &Context, parsed: &Parsed) -> Result<(BuildOptions, Local)> {
    let (cache_from, cache_sources) = caches::parse(&parsed.list("cache-from"), "cache-from")?;
    let (cache_to, cache_targets) = caches::parse(&parsed.list("cache-to"), "cache-to")?;
    let mut local = Local { cache_sources, cache_targets, ..Local::default() };
    let mut options = BuildOptions {
        target: parsed.string("target"),
        build_args: build_args(context, &parsed.list("build-arg")),
        labels: pairs(&parsed.list("label")),
        annotations: annotations(parsed)?,
        tags: parsed.list("tag").iter().map(|tag| reference::with_tag(tag)).collect(),
        platforms: separated(&platform::all_wanted(parsed)),
        no_cache: parsed.bool("no-cache"),
        no_cache_filter: separated(&parsed.list("no-cache-filter")),
        pull: parsed.bool("pull"),
        network: parsed.string("network"),
        extra_hosts: separated(&parsed.list("add-host")),
        shm_size: size(parsed, "shm-size")?,
        cgroup_parent: parsed.string("cgroup-parent"),
        limits: limits_of(parsed)?,
        allow: separated(&parsed.list("allow")),
        attests: attests(parsed)?,
        cache_from,
        cache_to,
        explain_cache: parsed.bool("explain-cache"),
        ..BuildOptions::default()
    };
    for ulimit in parsed.list("ulimit") {
        options.ulimits.push(limits::ulimit(&ulimit)?);
    }
    for text in parsed.list("build-context") {
        let (name, value) = build_context(&text)?;
        if let Some(path) = value.strip_prefix("local:") {
            local.contexts.insert(name.clone(), path.into());
            options.contexts.insert(name.clone(), format!("local:{name}"));
        } else {
            options.contexts.insert(name, value);
        }
    }
    for text in parsed.list("secret") {
        let (id, secret) = secret(&text)?;
        local.secrets.insert(id, secret);
    }
    for text in parsed.list("ssh") {
        let (id, socket) = agent(&text)?;
        local.agents.insert(id, socket);
    }
    outputs(parsed, &mut options, &mut local)?;
    Ok((options, local))
}

/// `[type[,type...]:]key=value`; what the types are is the engine's to know.
fn annotations(parsed: &Parsed) -> Result<BTreeMap<String, String>> {
    let all = parsed.list("annotation");
    match all.iter().find(|text| !text.contains('=')) {
        Some(text) => Err(failure(&format!("invalid annotation {text:?}, expected key=value"))),
        None => Ok(pairs(&all)),
    }
}

/// What `--attest` says, and its shorthands, by type.
fn attests(parsed: &Parsed) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut texts = parsed.list("attest");
    for name in ["provenance", "sbom"].into_iter().filter(|name| parsed.is_set(name)) {
        texts.push(attest(name, parsed.str(name)));
    }
    let mut all = BTreeMap::new();
    for text in texts {
        let mut attributes = fields(&text)?;
        let kind = attributes.remove("type").filter(|kind| !kind.is_empty());
        let kind = kind.ok_or_else(|| failure("attestation type not specified"))?;
        if all.contains_key(&kind) {
            return Err(failure(&format!("duplicate attestation field {kind}")));
        }
        all.insert(kind, attributes);
    }
    let is_unwanted = std::env::var("BUILDX_NO_DEFAULT_ATTESTATIONS");
    if is_unwanted.is_ok_and(|text| flags::parse_bool(&text) == Some(true)) {
        let disabled = BTreeMap::from([("disabled".to_owned(), "true".to_owned())]);
        all.entry("provenance".to_owned()).or_insert(disabled);
    }
    Ok(all)
}

/// `--provenance=mode=max` and `--sbom=true`, as `--attest` has them.
fn attest(kind: &str, text: &str) -> String {
    match flags::parse_bool(text) {
        Some(true) => format!("type={kind}"),
        Some(false) => format!("type={kind},disabled=true"),
        None => format!("type={kind},{text}"),
    }
}

pub(super) fn failure(text: &str) -> Failure {
    Failure::new(format!("ERROR: {text}"))
}

fn size(parsed: &Parsed, name: &str) -> Result<i64> {
    match parsed.str(name) {
        "" => Ok(0),
        text => Ok(flags::bytes_or_unlimited(text)?),
    }
}

fn limits_of(parsed: &Parsed) -> Result<api::build::Limits> {
    Ok(api::build::Limits {
        memory: size(parsed, "memory")?,
        memory_swap: size(parsed, "memory-swap")?,
        cpu_shares: parsed.int_if_set("cpu-shares").unwrap_or_default(),
        cpu_period: parsed.int_if_set("cpu-period").unwrap_or_default(),
        cpu_quota: parsed.int_if_set("cpu-quota").unwrap_or_default(),
        cpuset_cpus: parsed.string("cpuset-cpus"),
        cpuset_mems: parsed.string("cpuset-mems"),
    })
}

fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        (key.to_owned(), value.to_owned())
    };
    texts.iter().map(pair).collect()
}

fn separated(texts: &[String]) -> Vec<String> {
    let parts = texts.iter().flat_map(|text| text.split(','));
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// A name alone takes this process's value, and is left out where there is none; the configuration's proxies come last.
fn build_args(context: &Context, texts: &[String]) -> BTreeMap<String, Option<String>> {
    let inherited = |text: &String| match text.contains('=') {
        true => Some(text.clone()),
        false => Some(format!("{text}={}", std::env::var(text).ok()?)),
    };
    let mut all: Vec<String> = texts.iter().filter_map(inherited).collect();
    context.config().add_proxies(&context.host_text(), &mut all);
    pairs(&all).into_iter().map(|(name, value)| (name, Some(value))).collect()
}

/// `key=value,...`, in CSV.
pub(super) fn fields(text: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for field in mounts::fields(text)? {
        let (key, value) = field
            .split_once('=')
            .ok_or_else(|| failure(&format!("invalid field {field:?} must be a key=value pair")))?;
        found.insert(key.to_lowercase(), value.to_owned());
    }
    Ok(found)
}

/// The name, and `local:` with a folder or where else it is.
fn build_context(text: &str) -> Result<(String, String)> {
    let wrong = || failure(&format!("invalid context value: {text}, expected key=value"));
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    if name.is_empty() || value.is_empty() {
        return Err(wrong());
    }
    let is_elsewhere = ["docker-image://", "target:", "http://", "https://", "oci-layout://"]
        .iter()
        .any(|start| value.starts_with(start));
    if is_elsewhere || super::git::is_repository(value) {
        return Ok((name.to_owned(), value.to_owned()));
    }
    if !std::path::Path::new(value).is_dir() {
        return Err(failure(&format!(
            "failed to get build context {name}: {value}: no such folder"
        )));
    }
    Ok((name.to_owned(), format!("local:{value}")))
}

fn secret(text: &str) -> Result<(String, Secret)> {
    let mut fields = fields(text)?;
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_empty());
    let id = take("id").ok_or_else(|| failure("secret missing \"id\" field"))?;
    let kind = take("type").unwrap_or_default();
    let file = take("src").or_else(|| take("source"));
    let variable = take("env");
    if let Some(unknown) = fields.keys().next() {
        return Err(failure(&format!("unexpected key '{unknown}' in '{text}'")));
    }
    let secret = match (kind.as_str(), file, variable) {
        ("env", file, variable) => {
            Secret::Variable(variable.or(file).unwrap_or_else(|| id.clone()))
        }
        ("" | "file", Some(file), _) => Secret::File(file.into()),
        ("", None, Some(variable)) => Secret::Variable(variable),
        ("", None, None) if std::env::var_os(&id).is_some() => Secret::Variable(id.clone()),
        ("" | "file", None, _) => Secret::File(id.clone().into()),
        (kind, ..) => return Err(failure(&format!("unsupported secret type {kind:?}"))),
    };
    if let Secret::File(path) = &secret {
        let found = std::fs::metadata(path);
        found.map_err(|error| {
            let why = crate::error::os_error(&error);
            failure(&format!("failed to stat {0}: stat {0}: {why}", path.display()))
        })?;
    }
    Ok((id, secret))
}

fn agent(text: &str) -> Result<(String, PathBuf)> {
    use std::os::unix::fs::FileTypeExt;
    let (id, paths) = text.split_once('=').unwrap_or((text, ""));
    let id = if id.is_empty() { "default" } else { id };
    let path = match paths {
        "" => std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).ok_or_else(|| {
            failure("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")
        })?,
        path => path.into(),
    };
    let is_socket = std::fs::metadata(&path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Err(failure(&format!(
            "--ssh {text}: {} is no agent's socket; keys are not served in this version: add them to an agent (ssh-add)",
            path.display()
        )));
    }
    Ok((id.to_owned(), path))
}

fn outputs(parsed: &Parsed, options: &mut BuildOptions, local: &mut Local) -> Result<()> {
    let shorthand = |kind: &str| (Output { kind: kind.into(), ..Output::default() }, None);
    let mut all: Vec<(Output, Option<Destination>)> = Vec::new();
    for text in parsed.list("output") {
        all.push(output(&text)?);
    }
    if parsed.bool("push") {
        all.push(shorthand("registry"));
    }
    if parsed.bool("load") || all.is_empty() {
        all.push(shorthand("docker"));
    }
    for (output, destination) in all {
        if let Some(destination) = destination {
            local.destinations.insert(options.outputs.len(), destination);
        }
        options.outputs.push(output);
    }
    let to_stdout = local.destinations.values().filter(|to| **to == Destination::Stdout).count();
    if to_stdout > 1 {
        return Err(failure("only one output can go to stdout"));
    }
    Ok(())
}

fn output(text: &str) -> Result<(Output, Option<Destination>)> {
    let mut attributes = match text {
        "-" => BTreeMap::from([("type".into(), "tar".into()), ("dest".into(), "-".into())]),
        folder if !folder.contains('=') => {
            BTreeMap::from([("type".into(), "local".into()), ("dest".into(), folder.to_owned())])
        }
        text => fields(text)?,
    };
    let kind = attributes.remove("type").filter(|kind| !kind.is_empty());
    let mut kind = kind.ok_or_else(|| failure("type is required for output"))?;
    let pushed = attributes.get("push").and_then(|text| flags::parse_bool(text)) == Some(true);
    if kind == "image" && pushed {
        attributes.remove("push");
        kind = "registry".into();
    }
    let to = attributes.remove("dest");
    let destination = match (kind.as_str(), to) {
        ("local", Some(folder)) if folder != "-" => Some(Destination::Folder(folder.into())),
        ("local", _) => return Err(failure("dest is required for local output")),
        ("tar" | "oci" | "docker", Some(file)) if file != "-" => {
            Some(Destination::File(file.into()))
        }
        ("docker", None) | ("image" | "registry" | "cacheonly", None) => None,
        ("tar" | "oci" | "docker", _) => Some(Destination::Stdout),
        (kind, None) => return Err(failure(&format!("unsupported output type: {kind}"))),
        (kind, Some(_)) => return Err(failure(&format!("output type {kind} takes no dest"))),
    };
    if destination == Some(Destination::Stdout)
        && std::io::IsTerminal::is_terminal(&std::io::stdout())
    {
        return Err(failure(&format!(
            "dest file is required for {kind} exporter. refusing to write to console"
        )));
    }
    let to_client = destination.is_some();
    Ok((Output { kind, attributes, to_client }, destination))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_told_apart() {
        let parsed = |text: &str| {
            let (output, to) = output(text).map_err(|failure| failure.message)?;
            Ok::<_, String>((output.kind, to))
        };
        let folder = Some(Destination::Folder("out".into()));
        assert_eq!(parsed("out"), Ok(("local".into(), folder.clone())));
        assert_eq!(parsed("type=local,dest=out"), Ok(("local".into(), folder)));
        let file = Some(Destination::File("x.tar".into()));
        assert_eq!(parsed("type=oci,dest=x.tar"), Ok(("oci".into(), file)));
        assert_eq!(parsed("type=docker"), Ok(("docker".into(), None)));
        assert_eq!(parsed("type=image,push=true"), Ok(("registry".into(), None)));
        assert_eq!(parsed("type=local"), Err("ERROR: dest is required for local output".into()));
        assert_eq!(parsed("dest=x"), Err("ERROR: type is required for output".into()));
        assert_eq!(parsed("type=what"), Err("ERROR: unsupported output type: what".into()));
    }

    #[test]
    fn secrets_come_from_files_and_variables() {
        let parsed = |text: &str| secret(text).map_err(|failure| failure.message);
        let file = Secret::File("/etc/passwd".into());
        assert_eq!(parsed("id=a,src=/etc/passwd"), Ok(("a".into(), file)));
        assert_eq!(parsed("id=a,env=HOME"), Ok(("a".into(), Secret::Variable("HOME".into()))));
        assert_eq!(parsed("id=PATH"), Ok(("PATH".into(), Secret::Variable("PATH".into()))));
        assert_eq!(parsed("src=x"), Err("ERROR: secret missing \"id\" field".into()));
        let missing = "ERROR: failed to stat /no/such: stat /no/such: no such file or directory";
        assert_eq!(parsed("id=a,src=/no/such"), Err(missing.into()));
        assert!(parsed("id=a,type=what").is_err());
        assert!(parsed("id=a,what=b").is_err());
    }

    #[test]
    fn contexts_have_their_short_forms() {
        let image = build_context("a=docker-image://x").unwrap();
        assert_eq!(image, ("a".into(), "docker-image://x".into()));
        assert_eq!(build_context("a=/etc").unwrap(), ("a".into(), "local:/etc".into()));
        assert!(build_context("a").is_err());
        assert!(build_context("a=/no/such").is_err());
    }
}
