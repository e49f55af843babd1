-- Sites, their reports, and what follows from them.
--
-- Unless a column says otherwise, moments are integer microseconds since 1970
-- UTC, and a text that does not apply is ''. The views at the end are what people
-- and dashboards may build on; the tables are packed for speed and size.

-- +goose Up

-- Every name that a site ever had. History hangs on the name, so a site that is
-- removed and comes back has its history again. A report of a name that no
-- document defines yet makes a row here too, and waits for its definition.
CREATE TABLE site_names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- The document whose sites are watched: one row.
CREATE TABLE documents (
    source     TEXT    NOT NULL PRIMARY KEY, -- whose document it is: --source
    generation INTEGER NOT NULL,             -- counts up from 1 with each document that changes a site
    hash       TEXT    NOT NULL,             -- SHA-256 of the content as it was read last, hexadecimal
    loaded_at  INTEGER NOT NULL,             -- when the generation was applied
    sites      INTEGER NOT NULL,             -- how many sites it has
    site_order BLOB    NOT NULL              -- the site_ids in the order of the file, as unsigned varints
) STRICT;

-- The definitions of the present sites. A removed site has no row.
CREATE TABLE sites (
    site_id           INTEGER PRIMARY KEY REFERENCES site_names (id),
    source            TEXT    NOT NULL, -- the document that owns the site
    url               TEXT    NOT NULL, -- as written; may hold credentials
    kind              TEXT    NOT NULL, -- http, tcp, tls
    "group"           TEXT    NOT NULL,
    tags              TEXT    NOT NULL, -- a JSON array of texts
    interval_ms       INTEGER NOT NULL,
    timeout_ms        INTEGER NOT NULL,
    enabled           INTEGER NOT NULL, -- 0: paused
    failure_threshold INTEGER NOT NULL,
    success_threshold INTEGER NOT NULL,
    definition        TEXT    NOT NULL, -- canonical JSON, defaults applied, ${…} unexpanded
    generation        INTEGER NOT NULL  -- with which it got this definition
) STRICT;

-- When each site was due, for as long as its slots were those of one grid: a row
-- ends, and another begins, with the generation that changes the interval,
-- pauses, resumes, adds or removes the site.
CREATE TABLE site_plans (
    site_id     INTEGER NOT NULL REFERENCES site_names (id),
    "from"      INTEGER NOT NULL, -- loaded_at of the generation
    "to"        INTEGER,          -- exclusive; NULL: it holds now
    interval_ms INTEGER NOT NULL,
    enabled     INTEGER NOT NULL, -- 0: paused, no slot is planned
    generation  INTEGER NOT NULL,
    PRIMARY KEY (site_id, "from")
) STRICT, WITHOUT ROWID;

-- The present status of each site, over all locations.
CREATE TABLE site_status (
    site_id    INTEGER PRIMARY KEY REFERENCES site_names (id),
    status     TEXT    NOT NULL, -- up, degraded, down, unknown, paused
    since      INTEGER,          -- slot of the first report that led to it; NULL: no report yet
    reason     TEXT    NOT NULL, -- of the newest report that is not up
    error      TEXT    NOT NULL, -- the same in words
    changed_at INTEGER NOT NULL  -- when the row was written
) STRICT;

-- A site as one location sees it: what is remembered to judge the next report.
-- While the reports of a location say the same as before, its row stays as it
-- is, and what changed meanwhile is read from the newest report.
CREATE TABLE site_locations (
    id           INTEGER PRIMARY KEY,       -- below 2^21: it is a part of site_reports.id
    site_id      INTEGER NOT NULL REFERENCES site_names (id),
    location     TEXT    NOT NULL,
    slot         INTEGER NOT NULL,          -- of the report with which the row was written
    interval_ms  INTEGER NOT NULL,          -- of the same
    silent_at    INTEGER,                   -- from then on the location is unknown; NULL: it is unknown already
    outcome      TEXT    NOT NULL,          -- of the newest report that is not unknown
    failures     INTEGER NOT NULL,          -- failed reports in a row; 0 or more
    successes    INTEGER NOT NULL,          -- good reports in a row; at least as many as are counted here
    row_slot     INTEGER,                   -- slot with which that row of reports began
    status       TEXT    NOT NULL,          -- by the reports alone, silence left aside
    since        INTEGER,                   -- slot of the first report that led to it
    fault_reason TEXT    NOT NULL,          -- of the newest report that is down or degraded
    fault_error  TEXT    NOT NULL,
    blind_reason TEXT    NOT NULL,          -- of the newest report, if it is unknown
    blind_error  TEXT    NOT NULL,
    UNIQUE (site_id, location)
) STRICT;

