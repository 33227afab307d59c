-- A layer whose files the kernel may still hold in memory alone: a loss of power takes it away (0).
ALTER TABLE layers ADD COLUMN synced INTEGER NOT NULL DEFAULT 1;
-- What a build need not do again, by the key of the step. Times are nanoseconds since 1970, the cost milliseconds.
-- A cache mount is a record, too: `mount` names its directory, `mount_group` those that one id stands for.
CREATE TABLE build_records (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER,
    uses INTEGER NOT NULL DEFAULT 0,
    cost INTEGER NOT NULL,
    -- Whether the topmost of its layers is the step's own.
    has_layer INTEGER NOT NULL,
    -- JSON: keys of what the step was made from.
    parents TEXT NOT NULL,
    components BLOB NOT NULL,
    mount INTEGER UNIQUE,
    mount_group TEXT,
    -- Null while it is not known.
    mount_size INTEGER
) WITHOUT ROWID;
CREATE INDEX build_records_by_group ON build_records (mount_group) WHERE mount_group IS NOT NULL;
CREATE TABLE build_layers (
    record TEXT NOT NULL REFERENCES build_records (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    layer INTEGER NOT NULL REFERENCES layers (number),
    PRIMARY KEY (record, position)
) WITHOUT ROWID;
CREATE INDEX build_layers_by_layer ON build_layers (layer);
-- What the key of a step is that takes files of another, when only the other's key is known.
CREATE TABLE build_aliases (key TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX build_aliases_by_record ON build_aliases (record);
