//! What a real Docker 26 (API 1.45) answered reads and writes back unchanged, key order included.

use api::{containers, events, exec, images, system, volumes};
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
    exec_inspect: exec::Inspect, "exec-inspect.json";
    volume_inspect: volumes::Volume, "volume-inspect.json";
    volume_list: volumes::VolumeList, "volume-list.json";
    disk_usage: system::DiskUsage, "system-df.json";
    dangling_images: Vec<images::Summary>, "image-list-dangling.json";
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
