//! `gantry compose publish`: a project's files as an artifact in a registry, in Docker Compose's form.

use std::io::IsTerminal;

use bytes::Bytes;
use compose::Publication;
use compose::apply::{Event, EventState};
use compose::model::Project;
use oci::{Digest, Reference, media_type};
use registry::client::{Repository, Which};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::progress::Progress;
use super::project;
use crate::command::{Args, Command, Done, run};
use crate::commands::manifest::Remote;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::prune;
use crate::reference;

pub(crate) const COMMAND: Command = Command {
    name: "publish",
    aliases: &[],
    paths: &["compose publish"],
    usage: "[OPTIONS] REPOSITORY[:TAG]",
    about: "Publish compose application",
    flags: &[&[
        Flag::string(
            "oci-version",
            "OCI image/artifact specification version (automatically determined by default)",
        ),
        Flag::bool("resolve-image-digests", "Pin image tags to digests"),
        Flag::bool("with-env", "Include environment variables in the published OCI artifact"),
        Flag::bool("yes", "Assume \"yes\" as answer to all prompts").short('y'),
    ]],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

const PROJECT: &str = "application/vnd.docker.compose.project";
const EMPTY_CONFIG: &str = "application/vnd.docker.compose.config.empty.v1+json";
const FILE: &str = "application/vnd.docker.compose.file+yaml";
const ENV_FILE: &str = "application/vnd.docker.compose.envfile";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let name = name(parsed.arg(0))?;
    let has_type = match parsed.str("oci-version") {
        "" | "1.1" => true,
        "1.0" => false,
        other => return Err(Failure::new(format!("unsupported OCI version: {other}"))),
    };
    let mut options = project::options(context, &[])?;
    options.profiles = vec!["*".to_owned()];
    let model = project::load(&options)?.project().map_err(project::failure)?;
    let publication = compose::publication(&options).map_err(project::failure)?;
    check_builds(&model)?;
    check_values(&publication, parsed.bool("with-env"))?;
    if !parsed.bool("yes") && !may_publish_mounts(&model)? {
        return Ok(0);
    }
    let remote = Remote::new(context, false);
    let mut layers = layers(&publication);
    if parsed.bool("resolve-image-digests") {
        layers.push(file("image-digests.yaml", pins(&remote, &model).await?));
    }
    let progress = Progress::of(context);
    let tell = |status: &str, state| {
        progress.report(Event { subject: name.to_string(), status: status.to_owned(), state });
    };
    tell("publishing", EventState::Working);
    let repository = remote.open(&name).await?;
    match push(&repository, &name, has_type, layers).await {
        Ok(()) => {
            tell("published", EventState::Done);
            Ok(0)
        }
        Err(error) => {
            tell("publish error", EventState::Failed);
            Err(error)
        }
    }
}

fn name(text: &str) -> Result<Reference> {
    reference::check(text)?;
    let name = Reference::parse(text).map_err(|error| Failure::new(error.to_string()))?;
    match name.digest() {
        Some(_) => Err(Failure::new(format!("{text}: the digest is what the content makes it"))),
        None => Ok(name.tag_default()),
    }
}

/// What nobody else can build has no image for them.
fn check_builds(model: &Project) -> Result<()> {
    let has_none = |(_, service): &(&String, &compose::model::Service)| {
        service.build.is_some() && service.image.is_empty()
    };
    let names: Vec<String> =
        model.services.iter().filter(has_none).map(|(name, _)| format!("{name:?}\n")).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "your Compose stack cannot be published as it only contains a build section for service(s):\n{}",
            names.concat()
        ))),
    }
}

fn check_values(publication: &Publication, with_env: bool) -> Result<()> {
    if with_env || publication.values.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}\nTo avoid leaking sensitive data, you must either explicitly allow the sending of environment variables by using the --with-env flag,\nor remove sensitive data from your Compose configuration",
        publication.values.join("\n")
    )))
}

/// Paths of this machine tell of it, and mean something else on another.
fn may_publish_mounts(model: &Project) -> Result<bool> {
    let mut lines = String::new();
    for (name, service) in &model.services {
        for mount in service.volumes.iter().filter(|mount| mount.kind == "bind") {
            lines += &format!("{name}: {} -> {}\n", mount.source, mount.target);
        }
    }
    if lines.is_empty() {
        return Ok(true);
    }
    let warning = "you are about to publish bind mounts declaration within your OCI artifact.\nonly the bind mount declarations will be added to the OCI artifact (not content)\nplease double check that you are not mounting potential user's sensitive directories or data\n";
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(format!("{warning}{lines}use --yes to publish them")));
    }
    prune::ask(&format!("{warning}{lines}Are you ok to publish these bind mount declarations?"))
}

/// A blob with what the manifest says of it.
struct Layer {
    kind: &'static str,
    annotations: Value,
    text: String,
}

fn file(name: &str, text: String) -> Layer {
    let annotations = json!({
        "com.docker.compose.file": name,
        "com.docker.compose.version": env!("CARGO_PKG_VERSION"),
    });
    Layer { kind: FILE, annotations, text }
}

fn layers(publication: &Publication) -> Vec<Layer> {
    let env_file = |(name, text): (&String, &String)| Layer {
        kind: ENV_FILE,
        annotations: json!({ "com.docker.compose.envfile": name }),
        text: text.clone(),
    };
    let files = publication.files.iter().map(|(name, text)| file(name, text.clone()));
    files.chain(publication.env_files.iter().map(env_file)).collect()
}

/// A Compose file that says, over all others, which images there are now.
async fn pins(remote: &Remote<'_>, model: &Project) -> Result<String> {
    let mut services = serde_json::Map::new();
    for (service, it) in model.services.iter().filter(|(_, it)| !it.image.is_empty()) {
        let image = Reference::parse(&it.image).map_err(|error| Failure::new(error.to_string()))?;
        let pinned = match image.digest() {
            Some(_) => it.image.clone(),
            None => format!("{}@{}", it.image, remote.digest(&image.tag_default()).await?),
        };
        services.insert(service.clone(), json!({ "image": pinned }));
    }
    // JSON is YAML.
    Ok(format!("{:#}\n", json!({ "services": services })))
}

async fn push(
    repository: &Repository,
    name: &Reference,
    has_type: bool,
    layers: Vec<Layer>,
) -> Result<()> {
    let config = if has_type { media_type::OCI_EMPTY } else { EMPTY_CONFIG };
    let config = upload(repository, config, "{}".to_owned()).await?;
    let mut descriptors = Vec::new();
    for Layer { kind, annotations, text } in layers {
        let mut descriptor = upload(repository, kind, text).await?;
        descriptor["annotations"] = annotations;
        descriptors.push(descriptor);
    }
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": config,
        "layers": descriptors,
    });
    if has_type {
        manifest["artifactType"] = PROJECT.into();
    }
    let bytes = Bytes::from(manifest.to_string());
    let put = repository.put_manifest(&Which::of(name), media_type::OCI_MANIFEST, bytes).await;
    put.map_err(|error| Failure::new(error.to_string()))
}

async fn upload(repository: &Repository, kind: &str, text: String) -> Result<Value> {
    let digest = Digest::from_sha256(Sha256::digest(&text).into());
    let size = text.len();
    let failed = |error: registry::client::Error| Failure::new(error.to_string());
    if !repository.has_blob(&digest).await.map_err(failed)? {
        repository.upload_bytes(&digest, text.into()).await.map_err(failed)?;
    }
    Ok(json!({ "mediaType": kind, "digest": digest.to_string(), "size": size }))
}
