//! Making one image: a base layer, a second layer over it where the recipe has packages or files, and
//! the archive of both.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testkit::archive::{self, Image};

use super::cache;
use super::catalogue::{self, Base, Recipe};
use crate::{Result, shell};

/// Every file's newest possible time, and every image's time of creation: 2026-01-01.
const EPOCH: u64 = 1_767_225_600;
const CREATED: &str = "2026-01-01T00:00:00Z";

pub(crate) fn build(recipe: &Recipe) -> Result {
    let work = TempDir::with_prefix_in("image-", cache())
        .map_err(|e| format!("{}: {e}", cache().display()))?;
    let mut layers = vec![base_layer(recipe, work.path())?];
    if !recipe.packages.is_empty() || !recipe.files.is_empty() {
        let second = work.path().join("second.tar");
        second_layer(recipe, &layers[0], work.path(), &second)?;
        layers.push(second);
    }
    let config: Value = serde_json::from_str(&catalogue::config(recipe))
        .map_err(|e| format!("{}: config: {e}", recipe.name))?;
    let tags = recipe.tags.iter().map(|&tag| tag.to_owned()).collect();
    let image = Image { tags, layers, config, created: CREATED.to_owned() };
    let new = work.path().join("image.tar");
    let place = cache().join(format!("{}.tar", recipe.name));
    archive::write(&image, &new)
        .and_then(|()| fs::rename(&new, &place))
        .map_err(|e| format!("{}: {e}", recipe.name))
}

fn base_layer(recipe: &Recipe, work: &Path) -> Result<PathBuf> {
    let root = work.join("base");
    let tar = work.join("base.tar");
    match recipe.base {
        Base::Debian => return debian(),
        Base::Busybox => busybox(&root)?,
        Base::Program(source) => program(source, &root)?,
    }
    pack(&root, &tar)?;
    Ok(tar)
}

