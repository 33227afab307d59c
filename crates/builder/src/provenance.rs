//! What is said of how an image came to be: in-toto statements with SLSA provenance, as BuildKit writes them.
//!
//! Nothing secret is in them: of secrets and agents not even names, and of build arguments nothing with [`Mode::Min`].

use std::collections::BTreeMap;

use oci::{Digest, Platform, Reference};
use serde_json::{Value, json};

use crate::plan::{Network, Op, Vertex};

const BUILD_TYPE: &str = "https://mobyproject.org/buildkit@v1";
const BUILD_TYPE_1: &str =
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";
const METADATA: &str = "https://mobyproject.org/buildkit@v1#metadata";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Min,
    /// With arguments, steps and the Dockerfile.
    Max,
}

/// Of SLSA provenance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    #[default]
    V02,
    V1,
}

impl Version {
    #[must_use]
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::V02 => "https://slsa.dev/provenance/v0.2",
            Self::V1 => "https://slsa.dev/provenance/v1",
        }
    }
}

/// What a build was, for one platform.
pub struct Facts<'f> {
    pub mode: Mode,
    pub version: Version,
    pub builder_id: &'f str,
    /// Whoever asked says that the same comes of it again.
    pub reproducible: bool,
    pub invocation: &'f str,
    /// RFC 3339.
    pub started: &'f str,
    pub finished: &'f str,
    pub build_platform: &'f Platform,
    pub dockerfile: (&'f str, &'f str),
    pub target: &'f str,
    pub build_args: &'f BTreeMap<String, Option<String>>,
    pub labels: &'f BTreeMap<String, String>,
    /// The graph, and where in it the result is.
    pub vertices: &'f [Vertex],
    pub result: usize,
    /// What images are in their registries, by reference and platform.
    pub images: &'f BTreeMap<(String, Platform), Digest>,
}

/// The predicate.
#[must_use]
pub fn predicate(facts: &Facts<'_>) -> Value {
    let used = used(facts.vertices, facts.result);
    let steps = used.iter().map(|at| &facts.vertices[*at]);
    let materials = materials(facts, steps.clone());
    let locals: Vec<Value> = locals(steps.clone());
    let is_hermetic = locals.is_empty() && !steps.clone().any(reaches_out);
    let parameters = json!({
        "frontend": "dockerfile.v0",
        "args": arguments(facts),
        "locals": locals,
    });
    let has_all_arguments = match facts.mode {
        Mode::Max => true,
        Mode::Min => facts.build_args.is_empty() && facts.labels.is_empty(),
    };
    let mut metadata = serde_json::Map::new();
    let mut config = Value::Null;
    if facts.mode == Mode::Max {
        metadata.insert("source".into(), source(facts, &used));
        config = json!({ "steps": described(facts, &used) });
    }
    match facts.version {
        Version::V02 => {
            let mut predicate = json!({
                "builder": { "id": facts.builder_id },
                "buildType": BUILD_TYPE,
                "materials": materials,
                "invocation": {
                    "configSource": { "entryPoint": facts.dockerfile.0 },
                    "parameters": parameters,
                    "environment": { "platform": facts.build_platform.to_string() },
                },
                "metadata": {
                    "buildInvocationID": facts.invocation,
                    "buildStartedOn": facts.started,
                    "buildFinishedOn": facts.finished,
                    "completeness": {
                        "parameters": has_all_arguments,
                        "environment": true,
                        "materials": is_hermetic,
                    },
                    "reproducible": facts.reproducible,
                    METADATA: metadata,
                },
            });
            if !config.is_null() {
                predicate["buildConfig"] = config;
            }
            predicate
        }
        Version::V1 => {
            let mut internal = json!({ "builderPlatform": facts.build_platform.to_string() });
            if !config.is_null() {
                internal["buildConfig"] = config;
            }
            json!({
                "buildDefinition": {
                    "buildType": BUILD_TYPE_1,
                    "externalParameters": {
                        "configSource": { "path": facts.dockerfile.0 },
                        "request": parameters,
                    },
                    "internalParameters": internal,
                    "resolvedDependencies": materials,
                },
                "runDetails": {
                    "builder": { "id": facts.builder_id },
                    "metadata": {
                        "invocationID": facts.invocation,
                        "startedOn": facts.started,
                        "finishedOn": facts.finished,
                        "buildkit_metadata": metadata,
                        "buildkit_hermetic": is_hermetic,
                        "buildkit_completeness": {
                            "request": has_all_arguments,
                            "resolvedDependencies": is_hermetic,
                        },
                        "buildkit_reproducible": facts.reproducible,
                    },
                },
            })
        }
    }
}

