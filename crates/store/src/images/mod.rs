//! Images. ID = digest of the config. A reference points to a root (index, manifest, or the config itself where an
//! archive had neither), a root to one image per platform.

mod archive;
mod built;
mod commit;
mod history;
mod import;
mod index;
mod list;
mod load;
mod manifests;
mod prune;
mod pull;
mod push;
mod remove;
mod save;
mod tag;

use oci::image::ImageConfig;
use oci::reference::ImageName;
use oci::{Digest, Platform, Reference};
use rusqlite::{Connection, OptionalExtension, Transaction};

pub use commit::Commit;
pub use history::HistoryEntry;
pub use import::Import;
pub use index::{IndexPart, IndexedImage, NewIndex, WholeIndex};
pub use list::{Filter, Listed};
pub use load::{LoadEvent, Loaded};
pub use manifests::{ManifestEntry, ManifestKind, Target};
pub use prune::Pruned;
pub use pull::{NewName, Pulled};
pub use push::ImageManifest;
pub use remove::{Removal, Removed, RemovedName, Use};

use crate::Store;
use crate::blobs::digest_of;
use crate::database::Durability;
use crate::error::{Error, Kind, Result};
use crate::layers::{self, Layer, sync_directory};

/// The images of a store.
#[derive(Clone, Copy)]
pub struct Images<'s> {
    store: &'s Store,
}

impl Store {
    pub fn images(&self) -> Images<'_> {
        Images { store: self }
    }
}

#[derive(Debug, Clone)]
pub struct Image {
    pub id: Digest,
    pub config: ImageConfig,
    /// References by tag, sorted.
    pub tags: Vec<Reference>,
    /// References by digest, sorted.
    pub digests: Vec<Reference>,
    /// Digests of its manifest and of indexes that lead to it.
    pub roots: Vec<Digest>,
    /// The image it was committed from or built on here.
    pub parent: Option<Digest>,
    /// RFC 3339; none if it never had a tag here.
    pub last_tagged: Option<String>,
    /// Bottom first.
    pub layers: Vec<Layer>,
}

impl Image {
    /// Bytes of all its layers' files.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    pub fn is_dangling(&self) -> bool {
        self.tags.is_empty() && self.digests.is_empty()
    }

    /// Chain IDs, bottom first: what Docker calls a layer by where it lies in images.
    pub fn chain_ids(&self) -> Vec<Digest> {
        let mut chains: Vec<Digest> = Vec::new();
        for diff_id in &self.config.rootfs.diff_ids {
            let chain = match chains.last() {
                None => diff_id.clone(),
                Some(parent) => digest_of(format!("{parent} {diff_id}").as_bytes()),
            };
            chains.push(chain);
        }
        chains
    }
}

