//! `images`, with its filters: three queries for any number of images, and no config is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use oci::image::ImageConfig;
use oci::{Digest, Reference};
use rusqlite::{Connection, Transaction};

use super::{Images, parse_digest};
use crate::Store;
use crate::database::Durability;
use crate::error::Result;

/// What a list shows of an image.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: Digest,
    pub created: Timestamp,
    pub labels: Option<BTreeMap<String, String>>,
    pub parent: Option<Digest>,
    /// References by tag, sorted.
    pub tags: Vec<Reference>,
    /// References by digest, sorted.
    pub digests: Vec<Reference>,
    /// Numbers and sizes of its layers, bottom first.
    pub layers: Vec<(u64, u64)>,
    /// Whether images were made of it here.
    pub has_children: bool,
}

/// Every condition that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Intermediate images too.
    pub all: bool,
    pub dangling: Option<bool>,
    /// `key` or `key=value`.
    pub labels: Vec<String>,
    pub without_labels: Vec<String>,
    /// An image made later than this one's.
    pub before: Option<String>,
    pub since: Option<String>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
    /// Patterns; only matching names are listed.
    pub references: Vec<String>,
}

impl Images<'_> {
    /// Newest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Listed>> {
        let made = |name: &Option<String>| match name {
            Some(name) => Ok::<_, crate::Error>(Some(created(&self.get(name)?.config))),
            None => Ok(None),
        };
        let (before, since) = (made(&filter.before)?, made(&filter.since)?);
        let images = self.store.database.read(read_all)?.into_iter();
        let mut images: Vec<Listed> = images
            .filter(|image| {
                before.is_none_or(|before| image.created < before)
                    && since.is_none_or(|since| image.created > since)
                    && filter.matches(image)
            })
            .filter_map(|image| filter.shown(image))
            .collect();
        images.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(images)
    }

    pub fn count(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM images";
        self.store.database.read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?))
    }
}

impl Listed {
    /// Bytes of all its layers' files.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|(_, size)| size).sum()
    }

    pub fn is_dangling(&self) -> bool {
        self.tags.is_empty() && self.digests.is_empty()
    }
}

impl Filter {
    /// The conditions on what an image is.
    pub(super) fn matches(&self, image: &Listed) -> bool {
        self.until.is_none_or(|until| image.created < until)
            && self.labels.iter().all(|label| has_label(image, label))
            && !self.without_labels.iter().any(|label| has_label(image, label))
    }

    /// The conditions on names, by Docker's rules: an intermediate image is none to list, and one that has only
    /// digests for names counts as dangling too.
    fn shown(&self, mut image: Listed) -> Option<Listed> {
        if !self.references.is_empty() {
            let matches =
                |name: &Reference| self.references.iter().any(|pattern| name.matches(pattern));
            image.tags.retain(matches);
            image.digests.retain(matches);
        }
        let dangling_only = self.dangling == Some(true);
        if dangling_only && image.has_children {
            return None;
        }
        let shown = if image.is_dangling() {
            (self.all || !image.has_children)
                && self.dangling != Some(false)
                && self.references.is_empty()
        } else {
            !dangling_only || image.tags.is_empty()
        };
        shown.then_some(image)
    }
}

fn has_label(image: &Listed, wanted: &str) -> bool {
    let (key, value) = match wanted.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (wanted, None),
    };
    let found = image.labels.as_ref().and_then(|labels| labels.get(key));
    found.is_some_and(|found| value.is_none_or(|value| value == found))
}

