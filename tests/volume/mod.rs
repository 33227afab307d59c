//! Volumes, by verb.

mod clone;
mod create;
mod export;
mod import;
mod interrupted;
mod ls;
mod mounts;
mod prune;
mod rename;
mod restore;
mod rm;
mod snapshot;

use testkit::engine::Engine;

/// What a shell in a new container with the volume at /v prints.
#[track_caller]
fn sh(engine: &Engine, volume: &str, script: &str) -> String {
    let mount = format!("{volume}:/v");
    engine
        .gantry(&["run", "--rm", "--network", "none", "-v", &mount, "busybox", "sh", "-c", script])
        .ok()
}

fn names(engine: &Engine) -> Vec<String> {
    engine.gantry(&["volume", "ls", "-q"]).ok().lines().map(str::to_owned).collect()
}