impl Images<'_> {
    /// Finds an image by reference, ID, unique prefix of an ID, `name@digest`, or digest of its manifest or index.
    pub fn get(&self, name: &str) -> Result<Image> {
        let id = self.resolve(name)?;
        self.by_id(&id)
    }

    /// The ID that a name means.
    pub fn resolve(&self, name: &str) -> Result<Digest> {
        let parsed = ImageName::parse(name);
        let found = self.store.database.read(|db| {
            let direct = match &parsed {
                Ok(ImageName::Digest(digest)) => by_digest(db, digest)?,
                Ok(ImageName::Reference(reference)) => by_reference(db, reference)?,
                Err(_) => None,
            };
            match direct {
                Some(id) => Ok(Some(id)),
                None => by_prefix(db, name),
            }
        })?;
        match (found, parsed) {
            (Some(id), _) => parse_digest(&id),
            (None, Ok(parsed)) => Err(no_such_image(&parsed)),
            (None, Err(error)) => Err(error.into()),
        }
    }

    /// The ID that a name means on a platform: of one index several images may be here.
    pub fn resolve_for(&self, name: &str, platform: Option<&Platform>) -> Result<Digest> {
        let id = self.resolve(name)?;
        let Some(platform) = platform else { return Ok(id) };
        let siblings = self.store.database.read(|db| siblings(db, &id))?;
        let ranked = siblings.iter().filter_map(|(has, id)| {
            let rank = platform.rank(&Platform::parse(has).ok()?)?;
            Some((rank, id))
        });
        match ranked.min() {
            Some((_, id)) => parse_digest(id),
            None => Err(Error::not_found(format!(
                "image with reference {name} was found but does not provide the specified platform ({platform})"
            ))),
        }
    }

    pub fn by_id(&self, id: &Digest) -> Result<Image> {
        let config = self.config(id)?;
        self.store.database.read(|db| read_image(db, id, config))
    }

    /// The config, verbatim.
    pub fn raw_config(&self, id: &Digest) -> Result<Vec<u8>> {
        self.store.blob(id)
    }

    fn config(&self, id: &Digest) -> Result<ImageConfig> {
        let document = self.store.blob(id).map_err(|error| match error.kind() {
            Kind::NotFound => no_such_image(&ImageName::Digest(id.clone())),
            _ => error,
        })?;
        ImageConfig::parse(&document)
            .map_err(|error| Error::system(format!("config of image {id}: {error}")))
    }

    /// Records an image whose layers are there, and the names that it takes from others.
    fn put(&self, new: &NewImage<'_>, references: &[Reference]) -> Result<Digest> {
        self.put_all(std::slice::from_ref(new), None, references)?;
        Ok(digest_of(new.config))
    }

    /// As [`Self::put`], of images that one index leads to.
    fn put_all(
        &self,
        images: &[NewImage<'_>],
        index: Option<&Indexed<'_>>,
        references: &[Reference],
    ) -> Result<()> {
        let _documents = self.store.hold_documents();
        let unsynced = self.store.database.read(layers::unsynced)?;
        let durability = match unsynced.as_slice() {
            [] => Durability::PowerLoss,
            // One sync of all there is comes next.
            _ => Durability::ProcessDeath,
        };
        let configs = images.iter().map(|new| new.config);
        let attached = index.map(|index| index.attached).unwrap_or_default();
        let documents = images.iter().flat_map(|new| new.documents).chain(attached);
        for document in configs.chain(documents.map(Vec::as_slice)) {
            self.store.add_blob(document, durability)?;
        }
        match durability {
            // Also where all were there: an image that came to nothing may have brought them just now.
            Durability::PowerLoss => sync_directory(&self.store.root.blobs())?,
            Durability::ProcessDeath => layers::sync(self.store.root.path())?,
        }
        self.store.write(Durability::PowerLoss, |transaction| {
            layers::mark_synced(transaction, &unsynced)?;
            for new in images {
                insert_image(transaction, &digest_of(new.config), new)?;
            }
            let root = match index {
                Some(index) => {
                    index.insert(transaction, images)?;
                    Some(index.root.clone())
                }
                None => images.first().map(NewImage::named),
            };
            let Some(root) = root else { return Ok(()) };
            references.iter().try_for_each(|reference| set_reference(transaction, reference, &root))
        })
    }
}

/// What an image is recorded with.
struct NewImage<'n> {
    config: &'n [u8],
    parsed: &'n ImageConfig,
    parent: Option<&'n Digest>,
    /// Manifest and index, verbatim.
    documents: &'n [Vec<u8>],
    /// Digest of the index or manifest that references point to.
    root: Option<Digest>,
    manifest: Option<Digest>,
}

impl NewImage<'_> {
    /// What references point to.
    fn named(&self) -> Digest {
        self.root.clone().unwrap_or_else(|| digest_of(self.config))
    }
}

/// An index that images come with, and what it says of them.
struct Indexed<'n> {
    root: Digest,
    /// Of each image the platform that the index gives it: two may have the same in their configurations.
    platforms: Vec<&'n Platform>,
    /// What it names that is no image.
    attached: &'n [Vec<u8>],
}

