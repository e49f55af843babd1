-- Rollups of 5 minutes, with maintenance, phases and a histogram of latency.

-- +goose Up

-- The newest rows of all sites lie together, in the index as in the table: lists
-- of sites read few pages of it, and what is made last is written in one place.
ALTER TABLE availability_1h DROP CONSTRAINT availability_1h_pkey;
ALTER TABLE availability_1h
    ADD maintenance_ms          integer NOT NULL DEFAULT 0, -- the other times are outside of it
    ADD maintenance_up_ms       integer, -- what the site was in that time; NULL: 0, as below
    ADD maintenance_degraded_ms integer,
    ADD maintenance_down_ms     integer,
    ADD resolve_sum_us          bigint,  -- sums of the phases of the timed reports
    ADD connect_sum_us          bigint,
    ADD tls_sum_us              bigint,
    ADD processing_sum_us       bigint,
    ADD transfer_sum_us         bigint,
    ADD durations               bytea;   -- histogram of the timed reports; NULL: none was made
ALTER TABLE availability_1h ADD PRIMARY KEY (start, site_id) INCLUDE (up_ms, degraded_ms, down_ms, maintenance_ms);

ALTER TABLE availability_1d DROP CONSTRAINT availability_1d_pkey;
ALTER TABLE availability_1d
    ADD maintenance_ms          integer NOT NULL DEFAULT 0,
    ADD maintenance_up_ms       integer,
    ADD maintenance_degraded_ms integer,
    ADD maintenance_down_ms     integer,
    ADD resolve_sum_us          bigint,
    ADD connect_sum_us          bigint,
    ADD tls_sum_us              bigint,
    ADD processing_sum_us       bigint,
    ADD transfer_sum_us         bigint,
    ADD durations               bytea;
ALTER TABLE availability_1d ADD PRIMARY KEY (start, site_id) INCLUDE (up_ms, degraded_ms, down_ms, maintenance_ms);

-- The same in 5 minutes.
CREATE TABLE availability_5m (LIKE availability_1h INCLUDING ALL);
ALTER TABLE availability_5m ADD FOREIGN KEY (site_id) REFERENCES site_names (id);
DROP TABLE availability_part;

-- Time to be summed up again, in whole 5 minutes, as a report, a maintenance or a
-- vote came late.
ALTER TABLE availability_marks RENAME start TO "from";
ALTER TABLE availability_marks ADD "to" timestamptz; -- exclusive; NULL: all from then on
UPDATE availability_marks SET "to" = "from" + interval '1 hour';

ALTER TABLE availability_progress DROP parts;
ALTER TABLE availability_progress
    ADD "begin" timestamptz, -- the first 5 minutes that were made; an hour begins with them
    ADD fives   timestamptz; -- 5 minutes from there on that begin before this have their rows
-- Hours whose reports are there as a whole are made again, with all that follows from
-- them, as they lack a histogram.
UPDATE availability_progress SET claimed = to_timestamp(floor(extract(epoch FROM claimed) / 300) * 300), hours = least(hours, (
    SELECT to_timestamp(ceil(extract(epoch FROM min(r.slot)) / 3600) * 3600) + interval '25 hours' FROM site_locations l
    CROSS JOIN LATERAL (SELECT slot FROM site_reports WHERE site_location_id = l.id ORDER BY slot LIMIT 1) r));
UPDATE availability_progress SET "begin" = hours, fives = hours,
    days = least(days, to_timestamp(floor(extract(epoch FROM hours) / 86400) * 86400));
ALTER TABLE availability_progress ALTER "begin" SET NOT NULL, ALTER fives SET NOT NULL;
