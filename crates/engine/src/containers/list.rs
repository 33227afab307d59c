//! `ps`: containers that match, newest first.

use std::collections::HashMap;
use std::sync::Arc;

use api::Filters;
use api::containers::{
    HealthSummary, Port, Status, Summary, SummaryHostConfig, SummaryNetworkSettings,
};
use jiff::Timestamp;

use super::disk::{Disk, Sizes};
use super::health;
use super::index::Handle;
use super::ports::{PortFilter, listed};
use super::record::Record;
use super::state::is_up;
use super::{Containers, Shared, inspect, timestamp};
use crate::error::{Error, Result};
use crate::name_filter::NameFilter;

pub const FILTERS: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Also those that do not run.
    pub all: bool,
    /// So many of the newest, running or not.
    pub limit: Option<usize>,
    pub size: bool,
}

impl Containers {
    pub async fn list(&self, options: Options, filters: &Filters) -> Result<Vec<Summary>> {
        let query = Query::new(self, options, filters).await?;
        let mut records: Vec<Arc<Record>> = self
            .0
            .index
            .all()
            .iter()
            .map(Handle::record)
            .filter(|record| query.matches(record))
            .collect();
        records.sort_by(|a, b| b.created.cmp(&a.created));
        records.truncate(options.limit.unwrap_or(usize::MAX));
        let now = Timestamp::now();
        let mut summaries = Vec::with_capacity(records.len());
        let mut images = ShownImages::new(&self.0.disk);
        for record in records {
            let mut summary = summary(&record, &self.0, now);
            summary.image = images.of(&record);
            if options.size {
                // One that is being removed has no size.
                self.0.disk.sizes(&record.id).await.unwrap_or_default().show(&mut summary);
            }
            summaries.push(summary);
        }
        Ok(summaries)
    }

    /// All of them with their sizes; blocks.
    pub fn disk_usage(&self) -> Result<Vec<Summary>> {
        let now = Timestamp::now();
        let mut images = ShownImages::new(&self.0.disk);
        let sized = |handle: Handle| {
            let record = handle.record();
            let mut summary = summary(&record, &self.0, now);
            summary.image = images.of(&record);
            self.0.disk.sizes_now(&record.id).unwrap_or_default().show(&mut summary);
            summary
        };
        Ok(self.0.index.all().into_iter().map(sized).collect())
    }
}

/// What images are called in one list: each name is looked up once, however many containers were made from it.
struct ShownImages<'d> {
    disk: &'d Disk,
    ids: HashMap<String, Option<String>>,
}

impl<'d> ShownImages<'d> {
    fn new(disk: &'d Disk) -> Self {
        Self { disk, ids: HashMap::new() }
    }

    /// The reference it was made from, as long as that still names the same image; else the id.
    fn of(&mut self, record: &Record) -> String {
        let name = record.config.image.as_str();
        if !self.ids.contains_key(name) {
            self.ids.insert(name.to_owned(), self.disk.image_id(name).ok());
        }
        match &self.ids[name] {
            Some(id) if *id == record.image => name.to_owned(),
            _ => record.image.clone(),
        }
    }
}

impl Sizes {
    fn show(self, summary: &mut Summary) {
        summary.size_rw = i64::try_from(self.rw).unwrap_or(i64::MAX);
        summary.size_root_fs = i64::try_from(self.root).unwrap_or(i64::MAX);
    }
}

/// The filters, with what they name looked up.
struct Query<'a> {
    filters: &'a Filters,
    names: Option<NameFilter>,
    shared: Arc<Shared>,
    all: bool,
    before: Option<Arc<Record>>,
    since: Option<Arc<Record>>,
    statuses: Vec<Status>,
    exit_codes: Vec<i64>,
    ancestors: Vec<String>,
    expose: PortFilter,
    publish: PortFilter,
}