impl Indexed<'_> {
    fn insert(&self, transaction: &Transaction<'_>, images: &[NewImage<'_>]) -> Result<()> {
        for (image, platform) in images.iter().zip(&self.platforms) {
            let id = digest_of(image.config);
            insert_root(transaction, &self.root, &platform.to_string(), image, &id)?;
        }
        let sql = "INSERT OR IGNORE INTO attached (root, digest) VALUES (?1, ?2)";
        let mut statement = transaction.prepare_cached(sql)?;
        for document in self.attached {
            statement.execute((self.root.as_str(), digest_of(document).as_str()))?;
        }
        Ok(())
    }
}

fn insert_image(transaction: &Transaction<'_>, id: &Digest, new: &NewImage<'_>) -> Result<()> {
    let platform = new.parsed.platform().to_string();
    let inserted = transaction.execute(
        "INSERT OR IGNORE INTO images (id, platform, parent) VALUES (?1, ?2, ?3)",
        (id.as_str(), &platform, new.parent.map(Digest::as_str)),
    )?;
    if inserted > 0 {
        list::keep(transaction, id, new.parsed)?;
        for (position, diff_id) in new.parsed.rootfs.diff_ids.iter().enumerate() {
            let layer = layers::find(transaction, diff_id)?.ok_or_else(|| {
                Error::invalid(format!("layer {diff_id} of image {id} is missing"))
            })?;
            transaction.execute(
                "INSERT INTO image_layers (image, position, layer) VALUES (?1, ?2, ?3)",
                (id.as_str(), position, layer.number),
            )?;
        }
    }
    let roots = [Some(id), new.manifest.as_ref(), new.root.as_ref()];
    roots
        .into_iter()
        .flatten()
        .try_for_each(|root| insert_root(transaction, root, &platform, new, id))
}

fn insert_root(
    transaction: &Transaction<'_>,
    root: &Digest,
    platform: &str,
    new: &NewImage<'_>,
    id: &Digest,
) -> Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO roots (root, platform, manifest, image) VALUES (?1, ?2, ?3, ?4)",
        (root.as_str(), platform, new.manifest.as_ref().map(Digest::as_str), id.as_str()),
    )?;
    Ok(())
}

/// Gives an image that is there a name, which another loses if it had it.
fn set_reference(
    transaction: &Transaction<'_>,
    reference: &Reference,
    root: &Digest,
) -> Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO refs (name, root) VALUES (?1, ?2)",
        (reference.to_string(), root.as_str()),
    )?;
    let named = transaction.execute(
        "UPDATE images SET last_tagged = ?2 WHERE id IN (SELECT image FROM roots WHERE root = ?1)",
        (root.as_str(), jiff::Timestamp::now().to_string()),
    )?;
    // Removed since it was looked up.
    if named == 0 {
        return Err(no_such_image(&ImageName::Digest(root.clone())));
    }
    Ok(())
}

fn no_such_image(name: &ImageName) -> Error {
    let text = match name {
        ImageName::Digest(digest) => digest.to_string(),
        ImageName::Reference(reference) => reference.clone().tag_default().familiar(),
    };
    Error::not_found(format!("No such image: {text}"))
}

fn by_digest(db: &Connection, digest: &Digest) -> Result<Option<String>> {
    best_of_root(db, digest.as_str())
}

fn by_reference(db: &Connection, reference: &Reference) -> Result<Option<String>> {
    let name = reference.clone().tag_default().to_string();
    let sql = "SELECT root FROM refs WHERE name = ?1";
    let root: Option<String> =
        db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
    match (root, reference.digest()) {
        (Some(root), _) => best_of_root(db, &root),
        (None, Some(digest)) => by_name_and_digest(db, reference, digest),
        (None, None) => Ok(None),
    }
}

