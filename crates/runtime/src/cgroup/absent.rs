//! No cgroup: the user has none that containers could be put into. They run without, and whoever wants a limit is told
//! which one it is that cannot be had.

use oci::runtime::Resources;
use serde::Serialize;
use serde_json::Value;

use super::{Error, Result};

/// Rules for devices need no cgroup here: whoever has none has no more devices than the user.
pub(super) fn refuse_limits(resources: &Resources) -> Result<()> {
    let limits: [(_, &dyn Limit); 8] = [
        ("memory", &resources.memory),
        ("cpu", &resources.cpu),
        ("pids", &resources.pids),
        ("io", &resources.block_io),
        ("hugetlb", &resources.hugepage_limits),
        ("network", &resources.network),
        ("rdma", &resources.rdma),
        ("unified", &resources.unified),
    ];
    match limits.into_iter().find(|(_, limit)| limit.limits()) {
        Some((controller, _)) => Err(Error::NotDelegated(controller)),
        None => Ok(()),
    }
}

trait Limit {
    fn limits(&self) -> bool;
}

impl<T: Serialize> Limit for T {
    /// Zero, false and -1 stand for "as it is" everywhere in the specification.
    fn limits(&self) -> bool {
        serde_json::to_value(self).is_ok_and(|value| says_something(&value))
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::String(_) => true,
        Value::Number(number) => !matches!(number.as_i64(), Some(0 | -1)),
        Value::Array(values) => values.iter().any(says_something),
        Value::Object(fields) => fields.values().any(says_something),
    }
}

#[cfg(test)]
mod tests {
    use oci::runtime::{Memory, Pids};

    use super::*;

    #[test]
    fn only_what_limits_nothing_passes() {
        let harmless = Resources {
            devices: vec![oci::runtime::DeviceRule::default()],
            memory: Some(Memory { disable_oom_killer: Some(false), ..Memory::default() }),
            pids: Some(Pids { limit: Some(-1) }),
            ..Resources::default()
        };
        refuse_limits(&harmless).unwrap();
        let memory = Memory { limit: Some(1 << 20), ..Memory::default() };
        let limited = Resources { memory: Some(memory), ..Resources::default() };
        let refusal = refuse_limits(&limited).unwrap_err().to_string();
        assert!(refusal.contains("controller memory"), "{refusal}");
    }
}
