//! What is mounted into a container, from the five ways of asking: `Binds` (-v), `Mounts` (--mount), `Tmpfs`,
//! `VolumesFrom` and the image's `VOLUME`s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use api::containers::{Config, HostConfig, Mount};
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::error::Error;
use crate::volumes::Wish;

/// One mount, resolved at create and kept in the container's record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountPoint {
    pub kind: Kind,
    /// A volume's name, an image's as it was asked for; empty for other kinds.
    pub name: String,
    /// The host's path; empty for tmpfs and images.
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
    /// Of volumes and images: what of it is mounted, relative to its top; empty for all of it.
    pub subpath: String,
    /// The id of an image that is mounted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Its layers on the disk, top first; known while the container is being started.
    #[serde(skip)]
    pub layers: Vec<PathBuf>,
    /// Where what is written to the layers goes, as `diff` and `work`; read-only without.
    #[serde(skip)]
    pub upper: Option<PathBuf>,
    /// Of volumes: how it is to be made where it is not there.
    #[serde(skip)]
    pub wish: Wish,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Bind,
    Volume,
    Tmpfs,
    Image,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
            Self::Image => "image",
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
        let destination = declared_destination(destination)?;
        points.entry(destination.clone()).or_insert_with(|| anonymous_volume(destination));
    }
    let mut points: Vec<MountPoint> = points.into_values().collect();
    for point in points.iter_mut().filter(|point| point.wish.driver.is_empty()) {
        point.wish.driver.clone_from(&host.volume_driver);
    }
    Ok(points)
}

/// Of an image's `VOLUME`, and of `-v` without a source: as in Docker, it need not begin with a slash.
fn declared_destination(path: &str) -> Result<String, Error> {
    if path.starts_with('/') {
        return checked_destination(path);
    }
    checked_destination(&format!("/{path}")).map(|cleaned| cleaned[1..].to_owned())
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

/// The mounts of another container. Those of `--tmpfs` stay its own.
pub fn inherited(
    mode: &str,
    from: impl FnOnce() -> Result<std::sync::Arc<Record>, Error>,
) -> Result<Vec<MountPoint>, Error> {
    check_mode(mode)?;
    let read_only = mode.split(',').any(|word| word == "ro");
    let of_record = |point: &MountPoint| MountPoint {
        read_only: point.read_only || read_only,
        mode: String::new(),
        copy: false,
        from_mounts: false,
        ..point.clone()
    };
    let record = from()?;
    Ok(record.mounts.iter().filter(|point| point.kind != Kind::Tmpfs).map(of_record).collect())
}

/// `source:destination[:options]`, as in `-v`. A source that is no path is a volume's name.
pub fn parse_bind(text: &str) -> Result<MountPoint, Error> {
    let invalid =
        |why: &str| Error::invalid(format!("invalid volume specification: '{text}'{why}"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, mode) = match parts[..] {
        [destination] => ("", destination, ""),
        // A mode needs a source.
        [_, mode] if is_mode(mode) => return Err(invalid("")),
        [source, destination] => (source, destination, ""),
        [source, destination, mode] => (source, destination, mode),
        _ => return Err(invalid("")),
    };
    if destination.is_empty() || (source.is_empty() && parts.len() > 1) {
        return Err(invalid(""));
    }
    let kind = if source.starts_with('/') { Kind::Bind } else { Kind::Volume };
    let within = |cause: &str| {
        let kind = kind.as_str();
        invalid(&format!(": invalid mount config for type \"{kind}\": {cause}"))
    };
    check_mode(mode)?;
    let destination = checked_destination(destination).map_err(|cause| within(&cause.what))?;
    let mut point =
        MountPoint { kind, destination, mode: mode.to_owned(), ..MountPoint::default() };
    if kind == Kind::Bind {
        source_path(source)?.clone_into(&mut point.source);
        point.create_source = true;
        "rprivate".clone_into(&mut point.propagation);
    } else {
        point.copy = true;
        point.anonymous = source.is_empty();
        source.clone_into(&mut point.name);
        if mode.is_empty() {
            "z".clone_into(&mut point.mode);
        }
    }
    apply_mode(&mut point, mode).map_err(within)?;
    Ok(point)
}

fn is_mode(text: &str) -> bool {
    !text.is_empty() && check_mode(text).is_ok()
}

/// What a word of a mode is about; each may be said once.
fn mode_subject(word: &str) -> Option<&'static str> {
    Some(match word {
        "ro" | "rw" => "access",
        "z" | "Z" => "label",
        "nocopy" => "copy",
        "consistent" | "cached" | "delegated" | "default" => "consistency",
        word if is_propagation(word) => "propagation",
        _ => return None,
    })
}

fn check_mode(mode: &str) -> Result<(), Error> {
    let invalid = || Error::invalid(format!("invalid mode: {mode}"));
    let mut seen = std::collections::HashSet::new();
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        if !seen.insert(mode_subject(word).ok_or_else(invalid)?) {
            return Err(invalid());
        }
    }
    Ok(())
}

