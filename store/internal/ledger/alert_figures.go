package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/slo"
)

const (
	// calm is how long a figure must be good again before that is told.
	calm = 5 * time.Minute
	// figuresAtOnce is of how many sites availability is asked at once.
	figuresAtOnce = 200
	// watchFigure begins the names of watches of one figure each.
	watchFigure = "figure "
)

// measured is a site with alerts about its figures.
type measured struct {
	id           int64
	name, source string
	rules        sitemon.Rules
}

// trouble is one figure of a site as it is now.
type trouble struct {
	site *measured
	// key tells it from the site's others; it has what it is compared with, so that a
	// changed alert is another one.
	key       string
	kind      string // of its notices
	alertKind sitemon.AlertKind
	alert     *sitemon.Alert // nil: every alert of the kind
	bad       bool
	text      string
}

func (t *trouble) watch() string { return fmt.Sprintf("%s%d %s", watchFigure, t.site.id, t.key) }

// lookAtFigures compares latency, availability and error budgets with what the
// alerts allow.
func (d *decision) lookAtFigures(ctx context.Context) error {
	var claimed bool
	err := d.Write(ctx, func(ctx context.Context, tx Tx) (err error) {
		_, claimed, err = d.round(tx).claim(ctx, watchFigures)
		return err
	})
	if err != nil || !claimed {
		return err
	}
	var sites []*measured
	err = d.Read(ctx, func(ctx context.Context, tx Tx) (err error) {
		sites, err = readMeasured(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	var troubles []*trouble
	known := map[string]bool{} // the watches that there may be
	for part := range slices.Chunk(sites, figuresAtOnce) {
		list, err := d.measure(ctx, part, known)
		if err != nil {
			return err
		}
		troubles = append(troubles, list...)
	}
	return d.Write(ctx, func(ctx context.Context, tx Tx) error { return d.round(tx).compare(ctx, troubles, known) })
}

// readMeasured reads the sites with alerts about figures.
func readMeasured(ctx context.Context, tx Tx) (list []*measured, err error) {
	err = tx.Query(ctx, `SELECT s.site_id, n.name, s.source, s.rules FROM sites s JOIN site_names n ON n.id = s.site_id
WHERE s.enabled AND s.rules <> '' ORDER BY s.site_id`, nil, func(scan func(dest ...any) error) error {
		m := &measured{}
		var text string
		if err := scan(&m.id, &m.name, &m.source, &text); err != nil {
			return err
		}
		if !strings.Contains(text, `"slo"`) && !strings.Contains(text, `"latency"`) && !strings.Contains(text, `"availability"`) {
			return nil
		}
		m.rules = rulesOf(text)
		list = append(list, m)
		return nil
	})
	return list, err
}

// measure returns the figures of sites about which something is known, and adds to
// known those about which there may be.
func (d *decision) measure(ctx context.Context, sites []*measured, known map[string]bool) (list []*trouble, err error) {
	windows := map[time.Duration]struct{}{}
	var names []string
	for _, s := range sites {
		n := len(windows)
		if s.tells(sitemon.AlertSLO) {
			for _, w := range slo.Windows() {
				windows[w] = struct{}{}
			}
		}
		for i := range s.rules.Alerts {
			if a := &s.rules.Alerts[i]; a.Tells(sitemon.AlertAvailability) {
				windows[a.Availability.Window] = struct{}{}
			}
		}
		if len(windows) > n || s.tells(sitemon.AlertSLO) || s.tells(sitemon.AlertAvailability) {
			names = append(names, s.name)
		}
	}
	figures := map[string]map[time.Duration]availability.Figure{}
	if len(names) > 0 {
		order := slices.Sorted(maps.Keys(windows))
		answer, err := d.Past.Availabilities(ctx, names, d.now, order)
		if err != nil {
			return nil, err
		}
		for name, list := range answer {
			figures[name] = map[time.Duration]availability.Figure{}
			for i, w := range order {
				figures[name][w] = list[i]
			}
		}
	}
	for _, s := range sites {
		some, err := d.troublesOf(ctx, s, figures[s.name], known)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// tells reports whether a channel is told of a kind of trouble of the site.
func (s *measured) tells(k sitemon.AlertKind) bool {
	if k == sitemon.AlertSLO && s.rules.SLO == nil {
		return false
	}
	return slices.ContainsFunc(s.rules.Alerts, func(a sitemon.Alert) bool { return a.Tells(k) })
}

// troublesOf compares the figures of a site with what its alerts allow.
func (d *decision) troublesOf(ctx context.Context, s *measured, figures map[time.Duration]availability.Figure, known map[string]bool) (list []*trouble, err error) {
	add := func(t *trouble, judged bool) {
		known[t.watch()] = true
		if judged {
			list = append(list, t)
		}
	}
	if s.tells(sitemon.AlertSLO) {
		add(s.burning(figures))
	}
	for i := range s.rules.Alerts {
		a := &s.rules.Alerts[i]
		if a.Tells(sitemon.AlertAvailability) {
			add(s.unavailable(a, figures[a.Availability.Window]))
		}
		if a.Tells(sitemon.AlertLatency) {
			t, judged, err := d.slow(ctx, s, a)
			if err != nil {
				return nil, err
			}
			add(t, judged)
		}
	}
	return list, nil
}

// burning compares how fast the error budget burns with the rules of package slo.
func (s *measured) burning(figures map[time.Duration]availability.Figure) (t *trouble, judged bool) {
	o := slo.Objective{Target: s.rules.SLO.Target, Window: s.rules.SLO.Window}
	t = &trouble{
		site: s, key: fmt.Sprintf("slo %g in %s", o.Target, o.Window), kind: kindSLO, alertKind: sitemon.AlertSLO,
		text: fmt.Sprintf("the error budget of %s (%g%% in %s) does not burn too fast any more", s.name, o.Target, spell(o.Window)),
	}
	if alerts := o.Alerts(figures); len(alerts) > 0 {
		a := alerts[0]
		t.bad = true
		t.text = fmt.Sprintf("the error budget of %s (%g%% in %s) burns %.1f times too fast over %s, and %.1f times over %s",
			s.name, o.Target, spell(o.Window), a.LongRate, spell(a.Long), a.ShortRate, spell(a.Short))
	}
	return t, len(figures) > 0
}

// unavailable compares an availability with its limit.
func (s *measured) unavailable(a *sitemon.Alert, f availability.Figure) (t *trouble, judged bool) {
	t = &trouble{
		site: s, key: fmt.Sprintf("availability %g in %s", a.Availability.Below, a.Availability.Window),
		kind: kindSLO, alertKind: sitemon.AlertAvailability, alert: a,
	}
	if f.Availability == nil {
		return t, false
	}
	percent := 100 * *f.Availability
	t.bad = percent < a.Availability.Below
	t.text = fmt.Sprintf("the availability of %s over %s is %.3f%%", s.name, spell(a.Availability.Window), percent)
	if t.bad {
		t.text += fmt.Sprintf(", below %g%%", a.Availability.Below)
	} else {
		t.text += " again"
	}
	return t, true
}

// oneBucket is wider than any window, so that there is one bucket.
const oneBucket = 100 * 365 * 24 * time.Hour

// slow compares a percentile of the durations with its limit.
func (d *decision) slow(ctx context.Context, s *measured, a *sitemon.Alert) (t *trouble, judged bool, err error) {
	l := a.Latency
	t = &trouble{
		site: s, key: fmt.Sprintf("latency p%d %s in %s", l.Percentile, l.Above, l.Window),
		kind: kindLatency, alertKind: sitemon.AlertLatency, alert: a,
	}
	res, err := d.Past.Availability(ctx, availability.Query{Site: s.name, From: d.now.Add(-l.Window), To: d.now, Step: oneBucket})
	if errors.Is(err, sitemon.ErrNotFound) || err == nil && (len(res.Buckets) == 0 || res.Buckets[0].Latency == nil) {
		return t, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	seen := res.Buckets[0].Latency.P95
	switch l.Percentile {
	case 50:
		seen = res.Buckets[0].Latency.P50
	case 99:
		seen = res.Buckets[0].Latency.P99
	}
	t.bad = seen > l.Above
	t.text = fmt.Sprintf("the p%d latency of %s over %s is %s", l.Percentile, s.name, spell(l.Window), seen.Round(time.Millisecond))
	if t.bad {
		t.text += fmt.Sprintf(", above %s", l.Above)
	} else {
		t.text += " again"
	}
	return t, true, nil
}

// compare makes notices of figures that have become bad, and of those that are good
// again.
func (r *round) compare(ctx context.Context, troubles []*trouble, known map[string]bool) error {
	watches, err := r.watches(ctx, watchFigure+"%")
	if err != nil {
		return err
	}
	for name := range watches {
		if !known[name] { // nobody wants to know any more
			if _, err := r.tx.Exec(ctx, "DELETE FROM alert_watches WHERE name = $1", name); err != nil {
				return err
			}
		}
	}
	for _, t := range troubles {
		if err := r.compareOne(ctx, t, watches[t.watch()]); err != nil {
			return err
		}
	}
	return nil
}

// compareOne is compare for one figure; w is nil where it is not bad already.
func (r *round) compareOne(ctx context.Context, t *trouble, w *watch) error {
	switch {
	case w == nil && !t.bad:
		return nil
	case w == nil:
		w = &watch{name: t.watch(), since: r.now}
		if err := r.tellTrouble(ctx, t, w); err != nil {
			return err
		}
	case t.bad:
		if w.good.IsZero() {
			return nil
		}
		w.good = time.Time{}
	case w.good.IsZero():
		w.good = r.now
	case r.now.Sub(w.good) < calm:
		return nil
	default:
		if err := r.tellOver(ctx, t, w); err != nil {
			return err
		}
		_, err := r.tx.Exec(ctx, "DELETE FROM alert_watches WHERE name = $1", w.name)
		return err
	}
	return r.saveWatch(ctx, w)
}

func (r *round) tellTrouble(ctx context.Context, t *trouble, w *watch) error {
	for i := range t.site.rules.Alerts {
		a := &t.site.rules.Alerts[i]
		if t.alert != nil && t.alert != a || !a.Tells(t.alertKind) {
			continue
		}
		for _, to := range a.To {
			n := notice{
				source: t.site.source, channel: to, kind: t.kind, subject: w.name, occurrence: w.since.Format(time.RFC3339Nano),
				due: r.now, site: t.site.id, severity: a.Severity, alert: a, text: t.text, total: 1,
			}
			if err := r.hold(ctx, &n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *round) tellOver(ctx context.Context, t *trouble, w *watch) error {
	told, err := r.notices(ctx, "d.kind = $1 AND d.subject = $2 AND d.occurrence = $3 AND d.state <> 'dropped'",
		[]any{t.kind, w.name, w.since.Format(time.RFC3339Nano)}, "")
	if err != nil {
		return err
	}
	for _, d := range told {
		if !d.alert.SendResolved {
			continue
		}
		n := *d
		n.kind, n.text, n.due = t.kind+"_over", t.text, r.now
		if err := r.hold(ctx, &n); err != nil {
			return err
		}
	}
	return nil
}
