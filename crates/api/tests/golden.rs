//! What a real Docker 26 (API 1.45) answered reads and writes back unchanged, key order included.

use api::version::ForVersion;
use api::{Version, containers, events, images, system};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn round_trip<T: Serialize + DeserializeOwned>(golden: &str) {
    let value: T = serde_json::from_str(golden).expect("golden files parse");
    let written = serde_json::to_string_pretty(&value).expect("wire types encode");
    let differing = written.lines().zip(golden.lines()).find(|(ours, theirs)| ours != theirs);
    assert_eq!(differing, None);
    assert_eq!(written.trim(), golden.trim());
}

macro_rules! golden {
    ($($name:ident: $type:ty, $file:literal;)*) => { $(
        #[test]
        fn $name() {
            round_trip::<$type>(include_str!(concat!("golden/", $file)));
        }
    )* };
}

golden! {
    container_inspect: containers::Inspect, "container-inspect.json";
    container_list: Vec<containers::Summary>, "container-list.json";
    container_stats: containers::Stats, "container-stats.json";
    container_top: containers::TopResponse, "container-top.json";
    image_inspect: images::Inspect, "image-inspect.json";
    image_list: Vec<images::Summary>, "image-list.json";
    image_history: Vec<images::HistoryItem>, "image-history.json";
    version: system::VersionInfo, "version.json";
    info: system::Info, "info.json";
    event: events::Message, "event.json";
}

#[test]
fn null_absent_and_unknown_fields_are_accepted_on_create() {
    let request: containers::CreateRequest = serde_json::from_str(
        r#"{"Image":"a","Hostname":null,"Cmd":"true","Tty":null,"HostConfig":{"Memory":null,"New":1,"Binds":null}}"#,
    )
    .unwrap();
    assert_eq!(request.config.image, "a");
    assert_eq!(request.config.cmd.unwrap().0, ["true"]);
    assert_eq!(request.host_config.unwrap(), containers::HostConfig::default());
    assert_eq!(request.networking_config, None);
}

/// The keys of a document, those of objects in it included.
fn keys(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    if let serde_json::Value::Object(entries) = value {
        for (key, value) in entries {
            let path = format!("{path}{key}");
            keys(value, &format!("{path}."), found);
            found.push(path);
        }
    }
}

/// Which keys `info` has in other versions than 1.45: up to that as dockerd 26 answers, above by the API's history.
#[test]
fn info_in_every_version() {
    let golden: system::Info = serde_json::from_str(include_str!("golden/info.json")).unwrap();
    let newest = system::Info {
        firewall_backend: Some(system::Firewall { driver: "nftables".into(), info: None }),
        ..golden
    };
    let in_version = |minor| {
        let mut info = newest.clone();
        info.for_version(Version::v1(minor));
        let mut found = Vec::new();
        keys(&serde_json::to_value(&info).unwrap(), "", &mut found);
        found
    };
    let reference = in_version(45);
    assert!(!reference.iter().any(|key| key.starts_with("Firewall")));
    let differences = |minor| {
        let found = in_version(minor);
        let gone = reference.iter().filter(|key| !found.contains(key)).map(|key| format!("-{key}"));
        let new = found.iter().filter(|key| !reference.contains(key)).map(|key| format!("+{key}"));
        let mut all: Vec<_> = gone.chain(new).collect();
        all.sort_unstable();
        all.join(" ")
    };
    let of_1_49 = "+FirewallBackend +FirewallBackend.Driver -ContainerdCommit.Expected -InitCommit.Expected \
                   -RegistryConfig.AllowNondistributableArtifactsCIDRs \
                   -RegistryConfig.AllowNondistributableArtifactsHostnames -RuncCommit.Expected";
    let of_1_50 = of_1_49.replace("-Contain", "-BridgeNfIp6tables -BridgeNfIptables -Contain");
    let of_1_52 = of_1_50.replacen("-Registry", "-KernelMemoryTCP -Registry", 1);
    for (versions, expected) in [
        (24..=24, "+ExecutionDriver +KernelMemory"),
        (25..=41, "+KernelMemory"),
        (42..=48, ""),
        (49..=49, of_1_49),
        (50..=51, &of_1_50),
        (52..=54, &of_1_52),
    ] {
        for minor in versions {
            assert_eq!(differences(minor), expected, "1.{minor}");
        }
    }
    let mut oldest = newest.clone();
    oldest.for_version(Version::v1(24));
    assert_eq!(oldest.security_options.unwrap(), ["seccomp"]);
}
