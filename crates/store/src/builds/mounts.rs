//! Cache mounts: directories that steps share, by an id. One id stands for several directories where users would be in
//! each other's way.
//!
//! The id is a text of the Dockerfile's: it names a directory by its digest and a number, never as a path
//! (CVE-2024-9675). Who may use which directory is known in memory; a directory in use outlives its record only until
//! the next open.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::unpack::{self, Target};
use oci::Digest;
use sys::overlay::Overlay;

use super::state::{State, lock};
use super::{Builds, CACHE_MOUNT, nanoseconds, now};
use crate::blobs::digest_of;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::layers;
use crate::volumes::copy;

/// Which of a step's mounts of one id are the same directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// All have one.
    Shared,
    /// Each has its own.
    Private,
    /// One has it at a time.
    Locked,
}

#[derive(Clone, Debug)]
pub struct MountRequest<'r> {
    pub id: &'r str,
    pub sharing: Sharing,
    /// What a new directory begins with, bottom first; other layers are another cache mount.
    pub base: &'r [Digest],
    /// Of a new directory that begins with nothing.
    pub owner: (u32, u32),
    pub mode: u32,
}

impl MountRequest<'_> {
    /// Names the directories that the request may get.
    pub fn group(&self) -> Digest {
        let base: Vec<&str> = self.base.iter().map(Digest::as_str).collect();
        digest_of(format!("{}\n{}", base.join(" "), self.id).as_bytes())
    }
}

/// A directory for as long as it is used.
pub struct CacheMount {
    directory: PathBuf,
    state: Arc<State>,
    group: Digest,
    key: Digest,
}

impl CacheMount {
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for CacheMount {
    fn drop(&mut self) {
        self.state.touch(&self.key, now());
        for waiter in self.state.release(&self.group, &self.key) {
            waiter();
        }
        self.state.note_growth();
    }
}

type Waiter = Box<dyn FnOnce() + Send>;

/// The directories of one id that are in use, and who waits for one.
#[derive(Default)]
pub(super) struct Group {
    in_use: HashMap<Digest, Use>,
    waiters: Vec<Waiter>,
}

struct Use {
    users: usize,
    sharing: Sharing,
}

impl Group {
    pub(super) fn in_use(&self) -> impl Iterator<Item = Digest> {
        self.in_use.keys().cloned()
    }

    fn may_use(&self, key: &Digest, sharing: Sharing) -> bool {
        match self.in_use.get(key) {
            None => true,
            Some(one) => one.sharing == Sharing::Shared && sharing == Sharing::Shared,
        }
    }
}

impl State {
    fn release(&self, group: &Digest, key: &Digest) -> Vec<Waiter> {
        let mut mounts = lock(&self.mounts);
        let Some(users) = mounts.get_mut(group) else { return Vec::new() };
        if let Some(one) = users.in_use.get_mut(key) {
            one.users -= 1;
            if one.users > 0 {
                return Vec::new();
            }
            users.in_use.remove(key);
        }
        // All of them: one that nobody waits for any more must not be the only one that hears it.
        let waiters = std::mem::take(&mut users.waiters);
        if users.in_use.is_empty() {
            mounts.remove(group);
        }
        waiters
    }
}

impl Builds<'_> {
    /// A directory for a step. None where another step has to end first: `free` is called when it is time to ask again.
    pub fn cache_mount(
        &self,
        request: &MountRequest<'_>,
        free: impl FnOnce() + Send + 'static,
    ) -> Result<Option<CacheMount>> {
        let group = request.group();
        let _making = lock(&self.state.making);
        let known = self.known_mounts(&group)?;
        let usable = {
            let mut mounts = lock(&self.state.mounts);
            match mounts.get_mut(&group) {
                None => known.first(),
                Some(users) => {
                    let usable = known.iter().find(|(key, _)| users.may_use(key, request.sharing));
                    if usable.is_none() && request.sharing == Sharing::Locked {
                        users.waiters.push(Box::new(free));
                        return Ok(None);
                    }
                    usable
                }
            }
        };
        let (key, number) = match usable {
            Some((key, number)) => (key.clone(), *number),
            None => self.new_mount(request, &|directory| self.fill_mount(request, directory))?,
        };
        let directory = self.root.cache_mount(number);
        if !directory.exists() {
            self.fill_mount(request, &directory)?;
        }
        let mut mounts = lock(&self.state.mounts);
        let users = mounts.entry(group.clone()).or_default();
        let one = Use { users: 0, sharing: request.sharing };
        users.in_use.entry(key.clone()).or_insert(one).users += 1;
        Ok(Some(CacheMount { directory, state: Arc::clone(self.state), group, key }))
    }

