package main

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// incidentsAgain is how far back incidents are looked at again: they are committed
// later than they say, and clocks differ.
const incidentsAgain = time.Minute

// incidentFollower tells the pages of incidents that other processes have written.
type incidentFollower struct {
	from time.Time
	told map[int64]toldIncident
}

// toldIncident is an incident as it was told last.
type toldIncident struct {
	state string
	at    time.Time
}

// newIncidentFollower tells of what is written from a moment on.
func newIncidentFollower(from time.Time) *incidentFollower {
	return &incidentFollower{from: from, told: map[int64]toldIncident{}}
}

func (f *incidentFollower) follow(ctx context.Context, d *daemon) error {
	now := time.Now()
	since := now.Add(-incidentsAgain)
	if since.Before(f.from) {
		since = f.from
	}
	list, err := d.shared.IncidentsSince(ctx, since)
	if err != nil {
		return err
	}
	for i := range list {
		id, state := list[i].ID, stateOf(&list[i])
		if f.told[id].state != state {
			d.hub.Incident(list[i])
		}
		f.told[id] = toldIncident{state, now}
	}
	for id, t := range f.told {
		if now.Sub(t.at) > incidentsAgain {
			delete(f.told, id)
		}
	}
	return nil
}

// stateOf is what of an incident makes it another one for those who look at it.
func stateOf(i *sitemon.Incident) string {
	return fmt.Sprint(i.StartedAt, i.EndedAt, i.End, i.Reason, i.Error, i.Locations, i.Reports, i.Parent, i.AcknowledgedAt, i.Withdrawn)
}
