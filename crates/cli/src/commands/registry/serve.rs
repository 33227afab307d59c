//! `gantry registry serve`: becomes the program that does it, which is the engine's.

use std::os::unix::process::CommandExt;
use std::process::Command as Program;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::daemon;
use crate::error::Failure;
use crate::flags::{Flag, Kind, Parsed};

const FLAGS: &[Flag] = &[
    Flag::bool("access-log", "Write a line for each request").default("true"),
    Flag::string("address", "Address and port to listen on").default("127.0.0.1:5000"),
    Flag::string(
        "config",
        "File with rules, whose tokens are believed, who is told, and what is kept (JSON)",
    )
    .type_name("file"),
    Flag::bool("debug", "Log more"),
    Flag::string("gc-grace", "How old garbage is at least: longer than a push takes")
        .type_name("duration")
        .default("24h"),
    Flag::string("gc-interval", "Between two collections of garbage (0s: none)")
        .type_name("duration")
        .default("6h"),
    Flag::string("htpasswd", "File with users and bcrypt hashes (htpasswd -B)").type_name("file"),
    Flag::string("log-format", "Format of the log (\"text\"|\"json\")").default("text"),
    Flag::int("max-uploads", "Uploads that may be open at once").default("1000"),
    Flag::string("proxy", "Registry whose content is fetched when it is asked for, and kept")
        .type_name("address"),
    Flag::string("proxy-credentials", "File with who we are to that registry (USER:PASSWORD)")
        .type_name("file"),
    Flag::bool("read-only", "Refuse whatever would change something"),
    Flag::string("root", "Folder that holds the content").default("/var/lib/gantry-registry"),
    Flag::string("storage", "Bucket that holds the content instead (s3://BUCKET/PREFIX)")
        .type_name("place"),
    Flag::string("tls-cert", "Certificate to serve with (PEM)").type_name("file"),
    Flag::string("tls-key", "Key of the certificate (PEM)").type_name("file"),
    Flag::string("upload-age", "After which an upload of which nothing comes is removed")
        .type_name("duration")
        .default("24h"),
];

pub(crate) const COMMAND: Command = Command {
    name: "serve",
    aliases: &[],
    paths: &["registry serve"],
    usage: "[OPTIONS]",
    about: "Serve a registry out of a folder or a bucket, until it is stopped by a signal",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(_: &Context, parsed: &Parsed) -> Done {
    let program = daemon::engine_binary()?;
    let mut command = Program::new(&program);
    command.arg("registry-serve").args(words(parsed));
    // It returns only if it fails.
    let error = command.exec();
    Err(Failure::new(format!("could not start {}: {error}", program.display())))
}

/// The flags that were given, in one spelling.
fn words(parsed: &Parsed) -> Vec<String> {
    let given = FLAGS.iter().filter(|flag| parsed.is_set(flag.long));
    let word = |flag: &Flag| match flag.kind {
        Kind::Bool => format!("--{}={}", flag.long, parsed.bool(flag.long)),
        _ => format!("--{}={}", flag.long, parsed.str(flag.long)),
    };
    given.map(word).collect()
}
