-- Whom trouble is told, and what became of it.

-- +goose Up

-- Incidents about which it is to be decided whom to tell: one row for each change
-- that matters to that. A decision takes its rows and deletes them.
CREATE TABLE alert_marks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER incident_began AFTER INSERT ON incidents BEGIN
    INSERT INTO alert_marks (incident_id) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER incident_changed AFTER UPDATE ON incidents WHEN OLD.ended_at IS NOT NEW.ended_at OR OLD.withdrawn <> NEW.withdrawn BEGIN
    INSERT INTO alert_marks (incident_id) VALUES (NEW.id);
END;
-- +goose StatementEnd

-- Of incidents of sites that depend on others: which incident is the likely cause.
CREATE TABLE incident_causes (
    incident_id INTEGER PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    asked_at    INTEGER NOT NULL, -- since when that is to be found out
    after       INTEGER NOT NULL, -- reports from after this tell
    due_at      INTEGER,          -- when to look again; NULL: it has been found out
    cause_id    INTEGER -- the incident of the topmost site that is down; NULL: none
) STRICT;
CREATE INDEX incident_causes_due ON incident_causes (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX incident_causes_cause ON incident_causes (cause_id) WHERE cause_id IS NOT NULL;

-- What is to be told to a channel, or was: each thing once. A notice is held until
-- it may be told, then ready, and sent from the moment on at which a notification
-- has it. One that is suppressed is told by the notification about its cause; one
-- that is dropped has become pointless.
CREATE TABLE notices (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    source          TEXT NOT NULL, -- the document of the channel
    channel         TEXT NOT NULL,
    kind            TEXT NOT NULL, -- down, recovered, reminder, monitor_silent, monitor_back, certificate, slo, slo_over, latency, latency_over
    subject         TEXT NOT NULL, -- what it is about: "incident 42"
    occurrence      TEXT NOT NULL, -- which of several about it; '' there is one
    state           TEXT NOT NULL, -- held, ready, sent, suppressed, dropped
    due_at          INTEGER NOT NULL, -- held: when to look again; else since when it is in its state
    created_at      INTEGER NOT NULL,
    incident_id     INTEGER REFERENCES incidents (id) ON DELETE CASCADE,
    site_id         INTEGER REFERENCES site_names (id),
    cause_id        INTEGER,               -- the incident that is the likely cause
    severity        TEXT NOT NULL,
    rule            TEXT NOT NULL DEFAULT '', -- the alert that it follows, JSON; '' none
    text            TEXT NOT NULL DEFAULT '', -- what to say beside what the incident says
    total           INTEGER NOT NULL DEFAULT 1,  -- how many sites it is about
    notification_id TEXT,
    UNIQUE (source, channel, kind, subject, occurrence)
) STRICT;
CREATE INDEX notices_held ON notices (due_at) WHERE state = 'held';
CREATE INDEX notices_ready ON notices (source, channel, due_at) WHERE state = 'ready';
CREATE INDEX notices_incident ON notices (incident_id) WHERE incident_id IS NOT NULL;
CREATE INDEX notices_cause ON notices (cause_id) WHERE cause_id IS NOT NULL;
CREATE INDEX notices_site ON notices (site_id, due_at) WHERE kind = 'down';
CREATE INDEX notices_subject ON notices (subject);
CREATE INDEX notices_notification ON notices (notification_id) WHERE notification_id IS NOT NULL;
CREATE INDEX notices_created ON notices (created_at);

-- Messages to channels. They are made with all that they say, and are kept as a
-- log of what was delivered.
CREATE TABLE notifications (
    id           TEXT NOT NULL PRIMARY KEY, -- the Idempotency-Key
    source       TEXT NOT NULL,
    channel      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    resolved     INTEGER NOT NULL, -- it says that something is over
    severity     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    summary      TEXT NOT NULL,
    cause        TEXT NOT NULL, -- the site on which the others depend; ''
    sites        TEXT NOT NULL, -- JSON, as a webhook gets them
    total        INTEGER NOT NULL,
    fallback_of  TEXT UNIQUE REFERENCES notifications (id) ON DELETE CASCADE, -- for which it stands in
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER,          -- when to try next, or when the lease ends; NULL: it is settled
    lease_until  INTEGER,          -- until then the process that took it is at it
    leased_by    TEXT NOT NULL DEFAULT '',
    failed_at    INTEGER,          -- the first attempt that failed
    last_error   TEXT NOT NULL DEFAULT '',
    delivered_at INTEGER,
    gave_up_at   INTEGER
) STRICT;
CREATE INDEX notifications_next ON notifications (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notifications_channel ON notifications (source, channel, created_at);
CREATE INDEX notifications_created ON notifications (created_at);

-- The channels that ever got something. Who makes a notification locks the row.
CREATE TABLE alert_channels (
    source        TEXT NOT NULL,
    name          TEXT NOT NULL,
    failing_since INTEGER,          -- the first attempt of those that failed since one succeeded; NULL: none did
    last_error    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (source, name)
) STRICT;

-- What is looked at now and then: locations, figures, certificates.
CREATE TABLE alert_watches (
    name       TEXT NOT NULL PRIMARY KEY, -- "location eu"
    checked_at INTEGER NOT NULL,    -- when somebody looked last
    good_at    INTEGER,             -- when it was good last; of what is bad: since when it is good again
    read_to    INTEGER,             -- up to when reports had been read then
    since      INTEGER -- since when it is bad; NULL: it is not
) STRICT;