/// `name@digest` also means an image that came with a tag of that name.
fn by_name_and_digest(
    db: &Connection,
    reference: &Reference,
    digest: &Digest,
) -> Result<Option<String>> {
    let Some(id) = best_of_root(db, digest.as_str())? else { return Ok(None) };
    let names = names_of(db, &id)?;
    Ok(names.iter().any(|name| name.name() == reference.name()).then_some(id))
}

/// Among a root's images the one for this host, else the first.
fn best_of_root(db: &Connection, root: &str) -> Result<Option<String>> {
    let mut statement =
        db.prepare_cached("SELECT platform, image FROM roots WHERE root = ?1 ORDER BY platform")?;
    let rows = statement
        .query_map([root], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut images = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let host = Platform::host();
    images.sort_by_key(|(platform, _)| {
        Platform::parse(platform).ok().and_then(|platform| host.rank(&platform)).unwrap_or(u32::MAX)
    });
    Ok(images.into_iter().next().map(|(_, image)| image))
}

/// Platforms and IDs of the images that some index has in common with this one, itself included.
fn siblings(db: &Connection, id: &Digest) -> Result<Vec<(String, String)>> {
    let sql = "SELECT DISTINCT other.platform, other.image FROM roots AS own
               JOIN roots AS other ON own.root = other.root WHERE own.image = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A prefix that several images share is nobody's, as in Docker.
fn by_prefix(db: &Connection, prefix: &str) -> Result<Option<String>> {
    let hex = prefix.strip_prefix("sha256:").unwrap_or(prefix);
    if hex.is_empty() || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    let mut statement =
        db.prepare_cached("SELECT id FROM images WHERE id >= ?1 AND id < ?2 LIMIT 2")?;
    let range = (format!("sha256:{hex}"), format!("sha256:{hex}g"));
    let ids =
        statement.query_map(range, |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    match <[String; 1]>::try_from(ids) {
        Ok([id]) => Ok(Some(id)),
        Err(_) => Ok(None),
    }
}

fn names_of(db: &Connection, id: &str) -> Result<Vec<Reference>> {
    let sql = "SELECT DISTINCT name FROM refs JOIN roots ON refs.root = roots.root WHERE image = ?1 ORDER BY name";
    let mut statement = db.prepare_cached(sql)?;
    let names = statement.query_map([id], |row| row.get::<_, String>(0))?;
    names.map(|name| Ok(Reference::parse(&name?)?)).collect()
}

fn read_image(db: &Connection, id: &Digest, config: ImageConfig) -> Result<Image> {
    let sql = "SELECT parent, last_tagged FROM images WHERE id = ?1";
    let row: Option<(Option<String>, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (parent, last_tagged) = row.ok_or_else(|| no_such_image(&ImageName::Digest(id.clone())))?;
    let (tags, digests) =
        names_of(db, id.as_str())?.into_iter().partition(|name| name.digest().is_none());
    Ok(Image {
        id: id.clone(),
        tags,
        digests,
        roots: roots_of(db, id)?,
        parent: parent.map(|parent| parse_digest(&parent)).transpose()?,
        last_tagged,
        layers: layers_of(db, &config)?,
        config,
    })
}

fn roots_of(db: &Connection, id: &Digest) -> Result<Vec<Digest>> {
    let mut statement =
        db.prepare_cached("SELECT root FROM roots WHERE image = ?1 AND root <> ?1")?;
    let roots = statement.query_map([id.as_str()], |row| row.get::<_, String>(0))?;
    roots.map(|root| parse_digest(&root?)).collect()
}

fn layers_of(db: &Connection, config: &ImageConfig) -> Result<Vec<Layer>> {
    let missing = |diff_id| Error::system(format!("layer {diff_id} is missing"));
    let diff_ids = config.rootfs.diff_ids.iter();
    diff_ids.map(|id| layers::find(db, id)?.ok_or_else(|| missing(id))).collect()
}

fn parse_digest(text: &str) -> Result<Digest> {
    Digest::parse(text)
        .map_err(|error| Error::system(format!("metadata database: {text:?}: {error}")))
}
