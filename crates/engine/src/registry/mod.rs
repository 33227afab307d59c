//! `gantryd registry-serve`: a registry in this program's other life, without an engine.

pub mod serve;

/// The first word that asks for it.
pub const COMMAND: &str = "registry-serve";
