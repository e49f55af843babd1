-- Runs of sites that call us.

-- +goose Up

ALTER TABLE heartbeat_sites
    ADD started_at  timestamptz,              -- when the run that goes on began; NULL: none does, or none said so
    ADD started_run text NOT NULL DEFAULT ''; -- the sender's own name of that run

-- Exit codes of Windows need more than an integer holds.
ALTER TABLE heartbeats ALTER COLUMN exit_code TYPE bigint;

-- When a process could receive heartbeats, but not those of a site, as it does not
-- know its token.
CREATE TABLE heartbeat_refusals (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id  integer     NOT NULL REFERENCES site_names (id),
    instance text        NOT NULL, -- --instance
    from_at  timestamptz NOT NULL,
    to_at    timestamptz NOT NULL  -- when it last said so
);
CREATE INDEX heartbeat_refusals_site ON heartbeat_refusals (site_id, to_at);
