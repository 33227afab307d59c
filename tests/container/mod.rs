mod exec;
mod inspect;
mod lifecycle;
mod logs;
mod ps;
mod restart;
mod run;
mod terminal;