/// A statement about images, by their names in registries and the digest of their manifest.
#[must_use]
pub fn statement(
    predicate_type: &str,
    predicate: &Value,
    names: &[Reference],
    platform: &Platform,
    digest: &Digest,
) -> Value {
    let digest = json!({ digest.algorithm(): digest.hex() });
    let subject = |name: String| json!({ "name": name, "digest": digest });
    let subjects: Vec<Value> = match names {
        [] => vec![subject("_".into())],
        names => names.iter().map(|name| subject(package_url(name, platform))).collect(),
    };
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": predicate_type,
        "subject": subjects,
        "predicate": predicate,
    })
}

/// `pkg:docker/name@tag?platform=linux%2Famd64`
fn package_url(name: &Reference, platform: &Platform) -> String {
    let tag = match name.tag() {
        Some(tag) => format!("@{tag}"),
        None => String::new(),
    };
    let digest = match name.digest() {
        Some(digest) => format!("digest={digest}&"),
        None => String::new(),
    };
    let platform = platform.to_string().replace('/', "%2F");
    format!("pkg:docker/{}{tag}?{digest}platform={platform}", name.familiar_name())
}

/// The vertices that the result needs, in the graph's order.
fn used(vertices: &[Vertex], result: usize) -> Vec<usize> {
    let mut seen = vec![false; vertices.len()];
    let mut open = vec![result];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut seen[at], true) {
            open.extend(&vertices[at].inputs);
        }
    }
    (0..vertices.len()).filter(|at| seen[*at]).collect()
}

fn reaches_out(vertex: &Vertex) -> bool {
    matches!(&vertex.op, Op::Run(run) if run.network != Network::None)
}

fn locals<'v>(vertices: impl Iterator<Item = &'v Vertex>) -> Vec<Value> {
    let name = |vertex: &Vertex| match &vertex.op {
        Op::Context(context) => Some(json!({ "name": context.name })),
        _ => None,
    };
    vertices.filter_map(name).collect()
}

fn materials<'v>(facts: &Facts<'_>, vertices: impl Iterator<Item = &'v Vertex>) -> Vec<Value> {
    let material = |vertex: &Vertex| {
        let (uri, digest) = match &vertex.op {
            Op::Image(image) => {
                let name = Reference::parse(&image.reference).ok()?.tag_default();
                let key = (image.reference.clone(), image.platform.clone());
                (package_url(&name, &image.platform), facts.images.get(&key).cloned())
            }
            Op::Http(http) => (without_secrets(&http.url), http.checksum.clone()),
            Op::Git(git) => (without_secrets(&git.url), None),
            _ => return None,
        };
        let mut material = json!({ "uri": uri });
        if let Some(digest) = digest {
            material["digest"] = json!({ digest.algorithm(): digest.hex() });
        }
        Some(material)
    };
    vertices.filter_map(material).collect()
}

/// An address without the user and password that may stand in it.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn arguments(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if !facts.target.is_empty() {
        all.insert("target".to_owned(), facts.target.to_owned());
    }
    if facts.mode == Mode::Max {
        let args = facts.build_args.iter();
        let args = args.filter_map(|(name, value)| Some((name, value.as_ref()?)));
        all.extend(args.map(|(name, value)| (format!("build-arg:{name}"), value.clone())));
        let labels = facts.labels.iter();
        all.extend(labels.map(|(name, value)| (format!("label:{name}"), value.clone())));
    }
    all
}

fn described(facts: &Facts<'_>, used: &[usize]) -> Vec<Value> {
    let step = |at: &usize| {
        let vertex = &facts.vertices[*at];
        let inputs = vertex.inputs.iter().map(|input| id(used, *input));
        json!({ "id": id(used, *at), "name": vertex.name, "inputs": inputs.collect::<Vec<_>>() })
    };
    used.iter().map(step).collect()
}

fn id(used: &[usize], vertex: usize) -> String {
    format!("step{}", used.binary_search(&vertex).unwrap_or_default())
}

