//! The store from outside, on the real file system.

#![allow(clippy::unwrap_used, reason = "a test's failure is its report, in the fixture too")]

mod builds;
mod faults;
mod fixture;
mod hostile;
mod images;
mod layers;
mod parts;
mod seal;
mod snapshots;
