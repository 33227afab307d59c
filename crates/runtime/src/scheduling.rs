//! Scheduler, I/O priority and CPU affinity of a process.

use oci::runtime::{IoPriority, Process, Scheduler};
use sys::process::{self, SchedAttr};

use crate::error::{Context, Error, Result};

const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

const IO_CLASSES: [(&str, u8); 3] =
    [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];

/// Applies what the configuration says to the calling process.
pub(crate) fn apply(process: &Process) -> Result<()> {
    if let Some(scheduler) = &process.scheduler {
        process::set_scheduler(attributes(scheduler)?).context(|| "error setting scheduler")?;
    }
    if let Some(priority) = &process.io_priority {
        let (class, level) = io_priority(priority)?;
        process::set_io_priority(class, level).context(|| "failed to set io priority")?;
    }
    Ok(())
}

fn attributes(scheduler: &Scheduler) -> Result<SchedAttr> {
    let policy = find(&POLICIES, &scheduler.policy, "scheduler policy")?;
    let flags = scheduler
        .flags
        .iter()
        .try_fold(0, |all, flag| find(&FLAGS, flag, "scheduler flag").map(|bit| all | bit))?;
    let priority = u32::try_from(scheduler.priority).map_err(|_| {
        Error::invalid(format!("invalid scheduler priority {}", scheduler.priority))
    })?;
    Ok(SchedAttr {
        policy,
        flags,
        nice: scheduler.nice,
        priority,
        runtime: scheduler.runtime,
        deadline: scheduler.deadline,
        period: scheduler.period,
        ..SchedAttr::default()
    })
}

fn io_priority(priority: &IoPriority) -> Result<(u8, u16)> {
    let class = find(&IO_CLASSES, &priority.class, "io priority class")?;
    match u16::try_from(priority.priority) {
        Ok(level @ 0..=7) => Ok((class, level)),
        _ => Err(Error::invalid(format!("invalid io priority {}", priority.priority))),
    }
}

fn find<T: Copy>(table: &[(&str, T)], name: &str, what: &str) -> Result<T> {
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
        .ok_or_else(|| Error::invalid(format!("unknown {what} {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_the_kernel_s_numbers() {
        let batch = Scheduler { policy: "SCHED_BATCH".into(), nice: 5, ..Scheduler::default() };
        let attr = attributes(&batch).unwrap();
        assert_eq!((attr.policy, attr.nice), (3, 5));
        let best = IoPriority { class: "IOPRIO_CLASS_BE".into(), priority: 4 };
        assert_eq!(io_priority(&best).unwrap(), (2, 4));
    }

    #[test]
    fn what_the_kernel_has_not_is_refused() {
        let unknown = Scheduler { policy: "SCHED_MAGIC".into(), ..Scheduler::default() };
        assert!(attributes(&unknown).is_err());
        let high = IoPriority { class: "IOPRIO_CLASS_RT".into(), priority: 8 };
        assert!(io_priority(&high).is_err());
    }
}
