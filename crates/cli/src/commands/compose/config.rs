//! `gantry compose config`.

use compose::{Format, Loaded, Options, Variable};

use super::project;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::print;
use crate::output::table;

pub(crate) const COMMAND: Command = Command {
    name: "config",
    aliases: &["convert"],
    paths: &["compose config", "compose convert"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Parse, resolve and render compose file in canonical format",
    flags: &[&[
        Flag::bool("environment", "Print environment used for interpolation."),
        Flag::string("format", "Format the output. Values: [yaml | json]").default("yaml"),
        Flag::string("hash", "Print the service config hash, one per line."),
        Flag::bool("images", "Print the image names, one per line."),
        Flag::bool(
            "no-consistency",
            "Don't check model consistency - warning: may produce invalid Compose output",
        ),
        Flag::bool("no-interpolate", "Don't interpolate environment variables"),
        Flag::bool("no-normalize", "Don't normalize compose model"),
        Flag::bool("no-path-resolution", "Don't resolve file paths"),
        Flag::string("output", "Save to file (default to stdout)").short('o'),
        Flag::bool("profiles", "Print the profile names, one per line."),
        Flag::bool("quiet", "Only validate the configuration, don't print anything").short('q'),
        Flag::bool("services", "Print the service names, one per line."),
        Flag::bool("variables", "Print model variables and default values."),
        Flag::bool("volumes", "Print the volume names, one per line."),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let mut options = project::options(context, &parsed.args)?;
    options.interpolate = !parsed.bool("no-interpolate");
    options.normalize = !parsed.bool("no-normalize");
    options.resolve_paths = !parsed.bool("no-path-resolution");
    options.check = !parsed.bool("no-consistency");
    if parsed.bool("variables") {
        return print(variables(&options)?).map(|()| 0);
    }
    let format = match parsed.str("format") {
        "yaml" => Format::Yaml,
        "json" => Format::Json,
        other => return Err(Failure::new(format!("unsupported format {other:?}"))),
    };
    let listed =
        ["services", "volumes", "images", "profiles"].iter().find(|name| parsed.bool(name));
    if listed == Some(&"profiles") {
        options.profiles = vec!["*".to_owned()];
    }
    let loaded = project::load(&options)?;
    if parsed.bool("quiet") {
        return Ok(0);
    }
    let text = match listed {
        _ if parsed.is_set("hash") => hashes(&loaded, parsed.str("hash"))?,
        Some(&"services") => lines(loaded.service_names()),
        Some(&"volumes") => lines(loaded.volume_names()),
        Some(&"images") => lines(loaded.images()),
        Some(_) => lines(loaded.profiles.iter().cloned()),
        None if parsed.bool("environment") => {
            lines(loaded.environment.iter().map(|(name, value)| format!("{name}={value}")))
        }
        None => loaded.render(format),
    };
    match parsed.str("output") {
        "" => print(text)?,
        file => std::fs::write(file, text)?,
    }
    Ok(0)
}

fn lines(names: impl IntoIterator<Item = String>) -> String {
    names.into_iter().map(|name| format!("{name}\n")).collect()
}

/// Of all services (`*`), or of those that a list names.
fn hashes(loaded: &Loaded, wanted: &str) -> Result<String> {
    let hashes = loaded.hashes();
    let names: Vec<&str> = wanted.split(',').collect();
    if let Some(unknown) =
        names.iter().find(|name| **name != "*" && !hashes.iter().any(|(known, _)| known == *name))
    {
        return Err(Failure::new(format!("no such service: {unknown}: not found")));
    }
    let is_wanted = |name: &str| wanted == "*" || names.contains(&name);
    let shown = hashes.iter().filter(|(name, _)| is_wanted(name));
    Ok(lines(shown.map(|(name, hash)| format!("{name} {hash}"))))
}

fn variables(options: &Options) -> Result<String> {
    let found = compose::variables(options).map_err(project::failure)?;
    let mut text = "NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE\n".to_owned();
    for Variable { name, required, default, alternative } in found.into_values() {
        text += &format!("{name}\t{required}\t{default}\t{alternative}\n");
    }
    Ok(table::align_wide(&text, 20))
}
