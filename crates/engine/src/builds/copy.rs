//! COPY, ADD and WORKDIR: an archive of what comes to lie where, straight into a layer.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use archive::{Time, writer};
use builder::context::{Entry, Kind};
use builder::copy::{self, Item, Layout, Mode, Placing};
use builder::ignore::Ignore;
use builder::plan::{self, Unpack};
use oci::Digest;
use rustix::fs::FileType;
use store::{Lease, Store};

use super::client::Client;
use super::files::Folder;
use super::pipe::pipe;
use super::reuse::{Lies, Reused};
use super::trees::{Open, Tree, root};
use super::unpack::unpacked;
use crate::containers::spec::user;
use crate::error::{Error, Result};

/// Everything that copying needs, for a thread that may block.
pub struct Copying {
    pub store: Arc<Store>,
    pub client: Arc<Client>,
    pub lease: Arc<Lease<'static>>,
    /// Nanoseconds since 1970.
    pub now: i64,
}

impl Copying {
    /// The digest of what one input gives to a COPY.
    pub fn digest(&self, copy: &plan::Copy, input: usize, tree: &Tree) -> Result<Digest> {
        let open = tree.open(&self.store)?;
        let mut all = Vec::new();
        for source in copy.sources.iter().filter(|source| source.input == input) {
            all.extend(open.select_for_key(&source.path, &copy.exclude)?);
        }
        copy::digest(&all).map_err(Error::system)
    }

    /// The layer that a COPY makes, the step of that name.
    pub fn copy(&self, copy: &plan::Copy, inputs: &[Arc<Tree>], name: &str) -> Result<Digest> {
        let base = self.base(copy.link, &inputs[0])?;
        let mode = copy.chmod.as_deref().map(Mode::parse).transpose().map_err(Error::invalid)?;
        let owner = copy.chown.as_deref().map(|owner| self.owner(owner, &base)).transpose()?;
        let mut layout = Layout::new(base.tree(), owner, mode, self.now);
        let destination = Path::new(&copy.destination);
        let mut opened: Vec<Rc<Open>> = Vec::new();
        // Each once, however many sources it has: files that come in a row from one are asked for at once.
        let mut of_inputs: HashMap<usize, usize> = HashMap::new();
        for source in &copy.sources {
            let placing = Placing { into: copy.into, parents: copy.parents };
            let own = match of_inputs.get(&source.input) {
                Some(own) => *own,
                None => {
                    opened.push(Rc::new(inputs[source.input].open(&self.store)?));
                    of_inputs.insert(source.input, opened.len() - 1);
                    opened.len() - 1
                }
            };
            let open = Rc::clone(&opened[own]);
            for found in open.select_once_more(&source.path, &copy.exclude)? {
                let archive = match source.unpack {
                    Unpack::Try => unpacked(&self.store, &self.client, &open, &found)?,
                    Unpack::Never => None,
                };
                let Some(archive) = archive else {
                    layout
                        .put(own, open.tree(), &found, destination, placing)
                        .map_err(not_placed)?;
                    continue;
                };
                let archive = archive.open(&self.store)?;
                for found in archive.select("/", &Ignore::default())? {
                    layout
                        .put(opened.len(), archive.tree(), &found, destination, Placing::default())
                        .map_err(not_placed)?;
                }
                opened.push(Rc::new(archive));
            }
        }
        let mut items = layout.items();
        let lies = Lies::find(self, &mut items, &opened, inputs, name)?;
        self.layer(items, &opened, lies)
    }

    /// The layer with a folder.
    pub fn mkdir(&self, mkdir: &plan::Mkdir, base: &Tree) -> Result<Digest> {
        let base = Base::Root(root(&self.store, base.layers()?)?);
        let owner = match mkdir.user.as_str() {
            "" => None,
            user => Some(self.owner(user, &base)?),
        };
        let mut layout = Layout::new(base.tree(), owner, None, self.now);
        let path = Path::new(&mkdir.path);
        let there = copy::resolve(base.tree(), path).and_then(|path| base.tree().entry(&path));
        if !there.map_err(not_placed)?.is_some_and(|entry| entry.kind == Kind::Directory) {
            layout.make_folder(path).map_err(not_placed)?;
        }
        self.layer(layout.items(), &[], Lies::Alone)
    }

    fn base(&self, link: bool, tree: &Tree) -> Result<Base> {
        let layers = tree.layers()?;
        match link || layers.is_empty() {
            true => Ok(Base::Nothing),
            false => Ok(Base::Root(root(&self.store, layers)?)),
        }
    }

    /// `user[:group]`; a group that is not named is the user's, and of a number the same number.
    fn owner(&self, text: &str, base: &Base) -> Result<(u32, u32)> {
        let files = match base {
            Base::Root(folder) => user::Files::read(folder.root().as_fd()),
            Base::Nothing => user::Files::default(),
        };
        let user = user::resolve(text, &[], &files)?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        Ok((user.uid, if is_number { user.uid } else { user.gid }))
    }

