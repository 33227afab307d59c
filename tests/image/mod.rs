mod commit;
mod history;
mod hostile;
mod import;
mod load;
mod rm;
mod save;
mod tag;
