package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"sitemon"
	"sitemon/store/internal/history"
)

// writeRows writes the rows of sites that are new or changed.
func (e *edit) writeRows(ctx context.Context) error {
	if err := e.keepRows(ctx); err != nil || len(e.puts) == 0 {
		return err
	}
	var r rowValues
	for i := range e.puts {
		s := e.puts[i].site
		r.add(s)
		rules, err := history.PackRules(s.Rules)
		if err != nil {
			return err
		}
		r.rules, r.ids = append(r.rules, rules), append(r.ids, e.ids[s.Name])
		together := 0
		if e.due[s.Name] {
			together = len(e.due)
		}
		r.together = append(r.together, together)
	}
	args := []any{
		r.names, r.ids, r.kinds, r.groups, r.tags, r.intervals, r.timeouts, r.failures, r.successes, r.definitions, r.together,
		e.newest.Number, e.now, r.quorums, r.locations, r.rules,
	}
	query := updateRows
	if e.source != "" {
		query = insertRows
		args = append(args, r.urls, r.regexes, r.enabled, e.source)
	}
	_, err := e.tx.Exec(ctx, query, args...)
	return err
}

const (
	// updateRows writes what is ours into rows that people wrote.
	updateRows = `UPDATE sites s SET site_id = u.id, kind = u.kind, "group" = u."group", tags = u.tags::text[],
 interval_ms = u.interval_ms, timeout_ms = u.timeout_ms, failure_threshold = u.failure_threshold, success_threshold = u.success_threshold,
 quorum = u.quorum, locations = u.locations::text[], rules = u.rules,
 definition = u.definition, generation = $12, loaded_at = $13, due_together = u.due_together, problem = ''
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::int[], $9::int[], $10::text[], $11::int[],
 $14::int[], $15::text[], $16::text[])
 AS u (name, id, kind, "group", tags, interval_ms, timeout_ms, failure_threshold, success_threshold, definition, due_together, quorum, locations, rules)
WHERE s.name = u.name`
	// insertRows writes whole rows. The columns for people say what the definition
	// says, so that what they change there is seen.
	insertRows = `INSERT INTO sites (name, site_id, kind, "group", tags, interval_ms, timeout_ms, failure_threshold, success_threshold,
 definition, due_together, generation, loaded_at, url, regex, enabled, source, interval_seconds, timeout_seconds, quorum, locations, rules)
SELECT u.name, u.id, u.kind, u."group", u.tags::text[], u.interval_ms, u.timeout_ms, u.failure_threshold, u.success_threshold,
 u.definition, u.due_together, $12, $13, u.url, nullif(u.regex, ''), u.enabled, $20, u.interval_ms / 1000.0, u.timeout_ms / 1000.0,
 u.quorum, u.locations::text[], u.rules
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::int[], $9::int[], $10::text[], $11::int[],
 $14::int[], $15::text[], $16::text[], $17::text[], $18::text[], $19::bool[])
 AS u (name, id, kind, "group", tags, interval_ms, timeout_ms, failure_threshold, success_threshold, definition, due_together,
 quorum, locations, rules, url, regex, enabled)
ON CONFLICT (name) DO UPDATE SET site_id = excluded.site_id, kind = excluded.kind, "group" = excluded."group", tags = excluded.tags,
 interval_ms = excluded.interval_ms, timeout_ms = excluded.timeout_ms,
 failure_threshold = excluded.failure_threshold, success_threshold = excluded.success_threshold,
 definition = excluded.definition, due_together = excluded.due_together, generation = excluded.generation, loaded_at = excluded.loaded_at,
 url = excluded.url, regex = excluded.regex, enabled = excluded.enabled, source = excluded.source,
 interval_seconds = excluded.interval_seconds, timeout_seconds = excluded.timeout_seconds, problem = '',
 quorum = excluded.quorum, locations = excluded.locations, rules = excluded.rules`
)

// keepRows writes the columns for people of sites that are as they were.
func (e *edit) keepRows(ctx context.Context) error {
	if len(e.kept) == 0 {
		return nil
	}
	var r rowValues
	for _, s := range e.kept {
		r.add(s)
	}
	_, err := e.tx.Exec(ctx, `UPDATE sites s SET source = $7, url = u.url, regex = nullif(u.regex, ''), enabled = u.enabled,
 interval_seconds = u.interval_ms / 1000.0, timeout_seconds = u.timeout_ms / 1000.0
FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::bigint[], $6::bigint[]) AS u (name, url, regex, enabled, interval_ms, timeout_ms)
WHERE s.name = u.name`, r.names, r.urls, r.regexes, r.enabled, r.intervals, r.timeouts, e.source)
	return err
}

// rowValues are the values of many rows, column by column.
type rowValues struct {
	names, urls, kinds, groups, tags, regexes, definitions []string
	locations, rules                                       []string
	ids, intervals, timeouts                               []int64
	failures, successes, together, quorums                 []int
	enabled                                                []bool
}

func (r *rowValues) add(s *sitemon.Site) {
	r.quorums, r.locations = append(r.quorums, int(history.Quorum(s.Quorum))), append(r.locations, arrayLiteral(s.Locations))
	r.names, r.urls, r.kinds, r.groups = append(r.names, s.Name), append(r.urls, s.URL), append(r.kinds, string(s.Kind)), append(r.groups, s.Group)
	r.tags, r.regexes, r.definitions = append(r.tags, arrayLiteral(s.Tags)), append(r.regexes, regexOf(s.Definition)), append(r.definitions, string(s.Definition))
	r.intervals, r.timeouts = append(r.intervals, s.Interval.Milliseconds()), append(r.timeouts, s.Timeout.Milliseconds())
	r.failures, r.successes = append(r.failures, s.FailureThreshold), append(r.successes, s.SuccessThreshold)
	r.enabled = append(r.enabled, s.Enabled)
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayLiteral writes texts as Postgres reads an array.
func arrayLiteral(texts []string) string {
	if len(texts) == 0 {
		return "{}"
	}
	var b strings.Builder
	for i, t := range texts {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteByte('"')
		_, _ = arrayEscapes.WriteString(&b, t) // a Builder takes everything
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// regexOf is the regex of a definition; "" if it has none.
func regexOf(definition json.RawMessage) string {
	if !bytes.Contains(definition, []byte(`"regex"`)) {
		return ""
	}
	var d struct {
		Regex string `json:"regex"`
	}
	if json.Unmarshal(definition, &d) != nil {
		return "" // never made by package config
	}
	return d.Regex
}
