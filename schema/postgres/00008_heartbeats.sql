-- Sites that call us.

-- +goose Up

-- The heartbeats that were received: the newest 200 of each site.
CREATE TABLE heartbeats (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- counts up with each one of a site
    site_id     integer     NOT NULL REFERENCES site_names (id),
    received_at timestamptz NOT NULL,
    last_at     timestamptz NOT NULL, -- when it came last, where it was repeated
    repeats     integer     NOT NULL, -- how often it came again, and was taken for the same
    failed      boolean     NOT NULL, -- the run that it reports did not succeed
    exit_code   integer,              -- of that run; NULL: not reported
    duration_us bigint      NOT NULL, -- of that run; 0: not reported
    message     text        NOT NULL, -- at most 1 KiB
    run         text        NOT NULL  -- the sender's own name of the run
);
CREATE INDEX heartbeats_site ON heartbeats (site_id, id);

-- The sites whose heartbeats are accepted. Who records one locks its row.
CREATE TABLE heartbeat_sites (
    site_id integer     PRIMARY KEY REFERENCES site_names (id),
    since   timestamptz NOT NULL -- from when on
);

-- When heartbeats could be received, by which process.
CREATE TABLE heartbeat_listening (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance text        NOT NULL, -- --instance
    from_at  timestamptz NOT NULL,
    to_at    timestamptz NOT NULL  -- when it last said so
);
CREATE INDEX heartbeat_listening_to ON heartbeat_listening (to_at);

CREATE INDEX sites_heartbeat ON sites (site_id) WHERE kind = 'heartbeat';
