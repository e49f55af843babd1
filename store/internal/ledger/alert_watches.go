package ledger

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// The watches that are due now and then.
const (
	watchLocations    = "locations"
	watchFigures      = "figures"
	watchCertificates = "certificates"
	watchLog          = "log"

	watchReports  = "reports"   // whether any arrive
	watchLocation = "location " // one location, by name
)

const (
	// silentIntervals is how many of a location's shortest intervals it is silent, and
	// silentLeast how long at least, before that is told.
	silentIntervals = 3
	silentLeast     = 2 * time.Minute
	// standstill is how long no reports arrive at all before that is told.
	standstill = 5 * time.Minute
	// watchBreak is how long nobody may look before it counts as a break: what was
	// missed in one says nothing.
	watchBreak = time.Minute
)

// watchEvery is how often a watch is due.
func watchEvery(name string) time.Duration {
	switch name {
	case watchLocations:
		return 10 * time.Second
	case watchFigures:
		return time.Minute
	case watchCertificates:
		return 10 * time.Minute
	}
	return time.Hour
}

// watch is a row of alert_watches.
type watch struct {
	name                         string
	checked, good, readTo, since time.Time
}

// claim takes a watch that is due, so that nobody else looks at the same time. last
// is when somebody looked before; zero: never.
func (r *round) claim(ctx context.Context, name string) (last time.Time, ok bool, err error) {
	n, err := r.tx.Exec(ctx, "INSERT INTO alert_watches (name, checked_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, r.now)
	if err != nil || n > 0 {
		return time.Time{}, err == nil, err
	}
	err = r.tx.Query(ctx, "SELECT checked_at FROM alert_watches WHERE name = $1 AND checked_at <= $2"+r.tx.SkipLocked(),
		[]any{name, r.now.Add(-watchEvery(name))}, func(scan func(dest ...any) error) error {
			var m Moment
			ok = true
			err := scan(&m)
			last = m.Time
			return err
		})
	if err != nil || !ok {
		return last, false, err
	}
	_, err = r.tx.Exec(ctx, "UPDATE alert_watches SET checked_at = $2 WHERE name = $1", name, r.now)
	return last, true, err
}

// watches reads watches by a pattern of their names, and locks them.
func (r *round) watches(ctx context.Context, like string) (map[string]*watch, error) {
	all := map[string]*watch{}
	err := r.tx.Query(ctx, "SELECT name, checked_at, good_at, read_to, since FROM alert_watches WHERE name LIKE $1 ORDER BY name"+r.tx.SkipLocked(),
		[]any{like}, func(scan func(dest ...any) error) error {
			var w watch
			var checked, good, readTo, since Moment
			err := scan(&w.name, &checked, &good, &readTo, &since)
			w.checked, w.good, w.readTo, w.since = checked.Time, good.Time, readTo.Time, since.Time
			all[w.name] = &w
			return err
		})
	return all, err
}

func (r *round) saveWatch(ctx context.Context, w *watch) error {
	_, err := r.tx.Exec(ctx, `INSERT INTO alert_watches (name, checked_at, good_at, read_to, since) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET checked_at = excluded.checked_at, good_at = excluded.good_at, read_to = excluded.read_to, since = excluded.since`,
		w.name, r.now, w.good, w.readTo, w.since)
	return err
}

// station is a location of enabled sites, with how it was heard.
type station struct {
	name    string
	sources []string
	sites   int
	limit   time.Duration // of silence
	heard   bool
}

// watchLocations finds locations that have fallen silent, and those that are back.
func (d *decision) watchLocations(ctx context.Context) error {
	var stations []*station
	err := d.Read(ctx, func(ctx context.Context, tx Tx) (err error) {
		stations, err = readStations(ctx, tx)
		for _, s := range stations {
			if err == nil && !d.judged.IsZero() {
				err = tx.Query(ctx, d.Queries.Heard, []any{s.name, d.judged.Add(-s.limit)}, func(func(dest ...any) error) error {
					s.heard = true
					return nil
				})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.Write(ctx, func(ctx context.Context, tx Tx) error {
		r := d.round(tx)
		last, ok, err := r.claim(ctx, watchLocations)
		if err != nil || !ok {
			return err
		}
		return r.listen(ctx, stations, d.judged, !last.IsZero() && r.now.Sub(last) <= watchBreak)
	})
}

// readStations reads the locations that ever reported of a site that is enabled.
func readStations(ctx context.Context, tx Tx) (all []*station, err error) {
	err = tx.Query(ctx, `SELECT l.location, s.source, count(*), min(s.interval_ms) FROM site_locations l JOIN sites s ON s.site_id = l.site_id
WHERE s.enabled GROUP BY l.location, s.source ORDER BY l.location, s.source`, nil, func(scan func(dest ...any) error) error {
		var name, source string
		var sites int
		var ms int64
		if err := scan(&name, &source, &sites, &ms); err != nil {
			return err
		}
		limit := max(silentIntervals*time.Duration(ms)*time.Millisecond, silentLeast)
		if k := len(all) - 1; k >= 0 && all[k].name == name {
			all[k].sources, all[k].sites, all[k].limit = append(all[k].sources, source), all[k].sites+sites, min(all[k].limit, limit)
			return nil
		}
		all = append(all, &station{name: name, sources: []string{source}, sites: sites, limit: limit})
		return nil
	})
	return all, err
}

// listen notes which locations were heard by the time up to which reports have been
// read. steady: somebody looked shortly before too.
func (r *round) listen(ctx context.Context, stations []*station, judged time.Time, steady bool) error {
	known, err := r.watches(ctx, watchLocation+"%")
	if err != nil {
		return err
	}
	moved, err := r.hear(ctx, stations, judged, steady)
	if err != nil || moved <= 0 {
		return err // nothing is known of now
	}
	steady = steady && moved <= watchBreak
	for _, s := range stations {
		w := known[watchLocation+s.name]
		delete(known, watchLocation+s.name)
		if err := r.listenTo(ctx, s, w, judged, steady); err != nil {
			return err
		}
	}
	for name := range known { // no site of it is left
		if _, err := r.tx.Exec(ctx, "DELETE FROM alert_watches WHERE name = $1", name); err != nil {
			return err
		}
	}
	return nil
}

// listenTo notes whether a location was heard; w is nil where it never was.
func (r *round) listenTo(ctx context.Context, s *station, w *watch, judged time.Time, steady bool) error {
	if w == nil {
		if !s.heard {
			return nil
		}
		w = &watch{name: watchLocation + s.name}
	}
	switch {
	case s.heard && !w.since.IsZero():
		text := fmt.Sprintf("location %s reports again, it was silent for %s", s.name, spell(judged.Sub(w.since)))
		if err := r.monitorBack(ctx, w, text); err != nil {
			return err
		}
		w.good, w.since = judged, time.Time{}
	case s.heard:
		w.good = judged
	case !w.since.IsZero():
	case !steady: // it gets its time once more
		w.good = later(w.good, judged.Add(s.limit))
	case judged.After(w.good):
		w.since = judged.Add(-s.limit)
		text := fmt.Sprintf("location %s is silent: none of its sites (%d) has a report since %s", s.name, s.sites, moment(w.since))
		for _, source := range s.sources {
			if err := r.monitorSilent(ctx, source, w, text, s.sites); err != nil {
				return err
			}
		}
	}
	return r.saveWatch(ctx, w)
}

// hear notes how far the time has come up to which reports have been read, and
// returns by how much.
func (r *round) hear(ctx context.Context, stations []*station, judged time.Time, steady bool) (moved time.Duration, err error) {
	known, err := r.watches(ctx, watchReports)
	if err != nil {
		return 0, err
	}
	w := known[watchReports]
	if w == nil {
		w = &watch{name: watchReports, good: r.now}
	}
	if !w.readTo.IsZero() && !judged.IsZero() {
		moved = judged.Sub(w.readTo)
	} else if !judged.IsZero() {
		moved = time.Duration(1) << 62 // from never
	}
	switch {
	case moved > 0 && !w.since.IsZero():
		text := "reports arrive again, there were none for " + spell(r.now.Sub(w.since))
		if err := r.monitorBack(ctx, w, text); err != nil {
			return 0, err
		}
		w.since = time.Time{}
		fallthrough
	case moved > 0:
		w.good, w.readTo = r.now, judged
	case !w.since.IsZero():
	case !steady:
		w.good = r.now
	case r.now.Sub(w.good) > standstill:
		w.since = w.good
		if !w.readTo.IsZero() {
			w.since = w.readTo
		}
		sites := 0
		for _, s := range stations {
			sites = max(sites, s.sites)
		}
		text := fmt.Sprintf("no reports arrive since %s: nothing can be said of any site", moment(w.since))
		for _, source := range sourcesOf(stations) {
			if err := r.monitorSilent(ctx, source, w, text, sites); err != nil {
				return 0, err
			}
		}
	}
	return moved, r.saveWatch(ctx, w)
}

func sourcesOf(stations []*station) (all []string) {
	seen := map[string]bool{}
	for _, s := range stations {
		for _, source := range s.sources {
			if !seen[source] {
				seen[source] = true
				all = append(all, source)
			}
		}
	}
	return all
}

// monitorSilent tells those whom a document wants to know that nothing is heard.
func (r *round) monitorSilent(ctx context.Context, source string, w *watch, text string, sites int) error {
	c, err := r.document(ctx, source)
	if err != nil {
		return err
	}
	to := c.MonitorSilent
	if to == nil {
		if to, err = r.usedChannels(ctx, source); err != nil {
			return err
		}
	}
	for _, channel := range to {
		n := notice{
			source: source, channel: channel, kind: kindMonitorSilent, subject: w.name, occurrence: w.since.Format(time.RFC3339Nano),
			due: r.now, severity: sitemon.SeverityCritical, text: text, total: sites,
		}
		if err := r.hold(ctx, &n); err != nil {
			return err
		}
	}
	return nil
}

// monitorBack tells those who were told that something is heard again.
func (r *round) monitorBack(ctx context.Context, w *watch, text string) error {
	told, err := r.notices(ctx, "d.kind = 'monitor_silent' AND d.subject = $1 AND d.occurrence = $2 AND d.state <> 'dropped'",
		[]any{w.name, w.since.Format(time.RFC3339Nano)}, "")
	if err != nil {
		return err
	}
	for _, d := range told {
		n := *d
		n.kind, n.text, n.due, n.alert = kindMonitorBack, text, r.now, nil
		if err := r.hold(ctx, &n); err != nil {
			return err
		}
	}
	return nil
}

// usedChannels returns the channels that the sites of a document name.
func (r *round) usedChannels(ctx context.Context, source string) (names []string, err error) {
	seen := map[string]bool{}
	err = r.tx.Query(ctx, "SELECT rules FROM sites WHERE source = $1 AND rules <> '' ORDER BY site_id", []any{source},
		func(scan func(dest ...any) error) error {
			var text string
			err := scan(&text)
			for _, a := range rulesOf(text).Alerts {
				for _, to := range a.To {
					if !seen[to] {
						seen[to] = true
						names = append(names, to)
					}
				}
			}
			return err
		})
	return names, err
}

// prune deletes what the log keeps no longer.
func (d *decision) prune(ctx context.Context) error {
	const some = 1000
	old := []any{d.now.Add(-LogRetention)}
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM notices WHERE id IN (SELECT id FROM notices d WHERE d.created_at < $1 AND d.state IN ('sent', 'suppressed', 'dropped')
 AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = d.incident_id AND i.ended_at IS NULL AND NOT i.withdrawn) LIMIT %d)`, old},
		{`DELETE FROM notifications WHERE id IN (SELECT id FROM notifications m WHERE m.created_at < $1 AND m.next_at IS NULL
 AND NOT EXISTS (SELECT 1 FROM notices d WHERE d.notification_id = m.id) LIMIT %d)`, old},
		{`DELETE FROM alert_marks WHERE id IN (SELECT id FROM alert_marks a
 WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = a.incident_id) LIMIT %d)`, nil},
	} {
		for deleted := int64(some); deleted == some; {
			err := d.Write(ctx, func(ctx context.Context, tx Tx) (err error) {
				deleted, err = tx.Exec(ctx, fmt.Sprintf(q.query, some), q.args...)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return d.Write(ctx, func(ctx context.Context, tx Tx) error {
		_, _, err := d.round(tx).claim(ctx, watchLog)
		return err
	})
}
