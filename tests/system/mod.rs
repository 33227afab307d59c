mod completion;
mod df;
mod events;
mod info;
mod man;
mod prune;
