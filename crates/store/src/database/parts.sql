-- A layer may lie over another that it has most files in common with; `own` are the bytes of those that it has itself.
ALTER TABLE layers ADD COLUMN over INTEGER REFERENCES layers (number);
ALTER TABLE layers ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
UPDATE layers SET own = size;
CREATE INDEX layers_by_over ON layers (over) WHERE over IS NOT NULL;
-- What must be there for a layer to be: itself, and what it lies over.
CREATE VIEW layer_parts (layer, part) AS
    SELECT number, number FROM layers
    UNION ALL SELECT number, over FROM layers WHERE over IS NOT NULL;
CREATE INDEX build_records_by_description ON build_records (description, created);
