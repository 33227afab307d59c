//! `gantry container port`: where its ports are published.

use api::networks::PortMap;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::Parsed;
use crate::output::print;

pub(crate) const COMMAND: Command = Command {
    name: "port",
    aliases: &[],
    paths: &["container port", "port"],
    usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
    about: "List port mappings or a specific mapping for the container",
    flags: &[],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let container = client.container_inspect(parsed.arg(0)).await?;
    let ports = container.network_settings.ports.unwrap_or_default();
    let lines = match parsed.args.get(1) {
        Some(port) => one(&ports, port, parsed.arg(0))?,
        None => all(&ports),
    };
    print(lines.concat())?;
    Ok(0)
}

fn one(ports: &PortMap, wanted: &str, container: &str) -> Result<Vec<String>> {
    let (port, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let number = api::ports::uint16(port)
        .map_err(|why| Failure::new(format!("Error: invalid port ({port}): {why}")))?;
    match ports.get(&format!("{number}/{protocol}")) {
        Some(Some(bindings)) => Ok(bindings
            .iter()
            .map(|b| format!("{}\n", address(&b.host_ip, &b.host_port)))
            .collect()),
        _ => {
            Err(Failure::new(format!("Error: No public port '{wanted}' published for {container}")))
        }
    }
}

fn all(ports: &PortMap) -> Vec<String> {
    let published = ports.iter().flat_map(|(port, bindings)| {
        bindings.iter().flatten().map(move |b| (port, address(&b.host_ip, &b.host_port)))
    });
    published.map(|(port, address)| format!("{port} -> {address}\n")).collect()
}

fn address(ip: &str, port: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}
