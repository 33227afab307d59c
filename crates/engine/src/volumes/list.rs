//! GET /volumes.

use api::Filters;
use api::volumes::Volume;

use super::Volumes;
use crate::error::Result;
use crate::name_filter::NameFilter;

pub const FILTERS: &[&str] = &["dangling", "driver", "label", "name"];

impl Volumes {
    /// Sorted by name.
    pub fn list(&self, filters: &Filters) -> Result<Vec<Volume>> {
        let dangling = filters.boolean("dangling")?;
        let volumes = self.records().all()?.into_iter().map(|volume| self.shown(volume));
        let is_wanted = |volume: &Volume| {
            let unused = || self.0.uses.containers(&volume.name).is_empty();
            is_wanted(volume, filters) && dangling.is_none_or(|dangling| dangling == unused())
        };
        Ok(volumes.filter(is_wanted).collect())
    }
}

fn is_wanted(volume: &Volume, filters: &Filters) -> bool {
    NameFilter::of(filters, "name").is_none_or(|names| names.matches(&volume.name))
        && filters.matches_exactly("driver", &volume.driver)
        && filters.labels_match("label", |key| volume.label(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_filters_must_match() {
        let volume = Volume {
            name: "my-data".into(),
            driver: "local".into(),
            labels: Some([("k".into(), "v".into())].into()),
            ..Volume::default()
        };
        let wanted = |text: &str| is_wanted(&volume, &Filters::parse(text).unwrap());
        assert!(wanted("") && wanted(r#"{"name":["data","x"]}"#) && wanted(r#"{"label":["k"]}"#));
        assert!(wanted(r#"{"label":["k=v"],"driver":["local"]}"#));
        assert!(!wanted(r#"{"label":["k=w"]}"#) && !wanted(r#"{"driver":["nfs"]}"#));
        assert!(!wanted(r#"{"name":["other"]}"#));
    }
}