-- The reasons that reports and gaps give, known ones and others.
CREATE TABLE reasons (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- The processes that probe and record. One that is known only from its reports
-- has no last_seen.
CREATE TABLE monitors (
    id              INTEGER PRIMARY KEY,
    instance        TEXT    NOT NULL UNIQUE, -- --instance
    role            TEXT    NOT NULL DEFAULT '',
    location        TEXT    NOT NULL DEFAULT '',
    version         TEXT    NOT NULL DEFAULT '',
    last_seen       INTEGER,
    sites           INTEGER NOT NULL DEFAULT 0,
    lateness_p50_us INTEGER NOT NULL DEFAULT 0, -- of the probes of the last minute, microseconds
    lateness_p99_us INTEGER NOT NULL DEFAULT 0,
    spool_reports   INTEGER NOT NULL DEFAULT 0  -- reports waiting to be recorded
) STRICT;

-- What monitors reported, and nothing else: a slot that nobody ran has no row.
-- NULL stands for what does not apply.
CREATE TABLE site_reports (
    id                     INTEGER PRIMARY KEY, -- the identity: site_locations.id << 42 | slot in ms since 1970
    lateness_us            INTEGER,             -- started_at less slot
    interval_ms            INTEGER NOT NULL,    -- the report speaks for [slot, slot + interval)
    outcome                INTEGER NOT NULL,    -- 0 up, 1 degraded, 2 down, 3 unknown
    reason_id              INTEGER,
    error                  TEXT,
    status_code            INTEGER,
    duration_us            INTEGER NOT NULL,
    resolve_us             INTEGER,
    connect_us             INTEGER,
    tls_us                 INTEGER,
    processing_us          INTEGER,
    transfer_us            INTEGER,
    body_bytes             INTEGER,
    body_truncated         INTEGER,             -- 1 or NULL
    remote_addr            ANY,                 -- IPv4 as the integer address << 16 | port, all others as text
    certificate_expires_at INTEGER,             -- seconds since 1970
    monitor_id             INTEGER,
    generation             INTEGER,
    attempts               INTEGER,
    gap_id                 INTEGER              -- reason of the missing slots before this one
) STRICT;

-- Runs of planned slots for which no report came, between two reports of a
-- location. What is still open at the end is seen by whoever asks.
CREATE TABLE site_gaps (
    site_location_id INTEGER NOT NULL REFERENCES site_locations (id),
    from_slot        INTEGER NOT NULL, -- the first missing slot
    to_slot          INTEGER NOT NULL, -- the last one
    slots            INTEGER NOT NULL, -- how many
    reason_id        INTEGER,          -- NULL: nobody knows
    PRIMARY KEY (site_location_id, from_slot)
) STRICT, WITHOUT ROWID;

-- Time by outcome of each site, over all its locations, in whole hours. An hour
-- in which a site has no row is unknown as a whole; what the known times leave of
-- an hour is unknown too.
CREATE TABLE availability_1h (
    site_id        INTEGER NOT NULL REFERENCES site_names (id),
    start          INTEGER NOT NULL,
    up_ms          INTEGER NOT NULL,
    degraded_ms    INTEGER NOT NULL,
    down_ms        INTEGER NOT NULL,
    reports        INTEGER NOT NULL, -- of any outcome
    timed          INTEGER NOT NULL, -- of them those that are up or degraded
    latency_sum_us INTEGER NOT NULL, -- of the timed ones
    latency_max_us INTEGER NOT NULL,
    PRIMARY KEY (site_id, start)
) STRICT, WITHOUT ROWID;

-- The same in whole days of UTC.
CREATE TABLE availability_1d (
    site_id        INTEGER NOT NULL REFERENCES site_names (id),
    start          INTEGER NOT NULL,
    up_ms          INTEGER NOT NULL,
    degraded_ms    INTEGER NOT NULL,
    down_ms        INTEGER NOT NULL,
    reports        INTEGER NOT NULL,
    timed          INTEGER NOT NULL,
    latency_sum_us INTEGER NOT NULL,
    latency_max_us INTEGER NOT NULL,
    PRIMARY KEY (site_id, start)
) STRICT, WITHOUT ROWID;

-- How far the rollups are: one row.
CREATE TABLE availability_progress (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    hours   INTEGER NOT NULL, -- hours that begin before this have their rows
    days    INTEGER NOT NULL, -- so have days
    claimed INTEGER NOT NULL  -- a report of an hour before this leaves a mark
) STRICT;

-- Hours to be computed again, as a late report fell into them.
CREATE TABLE availability_marks (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id INTEGER NOT NULL,
    start   INTEGER NOT NULL
) STRICT;

-- The newest attempts to apply a sites file.
CREATE TABLE config_reloads (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    generation  INTEGER NOT NULL, -- the one that runs after it
    at          INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    hash        TEXT    NOT NULL,
    applied     INTEGER NOT NULL,
    added       INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    removed     INTEGER NOT NULL,
    unchanged   INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    errors      TEXT    NOT NULL  -- a JSON array of {file, line, column, message}
) STRICT;

-- Reports with the keys of their message.
CREATE VIEW reports AS
SELECT n.name AS site, l.location,
       (r.id & 0x3ffffffffff) * 1000 AS slot,
       (r.id & 0x3ffffffffff) * 1000 + r.lateness_us AS started_at,
       r.interval_ms,
       CASE r.outcome WHEN 0 THEN 'up' WHEN 1 THEN 'degraded' WHEN 2 THEN 'down' ELSE 'unknown' END AS outcome,
       (SELECT name FROM reasons WHERE id = r.reason_id) AS reason,
       r.error, r.status_code, r.duration_us,
       r.resolve_us, r.connect_us, r.tls_us, r.processing_us, r.transfer_us,
       r.body_bytes, r.body_truncated,
       CASE typeof(r.remote_addr) WHEN 'integer' THEN
           printf('%d.%d.%d.%d:%d', (r.remote_addr >> 40) & 255, (r.remote_addr >> 32) & 255,
                  (r.remote_addr >> 24) & 255, (r.remote_addr >> 16) & 255, r.remote_addr & 65535)
       ELSE r.remote_addr END AS remote_addr,
       r.certificate_expires_at * 1000000 AS certificate_expires_at,
       (SELECT instance FROM monitors WHERE id = r.monitor_id) AS monitor,
       r.generation, r.attempts,
       (SELECT name FROM reasons WHERE id = r.gap_id) AS gap
FROM site_names n
JOIN site_locations l ON l.site_id = n.id
JOIN site_reports r ON r.id >= l.id << 42 AND r.id < (l.id + 1) << 42;

-- Missing slots.
CREATE VIEW gaps AS
SELECT n.name AS site, l.location, g.from_slot, g.to_slot, g.slots,
       coalesce((SELECT name FROM reasons WHERE id = g.reason_id), '') AS reason
FROM site_names n
JOIN site_locations l ON l.site_id = n.id
JOIN site_gaps g ON g.site_location_id = l.id;

-- The present status of the present sites.
CREATE VIEW status AS
SELECT n.name AS site, t.status, t.since, t.reason, t.error, s."group", s.url, s.interval_ms, s.enabled, s.source
FROM sites s
JOIN site_names n ON n.id = s.site_id
JOIN site_status t ON t.site_id = s.site_id;
