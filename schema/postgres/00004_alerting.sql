-- Whom trouble is told, and what became of it.

-- +goose Up

-- Incidents about which it is to be decided whom to tell: one row for each change
-- that matters to that. A decision takes its rows and deletes them.
CREATE TABLE alert_marks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION incident_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO alert_marks (incident_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER incident_began AFTER INSERT ON incidents FOR EACH ROW EXECUTE FUNCTION incident_changed();
CREATE TRIGGER incident_changed AFTER UPDATE ON incidents FOR EACH ROW
    WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at OR OLD.withdrawn <> NEW.withdrawn) EXECUTE FUNCTION incident_changed();

-- Of incidents of sites that depend on others: which incident is the likely cause.
CREATE TABLE incident_causes (
    incident_id bigint      PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    asked_at    timestamptz NOT NULL, -- since when that is to be found out
    after       timestamptz NOT NULL, -- reports from after this tell
    due_at      timestamptz,          -- when to look again; NULL: it has been found out
    cause_id    bigint                -- the incident of the topmost site that is down; NULL: none
);
CREATE INDEX incident_causes_due ON incident_causes (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX incident_causes_cause ON incident_causes (cause_id) WHERE cause_id IS NOT NULL;

-- What is to be told to a channel, or was: each thing once. A notice is held until
-- it may be told, then ready, and sent from the moment on at which a notification
-- has it. One that is suppressed is told by the notification about its cause; one
-- that is dropped has become pointless.
CREATE TABLE notices (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source          text        NOT NULL, -- the document of the channel
    channel         text        NOT NULL,
    kind            text        NOT NULL, -- down, recovered, reminder, monitor_silent, monitor_back, certificate, slo, slo_over, latency, latency_over
    subject         text        NOT NULL, -- what it is about: "incident 42"
    occurrence      text        NOT NULL, -- which of several about it; '' there is one
    state           text        NOT NULL, -- held, ready, sent, suppressed, dropped
    due_at          timestamptz NOT NULL, -- held: when to look again; else since when it is in its state
    created_at      timestamptz NOT NULL,
    incident_id     bigint      REFERENCES incidents (id) ON DELETE CASCADE,
    site_id         integer     REFERENCES site_names (id),
    cause_id        bigint,               -- the incident that is the likely cause
    severity        text        NOT NULL,
    rule            text        NOT NULL DEFAULT '', -- the alert that it follows, JSON; '' none
    text            text        NOT NULL DEFAULT '', -- what to say beside what the incident says
    total           integer     NOT NULL DEFAULT 1,  -- how many sites it is about
    notification_id text,
    UNIQUE (source, channel, kind, subject, occurrence)
);
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
    id           text        PRIMARY KEY, -- the Idempotency-Key
    source       text        NOT NULL,
    channel      text        NOT NULL,
    kind         text        NOT NULL,
    resolved     boolean     NOT NULL, -- it says that something is over
    severity     text        NOT NULL,
    created_at   timestamptz NOT NULL,
    summary      text        NOT NULL,
    cause        text        NOT NULL, -- the site on which the others depend; ''
    sites        text        NOT NULL, -- JSON, as a webhook gets them
    total        integer     NOT NULL,
    fallback_of  text        UNIQUE REFERENCES notifications (id) ON DELETE CASCADE, -- for which it stands in
    attempts     integer     NOT NULL DEFAULT 0,
    next_at      timestamptz,          -- when to try next, or when the lease ends; NULL: it is settled
    lease_until  timestamptz,          -- until then the process that took it is at it
    leased_by    text        NOT NULL DEFAULT '',
    failed_at    timestamptz,          -- the first attempt that failed
    last_error   text        NOT NULL DEFAULT '',
    delivered_at timestamptz,
    gave_up_at   timestamptz
);
CREATE INDEX notifications_next ON notifications (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notifications_channel ON notifications (source, channel, created_at);
CREATE INDEX notifications_created ON notifications (created_at);

-- The channels that ever got something. Who makes a notification locks the row.
CREATE TABLE alert_channels (
    source        text        NOT NULL,
    name          text        NOT NULL,
    failing_since timestamptz,          -- the first attempt of those that failed since one succeeded; NULL: none did
    last_error    text        NOT NULL DEFAULT '',
    PRIMARY KEY (source, name)
);

-- What is looked at now and then: locations, figures, certificates.
CREATE TABLE alert_watches (
    name       text        PRIMARY KEY, -- "location eu"
    checked_at timestamptz NOT NULL,    -- when somebody looked last
    good_at    timestamptz,             -- when it was good last; of what is bad: since when it is good again
    read_to    timestamptz,             -- up to when reports had been read then
    since      timestamptz              -- since when it is bad; NULL: it is not
);
