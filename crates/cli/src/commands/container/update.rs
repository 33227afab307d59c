//! `gantry container update`: other limits while it runs.

use api::containers::{Resources, UpdateRequest};

use super::options::{published_ports, restart_policy};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, for_each};
use crate::flags::{self, Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[
    Flag::int("blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable")
        .type_name("uint16")
        .default("0"),
    Flag::int("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag::int("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag::int("cpu-rt-period", "Limit the CPU real-time period in microseconds"),
    Flag::int("cpu-rt-runtime", "Limit the CPU real-time runtime in microseconds"),
    Flag::int("cpu-shares", "CPU shares (relative weight)").short('c'),
    Flag::string("cpus", "Number of CPUs").type_name("decimal").check(check_cpus),
    Flag::string("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    Flag::string("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    Flag::bytes("kernel-memory", "Kernel memory limit (deprecated)").hidden(),
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes("memory-reservation", "Memory soft limit"),
    Flag::bytes_or_unlimited(
        "memory-swap",
        "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
    ),
    Flag::int("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
    Flag::list("publish-add", "Publish a port on the host beside those that are"),
    Flag::list("publish-rm", "Do not publish a port any more"),
    Flag::string("restart", "Restart policy to apply when a container exits"),
];

pub(crate) const COMMAND: Command = Command {
    name: "update",
    aliases: &[],
    paths: &["container update", "update"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Update configuration of one or more containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

fn check_cpus(text: &str) -> Result<(), String> {
    flags::nano_cpus(text).map(drop)
}

async fn run(context: &Context, parsed: &Parsed) -> Done {
    if !FLAGS.iter().any(|flag| parsed.is_set(flag.long)) {
        return Err(Failure::new("you must provide one or more flags when using this command"));
    }
    let request = request(parsed)?;
    let client = context.connect().await?;
    for_each(&parsed.args, async |id| {
        let answer = client.container_update(id, &request).await?;
        say(id)?;
        answer.warnings.iter().flatten().try_for_each(say)
    })
    .await?;
    Ok(0)
}

fn request(parsed: &Parsed) -> Result<UpdateRequest, String> {
    let size = |flag| match parsed.is_set(flag) {
        true => flags::bytes_or_unlimited(parsed.str(flag)),
        false => Ok(0),
    };
    let nano_cpus = if parsed.is_set("cpus") { flags::nano_cpus(parsed.str("cpus"))? } else { 0 };
    let resources = Resources {
        blkio_weight: parsed.int("blkio-weight").try_into().unwrap_or_default(),
        cpu_period: parsed.int("cpu-period"),
        cpu_quota: parsed.int("cpu-quota"),
        cpu_realtime_period: parsed.int("cpu-rt-period"),
        cpu_realtime_runtime: parsed.int("cpu-rt-runtime"),
        cpu_shares: parsed.int("cpu-shares"),
        nano_cpus,
        cpuset_cpus: parsed.string("cpuset-cpus"),
        cpuset_mems: parsed.string("cpuset-mems"),
        memory: size("memory")?,
        memory_reservation: size("memory-reservation")?,
        memory_swap: size("memory-swap")?,
        pids_limit: parsed.int_if_set("pids-limit"),
        ..Resources::default()
    };
    let ports = |flag| match parsed.list(flag) {
        words if words.is_empty() => Ok(None),
        words => published_ports(&words).map(Some),
    };
    Ok(UpdateRequest {
        resources,
        restart_policy: restart_policy(parsed.str("restart"))?,
        publish_add: ports("publish-add")?,
        publish_remove: ports("publish-rm")?,
    })
}
