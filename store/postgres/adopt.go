package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

// HandRow is a row of the table sites as somebody wrote it.
type HandRow struct {
	Name string
	URL  string
	// Interval and Timeout are 0 where the row leaves them to their defaults.
	Interval, Timeout time.Duration
	Regex             string // "": anything will do
	Enabled           bool
	// Definition is what the file that owns the site says of it, or what the row
	// said before it was changed by hand; nil: no file owns it.
	Definition []byte
}

// Adopt makes sites of the rows that people wrote, in one transaction and as one
// generation: of those that are new or changed by way of parse, and those that are
// gone leave. A row that parse refuses gets the reason into its column problem and
// is not probed until somebody changes it again. A row that somebody is still
// writing in a transaction waits for the next call. It returns how many sites
// changed.
func (db *DB) Adopt(ctx context.Context, parse func(HandRow) (sitemon.Site, error)) (changed int, err error) {
	defer wrap(&err, "take up the rows written by hand")
	var found bool
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM sites WHERE touched) OR EXISTS ("+findOrphans+")").Scan(&found)
	})
	if err != nil || !found {
		return 0, err
	}
	if err := db.lockEdits(ctx); err != nil {
		return 0, err
	}
	defer db.unlockEdits()
	var a adoption
	err = db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a = adoption{}
		if a.edit, err = db.beginEdit(ctx, tx, ""); err != nil {
			return err
		}
		return a.run(ctx, parse)
	})
	if err != nil {
		return 0, err
	}
	if n := len(a.problems); n > 0 {
		p := a.problems[0]
		db.log.WarnContext(ctx, "rows written by hand can't be probed: the column problem says why", "sites", n, "site", p.name, "problem", p.text)
	}
	return len(a.plan.Added) + len(a.plan.Changed) + len(a.plan.Removed), nil
}

// adoption is a transaction that takes up rows written by hand.
type adoption struct {
	*edit
	plan     sitemon.Plan
	problems []problem
	cleared  []string // names of rows in which nothing has changed
}

// problem is why a row is not probed.
type problem struct{ name, text string }

func (a *adoption) run(ctx context.Context, parse func(HandRow) (sitemon.Site, error)) error {
	began := time.Now()
	if err := a.notice(ctx); err != nil {
		return err
	}
	gone, err := strs(ctx, a.tx, "SELECT name FROM site_names WHERE id = ANY ($1)", a.removed)
	if err != nil {
		return err
	}
	rows, err := touchedRows(ctx, a.tx)
	if err != nil {
		return err
	}
	if err := a.diff(ctx, rows, gone, parse); err != nil {
		return err
	}
	if !a.plan.Empty() {
		if err := a.newGeneration(ctx); err != nil {
			return err
		}
	}
	a.plan.Generation = a.newest.Number
	if err := a.edit.apply(ctx); err != nil {
		return err
	}
	if err := a.noteReloads(ctx, a.plan.Changed); err != nil {
		return err
	}
	if err := a.settle(ctx); err != nil {
		return err
	}
	if a.plan.Empty() && len(a.problems) == 0 {
		return nil
	}
	r := sitemon.Reload{
		Generation: a.plan.Generation, At: a.now, Applied: true, Added: len(a.plan.Added), Changed: len(a.plan.Changed),
		Removed: len(a.plan.Removed), Unchanged: a.plan.Unchanged, DurationMS: float64(time.Since(began).Microseconds()) / 1000,
		Difference: sitemon.NewDifference(a.plan),
	}
	for _, p := range a.problems {
		r.Errors = append(r.Errors, sitemon.Problem{File: "sites", Message: "site " + p.name + ": " + p.text})
	}
	return addReload(ctx, a.tx, r)
}

// touchedRow is a row that somebody wrote.
type touchedRow struct {
	HandRow
	fault string // of a column
}

// touchedRows locks and reads the rows that people wrote, but for those that
// somebody is still writing.
func touchedRows(ctx context.Context, tx pgx.Tx) (rows []touchedRow, err error) {
	err = eachRow(ctx, tx, `SELECT name, url, `+micros("interval_seconds")+`, `+micros("timeout_seconds")+`, coalesce(regex, ''), enabled,
 source, definition FROM sites WHERE touched ORDER BY name FOR NO KEY UPDATE SKIP LOCKED`, nil, func(row pgx.Rows) error {
		var r touchedRow
		var interval, timeout int64
		var source, definition string
		if err := row.Scan(&r.Name, &r.URL, &interval, &timeout, &r.Regex, &r.Enabled, &source, &definition); err != nil {
			return err
		}
		if interval < 0 || timeout < 0 {
			r.fault = "interval_seconds and timeout_seconds are numbers of seconds above 0, or NULL"
		}
		r.Interval, r.Timeout = time.Duration(interval)*time.Microsecond, time.Duration(timeout)*time.Microsecond
		if source != "" && definition != "" {
			r.Definition = owned(r.Name, r.Regex, []byte(definition))
		}
		rows = append(rows, r)
		return nil
	})
	return rows, err
}

