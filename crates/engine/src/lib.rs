//! gantryd: the engine. One process that owns the state, the images and the networks, and answers the Docker
//! Engine API. `http` translates requests; everything below it knows neither HTTP nor status codes.
#![allow(
    unreachable_pub,
    reason = "only `main` leaves this crate; `pub` below it means crate-wide"
)]

mod apparmor;
mod audit;
mod authorization;
mod builds;
mod config;
mod containers;
mod daemon;
mod engine;
mod error;
mod events;
mod group;
mod http;
mod images;
mod log;
pub mod logs;
mod metrics;
mod name_filter;
mod networks;
pub mod readiness;
mod registries;
mod registry;
mod rootless;
mod roots;
mod runtime_binary;
mod system;
mod until;
mod volumes;

pub use daemon::main;
