//! The store from outside, on the real file system.

mod faults;
mod fixture;
mod hostile;
mod images;
mod layers;
mod snapshots;
