//! Takes an image archive in: one pass over the stream, layers unpacked as they come by, documents kept in memory
//! until all is known. Names lie: what a file is, its first bytes tell.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use oci::Digest;

use super::LoadEvent;
use crate::Store;
use crate::error::{Error, Result};
use crate::layers::in_flight::Turn;
use crate::layers::{StagedLayer, layer_resource};
use crate::leases::Lease;
use archive::compression::{Compression, read_start};
use archive::reader::{Forget, Reader};
use archive::{BLOCK, Entry, Kind, header::Header};

const MAX_DOCUMENT: u64 = 8 << 20;
const MAX_DOCUMENTS: u64 = 128 << 20;
const MAX_LINKS: usize = 16;
const START: usize = 4096;

pub(super) enum Content {
    Document(Vec<u8>),
    Layer(Digest),
    Link(String),
}

/// What an archive held, by clean path.
pub(super) struct Archive {
    contents: HashMap<String, Content>,
}

/// Takes the members of an archive in, one after the other.
struct Intake<'i> {
    store: &'i Store,
    lease: &'i Lease<'i>,
    events: &'i mut dyn FnMut(LoadEvent),
    staged: Vec<Arc<StagedLayer>>,
    /// Bytes of documents so far.
    documents: u64,
}

impl Archive {
    pub(super) fn read(
        store: &Store,
        source: &mut dyn Read,
        lease: &Lease<'_>,
        events: &mut dyn FnMut(LoadEvent),
    ) -> Result<Archive> {
        let mut start = [0; 8];
        let count = read_start(source, &mut start)?;
        let compression = Compression::detect(&start[..count]);
        let whole = compression.reader((&start[..count]).chain(source))?;
        let mut reader = Reader::new(whole, Forget, store.limits);
        let mut contents = HashMap::new();
        let mut intake = Intake { store, lease, events, staged: Vec::new(), documents: 0 };
        while let Some(entry) = reader.next_entry()? {
            let path = clean(&entry.path);
            match entry.kind {
                Kind::Symlink => {
                    contents.insert(path.clone(), Content::Link(link_target(&path, &entry.link)));
                }
                Kind::HardLink => {
                    contents.insert(path, Content::Link(clean(&entry.link)));
                }
                Kind::File => {
                    let payload = Payload { reader: &mut reader };
                    if let Some(content) = intake.take(payload, &path, &entry)? {
                        contents.insert(path, content);
                    }
                }
                _ => {}
            }
        }
        reader.drain()?;
        store.commit_layers(intake.staged, lease)?;
        Ok(Archive { contents })
    }

    pub(super) fn document(&self, path: &str) -> Option<&[u8]> {
        match self.find(path)? {
            Content::Document(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The diff ID of the layer at a path.
    pub(super) fn layer(&self, path: &str) -> Option<&Digest> {
        match self.find(path)? {
            Content::Layer(diff_id) => Some(diff_id),
            _ => None,
        }
    }

    fn find(&self, path: &str) -> Option<&Content> {
        let mut path = clean(path.as_bytes());
        for _ in 0..MAX_LINKS {
            match self.contents.get(&path)? {
                Content::Link(target) => path.clone_from(target),
                content => return Some(content),
            }
        }
        None
    }
}

impl Intake<'_> {
    fn take<R: Read>(
        &mut self,
        mut payload: Payload<'_, R>,
        path: &str,
        entry: &Entry,
    ) -> Result<Option<Content>> {
        if let Some(diff_id) = self.known_layer(path)? {
            return Ok(Some(Content::Layer(diff_id)));
        }
        let mut start = vec![0; START];
        let count = read_start(&mut payload, &mut start)?;
        start.truncate(count);
        let mut whole = start.as_slice().chain(payload);
        if is_layer(&start) {
            return self.layer(&mut whole, path, entry.size).map(Content::Layer).map(Some);
        }
        if entry.size > MAX_DOCUMENT {
            return Ok(None);
        }
        self.documents += entry.size;
        if self.documents > MAX_DOCUMENTS {
            return Err(Error::invalid("too many documents in the image archive"));
        }
        let mut bytes = Vec::new();
        whole.read_to_end(&mut bytes)?;
        Ok(Some(Content::Document(bytes)))
    }

    /// Unpacks a layer, or shares it with another load that does so just now.
    fn layer(&mut self, tar: &mut dyn Read, path: &str, total: u64) -> Result<Digest> {
        let digest = claimed_digest(path);
        let claim = match digest.as_ref().map(|digest| self.store.in_flight.turn(digest)) {
            Some(Turn::Shared(staged)) if self.can_share(&staged, path)? => {
                return Ok(self.take_staged(staged));
            }
            Some(Turn::Mine(claim)) => match self.known_layer(path)? {
                // Whoever was waited for is done altogether.
                Some(diff_id) => return Ok(diff_id),
                None => Some(claim),
            },
            _ => None,
        };
        let id = layer_name(path);
        let events = &mut *self.events;
        let mut progress = |current| {
            if let Some(claim) = &claim {
                claim.advance(current);
            }
            events(LoadEvent::Layer { id: id.clone(), current, total });
        };
        let staged = Arc::new(self.store.stage_layer(tar, &mut progress)?);
        if let Some(claim) = claim {
            claim.share(&staged);
        }
        Ok(self.take_staged(staged))
    }

    fn take_staged(&mut self, staged: Arc<StagedLayer>) -> Digest {
        let diff_id = staged.diff_id.clone();
        self.staged.push(staged);
        diff_id
    }

    /// What another load staged is ours too if it is what its path claims, and if it cannot go away.
    fn can_share(&self, staged: &StagedLayer, path: &str) -> Result<bool> {
        if !claimed_digest(path).is_some_and(|digest| staged.is(&digest)) {
            return Ok(false);
        }
        self.lease.hold(&layer_resource(&staged.diff_id))?;
        // The other may have failed and taken it along before it was held.
        Ok(staged.is_here() || self.store.layer(&staged.diff_id)?.is_some())
    }

    /// A layer that is here under the digest its path claims need not be read: ours was verified.
    fn known_layer(&self, path: &str) -> Result<Option<Digest>> {
        let Some(digest) = claimed_digest(path) else { return Ok(None) };
        Ok(self.store.hold_layer(&digest, self.lease)?.map(|layer| layer.diff_id))
    }
}

/// A tar, an empty tar, or something compressed.
fn is_layer(start: &[u8]) -> bool {
    if Compression::detect(start) != Compression::None {
        return true;
    }
    let Some(block) = start.first_chunk::<BLOCK>() else { return false };
    *block == [0; BLOCK] || Header(block).verify().is_ok()
}

/// The digest that a blob's path claims.
fn claimed_digest(path: &str) -> Option<Digest> {
    Digest::from_sha256_hex(path.strip_prefix("blobs/sha256/")?).ok()
}

fn layer_name(path: &str) -> String {
    let path = path.strip_prefix("blobs/sha256/").unwrap_or(path);
    path.chars().take_while(|c| *c != '/').take(12).collect()
}

/// The path without `.` and `..`, never above the archive's root.
fn clean(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn link_target(path: &str, target: &[u8]) -> String {
    if target.starts_with(b"/") {
        return clean(target);
    }
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    clean(&[parent.as_bytes(), b"/", target].concat())
}

struct Payload<'r, R> {
    reader: &'r mut Reader<R, Forget>,
}

impl<R: Read> Read for Payload<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read_payload(buffer)
    }
}
