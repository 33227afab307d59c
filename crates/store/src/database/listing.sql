-- What a list of images shows and filters by, so that it need not read each image's config. The next open fills
-- them in for images that were there before (null).
ALTER TABLE images ADD COLUMN created INTEGER;
ALTER TABLE images ADD COLUMN labels TEXT;
