-- Sites that call us.

-- +goose Up

-- The heartbeats that were received: the newest 200 of each site.
CREATE TABLE heartbeats (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- counts up with each one
    site_id     INTEGER NOT NULL REFERENCES site_names (id),
    received_at INTEGER NOT NULL,
    last_at     INTEGER NOT NULL, -- when it came last, where it was repeated
    repeats     INTEGER NOT NULL, -- how often it came again, and was taken for the same
    failed      INTEGER NOT NULL, -- 1: the run that it reports did not succeed
    exit_code   INTEGER,          -- of that run; NULL: not reported
    duration_us INTEGER NOT NULL, -- of that run; 0: not reported
    message     TEXT    NOT NULL, -- at most 1 KiB
    run         TEXT    NOT NULL  -- the sender's own name of the run
) STRICT;
CREATE INDEX heartbeats_site ON heartbeats (site_id, id);

-- The sites whose heartbeats are accepted.
CREATE TABLE heartbeat_sites (
    site_id INTEGER PRIMARY KEY REFERENCES site_names (id),
    since   INTEGER NOT NULL -- from when on
) STRICT;

-- When heartbeats could be received, by which process.
CREATE TABLE heartbeat_listening (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    instance TEXT    NOT NULL, -- --instance
    from_at  INTEGER NOT NULL,
    to_at    INTEGER NOT NULL  -- when it last said so
) STRICT;
CREATE INDEX heartbeat_listening_to ON heartbeat_listening (to_at);

CREATE INDEX sites_heartbeat ON sites (site_id) WHERE kind = 'heartbeat';