/// When the image was made; the epoch where its config does not tell.
fn created(config: &ImageConfig) -> Timestamp {
    let text = config.created.as_deref().unwrap_or_default();
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Records what lists need of an image's config.
pub(super) fn keep(transaction: &Transaction<'_>, id: &Digest, config: &ImageConfig) -> Result<()> {
    let labels = config.config.as_ref().and_then(|config| config.labels.as_ref());
    let labels = labels.map(|labels| serde_json::to_string(labels).unwrap_or_default());
    let nanoseconds = created(config).as_nanosecond();
    let nanoseconds = i64::try_from(nanoseconds).unwrap_or(nanoseconds.signum() as i64 * i64::MAX);
    transaction
        .prepare_cached("UPDATE images SET created = ?2, labels = ?3 WHERE id = ?1")?
        .execute((id.as_str(), nanoseconds, labels))?;
    Ok(())
}

impl Store {
    /// Images of before the schema kept what lists need.
    pub(crate) fn fill_in_listing(&self) -> Result<()> {
        let ids: Vec<Digest> = self.database.read(|db| {
            let mut statement = db.prepare("SELECT id FROM images WHERE created IS NULL")?;
            let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
            ids.map(|id| parse_digest(&id?)).collect()
        })?;
        for id in ids {
            // One that is damaged on disk says so when it is asked for; it must not keep the store from opening.
            let config = self.images().config(&id).unwrap_or_default();
            self.write(Durability::ProcessDeath, |transaction| keep(transaction, &id, &config))?;
        }
        Ok(())
    }
}

fn read_all(db: &Connection) -> Result<Vec<Listed>> {
    let mut names = names(db)?;
    let mut layers = layers(db)?;
    let mut statement = db.prepare_cached("SELECT id, parent, created, labels FROM images")?;
    let mut rows = statement.query([])?;
    let mut images = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        let labels: Option<String> = row.get(3)?;
        let created: Option<i64> = row.get(2)?;
        let names = names.remove(&id).unwrap_or_default().into_iter();
        let (tags, digests) = names.partition(|name: &Reference| name.digest().is_none());
        let parent = row.get::<_, Option<String>>(1)?;
        images.push(Listed {
            layers: layers.remove(&id).unwrap_or_default(),
            created: Timestamp::from_nanosecond(created.unwrap_or(0).into()).unwrap_or_default(),
            labels: labels.and_then(|labels| serde_json::from_str(&labels).ok()),
            parent: parent.map(|parent| parse_digest(&parent)).transpose()?,
            id: parse_digest(&id)?,
            tags,
            digests,
            has_children: false,
        });
    }
    let parents: HashSet<Digest> = images.iter().filter_map(|image| image.parent.clone()).collect();
    images.iter_mut().for_each(|image| image.has_children = parents.contains(&image.id));
    Ok(images)
}

/// References of each image, sorted.
fn names(db: &Connection) -> Result<HashMap<String, Vec<Reference>>> {
    let sql =
        "SELECT DISTINCT image, name FROM refs JOIN roots ON refs.root = roots.root ORDER BY name";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut names: HashMap<String, Vec<Reference>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let name = Reference::parse(&row.get::<_, String>(1)?)?;
        names.entry(row.get(0)?).or_default().push(name);
    }
    Ok(names)
}

/// Numbers and sizes of each image's layers.
pub(super) fn layers(db: &Connection) -> Result<HashMap<String, Vec<(u64, u64)>>> {
    let sql = "SELECT image, number, size FROM image_layers JOIN layers ON layer = number ORDER BY image, position";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut layers: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
    while let Some(row) = rows.next()? {
        layers.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Import;

    #[test]
    fn images_of_an_older_schema_are_filled_in_at_the_next_open() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        let config = oci::image::ContainerConfig { labels: labels.clone(), ..Default::default() };
        let import = Import { config, ..Import::default() };
        store.images().import(&mut &[0_u8; 1024][..], import, &mut |_| ()).unwrap();
        let before = store.images().list(&Filter::default()).unwrap();
        store
            .write(Durability::PowerLoss, |transaction| {
                let sql = "UPDATE images SET created = NULL, labels = NULL";
                Ok(transaction.execute(sql, [])?)
            })
            .unwrap();
        drop(store);
        let after = Store::open(root.path()).unwrap().images().list(&Filter::default()).unwrap();
        assert_eq!(after[0].created, before[0].created);
        assert_eq!(after[0].labels, labels);
    }
}
