//! Devices by name: the Container Device Interface (specification 0.8). What a device needs in a container (nodes, mounts,
//! variables, hooks) stands in files of the administrator's; a container, an image or a client can only name devices.
//!
//! Files are JSON. Directories are read at each start that names a device, later ones before earlier ones, so that what
//! is made at run time wins over what is installed. A device that two files of one directory describe is nobody's.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use api::containers::{DeviceMapping, DeviceRequest};
use oci::runtime::{Hook, Mount, Spec};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

use super::{devices, environment};
use crate::error::{Error, Result};

/// No description of devices is longer.
const LONGEST: u64 = 8 << 20;
const DRIVER: &str = "cdi";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    /// `vendor.com/class`.
    kind: String,
    #[serde(default)]
    devices: Vec<Device>,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    name: String,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Edits {
    env: Vec<String>,
    device_nodes: Vec<DeviceNode>,
    mounts: Vec<DeviceMount>,
    hooks: Vec<DeviceHook>,
    #[serde(rename = "additionalGids")]
    additional_gids: Vec<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeviceNode {
    path: String,
    host_path: String,
    permissions: String,
    file_mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeviceMount {
    host_path: String,
    container_path: PathBuf,
    #[serde(rename = "type")]
    kind: String,
    options: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeviceHook {
    hook_name: String,
    #[serde(flatten)]
    hook: Hook,
}

/// Gives a container the devices that were asked for by name.
pub fn inject(spec: &mut Spec, requests: &[DeviceRequest], directories: &[PathBuf]) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let known = Known::read(directories);
    let mut missing = Vec::new();
    let mut of_kinds = Vec::new();
    for name in
        requests.iter().map(|request| known.named(request)).collect::<Result<Vec<_>>>()?.concat()
    {
        let Some((kind, device)) = known.devices.get(&name) else {
            missing.push(name);
            continue;
        };
        if !of_kinds.contains(kind) {
            known.of_kinds[*kind].apply(spec)?;
            of_kinds.push(*kind);
        }
        device.apply(spec)?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Error::invalid(format!("CDI device injection failed: unresolvable CDI devices {missing}")))
}

/// What the directories say.
#[derive(Debug, Default)]
struct Known {
    /// By full name: which file describes it, and what it needs.
    devices: BTreeMap<String, (usize, Edits)>,
    /// What every device of a file needs.
    of_kinds: Vec<Edits>,
}

impl Known {
    fn read(directories: &[PathBuf]) -> Self {
        let mut known = Self::default();
        for directory in directories {
            let mut here = BTreeMap::new();
            for description in descriptions(directory) {
                let file = known.of_kinds.len();
                known.of_kinds.push(description.container_edits);
                for device in description.devices {
                    let name = format!("{}={}", description.kind, device.name);
                    let twice = here.insert(name.clone(), Some((file, device.container_edits)));
                    if twice.is_some() {
                        tracing::warn!("{} describes {name} twice", directory.display());
                        here.insert(name, None);
                    }
                }
            }
            for (name, device) in here {
                match device {
                    Some(device) => drop(known.devices.insert(name, device)),
                    None => drop(known.devices.remove(&name)),
                }
            }
        }
        known
    }

    /// The full names of what a request wants.
    fn named(&self, request: &DeviceRequest) -> Result<Vec<String>> {
        let ids = request.device_ids.as_deref().unwrap_or_default();
        if request.driver == DRIVER {
            return Ok(ids.to_vec());
        }
        let kind = self.kind_of(request).ok_or_else(|| no_driver(request))?;
        if !ids.is_empty() {
            return Ok(ids.iter().map(|id| format!("{kind}={id}")).collect());
        }
        let all = format!("{kind}=all");
        if request.count < 0 && self.devices.contains_key(&all) {
            return Ok(vec![all]);
        }
        let single = self
            .devices
            .keys()
            .filter(|name| name.starts_with(&format!("{kind}=")) && **name != all);
        match usize::try_from(request.count) {
            // By number, as GPUs are.
            Ok(count) => Ok((0..count).map(|number| format!("{kind}={number}")).collect()),
            Err(_) => Ok(single.cloned().collect()),
        }
    }

    /// The kind of GPUs that a driver stands for; the first one, NVIDIA's before others, where none is named.
    fn kind_of(&self, request: &DeviceRequest) -> Option<String> {
        let wishes = request.capabilities.iter().flatten();
        if !wishes.flatten().any(|capability| capability == "gpu") {
            return None;
        }
        let mut kinds: Vec<&str> =
            self.devices.keys().filter_map(|name| name.split('=').next()).collect();
        kinds.retain(|kind| kind.ends_with("/gpu"));
        kinds.sort_by_key(|kind| *kind != "nvidia.com/gpu");
        let wanted = |kind: &&&str| match request.driver.as_str() {
            "" => true,
            driver => **kind == format!("{driver}.com/gpu"),
        };
        kinds.iter().find(wanted).map(|kind| (*kind).to_owned())
    }
}

/// As Docker says it, which knows GPUs by a helper of theirs only.
fn no_driver(request: &DeviceRequest) -> Error {
    let sets = request.capabilities.iter().flatten().map(|set| format!("[{}]", set.join(" ")));
    let sets = sets.collect::<Vec<_>>().join(" ");
    Error::system(format!(
        "could not select device driver {:?} with capabilities: [{sets}]",
        request.driver
    ))
}

/// By file name. One that cannot be read is as good as none, but for the line that says so.
fn descriptions(directory: &Path) -> Vec<Description> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
        .iter()
        .filter_map(|file| match description(file) {
            Ok(description) => description,
            Err(why) => {
                tracing::warn!("{} describes no devices: {why}", file.display());
                None
            }
        })
        .collect()
}

/// `None` for what is no description.
fn description(file: &Path) -> std::io::Result<Option<Description>> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => {}
        Some("yaml" | "yml") => {
            return Err(std::io::Error::other("it is YAML, and this engine reads JSON"));
        }
        _ => return Ok(None),
    }
    // Nobody need be at the other end of a FIFO.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(file, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

