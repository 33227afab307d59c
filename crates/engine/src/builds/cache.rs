//! The build cache as the API has it: what it holds, and what of it goes.

use std::collections::BTreeMap;

use api::Filters;
use api::build::{CachePruneReport, CacheRecord};
use api::system::Usage;
use jiff::SignedDuration;
use oci::Digest;
use store::builds::{Listed, Policy, Rule, Wanted};

use super::Builds;
use crate::config::{Gc, GcRule, parse_size};
use crate::error::{Error, Result};
use crate::events::Kind;
use crate::until;

/// Digits of a record's key that name it.
const ID: usize = 25;

/// Filters that a prune knows. A cache has no labels: those choose nothing, as with Docker, whose `system prune` asks for the
/// same of everything.
const KNOWN: [&str; 11] = [
    "description",
    "id",
    "inuse",
    "label",
    "label!",
    "parent",
    "private",
    "shared",
    "type",
    "unused-for",
    "until",
];

impl Builds {
    pub fn cache_usage(&self) -> Result<Usage<CacheRecord>> {
        let listed = self.store.builds().all()?;
        let own = || listed.iter().filter(|listed| !listed.shared);
        let size = |listed: &Listed| i64::try_from(listed.size).unwrap_or(i64::MAX);
        Ok(Usage {
            active_count: listed.iter().filter(|listed| listed.in_use).count() as i64,
            total_count: listed.len() as i64,
            reclaimable: own().filter(|listed| !listed.in_use).map(size).sum(),
            total_size: own().map(size).sum(),
            items: listed.iter().map(record).collect(),
        })
    }

    pub fn prune(&self, wanted: &Wanted) -> Result<CachePruneReport> {
        let pruned = self.store.builds().prune(wanted)?;
        self.store.compact();
        let reclaimed = BTreeMap::from([("reclaimed".to_owned(), pruned.reclaimed.to_string())]);
        self.events.publish(Kind::Builder, "prune", "", reclaimed);
        let deleted: Vec<String> = pruned.removed.iter().map(id).collect();
        Ok(CachePruneReport {
            caches_deleted: Some(deleted).filter(|deleted| !deleted.is_empty()),
            space_reclaimed: pruned.reclaimed,
        })
    }
}

/// What a prune's filters mean.
pub fn wanted(filters: &Filters, all: bool, keep: u64) -> Result<Wanted> {
    if let Some(unknown) = filters.unknown(&KNOWN) {
        return Err(Error::invalid(format!(
            "failed to prune build cache: invalid filter '{unknown}'"
        )));
    }
    let texts = |name: &str| filters.get(name).map(str::to_owned).collect();
    let flag = |name: &str| {
        filters
            .boolean(name)
            .map_err(|error| Error::invalid(format!("failed to prune build cache: {}", error.0)))
    };
    let mut unused = Filters::default();
    for name in ["until", "unused-for"] {
        filters.get(name).for_each(|value| unused.add("until", value));
    }
    Ok(Wanted {
        all,
        unused_since: until::single(&unused)?,
        ids: texts("id"),
        parents: texts("parent"),
        kinds: texts("type"),
        descriptions: texts("description"),
        in_use: flag("inuse")?,
        shared: match flag("private")? {
            Some(private) => Some(!private),
            None => flag("shared")?,
        },
        keep,
    })
}

/// What goes by itself, as the engine's configuration says.
///
/// # Errors
/// What cannot be understood, by its key.
pub fn gc_policy(gc: &Gc) -> Result<Policy, String> {
    if gc.enabled == Some(false) {
        return Ok(Policy::Nothing);
    }
    let keep = size("builder.gc.defaultKeepStorage", &gc.default_keep_storage)?;
    if gc.policy.is_empty() {
        return Ok(Policy::Worth(keep));
    }
    gc.policy.iter().map(|rule| gc_rule(rule, keep)).collect::<Result<_, _>>().map(Policy::Rules)
}

fn gc_rule(rule: &GcRule, default: Option<u64>) -> Result<Rule, String> {
    let invalid = |why: String| format!("invalid builder.gc.policy: {why}");
    let mut filters = Filters::default();
    let mut unused_for = None;
    for filter in &rule.filter {
        match filter.split_once('=') {
            Some(("unused-for" | "until", value)) => {
                let nanoseconds = until::duration(value).filter(|idle| *idle >= 0);
                let idle = nanoseconds.ok_or_else(|| invalid(format!("bad filter {filter:?}")))?;
                unused_for = Some(SignedDuration::from_nanos(idle));
            }
            Some((name, value)) => filters.add(name, value),
            None => return Err(invalid(format!("bad filter {filter:?}: name=value is expected"))),
        }
    }
    let keep = size("builder.gc.policy.keepStorage", &rule.keep_storage)?.or(default);
    let wanted = wanted(&filters, rule.all, keep.unwrap_or(0));
    Ok(Rule { wanted: wanted.map_err(|error| invalid(error.to_string()))?, unused_for })
}