// micros reads a column of seconds as microseconds: 0 for NULL, -1 for what is no
// time.
func micros(column string) string {
	return "CASE WHEN " + column + " IS NULL THEN 0 WHEN " + column + " BETWEEN 0.000001 AND 1000000000 THEN round(" + column +
		" * 1000000)::bigint ELSE -1 END"
}

// owned is the definition of a file's row to which the row may be compared: under
// its own name, and without the regular expression that somebody took out.
func owned(name, regex string, definition []byte) []byte {
	var keys map[string]json.RawMessage
	if json.Unmarshal(definition, &keys) != nil {
		return definition // parse says what is wrong with it
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return definition
	}
	keys["name"] = quoted
	if regex == "" {
		delete(keys, "regex")
	}
	changed, err := json.Marshal(keys)
	if err != nil {
		return definition
	}
	return changed
}

// diff makes sites of the rows, and the plan.
func (a *adoption) diff(ctx context.Context, rows []touchedRow, gone []string, parse func(HandRow) (sitemon.Site, error)) error {
	names := make([]string, len(rows))
	for i := range rows {
		names[i] = rows[i].Name
	}
	before, err := readRows(ctx, a.tx, names)
	if err != nil {
		return err
	}
	var was, is []sitemon.Site
	for _, name := range gone {
		was = append(was, sitemon.Site{Name: name})
	}
	for i := range rows {
		r := &rows[i]
		d := before[r.Name]
		if d != nil {
			was = append(was, sitemon.Site{Name: r.Name, Definition: d.definition})
		}
		site, text := r.site(parse)
		switch {
		case text != "":
			a.problems = append(a.problems, problem{r.Name, text})
			if d != nil {
				a.removed = append(a.removed, d.id)
			}
			continue
		case d != nil && bytes.Equal(d.definition, site.Definition):
			a.cleared = append(a.cleared, r.Name)
		default:
			a.puts = append(a.puts, put{site: &site, before: d})
		}
		is = append(is, site)
	}
	a.plan = sitemon.Diff(was, is)
	a.due = dueOf(a.plan)
	return nil
}

// site makes a site of the row, or says why there is none.
func (r *touchedRow) site(parse func(HandRow) (sitemon.Site, error)) (s sitemon.Site, fault string) {
	if r.fault != "" {
		return s, r.fault
	}
	s, err := parse(r.HandRow)
	if err == nil {
		return s, ""
	}
	if problems, ok := errors.AsType[sitemon.Problems](err); ok {
		messages := make([]string, len(problems)) // where in the definition it is nobody can look up
		for i, p := range problems {
			messages[i] = p.Message
		}
		return s, cmp.Or(strings.Join(messages, "; "), "it can't be read")
	}
	return s, err.Error()
}

// settle writes what is left to be said of the rows, and sees to it that those
// that were left out are looked at again.
func (a *adoption) settle(ctx context.Context) error {
	if _, err := a.tx.Exec(ctx, "SELECT set_config('sitemon.writes', 'on', true)"); err != nil {
		return err
	}
	if len(a.cleared) > 0 {
		if _, err := a.tx.Exec(ctx, "UPDATE sites SET problem = '' WHERE name = ANY ($1)", a.cleared); err != nil {
			return err
		}
	}
	if len(a.problems) > 0 {
		var names, texts []string
		for _, p := range a.problems {
			names, texts = append(names, p.name), append(texts, p.text)
		}
		_, err := a.tx.Exec(ctx, `UPDATE sites s SET problem = u.problem
FROM unnest($1::text[], $2::text[]) AS u (name, problem) WHERE s.name = u.name`, names, texts)
		if err != nil {
			return err
		}
	}
	_, err := a.tx.Exec(ctx, "INSERT INTO site_changes (at) SELECT now() WHERE EXISTS (SELECT 1 FROM sites WHERE touched)")
	return err
}
