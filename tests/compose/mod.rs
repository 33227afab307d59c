pub(crate) mod cases;
mod config;
mod down;
mod logs;
mod project;
mod ps;
mod run;
mod start;
mod up;
