//! `gantry system info`: the engine and its host.

use api::system::Info;
use template::{Format, Json, MissingKey, Type, Value};

use crate::command::{Args, Command, Done, run};
use crate::commands::version;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};
use crate::output::units::bytes_size;
use crate::output::{object, print, say, warn};

const FLAGS: &[Flag] = &[Flag::string("format", INSPECT_FORMAT_HELP).short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "info",
    aliases: &[],
    paths: &["system info", "info"],
    usage: "[OPTIONS]",
    about: "Display system-wide information",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let format = object::format("", parsed.str("format"))?;
    let info = match context.connect().await {
        Ok(client) => client.system_info().await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    if let Some(format) = format {
        return formatted(&format, &info?, &context.name());
    }
    let (version, name) = (env!("CARGO_PKG_VERSION"), context.name());
    print(format!(
        "Client:\n Version:    {version}\n Context:    {name}\n Debug Mode: false\n\nServer:\n"
    ))?;
    let info = info.map_err(|failure| {
        Failure::new(format!("ERROR: {failure}\nerrors pretty printing info"))
    })?;
    print(pretty(&info))?;
    info.warnings.iter().flatten().for_each(warn);
    Ok(0)
}

fn formatted(format: &Format, info: &Info, context: &str) -> Done {
    let mut client = version::about_client(context);
    client.push(("Plugins".to_owned(), Json::Array(Vec::new())));
    let mut document = Json::of(info);
    if let Json::Object(fields) = &mut document {
        fields.push(("ClientInfo".to_owned(), Json::Object(client)));
    }
    let value = Value::typed(&document, &Type::go("system.dockerInfo"));
    match format.execute(&value, MissingKey::NoValue) {
        Ok(text) => say(text).map(|()| 0),
        Err(failed) => {
            say(failed.printed)?;
            Err(Failure::new(failed.what))
        }
    }
}

/// Indented lines of `name: value`.
struct Lines(String);

impl Lines {
    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0 += &format!(" {name}: {value}\n");
    }

    /// Left out where there is nothing to say.
    fn some(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.line(name, value);
        }
    }

    fn block(&mut self, title: &str, lines: &[String]) {
        self.0 += &format!(" {title}:\n");
        for line in lines {
            self.0 += &format!("  {line}\n");
        }
    }
}

fn pretty(info: &Info) -> String {
    let mut out = Lines(String::new());
    out.line("Containers", info.containers);
    out.line(" Running", info.containers_running);
    out.line(" Paused", info.containers_paused);
    out.line(" Stopped", info.containers_stopped);
    out.line("Images", info.images);
    out.some("Server Version", &info.server_version);
    out.line("Storage Driver", &info.driver);
    info.driver_status.iter().for_each(|[name, value]| out.line(&format!(" {name}"), value));
    out.some("Logging Driver", &info.logging_driver);
    out.some("Cgroup Driver", &info.cgroup_driver);
    out.some("Cgroup Version", &info.cgroup_version);
    plugins(&mut out, info);
    out.line("Swarm", &info.swarm.local_node_state);
    let runtimes: Vec<&str> = info.runtimes.keys().map(String::as_str).collect();
    if !runtimes.is_empty() {
        out.line("Runtimes", runtimes.join(" "));
        out.line("Default Runtime", &info.default_runtime);
    }
    components(&mut out, info);
    security(&mut out, info);
    host(&mut out, info);
    registries(&mut out, info);
    out.line("Live Restore Enabled", info.live_restore_enabled);
    out.0.push('\n');
    out.0
}

fn plugins(out: &mut Lines, info: &Info) {
    let named = [
        ("Volume", &info.plugins.volume),
        ("Network", &info.plugins.network),
        ("Authorization", &info.plugins.authorization),
        ("Log", &info.plugins.log),
    ];
    let lines: Vec<String> = named
        .into_iter()
        .filter_map(|(name, plugins)| {
            let plugins = plugins.as_ref().filter(|plugins| !plugins.is_empty())?;
            Some(format!("{name}: {}", plugins.join(" ")))
        })
        .collect();
    out.block("Plugins", &lines);
}

fn components(out: &mut Lines, info: &Info) {
    if info.os_type != "linux" {
        return;
    }
    out.line("Init Binary", &info.init_binary);
    let commits = [
        ("containerd", &info.containerd_commit),
        ("runc", &info.runc_commit),
        ("init", &info.init_commit),
    ];
    for (name, commit) in commits {
        let expected = match (&commit.id, &commit.expected) {
            (id, Some(expected)) if id != expected => format!(" (expected: {expected})"),
            _ => String::new(),
        };
        out.line(&format!("{name} version"), format!("{}{expected}", commit.id));
    }
}

/// `name=seccomp,profile=builtin` as a name with indented options.
fn security(out: &mut Lines, info: &Info) {
    let options = info.security_options.iter().flatten();
    let mut lines = Vec::new();
    for option in options {
        for (key, value) in option.split(',').filter_map(|pair| pair.split_once('=')) {
            lines.push(match key {
                "name" => value.to_owned(),
                "profile" => format!(" Profile: {value}"),
                key => format!(" {key}: {value}"),
            });
        }
    }
    if !lines.is_empty() {
        out.block("Security Options", &lines);
    }
}

fn host(out: &mut Lines, info: &Info) {
    out.some("Kernel Version", &info.kernel_version);
    out.some("Operating System", &info.operating_system);
    out.some("OSType", &info.os_type);
    out.some("Architecture", &info.architecture);
    out.line("CPUs", info.ncpu);
    out.line("Total Memory", bytes_size(info.mem_total as f64));
    out.some("Name", &info.name);
    out.some("ID", &info.id);
    out.some("Docker Root Dir", &info.docker_root_dir);
    out.line("Debug Mode", info.debug);
    if info.debug {
        out.line(" File Descriptors", info.n_fd);
        out.line(" Goroutines", info.n_goroutines);
        out.line(" System Time", &info.system_time);
        out.line(" EventsListeners", info.n_events_listener);
    }
    out.some("HTTP Proxy", &info.http_proxy);
    out.some("HTTPS Proxy", &info.https_proxy);
    out.some("No Proxy", &info.no_proxy);
    if let Some(labels) = info.labels.as_ref().filter(|labels| !labels.is_empty()) {
        out.block("Labels", labels);
    }
    out.line("Experimental", info.experimental_build);
}

fn registries(out: &mut Lines, info: &Info) {
    let Some(config) = &info.registry_config else { return };
    let insecure =
        config.index_configs.values().filter(|index| !index.secure).map(|index| index.name.clone());
    let insecure: Vec<String> =
        insecure.chain(config.insecure_registry_cidrs.iter().flatten().cloned()).collect();
    if !insecure.is_empty() {
        out.block("Insecure Registries", &insecure);
    }
    if let Some(mirrors) = config.mirrors.as_ref().filter(|mirrors| !mirrors.is_empty()) {
        out.block("Registry Mirrors", mirrors);
    }
}
