//! What is mounted into a container, from the five ways of asking: `Binds` (-v), `Mounts` (--mount), `Tmpfs`,
//! `VolumesFrom` and the image's `VOLUME`s.

use std::collections::BTreeMap;

use api::containers::{Config, HostConfig, Mount};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// One mount, resolved at create and kept in the container's record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MountPoint {
    pub kind: Kind,
    /// A volume's name; empty for other kinds.
    pub name: String,
    /// The host's path; empty for tmpfs.
    pub source: String,
    pub destination: String,
    /// As written after the second colon; what inspect shows.
    pub mode: String,
    pub read_only: bool,
    /// Of binds: `rprivate` unless asked otherwise.
    pub propagation: String,
    /// Mount the source without what is mounted below it.
    pub non_recursive: bool,
    /// Read-only means the source only, not what is mounted below it.
    pub read_only_non_recursive: bool,
    /// `-v` makes a missing source directory; `--mount` refuses.
    pub create_source: bool,
    /// A new volume is filled with what the image has at the destination.
    pub copy: bool,
    /// Made for this container alone, removed with it by `rm -v`.
    pub anonymous: bool,
    /// Of tmpfs: comma-separated mount options.
    pub options: String,
    /// It came from `Mounts`, which inspect lists differently.
    pub from_mounts: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Bind,
    Volume,
    Tmpfs,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
        }
    }
}

/// All mounts of a container, by destination. `inherited` are those of `--volumes-from`; explicit ones win over them,
/// and both over the image's. A destination asked for twice is refused.
pub fn mount_points(
    config: &Config,
    host: &HostConfig,
    inherited: Vec<MountPoint>,
) -> Result<Vec<MountPoint>, Error> {
    let mut points: BTreeMap<String, MountPoint> =
        inherited.into_iter().map(|point| (point.destination.clone(), point)).collect();
    for point in asked_for(host)? {
        points.insert(point.destination.clone(), point);
    }
    for (destination, _) in config.volumes.iter().flatten() {
        let destination = checked_destination(destination)?;
        points.entry(destination.clone()).or_insert_with(|| anonymous_volume(destination));
    }
    Ok(points.into_values().collect())
}

fn asked_for(host: &HostConfig) -> Result<Vec<MountPoint>, Error> {
    let binds = host.binds.iter().flatten().map(|bind| parse_bind(bind));
    let mounts = host.mounts.iter().flatten().map(parse_mount);
    let tmpfs = host.tmpfs.iter().flatten().map(|(path, options)| parse_tmpfs(path, options));
    let mut seen = std::collections::HashSet::new();
    let all: Vec<MountPoint> = binds.chain(mounts).chain(tmpfs).collect::<Result<_, _>>()?;
    match all.iter().find(|point| !seen.insert(point.destination.as_str())) {
        Some(twice) => Err(Error::invalid(format!("Duplicate mount point: {}", twice.destination))),
        None => Ok(all),
    }
}

/// `[source:]destination[:options]`, as in `-v`.
pub fn parse_bind(text: &str) -> Result<MountPoint, Error> {
    let invalid =
        |why: &str| Error::invalid(format!("invalid volume specification: '{text}'{why}"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, mode) = match parts[..] {
        [destination] => ("", destination, ""),
        [source, destination] if destination.contains('/') || !is_mode(destination) => {
            (source, destination, "")
        }
        [destination, mode] => ("", destination, mode),
        [source, destination, mode] => (source, destination, mode),
        _ => return Err(invalid("")),
    };
    if destination.is_empty() || (source.is_empty() && parts.len() == 3) {
        return Err(invalid(""));
    }
    let destination = checked_destination(destination).map_err(|cause| {
        invalid(&format!(": invalid mount config for type \"bind\": {}", cause.what))
    })?;
    let mut point = MountPoint { destination, mode: mode.to_owned(), ..MountPoint::default() };
    if source.starts_with('/') {
        source_path(source)?.clone_into(&mut point.source);
        point.create_source = true;
        "rprivate".clone_into(&mut point.propagation);
    } else {
        point.kind = Kind::Volume;
        point.copy = true;
        point.anonymous = source.is_empty();
        volume_name(source)?.clone_into(&mut point.name);
        if mode.is_empty() {
            "z".clone_into(&mut point.mode);
        }
    }
    apply_mode(&mut point, mode)?;
    Ok(point)
}

fn is_mode(text: &str) -> bool {
    matches!(text, "ro" | "rw" | "z" | "Z" | "nocopy") || text.contains(',')
}

fn apply_mode(point: &mut MountPoint, mode: &str) -> Result<(), Error> {
    let invalid = || Error::invalid(format!("invalid mode: {mode}"));
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        match (word, point.kind) {
            ("ro", _) => point.read_only = true,
            ("rw" | "z" | "Z" | "consistent" | "cached" | "delegated", _) => {}
            ("nocopy", Kind::Volume) => point.copy = false,
            (word, Kind::Bind) if is_propagation(word) => word.clone_into(&mut point.propagation),
            _ => return Err(invalid()),
        }
    }
    Ok(())
}

