//! What clients of each API version see: the fields that a document has more or less than in 1.45, and those that are
//! null there. Up to 1.45 as dockerd 26 answers, above by the API's history.

use std::collections::BTreeSet;

use api::system::{Detail, DiskUsage};
use api::version::ForVersion;
use api::{Nilable, Version, containers, events, exec, images, system, volumes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

macro_rules! golden {
    ($file:literal) => {
        serde_json::from_str(include_str!(concat!("golden/", $file))).expect("golden files parse")
    };
}

/// Every path in a document; `=null` behind those where null stands, `[]` for each element.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Null => drop(found.insert(format!("{path}=null"))),
        Value::Object(entries) => {
            found.insert(path.to_owned());
            let dot = if path.is_empty() { "" } else { "." };
            entries
                .iter()
                .for_each(|(key, value)| paths(value, &format!("{path}{dot}{key}"), found));
        }
        Value::Array(elements) => {
            found.insert(path.to_owned());
            elements.iter().for_each(|element| paths(element, &format!("{path}[]"), found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

fn shape(value: &impl Serialize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    paths(&serde_json::to_value(value).expect("wire types encode"), "", &mut found);
    found
}

/// Fails unless each version of a document differs from the one of 1.45 by exactly what is told of its range. What lies
/// below something that is new or gone is not named.
fn check(in_version: impl Fn(u16) -> BTreeSet<String>, expected: &[(u16, u16, &str)]) {
    let reference = in_version(45);
    let mut next = 24;
    for (first, last, expected) in expected {
        assert_eq!(*first, next, "the ranges follow one another");
        for minor in *first..=*last {
            let found = in_version(minor);
            let differences = [one_way("-", &reference, &found), one_way("+", &found, &reference)];
            let mut all: Vec<String> = differences.into_iter().flatten().collect();
            all.sort_by(|a, b| a[1..].cmp(&b[1..]));
            assert_eq!(all.join(" "), *expected, "1.{minor}");
        }
        next = last + 1;
    }
    assert_eq!(next, Version::MAX.minor + 1, "all versions are looked at");
}

fn one_way(sign: &str, of: &BTreeSet<String>, than: &BTreeSet<String>) -> Vec<String> {
    let more: BTreeSet<&String> = of.difference(than).collect();
    let is_below = |path: &str| {
        let above = path.rmatch_indices(['.', '[']).map(|(at, _)| path[..at].to_owned());
        above.into_iter().any(|above| more.contains(&above))
    };
    more.iter().filter(|path| !is_below(path)).map(|path| format!("{sign}{path}")).collect()
}

fn converted<T: ForVersion + Clone + Serialize>(newest: &T, minor: u16) -> BTreeSet<String> {
    let mut document = newest.clone();
    document.for_version(Version::v1(minor));
    shape(&document)
}

/// Of documents that no version changes.
fn same_in_every_version<T: Serialize + DeserializeOwned>(golden: &str) {
    let value: T = serde_json::from_str(golden).expect("golden files parse");
    check(|_| shape(&value), &[(24, 54, "")]);
}

fn descriptor() -> Option<images::Descriptor> {
    Some(images::Descriptor { digest: "sha256:00".into(), ..images::Descriptor::default() })
}

#[test]
fn container_inspect() {
    let golden: containers::Inspect = golden!("container-inspect.json");
    let mut newest =
        containers::Inspect { image_manifest_descriptor: descriptor(), ..golden.clone() };
    newest.host_config.resources.kernel_memory_tcp = 1;
    newest.network_settings.networks.iter_mut().flat_map(|all| all.values_mut()).for_each(|one| {
        one.aliases = Some(Vec::new());
    });
    let older = "+NetworkSettings.Networks.bridge.Aliases[]";
    let of_1_52 = "-Config.OnBuild=null -HostConfig.KernelMemoryTCP +ImageManifestDescriptor \
                   -NetworkSettings.Bridge -NetworkSettings.EndpointID -NetworkSettings.Gateway \
                   -NetworkSettings.GlobalIPv6Address -NetworkSettings.GlobalIPv6PrefixLen \
                   -NetworkSettings.HairpinMode -NetworkSettings.IPAddress -NetworkSettings.IPPrefixLen \
                   -NetworkSettings.IPv6Gateway -NetworkSettings.LinkLocalIPv6Address \
                   -NetworkSettings.LinkLocalIPv6PrefixLen -NetworkSettings.MacAddress \
                   -NetworkSettings.SecondaryIPAddresses=null -NetworkSettings.SecondaryIPv6Addresses=null";
    check(
        |minor| converted(&newest, minor),
        &[(24, 44, older), (45, 47, ""), (48, 51, "+ImageManifestDescriptor"), (52, 54, of_1_52)],
    );
    let mut of_1_44 = newest.clone();
    of_1_44.for_version(Version::v1(44));
    let endpoint = of_1_44.network_settings.networks.expect("networks").remove("bridge");
    assert_eq!(endpoint.expect("the bridge").aliases.expect("aliases"), [&golden.id[..12]]);
    newest.config.on_build = Nilable::Value(vec!["RUN x".into()]);
    newest.for_version(Version::v1(54));
    assert!(newest.config.on_build.as_ref().is_some());
}

#[test]
fn container_list() {
    let mut golden: Vec<containers::Summary> = golden!("container-list.json");
    let mut newest = golden.remove(0);
    newest.image_manifest_descriptor = descriptor();
    newest.health = Some(containers::HealthSummary::default());
    newest.host_config.annotations = Some([("a".to_owned(), "b".to_owned())].into());
    check(
        |minor| converted(&newest, minor),
        &[
            (24, 45, ""),
            (46, 47, "+HostConfig.Annotations"),
            (48, 51, "+HostConfig.Annotations +ImageManifestDescriptor"),
            (52, 54, "+Health +HostConfig.Annotations +ImageManifestDescriptor"),
        ],
    );
}

#[test]
fn image_inspect() {
    let golden: images::Inspect = golden!("image-inspect.json");
    let manifests = Some(vec![images::ManifestSummary::default()]);
    let newest = images::Inspect { descriptor: descriptor(), manifests, ..golden };
    let of_1_50 = "-Config.AttachStderr -Config.AttachStdin -Config.AttachStdout -Config.Domainname \
                   -Config.Hostname -Config.Image -Config.OpenStdin -Config.StdinOnce -Config.Tty \
                   +Descriptor +Manifests";
    let of_1_52 = "-Author -Config.AttachStderr -Config.AttachStdin -Config.AttachStdout -Config.Domainname \
                   -Config.Entrypoint=null -Config.Hostname -Config.Image -Config.Labels=null \
                   -Config.OnBuild=null -Config.OpenStdin -Config.StdinOnce -Config.Tty -Config.User \
                   -Config.Volumes=null -Config.WorkingDir +Descriptor +Manifests -Parent";
    check(
        |minor| converted(&newest, minor),
        &[
            (24, 43, "+ContainerConfig +VirtualSize"),
            (44, 44, "+ContainerConfig"),
            (45, 47, ""),
            (48, 49, "+Descriptor +Manifests"),
            (50, 51, of_1_50),
            (52, 54, of_1_52),
        ],
    );
}

#[test]
fn image_list() {
    let mut golden: Vec<images::Summary> = golden!("image-list.json");
    let manifests = Some(vec![images::ManifestSummary::default()]);
    let repo_digests = Some(Vec::new());
    let newest = images::Summary {
        descriptor: descriptor(),
        manifests,
        containers: 2,
        repo_digests,
        ..golden.remove(0)
    };
    check(
        |minor| converted(&newest, minor),
        &[
            (24, 42, "-RepoDigests +RepoDigests=null +VirtualSize"),
            (43, 43, "+VirtualSize"),
            (44, 46, ""),
            (47, 47, "+Manifests"),
            (48, 54, "+Descriptor +Manifests"),
        ],
    );
    for (minor, containers) in [(24, -1), (50, -1), (51, 2), (54, 2)] {
        let mut image = newest.clone();
        image.for_version(Version::v1(minor));
        assert_eq!(image.containers, containers, "1.{minor}");
    }
}

#[test]
fn an_image_without_names() {
    let mut golden: Vec<images::Summary> = golden!("image-list-dangling.json");
    let newest = golden.remove(0);
    let in_version = |minor| {
        let mut image = newest.clone();
        image.for_version(Version::v1(minor));
        (image.repo_tags.expect("never null"), image.repo_digests.expect("never null"))
    };
    for minor in 24..=42 {
        let none = (vec!["<none>:<none>".to_owned()], vec!["<none>@<none>".to_owned()]);
        assert_eq!(in_version(minor), none, "1.{minor}");
    }
    for minor in 43..=54 {
        assert_eq!(in_version(minor), (vec![], vec![]), "1.{minor}");
    }
}

#[test]
fn disk_usage() {
    let golden: DiskUsage = golden!("system-df.json");
    let lists = golden.legacy.expect("1.45 has lists");
    let empty = |names: Option<Vec<String>>| Some(names.unwrap_or_default());
    let images = lists.images.expect("images").into_iter().map(|image| images::Summary {
        repo_tags: empty(image.repo_tags),
        repo_digests: empty(image.repo_digests),
        ..image
    });
    fn usage<T>(items: Vec<T>, total_size: i64) -> Option<system::Usage<T>> {
        Some(system::Usage { items, total_size, ..system::Usage::default() })
    }
    let newest = DiskUsage {
        legacy: None,
        image_usage: usage(images.collect(), lists.layers_size),
        container_usage: usage(lists.containers.expect("containers"), 0),
        volume_usage: usage(lists.volumes.expect("volumes"), 0),
        build_cache_usage: usage(lists.build_cache.expect("build cache"), 0),
    };
    let in_version = |minor, detail| {
        let mut usage = newest.clone();
        usage.for_version(Version::v1(minor), detail);
        usage
    };
    let totals = "+BuildCacheUsage +ContainerUsage +ImageUsage +VolumeUsage";
    let of_1_53 = "-BuildCache +BuildCacheUsage +ContainerUsage -Containers +ImageUsage -Images -LayersSize \
                   +VolumeUsage -Volumes";
    let until_1_51 = [(24, 43, "+Images[].VirtualSize"), (44, 51, "")];
    let differing = |of_1_52| [&until_1_51[..], &[(52, 52, of_1_52), (53, 54, of_1_53)]].concat();
    check(|minor| shape(&in_version(minor, Detail::Totals)), &differing(totals));
    check(|minor| shape(&in_version(minor, Detail::Items)), &differing(of_1_53));
    let golden: Value = golden!("system-df.json");
    assert_eq!(serde_json::to_value(in_version(45, Detail::Totals)).unwrap(), golden);
    let usage = in_version(54, Detail::Totals).image_usage.expect("images");
    assert_eq!((usage.total_size, usage.items.len()), (lists.layers_size, 0));
    let usage = in_version(54, Detail::Items).image_usage.expect("images");
    assert!(!usage.items.is_empty());
}

#[test]
fn what_was_not_asked_for_is_null_and_then_absent() {
    let in_version = |minor| {
        let mut usage = DiskUsage::default();
        usage.for_version(Version::v1(minor), Detail::Totals);
        serde_json::to_string(&usage).unwrap()
    };
    let nulls =
        r#"{"LayersSize":0,"Images":null,"Containers":null,"Volumes":null,"BuildCache":null}"#;
    assert_eq!(in_version(42), nulls);
    assert_eq!(in_version(54), "{}");
}

#[test]
fn stats() {
    let golden: containers::Stats = golden!("container-stats.json");
    let newest = containers::Stats { os_type: "linux".into(), ..golden };
    check(|minor| converted(&newest, minor), &[(24, 51, ""), (52, 54, "+os_type")]);
}

#[test]
fn event() {
    let newest: events::Message = golden!("event.json");
    let mut older = "-from -id -status".to_owned();
    if newest.legacy.as_ref().is_some_and(|legacy| legacy.from.is_empty()) {
        older = "-id -status".to_owned();
    }
    check(|minor| converted(&newest, minor), &[(24, 51, ""), (52, 54, &older)]);
}

#[test]
fn documents_that_are_the_same_in_every_version() {
    same_in_every_version::<system::VersionInfo>(include_str!("golden/version.json"));
    same_in_every_version::<exec::Inspect>(include_str!("golden/exec-inspect.json"));
    same_in_every_version::<volumes::Volume>(include_str!("golden/volume-inspect.json"));
    same_in_every_version::<volumes::VolumeList>(include_str!("golden/volume-list.json"));
    same_in_every_version::<containers::TopResponse>(include_str!("golden/container-top.json"));
    same_in_every_version::<Vec<images::HistoryItem>>(include_str!("golden/image-history.json"));
}

#[test]
fn info() {
    let golden: system::Info = golden!("info.json");
    let newest = system::Info {
        firewall_backend: Some(system::Firewall { driver: "nftables".into(), info: None }),
        ..golden
    };
    let of_1_49 = "-ContainerdCommit.Expected +FirewallBackend -InitCommit.Expected \
                   -RegistryConfig.AllowNondistributableArtifactsCIDRs=null \
                   -RegistryConfig.AllowNondistributableArtifactsHostnames=null -RuncCommit.Expected";
    let of_1_50 = format!("-BridgeNfIp6tables -BridgeNfIptables {of_1_49}");
    let of_1_52 = of_1_50.replacen("-Registry", "-KernelMemoryTCP -Registry", 1);
    check(
        |minor| converted(&newest, minor),
        &[
            (24, 24, "+ExecutionDriver +KernelMemory"),
            (25, 41, "+KernelMemory"),
            (42, 48, ""),
            (49, 49, of_1_49),
            (50, 51, &of_1_50),
            (52, 54, &of_1_52),
        ],
    );
    let mut oldest = newest.clone();
    oldest.for_version(Version::v1(24));
    assert_eq!(oldest.security_options.unwrap(), ["seccomp"]);
}
