mod events;
mod info;
