package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sitemon"
)

// channels are those of a document.
type channels struct {
	sitemon.Alerting
	byName map[string]*sitemon.Channel
}

// document returns the alerting of a source; one that is gone has no channels.
func (r *round) document(ctx context.Context, source string) (*channels, error) {
	if c, ok := r.documents[source]; ok {
		return c, nil
	}
	c, err := readAlerting(ctx, r.tx, source)
	r.documents[source] = c
	return c, err
}

// channel returns a channel of a source; nil if it is gone.
func (r *round) channel(ctx context.Context, source, name string) (*sitemon.Channel, error) {
	c, err := r.document(ctx, source)
	if err != nil {
		return nil, err
	}
	return c.byName[name], nil
}

func readAlerting(ctx context.Context, tx Tx, source string) (*channels, error) {
	c := &channels{byName: map[string]*sitemon.Channel{}}
	err := tx.Query(ctx, "SELECT alerting FROM documents WHERE source = $1", []any{source}, func(scan func(dest ...any) error) error {
		var text string
		if err := scan(&text); err != nil || text == "" {
			return err
		}
		if err := json.Unmarshal([]byte(text), &c.Alerting); err != nil {
			return fmt.Errorf("read the alerting of %q: %w", source, err)
		}
		return nil
	})
	for i := range c.Channels {
		c.byName[c.Channels[i].Name] = &c.Channels[i]
	}
	return c, err
}

// rulesOf reads the rules of a site as they are stored.
func rulesOf(text string) (r sitemon.Rules) {
	if text != "" {
		// What is stored was written by this program or a newer one: what it does not
		// understand says nothing, and stops nothing else.
		_ = json.Unmarshal([]byte(text), &r)
	}
	return r
}

// alertTo returns the first alert that tells a channel of a kind of trouble; nil if
// none does.
func alertTo(rules *sitemon.Rules, kind sitemon.AlertKind, channel string) *sitemon.Alert {
	for i := range rules.Alerts {
		a := &rules.Alerts[i]
		if a.Tells(kind) && slices.Contains(a.To, channel) {
			return a
		}
	}
	return nil
}

// quietUntil returns the end of the quiet hours in which a moment lies, those that
// follow on them included; the zero time if it lies in none.
func quietUntil(hours []sitemon.QuietHours, now time.Time) (end time.Time) {
	at := now
	for range 2 * len(hours) { // more than that would be always
		next := at
		for _, h := range hours {
			if e := quietEnd(h, at); e.After(next) {
				next = e
			}
		}
		if next.Equal(at) {
			break
		}
		end, at = next, next
	}
	return end
}

// quietEnd returns the end of quiet hours if a moment lies in them.
func quietEnd(h sitemon.QuietHours, now time.Time) time.Time {
	zone, err := time.LoadLocation(h.Timezone)
	if err != nil {
		return time.Time{}
	}
	from, err := time.Parse("15:04", h.From)
	if err != nil {
		return time.Time{}
	}
	to, err := time.Parse("15:04", h.To)
	if err != nil {
		return time.Time{}
	}
	y, m, d := now.In(zone).Date()
	for _, day := range []int{d - 1, d} {
		start := time.Date(y, m, day, from.Hour(), from.Minute(), 0, 0, zone)
		if !to.After(from) {
			day++
		}
		end := time.Date(y, m, day, to.Hour(), to.Minute(), 0, 0, zone)
		if !now.Before(start) && now.Before(end) {
			return end.UTC()
		}
	}
	return time.Time{}
}

// quiet returns until when a channel is not to be told of something; zero: it may
// be now.
func (r *round) quiet(c *sitemon.Channel, s sitemon.Severity) time.Time {
	if s == sitemon.SeverityCritical {
		return time.Time{}
	}
	return quietUntil(c.QuietHours, r.now)
}
