-- Sums of 5 minutes; in all sums maintenance, phases and histograms.

-- +goose Up

-- Time by outcome of each site, over all its locations, in 5 minutes. Those of them
-- in which a site has no row are unknown as a whole; what the known times and
-- maintenance leave is unknown too. The times by outcome are outside maintenance.
CREATE TABLE availability_5m (
    site_id                 INTEGER NOT NULL REFERENCES site_names (id),
    start                   INTEGER NOT NULL,
    up_ms                   INTEGER NOT NULL,
    degraded_ms             INTEGER NOT NULL,
    down_ms                 INTEGER NOT NULL,
    reports                 INTEGER NOT NULL, -- of any outcome
    timed                   INTEGER NOT NULL, -- of them those that are up or degraded
    latency_sum_us          INTEGER NOT NULL, -- of the timed ones
    latency_max_us          INTEGER NOT NULL,
    maintenance_ms          INTEGER NOT NULL DEFAULT 0, -- time in maintenance
    maintenance_up_ms       INTEGER NOT NULL DEFAULT 0, -- of it that in which the site was up
    maintenance_degraded_ms INTEGER NOT NULL DEFAULT 0,
    maintenance_down_ms     INTEGER NOT NULL DEFAULT 0,
    resolve_sum_us          INTEGER NOT NULL DEFAULT 0, -- of the timed ones
    connect_sum_us          INTEGER NOT NULL DEFAULT 0,
    tls_sum_us              INTEGER NOT NULL DEFAULT 0,
    processing_sum_us       INTEGER NOT NULL DEFAULT 0,
    transfer_sum_us         INTEGER NOT NULL DEFAULT 0,
    durations               BLOB, -- a histogram of the timed ones, packed as docs/availability.md says; NULL: of none
    PRIMARY KEY (site_id, start)
) STRICT, WITHOUT ROWID;

ALTER TABLE availability_1h ADD maintenance_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD maintenance_up_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD maintenance_degraded_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD maintenance_down_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD resolve_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD connect_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD tls_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD processing_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD transfer_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1h ADD durations BLOB;
ALTER TABLE availability_1d ADD maintenance_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD maintenance_up_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD maintenance_degraded_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD maintenance_down_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD resolve_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD connect_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD tls_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD processing_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD transfer_sum_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE availability_1d ADD durations BLOB;

-- The sums of 5 minutes begin where those of hours end now.
ALTER TABLE availability_progress ADD "begin" INTEGER NOT NULL DEFAULT 0; -- the first 5 minutes with sums
ALTER TABLE availability_progress ADD fives INTEGER NOT NULL DEFAULT 0; -- 5 minutes from there on that begin before this have their rows
UPDATE availability_progress SET "begin" = hours, fives = hours;

-- Stretches of time to be summed up again, as a report of a slot in them came late,
-- or a maintenance or a vote was recorded late.
ALTER TABLE availability_marks RENAME TO hour_marks;
CREATE TABLE availability_marks (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id INTEGER NOT NULL,
    "from"  INTEGER NOT NULL,
    "to"    INTEGER -- exclusive; NULL: up to the present
) STRICT;
INSERT INTO availability_marks (site_id, "from", "to") SELECT site_id, start, start + 3600000000 FROM hour_marks ORDER BY id;
DROP TABLE hour_marks;

-- Sums that were made before have no histogram. Hours of which all reports are still
-- there, also those that reach into them from before, get one; so do their days.
INSERT INTO availability_marks (site_id, "from", "to")
SELECT DISTINCT s.site_id, o.slot, p.hours
FROM site_locations s, availability_progress p,
     (SELECT (min(r.id & 0x3ffffffffff) + 3599999) / 3600000 * 3600000000 + 90000000000 AS slot FROM site_locations l
      JOIN site_reports r ON r.id = (SELECT min(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id + 1) << 42)) o
WHERE o.slot < p.hours;
