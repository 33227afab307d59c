//! The order in which an engine brings back what ran before: a container of a Compose project after those of the services
//! that its own depends on, as the labels say that Docker Compose writes. The rest comes up at once.

use std::collections::HashMap;

use tokio::sync::watch;

use super::health;
use super::index::View;
use super::record::Record;
use api::containers::Status;

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// When one that waits goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The other was started, or could not be.
    Started,
    /// Its checks have said something, too. What is unhealthy is waited for no longer: the policy is to bring all back.
    Checked,
}

/// For each of the records which others it waits for. Nobody waits in a circle: whoever would close one does not wait.
pub fn order(records: &[&Record]) -> Vec<Vec<(usize, Until)>> {
    let mut of_service: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        if let (Some(project), Some(service)) = (record.label(PROJECT), record.label(SERVICE)) {
            of_service.entry((project, service)).or_default().push(at);
        }
    }
    let waits = |record: &&Record| {
        let Some(project) = record.label(PROJECT) else { return Vec::new() };
        dependencies(record.label(DEPENDS_ON).unwrap_or_default())
            .flat_map(|(service, until)| {
                let others = of_service.get(&(project, service)).into_iter().flatten();
                others.map(move |other| (*other, until))
            })
            .collect()
    };
    let mut all: Vec<Vec<(usize, Until)>> = records.iter().map(waits).collect();
    cut_circles(&mut all);
    all
}

/// `SERVICE:CONDITION:RESTART`, with commas between. What has to end before is not brought back: nobody waits for it.
fn dependencies(text: &str) -> impl Iterator<Item = (&str, Until)> {
    text.split(',').filter_map(|one| {
        let mut parts = one.split(':');
        let service = parts.next().filter(|service| !service.is_empty())?;
        match parts.next() {
            Some("service_healthy") => Some((service, Until::Checked)),
            Some("service_completed_successfully") => None,
            _ => Some((service, Until::Started)),
        }
    })
}

/// Depth first, without recursion: the labels may be anybody's.
fn cut_circles(waits: &mut [Vec<(usize, Until)>]) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let mut seen = vec![Seen::No; waits.len()];
    let mut next = vec![0; waits.len()];
    for first in 0..waits.len() {
        if seen[first] != Seen::No {
            continue;
        }
        seen[first] = Seen::Open;
        let mut path = vec![first];
        while let Some(&at) = path.last() {
            let Some(&(other, _)) = waits[at].get(next[at]) else {
                seen[at] = Seen::Done;
                path.pop();
                continue;
            };
            match seen[other] {
                Seen::Open => drop(waits[at].remove(next[at])),
                Seen::Done => next[at] += 1,
                Seen::No => {
                    next[at] += 1;
                    seen[other] = Seen::Open;
                    path.push(other);
                }
            }
        }
    }
}

/// Waits for another that is brought back, too. `tried` turns true once that was.
pub async fn wait(until: Until, mut tried: watch::Receiver<bool>, mut view: watch::Receiver<View>) {
    // An error is the other's end, by any way.
    if tried.wait_for(|tried| *tried).await.is_ok() && until == Until::Checked {
        let _ = view.wait_for(|view| view.removed || is_checked(&view.record)).await;
    }
}

fn is_checked(record: &Record) -> bool {
    let health = record.state.health.as_ref();
    record.state.status != Status::Running
        || health.is_none_or(|health| health.status != health::Status::Starting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::record::tests::record;

    fn of(project: &str, service: &str, depends_on: &str) -> Record {
        let mut record = record(service);
        let labels = [(PROJECT, project), (SERVICE, service), (DEPENDS_ON, depends_on)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        record.config.labels = Some(labels.into());
        record
    }

    fn waits(records: &[Record]) -> Vec<Vec<(usize, Until)>> {
        order(&records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn services_wait_for_those_they_depend_on() {
        let all = waits(&[
            of(
                "p",
                "web",
                "db:service_healthy:false,cache:service_started:true,job:service_completed_successfully:false,gone:service_started:false",
            ),
            of("p", "db", ""),
            of("p", "cache", "db:service_started:false"),
            of("p", "db", ""),
            of("p", "job", ""),
            of("other", "web", "db:service_healthy:false"),
            record("plain"),
        ]);
        let (started, checked) = (Until::Started, Until::Checked);
        assert_eq!(all[0], [(1, checked), (3, checked), (2, started)]);
        assert_eq!(all[2], [(1, started), (3, started)]);
        assert!([1, 3, 4, 5, 6].iter().all(|at| all[*at].is_empty()), "{all:?}");
    }

    #[test]
    fn circles_are_cut_once() {
        let on = |service: &str| format!("{service}:service_started:false");
        let all = waits(&[
            of("p", "a", &on("b")),
            of("p", "b", &on("c")),
            of("p", "c", &on("a")),
            of("p", "d", &[on("d"), on("a")].join(",")),
        ]);
        let started = Until::Started;
        let expected = [vec![(1, started)], vec![(2, started)], vec![], vec![(0, started)]];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_labels_say_may_be_anything() {
        let all = waits(&[of("p", "a", ",,:::,a,b:x:y:z,\u{0}"), of("p", "b", "")]);
        assert_eq!(all, [vec![(1, Until::Started)], vec![]]);
    }
}
