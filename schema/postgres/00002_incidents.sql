-- Incidents, maintenance, and the rules that follow from a status.

-- +goose Up

-- How the alerts of a document are delivered, and when its sites may be down: JSON,
-- as written; may hold credentials. '' for none.
ALTER TABLE documents ADD alerting text NOT NULL DEFAULT '', ADD maintenance text NOT NULL DEFAULT '';

ALTER TABLE sites
    ADD quorum    integer NOT NULL DEFAULT 1,  -- how many locations must say down; -1: more than half of those known
    ADD locations text[]  NOT NULL DEFAULT '{}', -- that probe the site; none: all
    ADD rules     text    NOT NULL DEFAULT ''; -- JSON: dependencies, objective, alerts; '' for none

-- A plan ends also where what decides on the status changes.
ALTER TABLE site_plans
    ADD failure_threshold integer NOT NULL DEFAULT 1,
    ADD success_threshold integer NOT NULL DEFAULT 1,
    ADD quorum            integer NOT NULL DEFAULT 1,
    ADD locations         text[]  NOT NULL DEFAULT '{}'; -- that were to probe; none: all
UPDATE site_plans p SET failure_threshold = s.failure_threshold, success_threshold = s.success_threshold
FROM sites s WHERE s.site_id = p.site_id;

-- Stretches of time in which a site's status was down. They are derived from the
-- reports, the plans and the maintenance, again where a late report changes them.
CREATE TABLE incidents (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id         integer     NOT NULL REFERENCES site_names (id),
    started_at      timestamptz NOT NULL, -- slot of the first failed report
    confirmed_at    timestamptz NOT NULL, -- slot of the report with which the status became down
    ended_at        timestamptz,          -- slot of the first good report; NULL: it goes on
    settled_at      timestamptz,          -- slot of the report with which that was certain; NULL: it goes on
    ended_by        text        NOT NULL DEFAULT '', -- recovered, paused, removed, maintenance
    reason          text        NOT NULL, -- of the first failed report
    error           text        NOT NULL,
    locations       text        NOT NULL, -- that said down: a JSON array, sorted
    told            text        NOT NULL, -- what each of them said: a JSON array
    reports         bigint      NOT NULL, -- failed reports of those locations in it, as far as they are counted
    parent          text        NOT NULL DEFAULT '', -- the site on which it depends and which was down; ''
    acknowledged_at timestamptz,
    acknowledged_by text        NOT NULL DEFAULT '',
    withdrawn       boolean     NOT NULL DEFAULT false, -- late reports have shown that there was none
    changed_at      timestamptz NOT NULL
);
CREATE INDEX incidents_site ON incidents (site_id, started_at);
CREATE INDEX incidents_settled ON incidents (site_id, settled_at);
CREATE INDEX incidents_started ON incidents (started_at, id);
CREATE INDEX incidents_changed ON incidents (changed_at);
CREATE INDEX incidents_open ON incidents (site_id) WHERE ended_at IS NULL AND NOT withdrawn;

-- What happened in incidents beside what their reports tell.
CREATE TABLE incident_events (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint      NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    location    text        NOT NULL DEFAULT '',
    by          text        NOT NULL DEFAULT '', -- who did it
    text        text        NOT NULL DEFAULT ''
);
CREATE INDEX incident_events_incident ON incident_events (incident_id, at);

-- Sites whose incidents are to be derived again from a moment on.
CREATE TABLE incident_marks (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id integer     NOT NULL,
    "from"  timestamptz NOT NULL,
    due     timestamptz NOT NULL DEFAULT 'epoch' -- not to be done before reports have been read up to this time
);
CREATE INDEX incident_marks_due ON incident_marks (due, id);
CREATE INDEX incident_marks_site ON incident_marks (site_id);

-- Sites that are down have an incident from now on.
INSERT INTO incident_marks (site_id, "from") SELECT site_id, since FROM site_status WHERE status = 'down';

-- What failed probes asked and saw: of each incident the first and the newest are
-- kept. Secrets are redacted.
CREATE TABLE site_evidence (
    site_location_id integer     NOT NULL REFERENCES site_locations (id),
    slot             timestamptz NOT NULL,
    evidence         text        NOT NULL, -- a JSON object of at most 4 KiB
    PRIMARY KEY (site_location_id, slot)
);

-- When sites were in maintenance: written when it begins.
CREATE TABLE site_maintenance (
    site_id integer     NOT NULL REFERENCES site_names (id),
    "from"  timestamptz NOT NULL,
    "to"    timestamptz NOT NULL, -- exclusive; earlier than planned where the plan was taken back
    title   text        NOT NULL,
    PRIMARY KEY (site_id, "from", title)
);
CREATE INDEX site_maintenance_to ON site_maintenance ("to");
CREATE INDEX site_status_maintenance ON site_status (site_id) WHERE status = 'maintenance';