impl Edits {
    fn apply(&self, spec: &mut Spec) -> Result<()> {
        if let Some(process) = &mut spec.process {
            process.env = environment::merged(std::mem::take(&mut process.env), &self.env);
            let gids = &mut process.user.additional_gids;
            gids.extend(self.additional_gids.iter().filter(|gid| **gid != 0));
            gids.dedup();
        }
        for node in &self.device_nodes {
            node.apply(spec)?;
        }
        for mount in &self.mounts {
            spec.mounts.retain(|other| other.destination != mount.container_path);
            spec.mounts.push(mount.to_mount());
        }
        self.hooks.iter().try_for_each(|hook| hook.apply(spec))
    }
}

impl DeviceNode {
    fn apply(&self, spec: &mut Spec) -> Result<()> {
        let source = if self.host_path.is_empty() { &self.path } else { &self.host_path };
        let mapped = devices::mapped(&DeviceMapping {
            path_on_host: source.clone(),
            path_in_container: self.path.clone(),
            cgroup_permissions: self.permissions.clone(),
        })?;
        let linux = spec.linux.get_or_insert_default();
        for mut node in mapped.nodes {
            node.file_mode = self.file_mode.or(node.file_mode);
            node.uid = self.uid.or(node.uid);
            node.gid = self.gid.or(node.gid);
            linux.devices.retain(|other| other.path != node.path);
            linux.devices.push(node);
        }
        linux.resources.get_or_insert_default().devices.extend(mapped.rules);
        Ok(())
    }
}

impl DeviceMount {
    fn to_mount(&self) -> Mount {
        let kind = if self.kind.is_empty() { "bind" } else { &self.kind };
        let mut options = self.options.clone();
        if kind == "bind"
            && !options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"))
        {
            options.insert(0, "rbind".into());
        }
        Mount {
            destination: self.container_path.clone(),
            kind: kind.into(),
            source: self.host_path.clone(),
            options,
            ..Mount::default()
        }
    }
}

