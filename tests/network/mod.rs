//! Networks and published ports.

mod connect;
mod create;
mod disconnect;
mod dns;
mod echo;
mod firewalld;
mod guest;
pub(crate) mod kernel;
mod links;
mod ls;
mod macvlan;
mod policy;
mod prune;
mod publish;
mod recovery;
mod rm;
mod scale;
mod ufw;
mod why;

use testkit::engine::Engine;

/// What a command in the container prints.
#[track_caller]
fn exec(engine: &Engine, container: &str, command: &[&str]) -> String {
    engine.gantry(&[&["exec", container], command].concat()).ok()
}

/// A container that waits, on these networks.
#[track_caller]
fn run(engine: &Engine, name: &str, flags: &[&str]) {
    let fixed = ["run", "-d", "--name", name];
    engine.gantry(&[&fixed, flags, &["busybox", "sleep", "1000"]].concat()).ok();
}

/// Of the container on the network: `{{.IPAddress}}` and so on.
#[track_caller]
fn endpoint(engine: &Engine, container: &str, network: &str, template: &str) -> String {
    let format =
        format!("{{{{with index .NetworkSettings.Networks {network:?}}}}}{template}{{{{end}}}}");
    engine.gantry(&["inspect", "-f", &format, container]).ok()
}

/// The names of the networks that somebody made.
fn custom(engine: &Engine) -> Vec<String> {
    let list = ["network", "ls", "--filter", "type=custom", "--format", "{{.Name}}"];
    engine.gantry(&list).ok().lines().map(str::to_owned).collect()
}
