//! What `--cache-from` and `--cache-to` say, in BuildKit's words.

use std::collections::BTreeMap;

use api::build::BuildOptions;
use oci::{Digest, Reference};

use crate::error::{Error, Result};

type Fields = BTreeMap<String, String>;

/// Where a cache comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub place: Named,
    /// Whether what its cache mounts hold is wanted, too.
    pub mounts: bool,
}

/// Where a cache goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Into the image itself where there is none.
    pub place: Option<Named>,
    /// All steps, not only those of the result.
    pub all: bool,
    pub mounts: bool,
    pub ignore_error: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    Registry(Reference),
    /// The client's, by its place among the options.
    Folder {
        index: usize,
        tag: String,
        digest: Option<Digest>,
    },
}

impl Named {
    /// As progress shows it.
    pub fn shown(&self) -> String {
        match self {
            Self::Registry(name) => name.to_string(),
            Self::Folder { index, .. } => format!("local:{index}"),
        }
    }
}

pub fn sources(options: &BuildOptions) -> Result<Vec<Source>> {
    let all = options.cache_from.iter().enumerate();
    all.map(|(index, fields)| source(index, fields)).collect()
}

pub fn targets(options: &BuildOptions) -> Result<Vec<Target>> {
    let all = options.cache_to.iter().enumerate();
    all.map(|(index, fields)| target(index, fields)).collect()
}

fn source(index: usize, fields: &Fields) -> Result<Source> {
    let place = match text(fields, "type") {
        "registry" => Named::Registry(reference(fields)?),
        "local" => folder(index, fields)?,
        kind => return Err(Error::invalid(format!("unknown cache importer: {kind:?}"))),
    };
    known(fields, &["type", "ref", "tag", "digest", "mounts"])?;
    Ok(Source { place, mounts: flag(fields, "mounts")? })
}

fn target(index: usize, fields: &Fields) -> Result<Target> {
    let place = match text(fields, "type") {
        "registry" => Some(Named::Registry(reference(fields)?)),
        "local" => Some(folder(index, fields)?),
        "inline" => None,
        kind => return Err(Error::invalid(format!("unknown cache exporter: {kind:?}"))),
    };
    let all = match text(fields, "mode") {
        "" | "min" => false,
        "max" if place.is_some() => true,
        "max" => {
            return Err(Error::invalid("mode=max: an inline cache has the result's layers alone"));
        }
        mode => return Err(Error::invalid(format!("unsupported cache export mode: {mode}"))),
    };
    forms(fields)?;
    let mounts = flag(fields, "mounts")?;
    if mounts && place.is_none() {
        return Err(Error::invalid("mounts=true: an inline cache has no cache mounts"));
    }
    Ok(Target { place, all, mounts, ignore_error: flag(fields, "ignore-error")? })
}

/// Layers are written in one form: what asks for it is understood, what asks for another is refused.
fn forms(fields: &Fields) -> Result<()> {
    known(
        fields,
        &[
            "type",
            "ref",
            "tag",
            "mode",
            "mounts",
            "ignore-error",
            "compression",
            "force-compression",
            "oci-mediatypes",
            "image-manifest",
        ],
    )?;
    let compression = text(fields, "compression");
    if !matches!(compression, "" | "gzip") {
        return Err(Error::not_implemented(format!(
            "compression={compression}: caches are written with gzip by this version"
        )));
    }
    flag(fields, "force-compression")?;
    for name in ["oci-mediatypes", "image-manifest"] {
        if fields.contains_key(name) && !flag(fields, name)? {
            return Err(Error::not_implemented(format!(
                "{name}=false: caches are written as OCI image manifests by this version"
            )));
        }
    }
    Ok(())
}

fn known(fields: &Fields, names: &[&str]) -> Result<()> {
    match fields.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(Error::not_implemented(format!(
            "{name}: a cache of type {} does not have that in this version",
            text(fields, "type")
        ))),
        None => Ok(()),
    }
}

fn text<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.get(name).map(String::as_str).unwrap_or_default()
}

fn flag(fields: &Fields, name: &str) -> Result<bool> {
    match text(fields, name) {
        "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        other => Err(Error::invalid(format!("non-boolean value {other:?} specified for {name}"))),
    }
}

fn reference(fields: &Fields) -> Result<Reference> {
    match text(fields, "ref") {
        "" => Err(Error::invalid("missing ref")),
        name => Reference::parse(name)
            .map(Reference::tag_default)
            .map_err(|error| Error::invalid(format!("invalid ref {name:?}: {error}"))),
    }
}

fn folder(index: usize, fields: &Fields) -> Result<Named> {
    let tag = match text(fields, "tag") {
        "" => oci::reference::DEFAULT_TAG,
        tag => tag,
    };
    let digest = match text(fields, "digest") {
        "" => None,
        digest => Some(
            Digest::parse(digest)
                .map_err(|error| Error::invalid(format!("invalid digest {digest:?}: {error}")))?,
        ),
    };
    Ok(Named::Folder { index, tag: tag.to_owned(), digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        let pairs = text.split(',').filter_map(|field| field.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn refused(text: &str) -> String {
        target(0, &fields(text)).unwrap_err().to_string()
    }

    #[test]
    fn what_buildkit_s_options_mean() {
        let to = |text: &str| target(3, &fields(text)).unwrap();
        let local =
            to("type=local,mode=max,compression=gzip,oci-mediatypes=true,image-manifest=true");
        let place = Named::Folder { index: 3, tag: "latest".into(), digest: None };
        let expected = Target { place: Some(place), all: true, mounts: false, ignore_error: false };
        assert_eq!(local, expected);
        let registry = to("type=registry,ref=here/a,ignore-error=true,mounts=1");
        assert_eq!(registry.place.unwrap().shown(), "docker.io/here/a:latest");
        assert!(!registry.all && registry.mounts && registry.ignore_error);
        assert_eq!(to("type=inline").place, None);
        let from = source(0, &fields("type=registry,ref=a@sha256:0")).unwrap_err().to_string();
        assert!(from.starts_with("invalid ref \"a@sha256:0\""), "{from}");
    }

    #[test]
    fn what_there_is_not_is_refused_by_name() {
        assert_eq!(refused("type=gha"), "unknown cache exporter: \"gha\"");
        assert_eq!(refused("type=registry"), "missing ref");
        assert_eq!(refused("type=local,mode=all"), "unsupported cache export mode: all");
        assert!(refused("type=local,compression=zstd").starts_with("compression=zstd: "));
        assert!(refused("type=local,image-manifest=false").starts_with("image-manifest=false: "));
        assert!(refused("type=local,compression-level=3").starts_with("compression-level: "));
        assert!(refused("type=inline,mode=max").starts_with("mode=max: "));
        assert_eq!(
            source(0, &fields("type=s3")).unwrap_err().to_string(),
            "unknown cache importer: \"s3\""
        );
    }
}