/// None where nothing is said.
fn size(key: &str, text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = parse_size(text).and_then(|bytes| u64::try_from(bytes).ok());
    bytes.map(Some).ok_or_else(|| format!("invalid {key}: invalid size: '{text}'"))
}

fn record(listed: &Listed) -> CacheRecord {
    let record = &listed.record;
    CacheRecord {
        id: id(&record.key),
        parents: record.parents.iter().map(id).collect(),
        kind: record.kind.clone(),
        description: record.description.clone(),
        in_use: listed.in_use,
        shared: listed.shared,
        size: i64::try_from(listed.size).unwrap_or(i64::MAX),
        created_at: record.created.to_string(),
        last_used_at: listed.last_used.map(|time| time.to_string()),
        usage_count: i64::try_from(listed.uses).unwrap_or(i64::MAX),
    }
}

fn id(key: &Digest) -> String {
    key.hex()[..ID].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dockerd_s_rules_mean() {
        let policy = |text: &str| gc_policy(&serde_json::from_str(text).unwrap());
        assert_eq!(policy("{}"), Ok(Policy::Worth(None)));
        assert_eq!(policy(r#"{"enabled":false,"defaultKeepStorage":"1GB"}"#), Ok(Policy::Nothing));
        let limit = policy(r#"{"enabled":true,"defaultKeepStorage":"20GB"}"#);
        assert_eq!(limit, Ok(Policy::Worth(Some(20 << 30))));
        let rules = r#"{"defaultKeepStorage":"2gb","policy":[
            {"keepStorage":"512MB","filter":["unused-for=48h","type=source.local"]},{"all":true}]}"#;
        let Ok(Policy::Rules(rules)) = policy(rules) else { panic!("rules") };
        assert_eq!(rules[0].unused_for, Some(SignedDuration::from_hours(48)));
        assert_eq!(
            (rules[0].wanted.keep, &*rules[0].wanted.kinds),
            (512 << 20, &["source.local".to_owned()][..])
        );
        assert!(
            rules[1].wanted.all && rules[1].wanted.keep == 2 << 30 && rules[1].unused_for.is_none()
        );
        for (wrong, said) in [
            (
                r#"{"defaultKeepStorage":"x"}"#,
                "invalid builder.gc.defaultKeepStorage: invalid size: 'x'",
            ),
            (
                r#"{"policy":[{"filter":["x"]}]}"#,
                "invalid builder.gc.policy: bad filter \"x\": name=value is expected",
            ),
            (
                r#"{"policy":[{"filter":["unused-for=x"]}]}"#,
                "invalid builder.gc.policy: bad filter \"unused-for=x\"",
            ),
            (
                r#"{"policy":[{"filter":["a=x"]}]}"#,
                "invalid builder.gc.policy: failed to prune build cache: invalid filter 'a'",
            ),
        ] {
            assert_eq!(policy(wrong).unwrap_err(), said);
        }
    }

    #[test]
    fn filters_say_what_goes() {
        let filters = |text: &str| Filters::parse(text).unwrap();
        let text = r#"{"type":["regular"],"id":["abc"],"until":["24h"],"private":["true"]}"#;
        let found = wanted(&filters(text), true, 5).unwrap();
        assert_eq!((found.all, found.keep, found.shared), (true, 5, Some(false)));
        assert_eq!((found.kinds, found.ids), (vec!["regular".to_owned()], vec!["abc".to_owned()]));
        assert!(found.unused_since.is_some());
        let said = wanted(&filters(r#"{"bad":["x"]}"#), false, 0).unwrap_err().to_string();
        assert_eq!(said, "failed to prune build cache: invalid filter 'bad'");
        assert!(wanted(&filters(r#"{"inuse":["x"]}"#), false, 0).is_err());
        let labels = wanted(&filters(r#"{"label":["x"],"label!":["y"]}"#), false, 0).unwrap();
        assert_eq!(labels, wanted(&Filters::default(), false, 0).unwrap());
    }
}
