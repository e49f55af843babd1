-- A bound of the store's size.

-- +goose Up

-- Reports of slots before this were deleted before their time, as the store was too
-- large; '0001-01-01': none were. What was summed up from them is not made again.
ALTER TABLE availability_progress ADD reports_from timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00';
