//! Attributes whose texts are numbers or truths.

use crate::path::Path;
use crate::yaml::Value;

#[derive(Clone, Copy)]
enum Type {
    Int,
    Int64,
    Float,
    Bool,
}

/// `*` is one key, `[]` an item.
const TYPES: &[(&str, Type)] = &[
    ("services.*.configs.[].mode", Type::Int),
    ("services.*.cpu_count", Type::Int64),
    ("services.*.cpu_percent", Type::Float),
    ("services.*.cpu_period", Type::Int64),
    ("services.*.cpu_quota", Type::Int64),
    ("services.*.cpu_rt_period", Type::Int64),
    ("services.*.cpu_rt_runtime", Type::Int64),
    ("services.*.cpus", Type::Float),
    ("services.*.cpu_shares", Type::Int64),
    ("services.*.init", Type::Bool),
    ("services.*.deploy.replicas", Type::Int),
    ("services.*.deploy.update_config.parallelism", Type::Int),
    ("services.*.deploy.update_config.max_failure_ratio", Type::Float),
    ("services.*.deploy.rollback_config.parallelism", Type::Int),
    ("services.*.deploy.rollback_config.max_failure_ratio", Type::Float),
    ("services.*.deploy.restart_policy.max_attempts", Type::Int),
    ("services.*.deploy.placement.max_replicas_per_node", Type::Int),
    ("services.*.healthcheck.retries", Type::Int),
    ("services.*.healthcheck.disable", Type::Bool),
    ("services.*.oom_kill_disable", Type::Bool),
    ("services.*.oom_score_adj", Type::Int64),
    ("services.*.pids_limit", Type::Int64),
    ("services.*.ports.[].target", Type::Int),
    ("services.*.privileged", Type::Bool),
    ("services.*.read_only", Type::Bool),
    ("services.*.scale", Type::Int),
    ("services.*.secrets.[].mode", Type::Int),
    ("services.*.stdin_open", Type::Bool),
    ("services.*.tty", Type::Bool),
    ("services.*.ulimits.*", Type::Int),
    ("services.*.ulimits.*.hard", Type::Int),
    ("services.*.ulimits.*.soft", Type::Int),
    ("services.*.volumes.[].read_only", Type::Bool),
    ("services.*.volumes.[].volume.nocopy", Type::Bool),
    ("networks.*.external", Type::Bool),
    ("networks.*.internal", Type::Bool),
    ("networks.*.attachable", Type::Bool),
    ("networks.*.enable_ipv4", Type::Bool),
    ("networks.*.enable_ipv6", Type::Bool),
    ("volumes.*.external", Type::Bool),
    ("secrets.*.external", Type::Bool),
    ("configs.*.external", Type::Bool),
];

pub(super) fn cast(path: &Path, text: String) -> Result<Value, String> {
    let wanted = TYPES.iter().find(|(pattern, _)| path.matches(pattern)).map(|(_, wanted)| wanted);
    match wanted {
        None => Ok(Value::Text(text)),
        Some(Type::Int) => integer(&text, "Atoi"),
        Some(Type::Int64) => integer(&text, "ParseInt"),
        Some(Type::Float) => {
            let number = text.parse().map(Value::Float);
            number.map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }
        Some(Type::Bool) => truth(&text),
    }
}

fn integer(text: &str, function: &str) -> Result<Value, String> {
    let number = text.parse::<i64>().map(|number| Value::Int(number.into()));
    number.map_err(|why| {
        let what = match why.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        };
        format!("strconv.{function}: parsing {text:?}: {what}")
    })
}

/// The truths of YAML 1.1.
fn truth(text: &str) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Ok(Value::Bool(true)),
        "false" | "n" | "no" | "off" => Ok(Value::Bool(false)),
        _ => Err(format!("invalid boolean: {text}")),
    }
}
