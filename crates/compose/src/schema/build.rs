//! How a service's image is built.

use super::service::FILES;
use super::short;
use super::{Kind, Object, Shown, field, object};

pub(super) static BUILD: Object = object(&[
    field("context", Kind::Text),
    field("dockerfile", Kind::Text),
    field("dockerfile_inline", Kind::Text),
    field("entitlements", Kind::Texts),
    field("args", Kind::Dictionary),
    field("provenance", Kind::Any),
    field("sbom", Kind::Any),
    field("ssh", Kind::Custom(short::ssh)),
    field("labels", Kind::Labels),
    field("cache_from", Kind::Texts),
    field("cache_to", Kind::Texts),
    field("no_cache", Kind::Flag),
    field("no_cache_filter", Kind::TextOrTexts),
    field("additional_contexts", Kind::Labels),
    field("pull", Kind::Flag),
    field("extra_hosts", Kind::Custom(short::hosts)),
    field("isolation", Kind::Text),
    field("network", Kind::Text),
    field("target", Kind::Text),
    field("secrets", FILES),
    field("shm_size", Kind::Size),
    field("tags", Kind::Texts),
    field("ulimits", ULIMITS),
    field("platforms", Kind::Texts),
    field("privileged", Kind::Flag),
]);

pub(super) const ULIMITS: Kind = Kind::Names(&Kind::Custom(short::ulimit));

pub(super) static ULIMIT: Object = Object {
    fields: &[
        field("soft", Kind::Integer).shown(Shown::IfSaid),
        field("hard", Kind::Integer).shown(Shown::IfSaid),
    ],
    required: &["soft", "hard"],
};
