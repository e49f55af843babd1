package ledger

import (
	"context"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// addEvent adds a line to the timeline of an incident.
func addEvent(ctx context.Context, tx Tx, incident int64, e sitemon.IncidentEvent) error {
	_, err := tx.Exec(ctx, "INSERT INTO incident_events (incident_id, at, kind, location, by, text) VALUES ($1, $2, $3, $4, $5, $6)",
		incident, e.At, string(e.Kind), e.Location, e.By, e.Text)
	return err
}

// Reloaded notes in the timeline of a site's incident, if one goes on, that its
// definition was changed, with the keys that were.
func Reloaded(ctx context.Context, tx Tx, site int64, at time.Time, keys []string) error {
	rows, err := readRows(ctx, tx, "WHERE i.site_id = $1 AND i.ended_at IS NULL AND NOT i.withdrawn", site)
	if err != nil {
		return err
	}
	for _, r := range rows {
		err := addEvent(ctx, tx, r.ID, sitemon.IncidentEvent{
			At: at, Kind: sitemon.EventReload, Text: "the site was changed: " + strings.Join(keys, ", "),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// timeline puts together what happened in an incident, oldest first: what its row
// tells, and the events.
func timeline(ctx context.Context, tx Tx, r *row) (list []sitemon.IncidentEvent, err error) {
	for _, t := range r.told {
		list = append(list, sitemon.IncidentEvent{At: t.Failed, Kind: sitemon.EventFailed, Location: t.Location, Text: t.Error})
	}
	list = append(list, sitemon.IncidentEvent{At: r.ConfirmedAt, Kind: sitemon.EventConfirmed})
	for _, t := range r.told {
		if !t.Recovered.IsZero() {
			list = append(list, sitemon.IncidentEvent{At: t.Recovered, Kind: sitemon.EventRecovered, Location: t.Location})
		}
	}
	if !r.EndedAt.IsZero() && !r.Withdrawn {
		list = append(list, sitemon.IncidentEvent{At: r.EndedAt, Kind: sitemon.EventEnded, Text: endText(r.End)})
	}
	err = tx.Query(ctx, "SELECT at, kind, location, by, text FROM incident_events WHERE incident_id = $1 ORDER BY at, id", []any{r.ID},
		func(scan func(dest ...any) error) error {
			var e sitemon.IncidentEvent
			var at Moment
			err := scan(&at, (*string)(&e.Kind), &e.Location, &e.By, &e.Text)
			e.At = at.Time
			list = append(list, e)
			return err
		})
	slices.SortStableFunc(list, func(a, b sitemon.IncidentEvent) int { return a.At.Compare(b.At) })
	return list, err
}

// endText says in words how an incident ended.
func endText(end sitemon.IncidentEnd) string {
	switch end {
	case sitemon.EndRecovered:
		return "the site recovered"
	case sitemon.EndPaused:
		return "the site was paused"
	case sitemon.EndRemoved:
		return "the site was removed"
	case sitemon.EndMaintenance:
		return "a maintenance began"
	}
	return ""
}