fn is_propagation(word: &str) -> bool {
    matches!(word, "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave")
}

/// One entry of `Mounts`.
pub fn parse_mount(mount: &Mount) -> Result<MountPoint, Error> {
    let kind = mount.kind.as_str();
    let invalid =
        |why: &str| Error::invalid(format!("invalid mount config for type \"{kind}\": {why}"));
    if mount.target.is_empty() {
        return Err(invalid("field Target must not be empty"));
    }
    let destination = checked_destination(&mount.target).map_err(|cause| invalid(&cause.what))?;
    let point = MountPoint {
        destination,
        read_only: mount.read_only,
        from_mounts: true,
        ..MountPoint::default()
    };
    match kind {
        "bind" => bind_mount(mount, point).map_err(|why| invalid(&why)),
        "volume" => volume_mount(mount, point).map_err(|why| invalid(&why)),
        "tmpfs" => tmpfs_mount(mount, point).map_err(|why| invalid(&why)),
        _ => Err(invalid("mount type unknown")),
    }
}

fn bind_mount(mount: &Mount, mut point: MountPoint) -> Result<MountPoint, String> {
    if mount.source.is_empty() {
        return Err("field Source must not be empty".into());
    }
    if mount.volume_options.is_some() || mount.tmpfs_options.is_some() {
        return Err("field VolumeOptions or TmpfsOptions must not be specified".into());
    }
    source_path(&mount.source).map_err(|cause| cause.what)?.clone_into(&mut point.source);
    let options = mount.bind_options.clone().unwrap_or_default();
    point.propagation = match options.propagation.as_str() {
        "" => "rprivate".into(),
        known if is_propagation(known) => known.into(),
        other => return Err(format!("invalid propagation mode: {other}")),
    };
    point.non_recursive = options.non_recursive;
    point.read_only_non_recursive = options.read_only_non_recursive;
    point.create_source = options.create_mountpoint;
    Ok(point)
}

fn volume_mount(mount: &Mount, mut point: MountPoint) -> Result<MountPoint, String> {
    if mount.bind_options.is_some() || mount.tmpfs_options.is_some() {
        return Err("field BindOptions or TmpfsOptions must not be specified".into());
    }
    let options = mount.volume_options.clone().unwrap_or_default();
    let driver = options.driver_config.map(|driver| driver.name).unwrap_or_default();
    if !matches!(driver.as_str(), "" | "local") {
        return Err(format!(
            "error looking up volume plugin {driver}: plugin \"{driver}\" not found"
        ));
    }
    // What lies in a volume is its containers' to change: a path of the host made of it leads where they like.
    if !options.subpath.is_empty() {
        return Err("field Subpath is not supported yet".into());
    }
    point.kind = Kind::Volume;
    point.anonymous = mount.source.is_empty();
    volume_name(&mount.source).map_err(|cause| cause.what)?.clone_into(&mut point.name);
    point.copy = !options.no_copy;
    "z".clone_into(&mut point.mode);
    Ok(point)
}

fn tmpfs_mount(mount: &Mount, mut point: MountPoint) -> Result<MountPoint, String> {
    if !mount.source.is_empty() {
        return Err("field Source must not be specified".into());
    }
    let options = mount.tmpfs_options.clone().unwrap_or_default();
    let mut words = Vec::new();
    if mount.read_only {
        words.push("ro".to_owned());
    }
    if options.mode != 0 {
        words.push(format!("mode={:o}", options.mode));
    }
    if options.size_bytes < 0 {
        return Err("size must not be negative".into());
    }
    if options.size_bytes > 0 {
        words.push(format!("size={}", human_size(options.size_bytes)));
    }
    words.extend(options.options.iter().flatten().map(|option| option.join("=")));
    point.kind = Kind::Tmpfs;
    point.options = words.join(",");
    Ok(point)
}

