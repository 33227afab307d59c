//! `SOURCE_DATE_EPOCH`: layers whose times are no later, so that whoever builds the same gets the same bytes.

use std::io::{self, Read, Write};
use std::thread;

use archive::reader::{Forget, Reader};
use archive::{Limits, Time, writer};
use jiff::Timestamp;
use oci::Digest;
use sha2::{Digest as _, Sha256};
use store::{Layer, Lease, Store};

use super::pipe::pipe;
use super::trees::Layers;
use crate::error::{Error, Result};

/// The layers, those that steps made with times up to `epoch`, in seconds since 1970. Blocks.
pub fn rewritten(
    store: &Store,
    lease: &Lease<'static>,
    layers: &Layers,
    epoch: i64,
) -> Result<Layers> {
    let created = Timestamp::from_second(epoch)
        .map_err(|error| Error::invalid(format!("invalid SOURCE_DATE_EPOCH: {error}")))?;
    let mut all = Layers::default();
    let both = layers.digests.iter().zip(layers.created.iter());
    let mut digests = Vec::new();
    let mut times = Vec::new();
    for (digest, made) in both {
        digests.push(match made {
            // What an image brought is its own.
            None => digest.clone(),
            Some(_) => one(store, lease, digest, epoch)?,
        });
        times.push(made.map(|_| created));
    }
    all.digests = digests.into();
    all.created = times.into();
    Ok(all)
}

fn one(store: &Store, lease: &Lease<'static>, digest: &Digest, epoch: i64) -> Result<Digest> {
    let key = Digest::from_sha256(Sha256::digest(format!("epoch {epoch} {digest}")).into());
    if let Some(known) = store.builds().alias(&key)?
        && store.hold_layer(&known, lease)?.is_some()
    {
        return Ok(known);
    }
    let missing = || Error::system(format!("layer {digest} is gone"));
    let layer = store.layer(digest)?.ok_or_else(missing)?;
    let new = write_anew(store, lease, &layer, epoch)?;
    store.builds().put_alias(&key, &new)?;
    Ok(new)
}

/// The tar of the layer is read, changed and unpacked at once.
fn write_anew(store: &Store, lease: &Lease<'static>, layer: &Layer, epoch: i64) -> Result<Digest> {
    let (mut whole, original) = pipe();
    let (mut changed, mut result) = pipe();
    thread::scope(|scope| {
        let reading = scope.spawn(move || -> Result<()> {
            store.write_layer_tar(layer, &mut whole)?;
            whole.finish().map_err(failed)
        });
        let changing = scope.spawn(move || -> Result<()> {
            clamp(original, &mut changed, epoch).and_then(|()| changed.finish()).map_err(failed)
        });
        let unpacked = store.add_unsynced_layer(&mut result, lease);
        drop(result);
        let ended = [reading, changing]
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let unpacked = unpacked?;
        ended.into_iter().collect::<Result<Vec<()>>>()?;
        Ok(unpacked.diff_id)
    })
}

fn clamp(from: impl Read, out: &mut dyn Write, epoch: i64) -> io::Result<()> {
    let mut reader = Reader::new(from, Forget, Limits::default());
    let mut buffer = vec![0; 256 << 10];
    while let Some(mut entry) = reader.next_entry()? {
        if entry.mtime.seconds >= epoch {
            entry.mtime = Time { seconds: epoch, nanoseconds: 0 };
        }
        writer::write_header(out, &entry)?;
        loop {
            match reader.read_payload(&mut buffer)? {
                0 => break,
                count => out.write_all(&buffer[..count])?,
            }
        }
        writer::pad(out, entry.stored)?;
    }
    // What follows the end belongs to the stream that is hashed on the other side.
    reader.drain()?;
    writer::finish(out)
}

fn failed(cause: io::Error) -> Error {
    Error::system("cannot write a layer anew").because(cause)
}
