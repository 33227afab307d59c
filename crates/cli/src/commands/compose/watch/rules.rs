//! What is to be done for which changes. Pure but for `.dockerignore`, which is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use builder::ignore::Ignore;
use compose::model::{Hook, Service, Watch, WatchAction};

use crate::error::{Failure, Result};

pub(super) struct Rule {
    service: String,
    pub(super) path: PathBuf,
    action: WatchAction,
    target: String,
    exec: Option<Hook>,
    ignore: Ignore,
    /// What alone is meant, where that is said.
    include: Option<Ignore>,
    /// A build's context, and what it leaves out.
    context: Option<(PathBuf, Ignore)>,
    initial_sync: bool,
}

/// What changes come to, each service by its name. One that is built anew needs nothing else.
#[derive(Default)]
pub(super) struct Work {
    pub(super) rebuild: BTreeSet<String>,
    /// Files here, and where they go.
    pub(super) sync: BTreeMap<String, BTreeMap<PathBuf, String>>,
    pub(super) restart: BTreeSet<String>,
    pub(super) exec: Vec<(String, Hook)>,
}

impl Rule {
    pub(super) fn of(service: &Service, said: &Watch) -> Result<Self> {
        let refuse = |why: &str| Err(Failure::new(format!("service {}: {why}", service.name)));
        if said.action.syncs() && said.target.is_empty() {
            return refuse("a watch rule that syncs needs a target");
        }
        if said.action == WatchAction::Rebuild && service.build.is_none() {
            return refuse("can't watch for rebuilds without a build context");
        }
        if said.action == WatchAction::SyncExec && said.exec.is_none() {
            return refuse("a watch rule of action sync+exec needs an exec");
        }
        let include = match said.include.is_empty() {
            true => None,
            false => Some(Ignore::parse(&said.include.join("\n"))?),
        };
        let folder = service.build.as_ref().map(|build| PathBuf::from(&build.context));
        let context = match folder.filter(|folder| folder.is_dir()) {
            Some(folder) => {
                let text = std::fs::read_to_string(folder.join(".dockerignore"));
                Some((folder, Ignore::parse(&text.unwrap_or_default())?))
            }
            None => None,
        };
        Ok(Self {
            service: service.name.clone(),
            path: PathBuf::from(&said.path),
            action: said.action,
            target: said.target.clone(),
            exec: said.exec.clone(),
            ignore: Ignore::parse(&said.ignore.join("\n"))?,
            include,
            context,
            initial_sync: said.initial_sync,
        })
    }

    fn concerns(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.path) else { return false };
        if is_hidden(below) {
            return false;
        }
        let below = below.to_string_lossy();
        let left_out = |(context, ignore): &(PathBuf, Ignore)| {
            path.strip_prefix(context).is_ok_and(|path| ignore.is_ignored(&path.to_string_lossy()))
        };
        !self.ignore.is_ignored(&below)
            && self.include.as_ref().is_none_or(|include| include.is_ignored(&below))
            && !self.context.as_ref().is_some_and(left_out)
    }

    /// Where a file goes: a rule of one file names the file.
    fn goes_to(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.path).unwrap_or(path);
        let target = self.target.trim_end_matches('/');
        match below.as_os_str().is_empty() {
            true => target.to_owned(),
            false => format!("{target}/{}", below.to_string_lossy()),
        }
    }
}

/// What tools keep for themselves: repositories, and editors' files that come and go with each save.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.iter().any(|part| {
        let name = part.to_string_lossy();
        name == ".git"
            || name == "4913"
            || name.ends_with('~')
            || name.starts_with(".#")
            || (name.starts_with('#') && name.ends_with('#'))
            || (name.starts_with('.') && (name.ends_with(".swp") || name.ends_with(".swx")))
            || name.ends_with("___jb_tmp___")
            || name.ends_with("___jb_old___")
            || name.starts_with(".goutputstream-")
    })
}

