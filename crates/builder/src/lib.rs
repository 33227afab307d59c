//! Builds images from Dockerfiles: the language first, then what follows from it.

pub mod check;
pub mod context;
pub mod copy;
pub mod dockerfile;
pub mod expand;
mod glob;
pub mod ignore;
mod nearest;
pub mod plan;
pub mod provenance;
pub mod sbom;
pub mod solve;