impl<'a> Query<'a> {
    async fn new(containers: &Containers, options: Options, filters: &'a Filters) -> Result<Self> {
        let named = |filter: &str| -> Result<Option<Arc<Record>>> {
            filters.get(filter).last().map(|name| Ok(containers.find(name)?.record())).transpose()
        };
        for health in filters.get("health") {
            if !matches!(health, "starting" | "healthy" | "unhealthy" | "none") {
                return Err(Error::invalid(format!(
                    "unrecognized filter value for health: {health}"
                )));
            }
        }
        filters.boolean("is-task")?;
        let statuses = filters.get("status").map(status).collect::<Result<Vec<_>>>()?;
        let exit_codes = filters.get("exited").map(exit_code).collect::<Result<Vec<_>>>()?;
        let mut ancestors = Vec::new();
        for ancestor in filters.get("ancestor") {
            ancestors.extend(containers.0.disk.descendants(ancestor).await?);
        }
        let any_state = !statuses.is_empty() || !exit_codes.is_empty();
        Ok(Self {
            filters,
            names: NameFilter::of(filters, "name"),
            shared: containers.0.clone(),
            all: options.all || options.limit.is_some() || any_state,
            before: named("before")?,
            since: named("since")?,
            statuses,
            exit_codes,
            ancestors,
            expose: PortFilter::parse("expose", filters.get("expose"))?,
            publish: PortFilter::parse("publish", filters.get("publish"))?,
        })
    }

    fn matches(&self, record: &Record) -> bool {
        self.matches_state(record)
            && self.matches_identity(record)
            && self.matches_attachments(record)
    }

    fn matches_state(&self, record: &Record) -> bool {
        let status = record.state.status;
        // "Up" includes what is paused.
        let wanted = |wished: &Status| {
            *wished == status || (*wished == Status::Running && status == Status::Paused)
        };
        (self.all || is_up(status))
            && (self.statuses.is_empty() || self.statuses.iter().any(wanted))
            && (self.exit_codes.is_empty()
                || (!is_up(status) && self.exit_codes.contains(&record.state.exit_code)))
    }

    fn matches_identity(&self, record: &Record) -> bool {
        let filters = self.filters;
        any(filters, "id", |id| record.id.starts_with(id))
            && self.names.as_ref().is_none_or(|names| is_called(names, &record.name))
            && filters.labels_match("label", |key| record.label(key))
            && any(filters, "health", |health| health == health_of(record))
            && any(filters, "isolation", |isolation| isolation == "default")
            && any(filters, "is-task", |is| matches!(is, "0" | "false"))
            && (!filters.contains("ancestor") || self.ancestors.contains(&record.image))
            && self.before.as_ref().is_none_or(|before| record.created < before.created)
            && self.since.as_ref().is_none_or(|since| record.created > since.created)
    }

    fn matches_attachments(&self, record: &Record) -> bool {
        any(self.filters, "volume", |volume| {
            record.mounts.iter().filter_map(inspect::mount_point).any(|point| {
                // A name, or the host's side of what has none.
                let source = if point.name.is_empty() { &point.source } else { &point.name };
                source == volume || point.destination == volume
            })
        }) && any(self.filters, "network", |network| {
            inspect::networks(record, &self.shared)
                .iter()
                .any(|(name, endpoint)| name == network || endpoint.network_id.starts_with(network))
        }) && (!self.filters.contains("expose") || self.expose.matches_exposed(record))
            && (!self.filters.contains("publish") || self.publish.matches_published(record))
    }
}

fn any(filters: &Filters, name: &str, matches: impl FnMut(&str) -> bool) -> bool {
    !filters.contains(name) || filters.get(name).any(matches)
}

/// With or without the slash that names have in the API.
fn is_called(names: &NameFilter, name: &str) -> bool {
    names.matches(&format!("/{name}")) || names.matches(name)
}

fn status(text: &str) -> Result<Status> {
    let quoted = serde_json::Value::String(text.to_owned());
    serde_json::from_value(quoted)
        .map_err(|_| Error::invalid(format!("invalid filter 'status={text}'")))
}

fn exit_code(text: &str) -> Result<i64> {
    let why = "strconv.Atoi: parsing";
    text.parse().map_err(|_| {
        Error::invalid(format!("invalid filter 'exited={text}': {why} {text:?}: invalid syntax"))
    })
}

