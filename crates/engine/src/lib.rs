//! gantryd: the engine.
#![allow(unreachable_pub, reason = "only `main` leaves this crate; `pub` below it means crate-wide")]

pub mod logs;
pub mod readiness;
