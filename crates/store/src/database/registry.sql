-- Layers as registries have them, kept as files: what was pulled is pushed again byte for byte.
CREATE TABLE layer_blobs (digest TEXT PRIMARY KEY, diff_id TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX layer_blobs_by_diff_id ON layer_blobs (diff_id);
-- Repositories that a blob is known to be in: it can be mounted from there.
CREATE TABLE blob_sources (
    digest TEXT NOT NULL REFERENCES layer_blobs (digest) ON DELETE CASCADE,
    repository TEXT NOT NULL,
    PRIMARY KEY (digest, repository)
) WITHOUT ROWID;
