//! `images`, with its filters.

use jiff::Timestamp;

use super::{Image, Images};
use crate::error::Result;

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
    pub fn list(&self, filter: &Filter) -> Result<Vec<Image>> {
        let made = |name: &Option<String>| match name {
            Some(name) => Ok::<_, crate::Error>(Some(created(&self.get(name)?))),
            None => Ok(None),
        };
        let (before, since) = (made(&filter.before)?, made(&filter.since)?);
        let all: Vec<Image> = self.ids()?.iter().filter_map(|id| self.by_id(id).ok()).collect();
        let parents: Vec<_> = all.iter().filter_map(|image| image.parent.clone()).collect();
        let mut images: Vec<Image> = all
            .into_iter()
            .filter(|image| {
                let intermediate = image.is_dangling() && parents.contains(&image.id);
                let made = created(image);
                (!intermediate || filter.all)
                    && before.is_none_or(|before| made < before)
                    && since.is_none_or(|since| made > since)
                    && filter.matches(image)
            })
            .filter_map(|image| with_references(image, &filter.references))
            .collect();
        images.sort_by(|a, b| created(b).cmp(&created(a)).then_with(|| a.id.cmp(&b.id)));
        Ok(images)
    }
}

impl Filter {
    /// The conditions that need nothing but the image.
    pub(super) fn matches(&self, image: &Image) -> bool {
        self.dangling.is_none_or(|dangling| image.is_dangling() == dangling)
            && self.until.is_none_or(|until| created(image) < until)
            && self.labels.iter().all(|label| has_label(image, label))
            && !self.without_labels.iter().any(|label| has_label(image, label))
    }
}

/// Keeps the names that match; an image without one left is not listed.
fn with_references(mut image: Image, patterns: &[String]) -> Option<Image> {
    if patterns.is_empty() {
        return Some(image);
    }
    let matches = |name: &oci::Reference| patterns.iter().any(|pattern| name.matches(pattern));
    image.tags.retain(matches);
    image.digests.retain(matches);
    (!image.is_dangling()).then_some(image)
}

pub(super) fn created(image: &Image) -> Timestamp {
    let text = image.config.created.as_deref().unwrap_or_default();
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn has_label(image: &Image, wanted: &str) -> bool {
    let labels = image.config.config.as_ref().and_then(|config| config.labels.as_ref());
    let (key, value) = match wanted.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (wanted, None),
    };
    let found = labels.and_then(|labels| labels.get(key));
    found.is_some_and(|found| value.is_none_or(|value| value == found))
}
