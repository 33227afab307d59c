mod commit;
mod hostile;
mod load;
mod rm;
