//! What Docker's clients may ask for and this engine does not do yet: refused in Docker's words where Docker has
//! some, by name elsewhere, so that nobody is told that there is no such page.

use serde_json::json;

use super::{Call, Response, Router};
use crate::error::{Error, Kind, NOT_A_MANAGER, Result};

/// Of swarm objects, each with list, create and what concerns one of them.
const SWARM: [[&str; 3]; 6] = [
    ["/swarm", "/swarm/update", "/swarm/{name}"],
    ["/nodes", "/nodes/create", "/nodes/{name}"],
    ["/services", "/services/create", "/services/{name}"],
    ["/tasks", "/tasks/create", "/tasks/{name}"],
    ["/secrets", "/secrets/create", "/secrets/{name}"],
    ["/configs", "/configs/create", "/configs/{name}"],
];

pub fn routes(router: &mut Router) {
    router.post("/swarm/init", |_| refuse("form a swarm"));
    router.post("/swarm/join", |_| refuse("join a swarm"));
    router.post("/swarm/leave", |_| async {
        Err(Error::new(Kind::Unavailable, "This node is not part of a swarm"))
    });
    for path in SWARM.into_iter().flatten() {
        router.get(path, not_a_manager);
        router.post(path, not_a_manager);
        router.delete(path, not_a_manager);
    }
    router.get("/plugins", |_| async { Ok(super::json::json(&json!([]))) });
    router.get("/plugins/privileges", |_| refuse("install plugins"));
    router.get("/plugins/{name}/json", no_such_plugin);
    router.delete("/plugins/{name}", no_such_plugin);
    router.post("/plugins/{name}", |_| refuse("install plugins"));
    router.post("/session", |_| no_buildkit());
    router.post("/grpc", |_| no_buildkit());
}

async fn not_a_manager(_: Call) -> Result<Response> {
    Err(Error::new(Kind::Unavailable, NOT_A_MANAGER))
}

async fn no_such_plugin(call: Call) -> Result<Response> {
    Err(Error::not_found(format!("plugin \"{}\" not found", call.name)))
}

async fn no_buildkit() -> Result<Response> {
    Err(Error::not_implemented(
        "this engine has no BuildKit inside: use gantry build, or docker build with DOCKER_BUILDKIT=0",
    ))
}

async fn refuse(what: &str) -> Result<Response> {
    Err(Error::not_implemented(format!("this engine does not {what} yet")))
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use crate::http::routes;

    #[test]
    fn what_comes_later_is_known_by_name() {
        let router = routes();
        for (method, path) in [
            (Method::GET, "/swarm"),
            (Method::GET, "/swarm/unlockkey"),
            (Method::POST, "/services/create"),
            (Method::POST, "/services/x/update"),
            (Method::DELETE, "/secrets/x"),
            (Method::GET, "/plugins"),
            (Method::POST, "/plugins/x/enable"),
            (Method::POST, "/session"),
            (Method::GET, "/distribution/a/b/json"),
        ] {
            assert!(router.find(&method, path).is_some(), "{method} {path}");
        }
    }
}
