-- What a reload changed, and more of what monitors and writers say of themselves.

-- +goose Up

ALTER TABLE config_reloads ADD difference text NOT NULL DEFAULT ''; -- JSON {added, changed, removed, omitted}, at most 16 KiB, without credentials; '': nothing

ALTER TABLE monitors ADD started_at      timestamptz; -- of the process; the counts are since then
ALTER TABLE monitors ADD stopped         boolean NOT NULL DEFAULT false; -- it said that it stops
ALTER TABLE monitors ADD spool_oldest_us bigint  NOT NULL DEFAULT 0; -- how long the oldest report waits to be recorded
ALTER TABLE monitors ADD shards          integer NOT NULL DEFAULT 0; -- of the sites, that it probes
ALTER TABLE monitors ADD shards_of       integer NOT NULL DEFAULT 0; -- there are so many; 0: the sites are not shared out
ALTER TABLE monitors ADD clock_ahead_us  bigint  NOT NULL DEFAULT 0; -- of the store's clock
ALTER TABLE monitors ADD lag             bigint  NOT NULL DEFAULT 0; -- messages that the writer has yet to record
ALTER TABLE monitors ADD recorded        bigint  NOT NULL DEFAULT 0; -- reports, by what became of them
ALTER TABLE monitors ADD duplicate       bigint  NOT NULL DEFAULT 0;
ALTER TABLE monitors ADD expired         bigint  NOT NULL DEFAULT 0;
ALTER TABLE monitors ADD dead            bigint  NOT NULL DEFAULT 0;
ALTER TABLE monitors ADD problems        text    NOT NULL DEFAULT '[]'; -- a JSON array: what keeps it from its work, in words
