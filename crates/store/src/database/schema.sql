-- An unpacked layer, shared by every image that has its diff ID. `number` names its directory.
CREATE TABLE layers (
    number INTEGER PRIMARY KEY,
    diff_id TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    tar_size INTEGER NOT NULL
);
CREATE TABLE images (id TEXT PRIMARY KEY, platform TEXT NOT NULL, parent TEXT, last_tagged TEXT);
CREATE TABLE image_layers (
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    layer INTEGER NOT NULL REFERENCES layers (number),
    PRIMARY KEY (image, position)
);
CREATE INDEX image_layers_by_layer ON image_layers (layer);
-- A root descriptor (index, manifest, or the bare config of an archive without either) and its image per platform.
CREATE TABLE roots (
    root TEXT NOT NULL,
    platform TEXT NOT NULL,
    manifest TEXT,
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    PRIMARY KEY (root, platform)
);
CREATE INDEX roots_by_image ON roots (image);
CREATE TABLE refs (name TEXT PRIMARY KEY, root TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX refs_by_root ON refs (root);
CREATE TABLE snapshots (container TEXT PRIMARY KEY, image TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshot_layers (
    container TEXT NOT NULL REFERENCES snapshots (container) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    layer INTEGER NOT NULL REFERENCES layers (number),
    PRIMARY KEY (container, position)
);
CREATE INDEX snapshot_layers_by_layer ON snapshot_layers (layer);
CREATE TABLE leases (
    owner TEXT NOT NULL,
    resource TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (owner, resource)
) WITHOUT ROWID;
CREATE INDEX leases_by_resource ON leases (resource);
CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document BLOB NOT NULL);
CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document BLOB NOT NULL);
CREATE TABLE volumes (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document BLOB NOT NULL);