/// The Dockerfile, and which of its lines a step is of.
fn source(facts: &Facts<'_>, used: &[usize]) -> Value {
    let mut locations = serde_json::Map::new();
    for at in used {
        let Some(lines) = &facts.vertices[*at].lines else { continue };
        let range = json!({ "start": { "line": lines.start() }, "end": { "line": lines.end() } });
        locations.insert(id(used, *at), json!({ "locations": [{ "ranges": [range] }] }));
    }
    let (name, text) = facts.dockerfile;
    json!({
        "locations": locations,
        "infos": [{ "filename": name, "language": "Dockerfile", "data": text }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::plan::{Images, Request, Wanted, plan};

    const FILE: &str = "FROM busybox AS unused\nRUN never\nFROM ghcr.io/a/b:2 AS make\nARG TOKEN\nRUN make\nFROM scratch\nADD https://ann:secret@host/f /f\nCOPY --from=make /x /x\n";

    fn made(mode: Mode, version: Version) -> Value {
        let platform = Platform::new("linux", "arm64", "");
        let request = Request { platform: platform.clone(), ..Request::default() };
        let wanted = Wanted { reference: "ghcr.io/a/b:2".into(), platform: platform.clone() };
        let images = Images::from([(wanted, oci::image::ImageConfig::default())]);
        let plan = plan(&parse(FILE).unwrap(), &request, &images).unwrap();
        let digest = Digest::from_sha256([7; 32]);
        let given = BTreeMap::from([("TOKEN".to_owned(), Some("hidden".to_owned()))]);
        predicate(&Facts {
            mode,
            version,
            builder_id: "",
            reproducible: false,
            invocation: "one",
            started: "2026-01-01T00:00:00Z",
            finished: "2026-01-01T00:00:01Z",
            build_platform: &Platform::new("linux", "amd64", ""),
            dockerfile: ("Dockerfile", FILE),
            target: "",
            build_args: &given,
            labels: &BTreeMap::new(),
            vertices: &plan.vertices,
            result: plan.result,
            images: &BTreeMap::from([(("ghcr.io/a/b:2".to_owned(), platform), digest)]),
        })
    }

    #[test]
    fn materials_are_what_the_result_stands_on_and_nothing_else() {
        let made = made(Mode::Min, Version::V02);
        let materials = made["materials"].as_array().unwrap();
        assert_eq!(materials.len(), 2, "{made}");
        let uris: Vec<_> = materials.iter().map(|one| one["uri"].as_str().unwrap()).collect();
        assert!(uris.contains(&"https://host/f"), "{uris:?}");
        assert!(uris.contains(&"pkg:docker/ghcr.io/a/b@2?platform=linux%2Farm64"), "{uris:?}");
        let image = materials.iter().find(|one| one["uri"].as_str().unwrap().contains("ghcr"));
        assert_eq!(image.unwrap()["digest"]["sha256"], "07".repeat(32));
        assert_eq!(made["invocation"]["environment"]["platform"], "linux/amd64");
        assert_eq!(made["metadata"]["completeness"]["materials"], false);
    }

    #[test]
    fn the_least_provenance_has_no_arguments_and_no_dockerfile() {
        for version in [Version::V02, Version::V1] {
            let least = made(Mode::Min, version).to_string();
            assert!(!least.contains("hidden") && !least.contains("RUN make"), "{least}");
            let most = made(Mode::Max, version).to_string();
            assert!(most.contains("build-arg:TOKEN") && most.contains("RUN make"), "{most}");
        }
        let made = made(Mode::Max, Version::V02);
        let steps = made["buildConfig"]["steps"].as_array().unwrap();
        assert!(!made["buildConfig"].to_string().contains("never"), "{made}");
        assert_eq!(steps.last().unwrap()["id"], format!("step{}", steps.len() - 1));
    }

    #[test]
    fn subjects_are_the_images_names() {
        let platform = Platform::new("linux", "amd64", "");
        let digest = Digest::from_sha256([1; 32]);
        let name = Reference::parse("busybox").unwrap().tag_default();
        let said = statement("type", &Value::Null, &[name], &platform, &digest);
        let subject = &said["subject"][0];
        assert_eq!(subject["name"], "pkg:docker/busybox@latest?platform=linux%2Famd64");
        assert_eq!(subject["digest"]["sha256"], "01".repeat(32));
        let nameless = statement("type", &Value::Null, &[], &platform, &digest);
        assert_eq!(nameless["subject"][0]["name"], "_");
    }
}