fn apply_mode(point: &mut MountPoint, mode: &str) -> Result<(), &'static str> {
    for word in mode.split(',') {
        match (mode_subject(word), point.kind) {
            (Some("access"), _) => point.read_only = word == "ro",
            (Some("copy"), Kind::Volume) => point.copy = false,
            (Some("copy"), _) => return Err("field VolumeOptions must not be specified"),
            (Some("propagation"), Kind::Bind) => word.clone_into(&mut point.propagation),
            (Some("propagation"), _) => return Err("field BindOptions must not be specified"),
            _ => {}
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
    others_options(mount)?;
    match kind {
        "bind" => bind_mount(mount, point).map_err(|why| invalid(&why)),
        "volume" => volume_mount(mount, point).map_err(|why| invalid(&why)),
        "tmpfs" => tmpfs_mount(mount, point).map_err(|why| invalid(&why)),
        "image" => image_mount(mount, point).map_err(|why| invalid(&why)),
        _ => Err(invalid("mount type unknown")),
    }
}

/// Options of another type than the mount's are a mistake in what is asked for.
fn others_options(mount: &Mount) -> Result<(), Error> {
    let kind = mount.kind.as_str();
    let given = [
        ("bind", "BindOptions", mount.bind_options.is_some()),
        ("volume", "VolumeOptions", mount.volume_options.is_some()),
        ("image", "ImageOptions", mount.image_options.is_some()),
        ("tmpfs", "TmpfsOptions", mount.tmpfs_options.is_some()),
    ];
    let is_known = given.iter().any(|(of, ..)| *of == kind);
    match given.iter().find(|(of, _, is_given)| is_known && *is_given && *of != kind) {
        Some((_, options, _)) => {
            Err(Error::invalid(format!("{options} must not be specified on mount type {kind:?}")))
        }
        None => Ok(()),
    }
}

fn refuse(given: bool, field: &str) -> Result<(), String> {
    if given { Err(format!("field {field} must not be specified")) } else { Ok(()) }
}

fn bind_mount(mount: &Mount, mut point: MountPoint) -> Result<MountPoint, String> {
    if mount.source.is_empty() {
        return Err("field Source must not be empty".into());
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
    let options = mount.volume_options.clone().unwrap_or_default();
    if !stays_inside(&options.subpath) {
        return Err("subpath must be a relative path within the volume".into());
    }
    let driver = options.driver_config.unwrap_or_default();
    point.kind = Kind::Volume;
    point.anonymous = mount.source.is_empty();
    point.name.clone_from(&mount.source);
    point.copy = !options.no_copy && options.subpath.is_empty();
    point.subpath = options.subpath;
    "z".clone_into(&mut point.mode);
    let (labels, options) = (options.labels, driver.options);
    point.wish = Wish { driver: driver.name, labels, options, ..Wish::default() };
    Ok(point)
}

fn image_mount(mount: &Mount, mut point: MountPoint) -> Result<MountPoint, String> {
    if mount.source.is_empty() {
        return Err("field Source must not be empty".into());
    }
    point.subpath = mount.image_options.clone().unwrap_or_default().subpath;
    if !stays_inside(&point.subpath) {
        return Err("subpath must be a relative path within the image".into());
    }
    point.kind = Kind::Image;
    point.name.clone_from(&mount.source);
    point.read_only = true;
    Ok(point)
}

/// As written; where links in the volume lead is looked at when it is mounted.
fn stays_inside(subpath: &str) -> bool {
    use std::path::{Component, Path};
    let mut depth = 0_i32;
    Path::new(subpath).components().all(|component| {
        depth += match component {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            Component::CurDir => 0,
            Component::RootDir | Component::Prefix(_) => return false,
        };
        depth >= 0
    }) && !subpath.contains('\0')
}

fn tmpfs_mount(mount: &Mount, mut point: MountPoint) -> Result<MountPoint, String> {
    refuse(!mount.source.is_empty(), "Source")?;
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

/// What a tmpfs takes, as Docker has it.
const TMPFS_FLAGS: [&str; 34] = [
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "private",
    "rbind",
    "relatime",
    "remount",
    "ro",
    "rprivate",
    "rshared",
    "rslave",
    "runbindable",
    "rw",
    "shared",
    "slave",
    "strictatime",
    "suid",
    "sync",
    "unbindable",
    "",
];
const TMPFS_DATA: [&str; 7] = ["gid", "mode", "mpol", "nr_blocks", "nr_inodes", "size", "uid"];

fn check_tmpfs(options: &str) -> Result<(), Error> {
    let is_known = |option: &&str| match option.split_once('=') {
        Some((name, _)) => TMPFS_DATA.contains(&name),
        None => TMPFS_FLAGS.contains(option),
    };
    match options.split(',').find(|option| !is_known(option)) {
        Some(other) => Err(Error::invalid(format!("invalid tmpfs option {other:?}"))),
        None => Ok(()),
    }
}

fn parse_tmpfs(path: &str, options: &str) -> Result<MountPoint, Error> {
    check_tmpfs(options)?;
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
pub fn checked_destination(path: &str) -> Result<String, Error> {
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
    fn words_of_a_mode_are_said_once_and_to_the_point() {
        assert_eq!(refused("data:/x:ro,rw"), "invalid mode: ro,rw");
        assert_eq!(refused("/tmp:/x:z,Z"), "invalid mode: z,Z");
        assert_eq!(refused("/x:ro"), "invalid volume specification: '/x:ro'");
        assert_eq!(
            refused("data:/x:rslave"),
            "invalid volume specification: 'data:/x:rslave': invalid mount config for type \"volume\": field BindOptions must not be specified"
        );
        assert_eq!(
            refused("/tmp:/x:nocopy"),
            "invalid volume specification: '/tmp:/x:nocopy': invalid mount config for type \"bind\": field VolumeOptions must not be specified"
        );
        let point = bind("data:/x:ro,z");
        assert_eq!((point.mode.as_str(), point.read_only), ("ro,z", true));
    }

    #[test]
    fn a_subpath_stays_inside() {
        for good in ["", "a", "a/b", "a/../b", "./a"] {
            assert!(stays_inside(good), "{good}");
        }
        for bad in ["/a", "..", "../a", "a/../..", "a\0b"] {
            assert!(!stays_inside(bad), "{bad}");
        }
    }

    #[test]
    fn a_declared_destination_need_not_be_absolute() {
        assert_eq!(declared_destination("data/").unwrap(), "data");
        assert_eq!(declared_destination("/data/../x").unwrap(), "/x");
        assert!(declared_destination("/").is_err() && declared_destination(".").is_err());
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