impl DeviceHook {
    fn apply(&self, spec: &mut Spec) -> Result<()> {
        let hooks = spec.hooks.get_or_insert_default();
        let list = match self.hook_name.as_str() {
            "prestart" => &mut hooks.prestart,
            "createRuntime" => &mut hooks.create_runtime,
            "createContainer" => &mut hooks.create_container,
            "startContainer" => &mut hooks.start_container,
            "poststart" => &mut hooks.poststart,
            "poststop" => &mut hooks.poststop,
            other => {
                return Err(Error::invalid(format!(
                    "CDI device injection failed: unknown hook name {other:?}"
                )));
            }
        };
        list.push(self.hook.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPUS: &str = r#"{
        "cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
        "containerEdits": {"env": ["OF=kind"]},
        "devices": [
            {"name": "0", "containerEdits": {
                "env": ["A=1"],
                "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null", "permissions": "rw"}],
                "mounts": [{"hostPath": "/usr", "containerPath": "/gpu", "options": ["ro"]}],
                "hooks": [{"hookName": "createContainer", "path": "/bin/h", "args": ["h", "x"]}],
                "additionalGids": [44]}},
            {"name": "1", "containerEdits": {"env": ["A=2"]}},
            {"name": "all", "containerEdits": {"env": ["A=all"]}}
        ]}"#;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn named(names: &[&str]) -> DeviceRequest {
        let ids = names.iter().map(|name| (*name).to_owned()).collect();
        DeviceRequest { driver: DRIVER.into(), device_ids: Some(ids), ..Default::default() }
    }

    fn gpus(driver: &str, count: i64, ids: &[&str]) -> DeviceRequest {
        let device_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let capabilities = Some(vec![vec!["gpu".to_owned()]]);
        DeviceRequest {
            driver: driver.into(),
            count,
            device_ids: Some(device_ids),
            capabilities,
            ..Default::default()
        }
    }

    fn injected(directories: &[&Path], requests: &[DeviceRequest]) -> Result<Spec> {
        let mut spec = Spec { process: Some(Default::default()), ..Spec::default() };
        let directories: Vec<PathBuf> = directories.iter().map(|d| d.to_path_buf()).collect();
        inject(&mut spec, requests, &directories).map(|()| spec)
    }

    fn env(directories: &[&Path], request: DeviceRequest) -> Vec<String> {
        injected(directories, &[request]).unwrap().process.unwrap().env
    }

    #[test]
    fn a_named_device_brings_all_it_needs() {
        let directory = directory(&[("gpu.json", GPUS), ("notes.txt", "x")]);
        let spec = injected(&[directory.path()], &[named(&["nvidia.com/gpu=0"])]).unwrap();
        let process = spec.process.unwrap();
        assert_eq!(process.env, ["OF=kind", "A=1"]);
        assert_eq!(process.user.additional_gids, [44]);
        let linux = spec.linux.unwrap();
        assert_eq!(linux.devices[0].path, Path::new("/dev/gpu0"));
        let rule = &linux.resources.unwrap().devices[0];
        assert_eq!((rule.major, rule.minor, rule.access.as_str()), (Some(1), Some(3), "rw"));
        assert_eq!(spec.mounts[0].options, ["rbind", "ro"]);
        assert_eq!(spec.hooks.unwrap().create_container[0].args, ["h", "x"]);
    }

    #[test]
    fn gpus_are_found_by_number_and_by_driver() {
        let directory = directory(&[("gpu.json", GPUS)]);
        let here = [directory.path()];
        assert_eq!(env(&here, gpus("", -1, &[])), ["OF=kind", "A=all"]);
        assert_eq!(env(&here, gpus("nvidia", 2, &[])), ["OF=kind", "A=2"]);
        assert_eq!(env(&here, gpus("", 0, &["1"])), ["OF=kind", "A=2"]);
        let said = |request| injected(&here, &[request]).unwrap_err().to_string();
        assert_eq!(
            said(gpus("amd", 1, &[])),
            "could not select device driver \"amd\" with capabilities: [[gpu]]"
        );
        assert_eq!(
            said(gpus("", 3, &[])),
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=2"
        );
    }

    #[test]
    fn what_is_not_described_or_twice_is_not_there() {
        let both = directory(&[("a.json", GPUS), ("b.json", GPUS)]);
        let odd = directory(&[("a.json", "{"), ("b.yaml", "kind: x")]);
        for directory in [&both, &odd] {
            let said = injected(&[directory.path()], &[named(&["nvidia.com/gpu=0", "v/c=x"])]);
            let said = said.unwrap_err().to_string();
            assert!(said.ends_with("unresolvable CDI devices nvidia.com/gpu=0, v/c=x"), "{said}");
        }
    }

    #[test]
    fn later_directories_win() {
        let installed = directory(&[("a.json", GPUS)]);
        let made = directory(&[("a.json", &GPUS.replace("A=1", "A=made"))]);
        let env = env(&[installed.path(), made.path()], named(&["nvidia.com/gpu=0"]));
        assert_eq!(env, ["OF=kind", "A=made"]);
    }

    #[test]
    fn a_hook_of_an_unknown_kind_is_refused() {
        let directory = directory(&[("a.json", &GPUS.replace("createContainer", "whenever"))]);
        let said = injected(&[directory.path()], &[named(&["nvidia.com/gpu=0"])]).unwrap_err();
        assert!(said.to_string().contains("unknown hook name \"whenever\""));
    }
}