pub(super) fn work(rules: &[Rule], changed: &BTreeSet<PathBuf>) -> Work {
    let mut work = Work::default();
    for rule in rules {
        let files: Vec<&PathBuf> = changed.iter().filter(|path| rule.concerns(path)).collect();
        if files.is_empty() {
            continue;
        }
        if rule.action.syncs() {
            let goes = files.into_iter().map(|path| (path.clone(), rule.goes_to(path)));
            work.sync.entry(rule.service.clone()).or_default().extend(goes);
        }
        match rule.action {
            WatchAction::Sync => {}
            WatchAction::Rebuild => drop(work.rebuild.insert(rule.service.clone())),
            WatchAction::Restart | WatchAction::SyncRestart => {
                work.restart.insert(rule.service.clone());
            }
            WatchAction::SyncExec => {
                work.exec.extend(rule.exec.clone().map(|hook| (rule.service.clone(), hook)));
            }
        }
    }
    work.sync.retain(|service, _| !work.rebuild.contains(service));
    work.restart.retain(|service| !work.rebuild.contains(service));
    work.exec.retain(|(service, _)| !work.rebuild.contains(service));
    work
}

/// What goes over before anything has changed.
pub(super) fn first(rules: &[Rule], files: impl Fn(&Path) -> Vec<PathBuf>) -> Work {
    let mut work = Work::default();
    for rule in rules.iter().filter(|rule| rule.initial_sync && rule.action.syncs()) {
        let files = files(&rule.path).into_iter().filter(|path| rule.concerns(path));
        let goes = files.map(|path| {
            let target = rule.goes_to(&path);
            (path, target)
        });
        work.sync.entry(rule.service.clone()).or_default().extend(goes);
    }
    work.sync.retain(|_, files| !files.is_empty());
    work
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(service: &str, path: &str, action: WatchAction) -> Rule {
        let said = Watch {
            path: path.to_owned(),
            action,
            target: "/app/".to_owned(),
            ignore: vec!["cache/".to_owned(), "*.log".to_owned()],
            exec: Some(Hook::default()),
            ..Watch::default()
        };
        let build = Some(compose::model::Build::default());
        let service = Service { name: service.to_owned(), build, ..Service::default() };
        Rule::of(&service, &said).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn files_go_where_their_rule_says_but_those_that_it_leaves_out() {
        let rules = [rule("web", "/src", WatchAction::Sync)];
        let changed = paths(&[
            "/src/a/b.py",
            "/src/cache/x",
            "/src/y.log",
            "/src/.git/HEAD",
            "/src/a.py~",
            "/other",
        ]);
        let work = work(&rules, &changed);
        let expected = BTreeMap::from([(PathBuf::from("/src/a/b.py"), "/app/a/b.py".to_owned())]);
        assert_eq!(work.sync["web"], expected);
        let file = rule("web", "/src/a.py", WatchAction::Sync);
        assert_eq!(file.goes_to(Path::new("/src/a.py")), "/app");
    }

    #[test]
    fn a_service_that_is_built_anew_needs_nothing_else() {
        let rules = [
            rule("web", "/src", WatchAction::SyncRestart),
            rule("web", "/src/requirements.txt", WatchAction::Rebuild),
            rule("other", "/src", WatchAction::SyncExec),
        ];
        let work = work(&rules, &paths(&["/src/requirements.txt", "/src/a"]));
        assert_eq!(work.rebuild.iter().collect::<Vec<_>>(), ["web"]);
        assert_eq!(work.sync.keys().collect::<Vec<_>>(), ["other"]);
        assert!(work.restart.is_empty());
        assert_eq!(work.exec.len(), 1);
    }

    #[test]
    fn what_is_included_is_all_there_is() {
        let mut rule = rule("web", "/src", WatchAction::Sync);
        rule.include = Ignore::parse("*.py").ok();
        assert!(rule.concerns(Path::new("/src/a.py")) && !rule.concerns(Path::new("/src/a.txt")));
    }
}
