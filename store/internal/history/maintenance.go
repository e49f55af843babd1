package history

import "time"

// Maintained says when a site was in maintenance, in any order.
type Maintained []Window

// Since returns when the maintenance began that goes on at a moment; several that
// follow each other without a gap are one. Zero: none goes on.
func (m Maintained) Since(now time.Time) (began time.Time) {
	for _, w := range m {
		if !w.From.After(now) && now.Before(w.To) && (began.IsZero() || w.From.Before(began)) {
			began = w.From
		}
	}
	if began.IsZero() {
		return began
	}
	for i := 0; i < len(m); i++ {
		if w := m[i]; w.From.Before(began) && !w.To.Before(began) {
			began, i = w.From, -1
		}
	}
	return began
}
