//! Mounts: bind mounts whose source may be made as `-v` would say them, all others as `--mount` does.

use std::collections::BTreeMap;

use api::containers::{BindOptions, ImageOptions, Mount, TmpfsOptions, VolumeOptions};

use super::files;
use crate::model::{self, Project, Service};

pub(super) struct Mounts {
    pub(super) binds: Vec<String>,
    pub(super) mounts: Vec<Mount>,
}

/// `carried` are volumes without a name, by target, that a container before this one had.
pub(super) fn mounts(
    project: &Project,
    service: &Service,
    carried: &BTreeMap<String, String>,
) -> Result<Mounts, String> {
    let (mut binds, mut mounts) = (Vec::new(), files::mounts(project, service)?);
    for said in &service.volumes {
        match bind(said) {
            Some(bind) => binds.push(bind),
            None => mounts.push(mount(project, said, carried)),
        }
    }
    let declared = |target: &str| {
        service.volumes.iter().any(|mount| mount.target.trim_end_matches('/') == target)
    };
    let of_image = carried.iter().filter(|(target, _)| !declared(target));
    mounts.extend(of_image.map(|(target, volume)| Mount {
        kind: "volume".to_owned(),
        source: volume.clone(),
        target: target.clone(),
        ..Mount::default()
    }));
    Ok(Mounts { binds, mounts })
}

/// `SOURCE:TARGET[:OPTIONS]`, which makes a source that is not there.
fn bind(mount: &model::Mount) -> Option<String> {
    let bind = mount.bind.as_ref().filter(|bind| mount.kind == "bind" && bind.create_host_path)?;
    if !bind.recursive.is_empty() {
        return None;
    }
    let access = if mount.read_only { "ro" } else { "rw" };
    let options = [access, &bind.selinux, &bind.propagation];
    let options: Vec<&str> = options.into_iter().filter(|option| !option.is_empty()).collect();
    Some(format!("{}:{}:{}", mount.source, mount.target, options.join(",")))
}

fn mount(project: &Project, said: &model::Mount, carried: &BTreeMap<String, String>) -> Mount {
    let source = match said.kind.as_str() {
        "volume" if said.source.is_empty() => {
            carried.get(said.target.trim_end_matches('/')).cloned().unwrap_or_default()
        }
        "volume" => project
            .volumes
            .get(&said.source)
            .map_or_else(|| said.source.clone(), |volume| volume.name.clone()),
        _ => said.source.clone(),
    };
    Mount {
        kind: said.kind.clone(),
        source,
        target: said.target.clone(),
        read_only: said.read_only,
        consistency: said.consistency.clone(),
        bind_options: said.bind.as_ref().and_then(bind_options),
        volume_options: said.volume.as_ref().and_then(volume_options),
        image_options: said
            .image
            .as_ref()
            .map(|image| ImageOptions { subpath: image.subpath.clone() }),
        tmpfs_options: said.tmpfs.as_ref().map(|tmpfs| TmpfsOptions {
            size_bytes: tmpfs.size.0,
            mode: tmpfs.mode,
            ..TmpfsOptions::default()
        }),
    }
}

fn bind_options(bind: &model::Bind) -> Option<BindOptions> {
    let options = BindOptions {
        propagation: bind.propagation.clone(),
        non_recursive: bind.recursive == "disabled",
        create_mountpoint: bind.create_host_path,
        read_only_non_recursive: bind.recursive == "writable",
        read_only_force_recursive: bind.recursive == "readonly",
    };
    (options != BindOptions::default()).then_some(options)
}

fn volume_options(volume: &model::MountVolume) -> Option<VolumeOptions> {
    let options = VolumeOptions {
        no_copy: volume.nocopy,
        labels: Some(volume.labels.clone()).filter(|labels| !labels.is_empty()),
        subpath: volume.subpath.clone(),
        driver_config: None,
    };
    (options != VolumeOptions::default()).then_some(options)
}
