//! Secrets and configs: a file of the host is mounted read-only, text is written into the container before it starts.

use api::containers::{BindOptions, Mount};

use crate::model::{File, FileMount, Project, Service};

/// A text to be written into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) target: String,
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
}

/// The texts of a service.
pub(crate) fn files(project: &Project, service: &Service) -> Result<Vec<Copied>, String> {
    let mut files = Vec::new();
    for (mount, file, target) in each(project, service) {
        if file.external {
            return Err(unsupported(&file.name));
        }
        let content = match file {
            File { content, .. } if !content.is_empty() => content.clone(),
            File { environment, .. } if !environment.is_empty() => {
                let value = project.environment.get(environment);
                value.cloned().ok_or_else(|| {
                    format!(
                        "environment variable {environment:?} required by file {:?} is not set",
                        file.name
                    )
                })?
            }
            _ => continue,
        };
        files.push(Copied {
            target,
            content: content.into_bytes(),
            mode: mount.mode.unwrap_or(0o444),
            uid: mount.uid.parse().unwrap_or_default(),
            gid: mount.gid.parse().unwrap_or_default(),
        });
    }
    Ok(files)
}

/// The files of the host.
pub(super) fn mounts(project: &Project, service: &Service) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for (_, file, target) in each(project, service) {
        if file.external {
            return Err(unsupported(&file.name));
        }
        if file.file.is_empty() {
            continue;
        }
        mounts.push(Mount {
            kind: "bind".to_owned(),
            source: file.file.clone(),
            target,
            read_only: true,
            bind_options: Some(BindOptions::default()),
            ..Mount::default()
        });
    }
    Ok(mounts)
}

fn unsupported(name: &str) -> String {
    format!("unsupported external secret or config {name}")
}

/// Secrets and configs with where they go.
fn each<'a>(
    project: &'a Project,
    service: &'a Service,
) -> impl Iterator<Item = (&'a FileMount, &'a File, String)> {
    let secrets = service.secrets.iter().filter_map(|mount| {
        Some((mount, project.secrets.get(&mount.source)?, target(mount, "/run/secrets")))
    });
    let configs = service
        .configs
        .iter()
        .filter_map(|mount| Some((mount, project.configs.get(&mount.source)?, target(mount, ""))));
    secrets.chain(configs)
}

fn target(mount: &FileMount, folder: &str) -> String {
    match mount.target.as_str() {
        "" => format!("{folder}/{}", mount.source),
        path if path.starts_with('/') => path.to_owned(),
        name => format!("{folder}/{name}"),
    }
}

impl Copied {
    /// As a tar of one file, its path from the root.
    pub(crate) fn tar(&self) -> std::io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(self.content.len() as u64);
        header.set_mode(self.mode);
        header.set_uid(self.uid);
        header.set_gid(self.gid);
        header.set_entry_type(tar::EntryType::Regular);
        let path = self.target.trim_start_matches('/');
        tar.append_data(&mut header, path, self.content.as_slice())?;
        tar.into_inner()
    }
}
