pub(crate) mod cases;
mod config;
