-- Numbers that a probe read off an answer.

-- +goose Up

-- An object of numbers by name, or NULL. As json and not jsonb, which would write the
-- numbers and their order anew. A report of a site without values pays for it with a bit.
ALTER TABLE site_reports ADD "values" json;

-- Reports with the keys of their message.
CREATE OR REPLACE VIEW reports AS
SELECT n.name AS site, l.location, r.slot,
       r.slot + r.lateness_us * interval '1 microsecond' AS started_at,
       r.interval_ms,
       (ARRAY['up', 'degraded', 'down', 'unknown'])[r.outcome + 1] AS outcome,
       (SELECT name FROM reasons WHERE id = r.reason_id) AS reason,
       r.error, r.status_code, r.duration_us,
       r.resolve_us, r.connect_us, r.tls_us, r.processing_us, r.transfer_us,
       r.body_bytes, r.body_truncated, r.remote_addr, r.certificate_expires_at,
       (SELECT instance FROM monitors WHERE id = r.monitor_id) AS monitor,
       r.generation, r.attempts,
       (SELECT name FROM reasons WHERE id = r.gap_id) AS gap,
       r."values"
FROM site_reports r
JOIN site_locations l ON l.id = r.site_location_id
JOIN site_names n ON n.id = l.site_id;