/// As the kernel reads it, in the largest unit that divides it.
fn human_size(bytes: i64) -> String {
    let units = [(30, 'g'), (20, 'm'), (10, 'k')];
    let whole = units.iter().find(|(shift, _)| bytes % (1 << shift) == 0);
    whole.map_or(bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

fn parse_tmpfs(path: &str, options: &str) -> Result<MountPoint, Error> {
    Ok(MountPoint {
        kind: Kind::Tmpfs,
        destination: checked_destination(path)?,
        options: options.to_owned(),
        ..MountPoint::default()
    })
}

fn anonymous_volume(destination: String) -> MountPoint {
    MountPoint {
        kind: Kind::Volume,
        destination,
        anonymous: true,
        copy: true,
        ..MountPoint::default()
    }
}

/// An absolute path, cleaned of `.`, `..` and doubled slashes, that is not the root.
fn checked_destination(path: &str) -> Result<String, Error> {
    if !path.starts_with('/') {
        return Err(Error::invalid(format!(
            "invalid mount path: '{path}' mount path must be absolute"
        )));
    }
    if path.contains('\0') {
        return Err(Error::invalid("invalid mount path: it contains a zero byte"));
    }
    match clean(path).as_str() {
        "/" => Err(Error::invalid("invalid specification: destination can't be '/'")),
        cleaned => Ok(cleaned.to_owned()),
    }
}

/// Lexically, as Go's path.Clean does for an absolute path.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn source_path(path: &str) -> Result<&str, Error> {
    if !path.starts_with('/') {
        return Err(Error::invalid(format!(
            "invalid mount path: '{path}' mount path must be absolute"
        )));
    }
    if path.contains('\0') {
        return Err(Error::invalid("invalid mount path: it contains a zero byte"));
    }
    Ok(path)
}

/// Names never lead out of the volumes' directory.
fn volume_name(name: &str) -> Result<&str, Error> {
    if name.is_empty() {
        return Ok(name);
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if plain && name.len() >= 2 && name.len() <= 255 && name.as_bytes()[0].is_ascii_alphanumeric() {
        return Ok(name);
    }
    Err(Error::invalid(format!(
        "{name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    )))
}

#[cfg(test)]
mod tests {
    use api::containers::{BindOptions, TmpfsOptions};

    use super::*;

    fn bind(text: &str) -> MountPoint {
        parse_bind(text).unwrap()
    }

    fn refused(text: &str) -> String {
        parse_bind(text).unwrap_err().to_string()
    }

    #[test]
    fn binds_volumes_and_anonymous_volumes() {
        let host = bind("/src:/dst:ro,rslave");
        assert_eq!(
            (host.kind, host.read_only, host.propagation.as_str()),
            (Kind::Bind, true, "rslave")
        );
        let named = bind("data:/var/lib/x");
        assert_eq!(
            (named.kind, named.name.as_str(), named.anonymous),
            (Kind::Volume, "data", false)
        );
        let anonymous = bind("/cache");
        assert_eq!(
            (anonymous.kind, anonymous.anonymous, anonymous.copy),
            (Kind::Volume, true, true)
        );
        assert!(!bind("data:/x:nocopy").copy);
        assert_eq!(bind("/a//b/../c:/x/./y/").destination, "/x/y");
    }

    #[test]
    fn refusals_are_worded_as_dockers() {
        assert_eq!(refused("/tmp:/x:bad"), "invalid mode: bad");
        assert_eq!(
            refused("/tmp:rel"),
            "invalid volume specification: '/tmp:rel': invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be absolute"
        );
        assert_eq!(
            refused("/tmp:/"),
            "invalid volume specification: '/tmp:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'"
        );
        assert_eq!(refused("a:b:c:d"), "invalid volume specification: 'a:b:c:d'");
    }

    #[test]
    fn a_volumes_name_cannot_be_a_path() {
        for name in ["../etc", "a/b", "..", ".x", "a"] {
            assert!(refused(&format!("{name}:/x")).contains("local volume name"), "{name}");
        }
    }

    fn mount(kind: &str, source: &str) -> Mount {
        Mount { kind: kind.into(), source: source.into(), target: "/x".into(), ..Mount::default() }
    }

    #[test]
    fn mounts_are_checked_as_docker_checks_them() {
        let said = |mount: &Mount| parse_mount(mount).unwrap_err().to_string();
        assert_eq!(
            said(&mount("foo", "")),
            "invalid mount config for type \"foo\": mount type unknown"
        );
        assert_eq!(
            said(&mount("bind", "")),
            "invalid mount config for type \"bind\": field Source must not be empty"
        );
        let mut odd = mount("bind", "/tmp");
        odd.bind_options =
            Some(BindOptions { propagation: "foo".into(), ..BindOptions::default() });
        assert_eq!(
            said(&odd),
            "invalid mount config for type \"bind\": invalid propagation mode: foo"
        );
    }

    #[test]
    fn tmpfs_options_become_mount_options() {
        let mut tmpfs = mount("tmpfs", "");
        tmpfs.tmpfs_options =
            Some(TmpfsOptions { size_bytes: 1 << 20, mode: 0o700, options: None });
        assert_eq!(parse_mount(&tmpfs).unwrap().options, "mode=700,size=1m");
    }

    #[test]
    fn explicit_mounts_win_over_inherited_ones_and_these_over_the_images() {
        let volumes = BTreeMap::from([("/a".into(), api::Empty {}), ("/b".into(), api::Empty {})]);
        let config = Config { volumes: Some(volumes), ..Config::default() };
        let host = HostConfig { binds: Some(vec!["/host:/a".into()]), ..HostConfig::default() };
        let inherited = vec![bind("data:/a"), bind("data:/b")];
        let points = mount_points(&config, &host, inherited).unwrap();
        let got: Vec<_> = points.iter().map(|p| (p.destination.as_str(), p.kind)).collect();
        assert_eq!(got, [("/a", Kind::Bind), ("/b", Kind::Volume)]);
        assert!(!points[1].anonymous);
    }

    #[test]
    fn one_destination_twice_is_refused() {
        let binds = Some(vec!["/a:/x".into(), "/b:/x/".into()]);
        let host = HostConfig { binds, ..HostConfig::default() };
        let error = mount_points(&Config::default(), &host, Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "Duplicate mount point: /x");
    }
}
