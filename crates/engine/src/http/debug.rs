//! GET /debug/vars, with `--debug` only, as with dockerd: what the process is made of. There are no goroutines to dump.

use serde_json::json;
use tokio::runtime::Handle;

use super::json::json;
use super::{Call, Response, Router};
use crate::error::{Error, Result, blocking};
use crate::system::Usage;

pub fn routes(router: &mut Router) {
    router.get("/debug/vars", vars);
}

async fn vars(call: Call) -> Result<Response> {
    if !call.engine.system.config().debug {
        return Err(Error::not_found("page not found"));
    }
    let runtime = Handle::current().metrics();
    let engine = call.engine;
    blocking(move || {
        let usage = Usage::read();
        let containers = engine.containers.counts();
        Ok(json(&json!({
            "cmdline": std::env::args().collect::<Vec<_>>(),
            "version": env!("CARGO_PKG_VERSION"),
            "memory": {
                "resident": usage.resident,
                "proportional": usage.proportional(),
                "anonymous": usage.anonymous,
            },
            "cpuSeconds": usage.cpu_seconds,
            "started": usage.started,
            "threads": usage.threads,
            "descriptors": usage.descriptors,
            "workers": runtime.num_workers(),
            "tasks": runtime.num_alive_tasks(),
            "queuedTasks": runtime.global_queue_depth(),
            "events": engine.events.newest(),
            "eventListeners": engine.events.listeners(),
            "containers": {
                "running": containers.running,
                "paused": containers.paused,
                "stopped": containers.stopped,
            },
        })))
    })
    .await
}
