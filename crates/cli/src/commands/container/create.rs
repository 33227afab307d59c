//! `gantry container create`: everything of `run` but the running.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use api::containers::CreateRequest;
use client::Client;

use super::options::env::os_error;
use super::options::{self, Options};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{progress, say, warn};
use crate::{platform, reference};

const FLAGS: &[Flag] = &[pull("Pull image before creating (\"always\", \"missing\", \"never\")")];

pub(super) const fn pull(help: &'static str) -> Flag {
    Flag::string("pull", help).default("missing")
}

/// Flags that `create` and `run` have beside a container's own.
pub(super) const CREATE_FLAGS: &[Flag] = &[
    Flag::bool("disable-content-trust", "Skip image verification").default("true"),
    Flag::string("name", "Assign a name to the container"),
    Flag::string("platform", "Set platform if server is multi-platform capable"),
    Flag::bool("quiet", "Suppress the pull output").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    paths: &["container create", "create"],
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create a new container",
    flags: &[options::FLAGS, CREATE_FLAGS, FLAGS],
    args: Args::AtLeast(1),
    trailing: true,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let mut options = check_pull(parsed)
        .and_then(|()| Options::parse(parsed))
        .map_err(|message| reported("create", &message, 125))?;
    options.add_proxies(context);
    let client = context.connect().await?;
    say(create(context, &client, parsed, &options).await?)?;
    Ok(0)
}

pub(super) fn check_pull(parsed: &Parsed) -> Result<(), String> {
    match parsed.str("pull") {
        "" | "always" | "missing" | "never" => Ok(()),
        other => Err(format!(
            "invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\""
        )),
    }
}

/// `os`, `arch`, `os/arch` or `os/arch/variant`. Which there are the engine knows.
fn check_platform(text: &str) -> Result<()> {
    if text.split('/').count() > 3 {
        return Err(Failure::new(format!(
            "error parsing specified platform: {text:?}: cannot parse platform specifier: invalid argument"
        )));
    }
    Ok(())
}

/// Docker's way to fail before there is a process.
pub(super) fn reported(command: &str, message: &str, code: u8) -> Failure {
    let message = message.trim_end_matches('.');
    Failure::with_code(code, format!("gantry: {message}.\nSee 'gantry {command} --help'."))
}

/// Creates the container, with a pull where the image is missing, and returns its id.
pub(super) async fn create(
    context: &Context,
    client: &Client,
    parsed: &Parsed,
    options: &Options,
) -> Result<String> {
    warn_of_options(&options.request);
    let cid_file = CidFile::reserve(&options.request)?;
    reference::check_image(&options.request.config.image)?;
    let platform = platform::wanted(parsed);
    check_platform(&platform)?;
    let pull = parsed.str("pull");
    if pull == "always" {
        pull_image(context, client, parsed, &options.request.config.image).await?;
    }
    check_engine(client, options).await?;
    let attempt = || client.container_create(parsed.str("name"), &platform, &options.request);
    let created = match attempt().await {
        Err(error) if error.is_not_found() && pull == "missing" && is_missing_image(&error) => {
            let image = &options.request.config.image;
            if !parsed.bool("quiet") {
                warn(format!("Unable to find image '{}' locally", reference::with_tag(image)));
            }
            pull_image(context, client, parsed, image).await?;
            attempt().await?
        }
        result => result?,
    };
    created.warnings.iter().for_each(|warning| warn(format!("WARNING: {warning}")));
    cid_file.write(&created.id)?;
    Ok(created.id)
}

/// What the engine has no reason to speak of, and first of all, as in Docker's client.
fn warn_of_options(request: &CreateRequest) {
    let Some(host) = &request.host_config else { return };
    if host.resources.oom_kill_disable == Some(true) && host.resources.memory == 0 {
        warn(
            "WARNING: Disabling the OOM killer on containers without setting a '-m/--memory' limit may be dangerous.",
        );
    }
    let is_local = |server: &&String| server.starts_with("127.") || *server == "::1";
    if let Some(server) = host.dns.iter().flatten().find(is_local) {
        warn(format!("WARNING: Localhost DNS setting (--dns={server}) may fail in containers."));
    }
}

/// Another engine would not say that it knows nothing of a flag of ours.
async fn check_engine(client: &Client, options: &Options) -> Result<()> {
    let wish = options.request.host_config.as_ref().map_or("", |host| &host.health_on_failure);
    if matches!(wish, "" | "none") || client.system_version().await?.platform.name == "Gantry" {
        return Ok(());
    }
    Err(Failure::new("--health-on-failure: this engine does not know it"))
}

/// One for another platform is as good as none.
fn is_missing_image(error: &client::Error) -> bool {
    let said = error.to_string();
    said.contains("No such image") || said.contains("does not match the specified platform")
}

async fn pull_image(
    context: &Context,
    client: &Client,
    parsed: &Parsed,
    image: &str,
) -> Result<()> {
    let (name, tag) = reference::to_pull(image);
    let auth = context.config().auth_for_image(image);
    let messages = client.image_pull(&name, &tag, &platform::wanted(parsed), &auth).await?;
    if parsed.bool("quiet") {
        return progress::wait(messages).await;
    }
    progress::show_on_stderr(messages).await
}

/// `--cidfile`: must not be there before, is made before the container, and is not left behind empty.
struct CidFile(Option<(PathBuf, File)>);

impl CidFile {
    fn reserve(request: &CreateRequest) -> Result<Self> {
        let path = request.host_config.as_ref().map_or("", |host| host.container_id_file.as_str());
        if path.is_empty() {
            return Ok(Self(None));
        }
        match File::create_new(path) {
            Ok(file) => Ok(Self(Some((path.into(), file)))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Failure::new(format!(
                    "container ID file found, make sure the other container isn't running or delete {path}"
                )))
            }
            Err(error) => Err(Failure::new(format!(
                "failed to create the container ID file: open {path}: {}",
                os_error(&error)
            ))),
        }
    }

    fn write(mut self, id: &str) -> Result<()> {
        let Some((path, mut file)) = self.0.take() else { return Ok(()) };
        file.write_all(id.as_bytes()).map_err(|error| {
            Failure::new(format!(
                "failed to write the container ID ({id}) to file: write {}: {}",
                path.display(),
                os_error(&error)
            ))
        })
    }
}

impl Drop for CidFile {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.0 {
            // Somebody else's removal is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}
