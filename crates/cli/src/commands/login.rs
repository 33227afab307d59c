//! `gantry login`: credentials that a registry knows, kept for later.

use std::io::{BufRead, IsTerminal, Read};

use api::registry::AuthConfig;
use client::Client;

use crate::command::{Args, Command, Done, run};
use crate::config_file;
use crate::context::Context;
use crate::credentials;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{print, say, warn};
use crate::session::Silent;

const FLAGS: &[Flag] = &[
    Flag::string("password", "Password").short('p'),
    Flag::bool("password-stdin", "Take the password from stdin"),
    Flag::string("username", "Username").short('u'),
];

pub(crate) const COMMAND: Command = Command {
    name: "login",
    aliases: &[],
    paths: &["login"],
    usage: "[OPTIONS] [SERVER]",
    about: "Log in to a registry.\nIf no server is specified, the default is defined by the daemon.",
    flags: &[FLAGS],
    args: Args::AtMost(1),
    trailing: false,
    run: run!(run),
};

const UNENCRYPTED: &str = "Configure a credential helper to remove this warning. See
https://docs.docker.com/engine/reference/commandline/login/#credentials-store
";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let given = given(parsed)?;
    let server = server(parsed);
    let client = context.connect().await?;
    let known = context.config().auth(&server);
    let (auth, answer) = match again(&client, &server, parsed, known.clone()).await? {
        Some(done) => done,
        None => {
            let auth = ask(&server, given, &known.username)?;
            let answer = client.registry_login(&auth).await?;
            (auth, answer)
        }
    };
    let auth = match answer.identity_token.as_str() {
        "" => auth,
        token => AuthConfig { identitytoken: token.to_owned(), password: String::new(), ..auth },
    };
    keep(context, &server, &auth)?;
    say(answer.status)?;
    Ok(0)
}

/// The registry's name as config.json has it.
pub(in crate::commands) fn server(parsed: &Parsed) -> String {
    match parsed.args.first().map_or("", String::as_str) {
        "" => credentials::HUB_KEY.to_owned(),
        server => credentials::key(server.trim_end_matches('/')),
    }
}

type Answered = (AuthConfig, api::registry::AuthStatus);

/// Without flags, what is known already is tried first.
async fn again(
    client: &Client,
    server: &str,
    parsed: &Parsed,
    known: AuthConfig,
) -> Result<Option<Answered>> {
    let asked =
        parsed.is_set("username") || parsed.is_set("password") || parsed.bool("password-stdin");
    if asked || (known.password.is_empty() && known.identitytoken.is_empty()) {
        return Ok(None);
    }
    say("Authenticating with existing credentials...")?;
    let auth = AuthConfig { serveraddress: server.to_owned(), ..known };
    match client.registry_login(&auth).await {
        Ok(answer) => Ok(Some((auth, answer))),
        Err(error) if error.status().is_some() => {
            say(format!("Login did not succeed, error: {error}"))?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Name and password of flags and stdin; what is missing is asked for.
fn given(parsed: &Parsed) -> Result<(String, String)> {
    let (username, password) = (parsed.string("username"), parsed.string("password"));
    if parsed.is_set("password") {
        warn("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        if parsed.bool("password-stdin") {
            return Err(Failure::new("--password and --password-stdin are mutually exclusive"));
        }
    }
    if !parsed.bool("password-stdin") {
        return Ok((username, password));
    }
    if username.is_empty() {
        return Err(Failure::new("Must provide --username with --password-stdin"));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok((username, password.strip_suffix('\r').unwrap_or(password).to_owned()))
}

fn ask(server: &str, given: (String, String), before: &str) -> Result<AuthConfig> {
    let (mut username, mut password) = given;
    if (username.is_empty() || password.is_empty()) && !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            "Error: Cannot perform an interactive login from a non TTY device",
        ));
    }
    if username.is_empty() {
        match before {
            "" => print("Username: ")?,
            before => print(format!("Username ({before}): "))?,
        }
        username = line()?;
        if username.is_empty() {
            before.clone_into(&mut username);
        }
        if username.is_empty() {
            return Err(Failure::new("Error: Non-null Username Required"));
        }
    }
    if password.is_empty() {
        print("Password: ")?;
        let silent = Silent::stdin();
        password = line()?;
        drop(silent);
        say("")?;
        if password.is_empty() {
            return Err(Failure::new("Error: Password Required"));
        }
    }
    Ok(AuthConfig { username, password, serveraddress: server.to_owned(), ..AuthConfig::default() })
}

fn line() -> Result<String> {
    use std::io::Write as _;
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn keep(context: &Context, server: &str, auth: &AuthConfig) -> Result<()> {
    let directory = context.config_directory();
    if let Some(helper) = context.config().helper(server) {
        credentials::ask(&helper, "store", &credentials::secret(server, auth))?;
        return config_file::set_auth(&directory, server, None);
    }
    config_file::set_auth(&directory, server, Some(auth))?;
    let file = directory.join("config.json");
    warn(format!(
        "WARNING! Your password will be stored unencrypted in {}.\n{UNENCRYPTED}",
        file.display()
    ));
    Ok(())
}