    /// The archive of these items, unpacked into a layer while it is made.
    fn layer(&self, items: Vec<Item>, opened: &[Rc<Open>], lies: Lies) -> Result<Digest> {
        let (mut out, mut archive) = pipe();
        let reused = lies.reused()?;
        thread::scope(|scope| {
            let unpacking = scope.spawn(move || lies.add(&self.store, &mut archive, &self.lease));
            let written =
                self.write(items, opened, reused.as_ref(), &mut out).and_then(|()| out.finish());
            let unpacked =
                unpacking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match written {
                // The other side knows why it stopped reading.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => {
                    return Err(Error::invalid(archive::reason(&error)));
                }
                Ok(()) => {}
            }
            Ok(unpacked?.diff_id)
        })
    }

    fn write(
        &self,
        items: Vec<Item>,
        opened: &[Rc<Open>],
        reused: Option<&Reused>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        // Bytes from a client; all else is here.
        let asked = |item: &Item| {
            let content = item.content.as_ref()?;
            let is_here = reused.is_some_and(|reused| reused.has(&item.entry.path));
            let is_client_s = matches!(&*opened[content.source], Open::Context { .. });
            (is_client_s && !is_here).then_some(content.source)
        };
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            let Some(source) = asked(&item) else {
                write_item(&item, opened, reused, out)?;
                continue;
            };
            let Open::Context { selection, listing } = &*opened[source] else { continue };
            // As many as come in a row are asked for at once.
            let mut run = vec![item];
            while let Some(next) =
                items.next_if(|next| asked(next).is_none_or(|other| other == source))
            {
                run.push(next);
            }
            let wanted = run.iter().filter(|item| asked(item).is_some());
            let place = |item: &Item| listing.find(&item.content.as_ref()?.path).ok();
            let contents = self.client.contents(selection, wanted.filter_map(place).collect());
            let mut contents = contents.map_err(|error| io::Error::other(error.to_string()))?;
            for item in &run {
                if asked(item).is_none() {
                    write_item(item, opened, reused, out)?;
                    continue;
                }
                let Some((_, content)) = contents.next()? else {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                };
                copy_exactly(content, &archived(&item.entry), out)?;
            }
        }
        writer::finish(out)
    }
}

/// An item whose bytes are here, where it has any.
fn write_item(
    item: &Item,
    opened: &[Rc<Open>],
    reused: Option<&Reused>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let entry = archived(&item.entry);
    let Some(content) = &item.content else { return writer::write_header(out, &entry) };
    if let Some(reused) = reused.filter(|reused| reused.has(&item.entry.path)) {
        return copy_exactly(reused.open(&item.entry.path)?, &entry, out);
    }
    match &*opened[content.source] {
        Open::Folder { folder, .. } => copy_exactly(folder.open(&content.path)?, &entry, out),
        Open::Inline(inline) => copy_exactly(inline.bytes(&content.path), &entry, out),
        Open::Context { .. } => Err(io::Error::other("a client's file is here")),
    }
}

fn archived(entry: &Entry) -> archive::Entry {
    let mut path = entry.path.as_os_str().as_bytes().to_vec();
    let (mut link, mut size, mut device) = (Vec::new(), 0, (0, 0));
    let kind = match &entry.kind {
        Kind::Directory => {
            path.push(b'/');
            archive::Kind::Directory
        }
        Kind::File { size: bytes, .. } => {
            size = *bytes;
            archive::Kind::File
        }
        Kind::Symlink { target } => {
            link = target.as_os_str().as_bytes().to_vec();
            archive::Kind::Symlink
        }
        Kind::Special { kind, device: number } => {
            device = (rustix::fs::major(*number), rustix::fs::minor(*number));
            match FileType::from_raw_mode(*kind) {
                FileType::CharacterDevice => archive::Kind::CharDevice,
                FileType::BlockDevice => archive::Kind::BlockDevice,
                _ => archive::Kind::Fifo,
            }
        }
    };
    let bytes = |(name, value): &(String, Vec<u8>)| (name.clone().into_bytes(), value.clone());
    archive::Entry {
        kind,
        path,
        link,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: Time {
            seconds: entry.modified.div_euclid(1_000_000_000),
            nanoseconds: u32::try_from(entry.modified.rem_euclid(1_000_000_000)).unwrap_or(0),
        },
        device,
        xattrs: entry.xattrs.iter().map(bytes).collect(),
        ..writer::plain(size)
    }
}

/// What a copy comes to lie upon.
enum Base {
    Root(Folder),
    Nothing,
}

impl Base {
    fn tree(&self) -> &dyn copy::Tree {
        match self {
            Self::Root(folder) => folder,
            Self::Nothing => &copy::Empty,
        }
    }
}

fn not_placed(error: io::Error) -> Error {
    Error::invalid(archive::reason(&error))
}

/// A file as long as it was said to be.
fn copy_exactly(from: impl Read, entry: &archive::Entry, out: &mut dyn Write) -> io::Result<()> {
    writer::write_header(out, entry)?;
    let copied = io::copy(&mut from.take(entry.size), out)?;
    if copied != entry.size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    writer::pad(out, entry.size)
}
