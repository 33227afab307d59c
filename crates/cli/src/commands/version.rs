//! `gantry version`: of both sides.

use api::Version;
use api::system::VersionInfo;
use client::Client;
use template::{Json, MissingKey, Type, Value};

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};
use crate::output::{object, print, say, table};

/// The commit this was built from, where the build knew it.
pub(crate) const BUILD: &str = match option_env!("GANTRY_BUILD") {
    Some(commit) => commit,
    None => "unknown",
};

const FLAGS: &[Flag] = &[Flag::string("format", INSPECT_FORMAT_HELP).short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "version",
    aliases: &[],
    paths: &["version"],
    usage: "[OPTIONS]",
    about: "Show the Gantry version information",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

/// Tabs in a template go to multiples of this.
const COLUMN: usize = 20;

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let format = object::format("version", parsed.str("format"))?;
    let (server, agreed, failure) = match ask(context).await {
        Ok((server, agreed)) => (Some(server), agreed, None),
        Err(failure) => (None, Version::MAX, Some(failure)),
    };
    match format {
        Some(format) => {
            let document = document(server.as_ref(), agreed, &context.name());
            let value = Value::typed(&document, &Type::go("system.versionInfo"));
            match format.execute(&value, MissingKey::NoValue) {
                Ok(text) => say(table::align_wide(&text, COLUMN))?,
                Err(failed) => {
                    say(table::align_wide(&failed.printed, COLUMN))?;
                    return Err(failure.unwrap_or_else(|| Failure::new(failed.what)));
                }
            }
        }
        None => {
            print(client_text(agreed, &context.name()))?;
            if let Some(server) = &server {
                print(server_text(server))?;
            }
        }
    }
    failure.map_or(Ok(0), Err)
}

async fn ask(context: &Context) -> Result<(VersionInfo, Version)> {
    let client: Client = context.connect().await?;
    Ok((client.system_version().await?, client.version().await?))
}

fn document(server: Option<&VersionInfo>, agreed: Version, context: &str) -> Json {
    let mut client = about_client(context);
    client.push(("ApiVersion".to_owned(), Json::String(agreed.to_string())));
    client.push(("DefaultAPIVersion".to_owned(), Json::String(Version::MAX.to_string())));
    let server = server.map_or(Json::Null, Json::of);
    Json::Object(vec![("Client".to_owned(), Json::Object(client)), ("Server".to_owned(), server)])
}

/// What this program says of itself.
pub(super) fn about_client(context: &str) -> Vec<(String, Json)> {
    let fields = [
        ("Version", env!("CARGO_PKG_VERSION")),
        ("GitCommit", BUILD),
        ("Os", std::env::consts::OS),
        ("Arch", go_arch()),
        ("Context", context),
    ];
    fields
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Json::String(text.to_owned())))
        .collect()
}

/// Go's names of architectures, which the whole ecosystem uses.
fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn client_text(agreed: Version, context: &str) -> String {
    let api = match agreed {
        Version::MAX => agreed.to_string(),
        older => format!("{older} (downgraded from {})", Version::MAX),
    };
    let version = env!("CARGO_PKG_VERSION");
    let os_arch = format!("{}/{}", std::env::consts::OS, go_arch());
    let rows = [
        ("Version", version),
        ("API version", &api),
        ("Git commit", BUILD),
        ("OS/Arch", &os_arch),
        ("Context", context),
    ];
    let lines: String =
        rows.iter().map(|(name, value)| format!(" {:18} {value}\n", format!("{name}:"))).collect();
    format!("Client:\n{lines}")
}

fn server_text(server: &VersionInfo) -> String {
    let mut text = match server.platform.name.as_str() {
        "" => "\nServer:\n".to_owned(),
        name => format!("\nServer: {name}\n"),
    };
    for component in &server.components {
        text += &format!(" {}:\n", component.name);
        let details = component.details.clone().unwrap_or_default();
        let detail = |name: &str| details.get(name).cloned().unwrap_or_default();
        text += &row("Version", &component.version);
        if component.name == "Engine" {
            let api =
                format!("{} (minimum version {})", detail("ApiVersion"), detail("MinAPIVersion"));
            text += &row("API version", &api);
            text += &row("Go version", &detail("GoVersion"));
            text += &row("Git commit", &detail("GitCommit"));
            text += &row("Built", &built(&detail("BuildTime")));
            text += &row("OS/Arch", &format!("{}/{}", detail("Os"), detail("Arch")));
            text += &row("Experimental", &detail("Experimental"));
        } else {
            text += &details.iter().map(|(name, value)| row(name, value)).collect::<String>();
        }
    }
    table::align(&text)
}

fn row(name: &str, value: &str) -> String {
    format!("  {:17} {value}\n", format!("{name}:"))
}

/// `Thu Aug 13 05:35:47 2026`.
fn built(time: &str) -> String {
    time.parse::<jiff::Timestamp>().map_or_else(
        |_| time.to_owned(),
        |time| time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y").to_string(),
    )
}