/// A minimal Debian without documentation, shared by all images over it.
fn debian() -> Result<PathBuf> {
    let tar = cache().join("debian-base.tar");
    if tar.exists() {
        return Ok(tar);
    }
    let partial = cache().join("debian-base.partial.tar");
    let mut command = Command::new("mmdebstrap");
    command.env("SOURCE_DATE_EPOCH", EPOCH.to_string()).args([
        "--quiet",
        "--variant=minbase",
        "--format=tar",
    ]);
    for path in ["man", "doc", "info", "locale", "lintian", "groff", "linda"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{path}/*"));
    }
    command.arg("bookworm").arg(&partial).arg(source_line()?);
    shell::run(&mut command)?;
    fs::rename(&partial, &tar).map_err(|e| format!("{}: {e}", tar.display()))?;
    Ok(tar)
}

/// The mirror that this machine itself uses.
fn source_line() -> Result<String> {
    let deb822 = fs::read_to_string("/etc/apt/sources.list.d/debian.sources").unwrap_or_default();
    let classic = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    let uri = deb822
        .lines()
        .find_map(|line| line.strip_prefix("URIs:"))
        .and_then(|uris| uris.split_whitespace().next())
        .or_else(|| classic.split_whitespace().find(|word| word.starts_with("http")));
    let uri =
        uri.ok_or("no Debian mirror in /etc/apt/sources.list or sources.list.d/debian.sources")?;
    Ok(format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {uri} bookworm main"
    ))
}

fn busybox(root: &Path) -> Result {
    let failed = |e: io::Error| format!("busybox: {e}");
    for dir in [
        "bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin", "usr/sbin", "sbin", "var",
        "home", "run",
    ] {
        fs::create_dir_all(root.join(dir)).map_err(failed)?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).map_err(failed)?;
    fs::set_permissions(root.join("root"), fs::Permissions::from_mode(0o700)).map_err(failed)?;
    let program = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists());
    let program = program.ok_or("busybox: not installed")?;
    fs::copy(program, root.join("bin/busybox")).map_err(failed)?;
    for applet in shell::output(Command::new(program).arg("--list-full"))?.lines() {
        let link = root.join(applet);
        fs::create_dir_all(link.parent().unwrap_or(root)).map_err(failed)?;
        if !link.exists() {
            symlink("/bin/busybox", &link).map_err(failed)?;
        }
    }
    let write =
        |name: &str, text: &str| fs::write(root.join("etc").join(name), text).map_err(failed);
    write(
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    )?;
    write("group", "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n")
}

fn program(source: &str, root: &Path) -> Result {
    fs::create_dir_all(root).map_err(|e| format!("{source}: {e}"))?;
    let source = shell::workspace().join("xtask/src/images").join(source);
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--edition=2024",
        "-Cpanic=abort",
        "-Copt-level=s",
        "-Cstrip=symbols",
        "-Ctarget-feature=+crt-static",
    ]);
    shell::run(rustc.arg(source).arg("-o").arg(root.join("hello")))
}

/// Installs the recipe's packages in an overlay over the base, and packs what came to lie on top.
fn second_layer(recipe: &Recipe, base: &Path, work: &Path, tar: &Path) -> Result {
    let dir = |name: &str| -> Result<PathBuf> {
        let path = work.join(name);
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    };
    let (lower, upper) = (dir("lower")?, dir("upper")?);
    dir("work")?;
    dir("merged")?;
    shell::run(
        Command::new("tar")
            .arg("-xf")
            .arg(base)
            .args(["--numeric-owner", "--xattrs", "-C"])
            .arg(&lower),
    )?;
    let install = work.join("install.sh");
    fs::write(&install, INSTALL).map_err(|e| format!("{}: {e}", install.display()))?;
    let mut inside = Command::new("unshare");
    // Mounts of the script vanish with its namespace, whatever becomes of it.
    inside
        .args(["--mount", "--propagation=private", "--fork", "--kill-child", "bash", "-e"])
        .arg(&install);
    inside.arg(work).arg(script(recipe)).args(recipe.packages);
    shell::run(&mut inside)?;
    for (path, mode, content) in recipe.files {
        write_file(&upper.join(path.trim_start_matches('/')), *mode, content)?;
    }
    pack(&upper, tar)
}

fn script(recipe: &Recipe) -> &str {
    if recipe.script.is_empty() { "true" } else { recipe.script }
}

/// Arguments: the work folder, the recipe's script, packages. Ends with what would differ from run to run removed.
const INSTALL: &str = r#"
work=$1 script=$2; shift 2
mount -t overlay -o "lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/work" overlay "$work/merged"
root=$work/merged
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$work/resolv.conf"; touch "$root/etc/resolv.conf"; mount --bind "$work/resolv.conf" "$root/etc/resolv.conf"
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"; chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get update -qq
chroot "$root" apt-get install -qq -y --no-install-recommends "$@" >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log"; exit 1; }
chroot "$root" sh -e -c "$script"
find "$root/var/log" -type f -delete
rm -rf "$root"/usr/sbin/policy-rc.d "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* \
       "$root"/var/cache/ldconfig/aux-cache "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/tmp/*
umount "$root/etc/resolv.conf" "$root/dev" "$root/proc"
umount "$root"
"#;

fn write_file(path: &Path, mode: u32, content: &str) -> Result {
    let failed = |e: io::Error| format!("{}: {e}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
    fs::write(path, content).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

/// Packs a folder as a layer: sorted, times clamped, overlay's whiteouts and opaque marks in the form layers have.
fn pack(root: &Path, to: &Path) -> Result {
    let failed = |e: io::Error| format!("{}: {e}", to.display());
    let mut tar = tar::Builder::new(io::BufWriter::new(File::create(to).map_err(failed)?));
    tar.follow_symlinks(false);
    pack_dir(&mut tar, root, Path::new("")).map_err(failed)?;
    tar.into_inner().and_then(|mut file| file.flush()).map_err(failed)
}

fn pack_dir(tar: &mut tar::Builder<impl Write>, root: &Path, dir: &Path) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(root.join(dir))?
        .map(|e| e.map(|e| e.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let path = dir.join(&name);
        let metadata = root.join(&path).symlink_metadata()?;
        if is_whiteout(&metadata) {
            let marker = dir.join(format!(".wh.{}", name.to_string_lossy()));
            append(tar, &marker, &metadata, tar::EntryType::Regular, io::empty())?;
        } else if metadata.is_dir() {
            append(tar, &path, &metadata, tar::EntryType::Directory, io::empty())?;
            pack_opaque(tar, &root.join(&path), &path, &metadata)?;
            pack_dir(tar, root, &path)?;
        } else if metadata.is_symlink() {
            let mut header = header(&metadata, tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, &path, fs::read_link(root.join(&path))?)?;
        } else if metadata.is_file() {
            append(tar, &path, &metadata, tar::EntryType::Regular, File::open(root.join(&path))?)?;
        }
    }
    Ok(())
}

fn is_whiteout(metadata: &fs::Metadata) -> bool {
    const CHARACTER_DEVICE: u32 = 0o020000;
    metadata.mode() & 0o170000 == CHARACTER_DEVICE && metadata.rdev() == 0
}

fn pack_opaque(
    tar: &mut tar::Builder<impl Write>,
    dir: &Path,
    path: &Path,
    metadata: &fs::Metadata,
) -> io::Result<()> {
    let mut value = [0; 1];
    let opaque =
        rustix::fs::lgetxattr(dir, "trusted.overlay.opaque", &mut value).is_ok() && value == *b"y";
    if opaque {
        append(tar, &path.join(".wh..wh..opq"), metadata, tar::EntryType::Regular, io::empty())?;
    }
    Ok(())
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    path: &Path,
    metadata: &fs::Metadata,
    kind: tar::EntryType,
    data: impl io::Read,
) -> io::Result<()> {
    let mut header = header(metadata, kind);
    let whole_file = kind == tar::EntryType::Regular && metadata.is_file();
    header.set_size(if whole_file { metadata.len() } else { 0 });
    tar.append_data(&mut header, path, data)
}

fn header(metadata: &fs::Metadata, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(EPOCH.min(metadata.mtime().unsigned_abs()));
    header
}
