package sqlite

import (
	"context"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// incidentsFrom asks for the incidents of a site to be derived again from a moment
// on.
func (b *batch) incidentsFrom(s *site, from time.Time) {
	m, ok := b.incidents[s]
	if !ok || from.Before(m[0]) {
		m[0] = from
	}
	if from.After(m[1]) {
		m[1] = from
	}
	b.incidents[s] = m
}

// markIncidents writes what [batch.incidentsFrom] collected.
func (b *batch) markIncidents(ctx context.Context) error {
	for s, m := range b.incidents {
		for i, from := range m {
			if i > 0 && from.Equal(m[0]) {
				break
			}
			if err := b.db.exec(ctx, `INSERT INTO incident_marks (site_id, "from") VALUES (?, ?)`, s.id, micros(from)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepEvidence stores the evidence of a failed report that is recorded.
func (b *batch) keepEvidence(ctx context.Context, l *location, r *sitemon.Report) error {
	if r.Evidence == "" || r.Outcome != sitemon.OutcomeDown {
		return nil
	}
	after, keep := history.KeepEvidence(&l.track, r.Slot, time.UnixMilli(l.evidence))
	if !keep {
		return nil
	}
	if after.Before(r.Slot) {
		err := b.db.exec(ctx, "DELETE FROM site_evidence WHERE site_location_id = ? AND slot > ? AND slot < ?",
			l.id, micros(after), micros(r.Slot))
		if err != nil {
			return err
		}
	}
	l.evidence = max(l.evidence, r.Slot.UnixMilli())
	return b.db.exec(ctx, "INSERT INTO site_evidence (site_location_id, slot, evidence) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		l.id, micros(r.Slot), r.Evidence)
}
