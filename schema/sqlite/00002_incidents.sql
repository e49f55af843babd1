-- Incidents, maintenance, and the rules that follow from a status.

-- +goose Up

-- How the alerts of a document are delivered, and when its sites may be down: JSON,
-- as written; may hold credentials. '' for none.
ALTER TABLE documents ADD alerting TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD maintenance TEXT NOT NULL DEFAULT '';

ALTER TABLE sites ADD quorum INTEGER NOT NULL DEFAULT 1; -- how many locations must say down; -1: more than half of those known
ALTER TABLE sites ADD locations TEXT NOT NULL DEFAULT ''; -- that probe the site, a JSON array; '' all
ALTER TABLE sites ADD rules TEXT NOT NULL DEFAULT ''; -- JSON: dependencies, objective, alerts; '' for none

-- A plan ends also where what decides on the status changes.
ALTER TABLE site_plans ADD failure_threshold INTEGER NOT NULL DEFAULT 1;
ALTER TABLE site_plans ADD success_threshold INTEGER NOT NULL DEFAULT 1;
ALTER TABLE site_plans ADD quorum INTEGER NOT NULL DEFAULT 1;
ALTER TABLE site_plans ADD locations TEXT NOT NULL DEFAULT ''; -- that were to probe, a JSON array; '' all
UPDATE site_plans SET (failure_threshold, success_threshold) =
    (SELECT failure_threshold, success_threshold FROM sites s WHERE s.site_id = site_plans.site_id)
WHERE site_id IN (SELECT site_id FROM sites);

-- Stretches of time in which a site's status was down. They are derived from the
-- reports, the plans and the maintenance, again where a late report changes them.
CREATE TABLE incidents (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id         INTEGER NOT NULL REFERENCES site_names (id),
    started_at      INTEGER NOT NULL, -- slot of the first failed report
    confirmed_at    INTEGER NOT NULL, -- slot of the report with which the status became down
    ended_at        INTEGER,          -- slot of the first good report; NULL: it goes on
    settled_at      INTEGER,          -- slot of the report with which that was certain; NULL: it goes on
    ended_by        TEXT NOT NULL DEFAULT '', -- recovered, paused, removed, maintenance
    reason          TEXT NOT NULL, -- of the first failed report
    error           TEXT NOT NULL,
    locations       TEXT NOT NULL, -- that said down: a JSON array, sorted
    told            TEXT    NOT NULL, -- what each of them said: a JSON array
    reports         INTEGER NOT NULL, -- failed reports of those locations in it, as far as they are counted
    parent          TEXT NOT NULL DEFAULT '', -- the site on which it depends and which was down; ''
    acknowledged_at INTEGER,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    withdrawn       INTEGER NOT NULL DEFAULT 0, -- late reports have shown that there was none
    changed_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX incidents_site ON incidents (site_id, started_at);
CREATE INDEX incidents_settled ON incidents (site_id, settled_at);
CREATE INDEX incidents_started ON incidents (started_at, id);
CREATE INDEX incidents_changed ON incidents (changed_at);
CREATE INDEX incidents_open ON incidents (site_id) WHERE ended_at IS NULL AND NOT withdrawn;

-- What happened in incidents beside what their reports tell.
CREATE TABLE incident_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    location    TEXT NOT NULL DEFAULT '',
    by          TEXT NOT NULL DEFAULT '', -- who did it
    text        TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX incident_events_incident ON incident_events (incident_id, at);

-- Sites whose incidents are to be derived again from a moment on.
CREATE TABLE incident_marks (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id INTEGER NOT NULL,
    "from"  INTEGER NOT NULL,
    due     INTEGER NOT NULL DEFAULT 0 -- not to be done before reports have been read up to this time
) STRICT;
CREATE INDEX incident_marks_due ON incident_marks (due, id);
CREATE INDEX incident_marks_site ON incident_marks (site_id);

-- Sites that are down have an incident from now on.
INSERT INTO incident_marks (site_id, "from") SELECT site_id, since FROM site_status WHERE status = 'down';

-- What failed probes asked and saw: of each incident the first and the newest are
-- kept. Secrets are redacted.
CREATE TABLE site_evidence (
    site_location_id INTEGER NOT NULL REFERENCES site_locations (id),
    slot             INTEGER NOT NULL,
    evidence         TEXT NOT NULL, -- a JSON object of at most 4 KiB
    PRIMARY KEY (site_location_id, slot)
) STRICT;

-- When sites were in maintenance: written when it begins.
CREATE TABLE site_maintenance (
    site_id INTEGER NOT NULL REFERENCES site_names (id),
    "from"  INTEGER NOT NULL,
    "to"    INTEGER NOT NULL, -- exclusive; earlier than planned where the plan was taken back
    title   TEXT NOT NULL,
    PRIMARY KEY (site_id, "from", title)
) STRICT;
CREATE INDEX site_maintenance_to ON site_maintenance ("to");
