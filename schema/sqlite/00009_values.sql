-- Numbers that a probe read off an answer.

-- +goose Up

ALTER TABLE site_reports ADD "values" TEXT; -- a JSON object of numbers by name, or NULL

-- Reports with the keys of their message.
DROP VIEW reports;
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
       (SELECT name FROM reasons WHERE id = r.gap_id) AS gap,
       r."values"
FROM site_names n
JOIN site_locations l ON l.site_id = n.id
JOIN site_reports r ON r.id >= l.id << 42 AND r.id < (l.id + 1) << 42;
