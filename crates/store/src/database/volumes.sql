-- A volume is known by its name. `moving_from` is set while its directory may still have an earlier name.
CREATE TABLE named_volumes (name TEXT PRIMARY KEY, document BLOB NOT NULL, moving_from TEXT) WITHOUT ROWID;
INSERT INTO named_volumes (name, document) SELECT name, document FROM volumes;
DROP TABLE volumes;
ALTER TABLE named_volumes RENAME TO volumes;
