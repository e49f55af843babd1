package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sitemon"
	"sitemon/status"
)

// row is a row of incidents.
type row struct {
	sitemon.Incident
	siteID    int64
	settledAt time.Time
	told      []told
}

// told is what a location said in an incident, as incidents.told has it.
type told struct {
	Location  string         `json:"location"`
	Failed    time.Time      `json:"failed"`
	Confirmed time.Time      `json:"confirmed"`
	Recovered time.Time      `json:"recovered,omitzero"`
	Reason    sitemon.Reason `json:"reason"`
	Error     string         `json:"error"`
	// Reports are its failed ones with slots before CountedTo.
	Reports   int       `json:"reports"`
	CountedTo time.Time `json:"counted_to"`
}

// incidentColumns are what [scanRow] reads, of incidents i, site_names n and sites s.
const incidentColumns = `i.id, i.site_id, n.name, coalesce(s."group", ''), coalesce(s.url, ''),
 i.started_at, i.confirmed_at, i.ended_at, i.settled_at, i.ended_by, i.reason, i.error, i.locations, i.told,
 i.reports, i.parent, i.acknowledged_at, i.acknowledged_by, i.withdrawn`

// incidentTables are the tables of incidentColumns.
const incidentTables = " FROM incidents i JOIN site_names n ON n.id = i.site_id LEFT JOIN sites s ON s.site_id = i.site_id "

func scanRow(scan func(dest ...any) error) (r row, err error) {
	var started, confirmed, ended, settled, acknowledged Moment
	var locations, told string
	err = scan(&r.ID, &r.siteID, &r.Site, &r.Group, &r.URL, &started, &confirmed, &ended, &settled, (*string)(&r.End),
		(*string)(&r.Reason), &r.Error, &locations, &told, &r.Reports, &r.Parent, &acknowledged,
		&r.AcknowledgedBy, &r.Withdrawn)
	if err != nil {
		return r, err
	}
	r.StartedAt, r.ConfirmedAt, r.EndedAt, r.settledAt = started.Time, confirmed.Time, ended.Time, settled.Time
	r.AcknowledgedAt = acknowledged.Time
	if err := json.Unmarshal([]byte(locations), &r.Locations); err != nil {
		return r, fmt.Errorf("locations of incident %d: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(told), &r.told); err != nil {
		return r, fmt.Errorf("what locations said in incident %d: %w", r.ID, err)
	}
	return r, nil
}

// readRows reads incidents; where may hold an order and a limit too.
func readRows(ctx context.Context, tx Tx, where string, args ...any) (rows []row, err error) {
	err = tx.Query(ctx, "SELECT "+incidentColumns+incidentTables+where, args, func(scan func(dest ...any) error) error {
		r, err := scanRow(scan)
		rows = append(rows, r)
		return err
	})
	return rows, err
}

// readExisting reads the incidents of the site that were not over for certain before
// a moment, oldest first.
func (d *deriving) readExisting(ctx context.Context, from time.Time) (err error) {
	d.existing, err = readRows(ctx, d, `WHERE i.site_id = $1 AND (i.settled_at IS NULL OR i.settled_at >= $2)
ORDER BY i.started_at, i.id`, d.site, from)
	return err
}

// openAt is an incident that went on at a moment, as far as it had come.
func (r *row) openAt(at time.Time) *status.Stretch {
	s := &status.Stretch{From: r.StartedAt, Confirmed: r.ConfirmedAt, Cause: status.Cause{Reason: r.Reason, Error: r.Error}}
	for _, t := range r.told {
		if !t.Confirmed.Before(at) {
			continue
		}
		if !t.Recovered.Before(at) {
			t.Recovered = time.Time{}
		}
		s.Told = append(s.Told, status.Told{
			Location: t.Location, Failed: t.Failed, Confirmed: t.Confirmed, Recovered: t.Recovered,
			Cause: status.Cause{Reason: t.Reason, Error: t.Error},
		})
	}
	return s
}

// derived is a stretch as a row; tracks are of the time up to which reports were
// read.
func derived(site int64, s *status.Stretch, tracks []status.Located) row {
	r := row{siteID: site, settledAt: s.Settled, told: []told{}}
	r.StartedAt, r.ConfirmedAt, r.EndedAt, r.End = s.From, s.Confirmed, s.To, s.End
	r.Reason, r.Error, r.Locations, r.Reports = s.Cause.Reason, s.Cause.Error, s.Locations(), s.Reports()
	for _, t := range s.Told {
		counted := s.To
		for i := range tracks {
			if l := &tracks[i]; l.Location == t.Location && counted.IsZero() {
				counted = later(l.Track.Slot.Add(time.Millisecond), s.From)
			}
		}
		r.told = append(r.told, told{
			t.Location, t.Failed, t.Confirmed, t.Recovered, t.Cause.Reason, t.Cause.Error, t.Reports, counted,
		})
	}
	return r
}

// counted is up to where the reports of a location have been counted.
func (r *row) counted(location string) time.Time {
	for _, t := range r.told {
		if t.Location == location {
			return t.CountedTo
		}
	}
	return time.Time{}
}

// overlaps reports whether two incidents have time in common.
func (r *row) overlaps(o *row) bool {
	return (o.EndedAt.IsZero() || r.StartedAt.Before(o.EndedAt)) && (r.EndedAt.IsZero() || o.StartedAt.Before(r.EndedAt))
}

// same reports whether two rows say the same of their incident to people.
func (r *row) same(o *row) bool {
	return r.StartedAt.Equal(o.StartedAt) && r.ConfirmedAt.Equal(o.ConfirmedAt) && r.EndedAt.Equal(o.EndedAt) && r.End == o.End &&
		r.Reason == o.Reason && r.Error == o.Error && slices.Equal(r.Locations, o.Locations) && r.Withdrawn == o.Withdrawn
}

// equal reports whether two rows are the same in all that is derived.
func (r *row) equal(o *row) bool {
	return r.same(o) && r.settledAt.Equal(o.settledAt) && r.Reports == o.Reports &&
		slices.EqualFunc(r.told, o.told, func(a, b told) bool {
			return a.Location == b.Location && a.Failed.Equal(b.Failed) && a.Confirmed.Equal(b.Confirmed) &&
				a.Recovered.Equal(b.Recovered) && a.Reason == b.Reason && a.Error == b.Error && a.Reports == b.Reports &&
				a.CountedTo.Equal(b.CountedTo)
		})
}

// pack returns locations and told as the table has them.
func (r *row) pack() (locations, told string, err error) {
	a, err := json.Marshal(r.Locations)
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(r.told)
	return string(a), string(b), err
}