    /// Whether a directory is here for it.
    pub fn has_mount(&self, request: &MountRequest<'_>) -> Result<bool> {
        Ok(!self.known_mounts(&request.group())?.is_empty())
    }

    /// A directory with what a tar holds, unless there is one.
    pub fn fill_mount_from(&self, request: &MountRequest<'_>, tar: &mut dyn Read) -> Result<()> {
        let failed = |error| Error::io(format!("fill cache mount {:?}", request.id), error);
        let staged = self.root.stage()?;
        let content = staged.path().join("content");
        fs::create_dir(&content).map_err(failed)?;
        own(&content, request).map_err(failed)?;
        let root = OwnedFd::from(File::open(&content).map_err(failed)?);
        let target = Target { root: root.as_fd(), directory: Path::new(""), shown: &content };
        let options = unpack::Options {
            owner: unpack::Owner::Archived,
            replace_directories: true,
            limits: archive::Limits::default(),
            rename: None,
        };
        unpack::unpack(tar, target, options).map_err(failed)?;
        let _making = lock(&self.state.making);
        if self.has_mount(request)? {
            return Ok(());
        }
        let place = |directory: &Path| {
            self.root.discard(directory)?;
            fs::rename(&content, directory).map_err(failed)
        };
        self.new_mount(request, &place).map(drop)
    }

    /// Keys and numbers, the first that was made first.
    fn known_mounts(&self, group: &Digest) -> Result<Vec<(Digest, u64)>> {
        let sql = "SELECT key, mount FROM build_records WHERE mount_group = ?1 ORDER BY mount";
        let rows: BTreeMap<u64, String> = self.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows =
                statement.query_map([group.as_str()], |row| Ok((row.get(1)?, row.get(0)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        rows.into_iter().map(|(number, key)| Ok((super::digest(&key)?, number))).collect()
    }

    /// The directory first: one without a record goes at the next open, a record without one gets it when it is used.
    fn new_mount(
        &self,
        request: &MountRequest<'_>,
        fill: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<(Digest, u64)> {
        let group = request.group();
        let highest = "SELECT coalesce(max(mount), 0) FROM build_records";
        let highest: u64 =
            self.database.read(|db| Ok(db.query_row(highest, [], |row| row.get(0))?))?;
        let number = highest + 1;
        let created = now();
        let key = digest_of(format!("{group} {number} {created}").as_bytes());
        fill(&self.root.cache_mount(number))?;
        let sql = "INSERT INTO build_records
            (key, kind, description, created, cost, has_layer, parents, components, mount, mount_group)
            VALUES (?1, ?2, ?3, ?4, 0, 0, '[]', x'', ?5, ?6)";
        let description = format!("cached mount {}", request.id);
        let created = nanoseconds(created);
        self.database.write(Durability::ProcessDeath, |transaction| {
            let values = (key.as_str(), CACHE_MOUNT, &description, created, number, group.as_str());
            Ok(transaction.prepare_cached(sql)?.execute(values)?)
        })?;
        Ok((key, number))
    }

    /// Whole or not at all.
    fn fill_mount(&self, request: &MountRequest<'_>, directory: &Path) -> Result<()> {
        let failed = |error| Error::io(format!("make cache mount {:?}", request.id), error);
        let staged = self.root.stage()?;
        let content = staged.path().join("content");
        fs::create_dir(&content).map_err(failed)?;
        match request.base {
            [_, ..] => {
                let numbers = self.database.read(|db| layers::numbers(db, request.base))?;
                let base = Overlay { lower: self.root.lower(&numbers), ..Overlay::default() };
                let from = base.mount().map_err(failed)?;
                let to = OwnedFd::from(File::open(&content).map_err(failed)?);
                copy::tree(from.as_fd(), to.as_fd()).map_err(failed)?;
            }
            [] => own(&content, request).map_err(failed)?,
        }
        // What is there has no record, and so no user.
        self.root.discard(directory)?;
        fs::rename(&content, directory).map_err(failed)
    }
}

fn own(directory: &Path, request: &MountRequest<'_>) -> io::Result<()> {
    let (uid, gid) = request.owner;
    chown(directory, Some(uid), Some(gid))?;
    fs::set_permissions(directory, fs::Permissions::from_mode(request.mode & 0o7777))
}
