//! From method and path to handler.
//!
//! Docker's routes have at most one variable, which may hold slashes and stand in mid path
//! (`/images/{name:.*}/json`), so a pattern is either a whole path or what stands before and after the variable.
//! Whole paths win over patterns with a variable; among those the first that was added wins.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use hyper::Method;

use super::{Call, Response};
use crate::error::Result;
use crate::metrics::Action;

type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;
type Handler = Box<dyn Fn(Call) -> Answer + Send + Sync>;

/// What becomes of a request whose client goes away before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is dropped: reading, waiting.
    Cancel,
    /// It is carried out: creating, starting, removing.
    Finish,
}

pub struct Route {
    pub on_disconnect: OnDisconnect,
    /// What it is counted as.
    pub action: Option<Action>,
    pub handler: Handler,
}

#[derive(Default)]
pub struct Router {
    exact: HashMap<&'static str, Vec<(Method, Route)>>,
    patterns: Vec<Pattern>,
}

struct Pattern {
    method: Method,
    before: &'static str,
    after: &'static str,
    route: Route,
}

impl Router {
    /// `{name}` in `path` stands for the variable.
    pub fn add<F>(
        &mut self,
        method: Method,
        path: &'static str,
        on_disconnect: OnDisconnect,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let handler: Handler = Box::new(move |call| Box::pin(handler(call)));
        let route = Route { on_disconnect, action: action(&method, path), handler };
        match path.split_once("{name}") {
            Some((before, after)) => {
                self.patterns.push(Pattern { method, before, after, route });
            }
            None => {
                self.exact.entry(path).or_default().push((method, route));
            }
        }
    }

    pub fn get<F>(
        &mut self,
        path: &'static str,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.add(Method::GET, path, OnDisconnect::Cancel, handler);
    }

    pub fn post<F>(
        &mut self,
        path: &'static str,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.add(Method::POST, path, OnDisconnect::Finish, handler);
    }

    pub fn put<F>(
        &mut self,
        path: &'static str,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.add(Method::PUT, path, OnDisconnect::Finish, handler);
    }

    pub fn delete<F>(
        &mut self,
        path: &'static str,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.add(Method::DELETE, path, OnDisconnect::Finish, handler);
    }

    /// The route for a decoded path without its version, and what its variable stands for.
    pub fn find<'a>(&self, method: &Method, path: &'a str) -> Option<(&Route, &'a str)> {
        let methods = self.exact.get(path).map_or(&[][..], Vec::as_slice);
        if let Some((_, route)) = methods.iter().find(|(routed, _)| routed == method) {
            return Some((route, ""));
        }
        self.patterns.iter().filter(|pattern| pattern.method == method).find_map(|pattern| {
            let name = path.strip_prefix(pattern.before)?.strip_suffix(pattern.after)?;
            // Docker's handlers say what is wrong with no name at all, where a path may end so.
            (!name.is_empty() || pattern.after.is_empty()).then_some((&pattern.route, name))
        })
    }
}

fn action(method: &Method, path: &str) -> Option<Action> {
    match (method.as_str(), path) {
        ("GET", "/containers/{name}/changes") => Some(Action::Changes),
        ("POST", "/commit") => Some(Action::Commit),
        ("POST", "/containers/create") => Some(Action::Create),
        ("DELETE", "/containers/{name}") => Some(Action::Delete),
        ("POST", "/containers/{name}/start") => Some(Action::Start),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;

    /// What the engine's own table makes of a request: the variable, or that there is no such page.
    fn find<'a>(router: &Router, method: &Method, path: &'a str) -> Option<&'a str> {
        router.find(method, path).map(|(_, name)| name)
    }

    #[test]
    fn a_variable_may_hold_slashes_in_mid_path() {
        let mut router = Router::default();
        router.get("/images/json", |_| async { Err(crate::error::Error::invalid("list")) });
        router.get("/images/{name}/json", |_| async { Err(crate::error::Error::invalid("one")) });
        router.delete("/images/{name}", |_| async { Err(crate::error::Error::invalid("remove")) });
        let get = |path| find(&router, &Method::GET, path);
        assert_eq!(get("/images/json"), Some(""));
        assert_eq!(get("/images/a/json"), Some("a"));
        assert_eq!(get("/images/host:5000/a/b:1/json"), Some("host:5000/a/b:1"));
        assert_eq!(get("/images//json"), None);
        assert_eq!(get("/images/a"), None);
        assert_eq!(find(&router, &Method::DELETE, "/images/"), Some(""));
        assert_eq!(find(&router, &Method::DELETE, "/images/a/b"), Some("a/b"));
        assert_eq!(find(&router, &Method::POST, "/images/json"), None);
    }

    #[test]
    fn the_engines_table_is_consistent() {
        let router = routes();
        assert_eq!(find(&router, &Method::HEAD, "/_ping"), Some(""));
        assert_eq!(find(&router, &Method::GET, "/nope"), None);
        let counted = router.patterns.iter().map(|pattern| &pattern.route);
        let counted = counted.chain(router.exact.values().flatten().map(|(_, route)| route));
        assert_eq!(counted.filter(|route| route.action.is_some()).count(), 5);
    }
}