fn summary(record: &Record, shared: &Shared, now: Timestamp) -> Summary {
    Summary {
        id: record.id.clone(),
        names: vec![format!("/{}", record.name)],
        image_id: record.image.clone(),
        command: command(&record.args),
        created: timestamp::unix_seconds(&record.created),
        ports: ports(record),
        labels: Some(record.config.labels.clone().unwrap_or_default()),
        state: record.state.status.as_str().into(),
        status: status_text(record, now),
        host_config: SummaryHostConfig {
            network_mode: record.host_config.network_mode.clone(),
            annotations: record.host_config.annotations.clone(),
        },
        network_settings: Some(SummaryNetworkSettings {
            networks: Some(inspect::networks(record, shared)),
        }),
        mounts: record.mounts.iter().filter_map(inspect::mount_point).collect(),
        health: record.state.health.as_ref().map(|health| HealthSummary {
            status: health.status.as_str().into(),
            failing_streak: health.failing_streak.into(),
        }),
        ..Summary::default()
    }
}

fn health_of(record: &Record) -> &'static str {
    record.state.health.as_ref().map_or("none", |health| health.status.as_str())
}

fn in_words(health: health::Status) -> &'static str {
    match health {
        health::Status::Starting => "health: starting",
        settled => settled.as_str(),
    }
}

/// Words with spaces are quoted, so that one can tell where they end.
fn command(args: &[String]) -> String {
    let (program, arguments) = args.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let quoted = arguments.iter().map(|argument| {
        if argument.contains(' ') { format!("'{argument}'") } else { argument.clone() }
    });
    std::iter::once(program.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// Only while it runs are its ports listed.
fn ports(record: &Record) -> Vec<Port> {
    if is_up(record.state.status) { listed(record) } else { Vec::new() }
}

/// For people: "Up 5 minutes".
fn status_text(record: &Record, now: Timestamp) -> String {
    let state = &record.state;
    let since =
        |text: &str| timestamp::parse(text).map_or_else(String::new, |then| human(now, then));
    match state.status {
        Status::Created => "Created".into(),
        Status::Dead => "Dead".into(),
        Status::Removing => "Removal In Progress".into(),
        Status::Running => match &state.health {
            Some(health) => {
                format!("Up {} ({})", since(&state.started_at), in_words(health.status))
            }
            None => format!("Up {}", since(&state.started_at)),
        },
        Status::Paused => format!("Up {} (Paused)", since(&state.started_at)),
        Status::Restarting => {
            format!("Restarting ({}) {} ago", state.exit_code, since(&state.finished_at))
        }
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, since(&state.finished_at)),
    }
}

/// A duration in the one unit that tells most, as Docker writes it.
fn human(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    let days = hours / 24;
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".into(),
        (.., 2..48) => format!("{hours} hours"),
        (.., 48..336) => format!("{days} days"),
        (.., 336..1440) => format!("{} weeks", days / 7),
        (.., 1440..17520) => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}

/// How many there are in which state, as `info` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// With those that are between two runs.
    pub running: i64,
    pub paused: i64,
    pub stopped: i64,
}

impl Containers {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for container in self.index().all() {
            match container.record().state.status {
                Status::Running | Status::Restarting => counts.running += 1,
                Status::Paused => counts.paused += 1,
                _ => counts.stopped += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn durations_read_as_dockers() {
        let then = Timestamp::UNIX_EPOCH;
        let after = |seconds| human(Timestamp::from_second(seconds).unwrap(), then);
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (150, "2 minutes"),
            (3600, "About an hour"),
            (3 * 3600, "3 hours"),
            (3 * 86400, "3 days"),
            (20 * 86400, "2 weeks"),
            (90 * 86400, "3 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(after(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn commands_show_where_words_end() {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(command(&words(&["sh", "-c", "echo hi"])), "sh -c 'echo hi'");
    }

    #[test]
    fn what_people_read() {
        let mut record = record("ab");
        let now = timestamp::parse("2026-11-21T05:00:00Z").unwrap();
        assert_eq!(status_text(&record, now), "Created");
        record.state.status = Status::Exited;
        record.state.exit_code = 3;
        record.state.finished_at = "2026-11-21T04:59:00Z".into();
        assert_eq!(status_text(&record, now), "Exited (3) About a minute ago");
    }
}
