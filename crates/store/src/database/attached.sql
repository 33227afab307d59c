-- What an index names that is no image: manifests of attestations, and what these are made of.
CREATE TABLE attached (
    root TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (root, digest)
) WITHOUT ROWID;
CREATE INDEX attached_by_digest ON attached (digest);
CREATE TRIGGER attached_go AFTER DELETE ON roots
WHEN NOT EXISTS (SELECT 1 FROM roots WHERE root = OLD.root)
BEGIN
    DELETE FROM attached WHERE root = OLD.root;
END;
