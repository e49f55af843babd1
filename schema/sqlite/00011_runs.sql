-- Runs of sites that call us.

-- +goose Up

-- When the run that goes on began; NULL: none does, or none said so.
ALTER TABLE heartbeat_sites ADD started_at INTEGER;
-- The sender's own name of that run.
ALTER TABLE heartbeat_sites ADD started_run TEXT NOT NULL DEFAULT '';

-- When a process could receive heartbeats, but not those of a site, as it does not
-- know its token.
CREATE TABLE heartbeat_refusals (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id  INTEGER NOT NULL REFERENCES site_names (id),
    instance TEXT    NOT NULL, -- --instance
    from_at  INTEGER NOT NULL,
    to_at    INTEGER NOT NULL  -- when it last said so
) STRICT;
CREATE INDEX heartbeat_refusals_site ON heartbeat_refusals (site_id, to_at);
