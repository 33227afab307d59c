//! `gantry image import`: an image out of a root file system.

use client::Upload;
use client::images::Import;

use super::load;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::progress;
use crate::{platform, reference};

const FLAGS: &[Flag] = &[
    Flag::list("change", "Apply Dockerfile instruction to the created image").short('c'),
    Flag::string("message", "Set commit message for imported image").short('m'),
    Flag::string("platform", "Set platform if server is multi-platform capable"),
];

pub(crate) const COMMAND: Command = Command {
    name: "import",
    aliases: &[],
    paths: &["image import", "import"],
    usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    about: "Import the contents from a tarball to create a filesystem image",
    flags: &[FLAGS],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (source, tar) = match parsed.arg(0) {
        "-" => ("-", Upload::reader(tokio::io::stdin())),
        url if url.starts_with("http://") || url.starts_with("https://") => {
            (url, Upload::Bytes(None))
        }
        path => ("-", load::open(path).await?),
    };
    let (repo, tag) = reference::split(parsed.args.get(1).map_or("", String::as_str))?;
    let import = Import {
        source: source.to_owned(),
        repo,
        tag,
        message: parsed.string("message"),
        changes: parsed.list("change"),
        platform: platform::wanted(parsed),
    };
    let client = context.connect().await?;
    progress::show(client.image_import(&import, tar).await?).await?;
    Ok(0)
}
