package storetest

import (
	"math/rand/v2"
	"time"

	"sitemon"
	"sitemon/availability"
)

// A store that is too large loses the reports of its oldest days before their time,
// and nothing of the figures.
func testTooLarge(h *harness) {
	const day = 24 * time.Hour
	h.open(Options{Clock: h.clock, Retention: 30 * day, MaxSize: 1})
	h.sync(site("a", 10*time.Minute))
	rnd := rand.New(rand.NewPCG(1, 9))
	end := epoch.Add(3 * day)
	reports := h.recordRandom(rnd, "a", 10*time.Minute, epoch, end)
	h.set(end)
	h.check(h.Retain(h.ctx, end))

	cut := end.Add(-day).Truncate(day) // the whole days that are over for a day
	want := 0
	for _, r := range reports {
		if !r.Slot.Before(cut) {
			want++
		}
	}
	left := func() int { return len(h.pages(sitemon.ReportQuery{Site: "a", Limit: 1000}, func() {})) }
	h.equal("reports that are left", left(), want)
	figures := func() {
		h.Helper()
		for _, q := range []availability.Query{
			{From: epoch, To: end, Step: 12 * time.Hour},
			{From: epoch.Add(17 * time.Minute), To: end, Step: 45 * time.Minute}, // begins at an edge of what there is
			{From: epoch.Add(17 * time.Minute), To: epoch.Add(48 * time.Minute), Step: time.Minute},
		} {
			q.Site = "a"
			got, err := h.Availability(h.ctx, q)
			h.check(err)
			all := spans([]time.Time{got.From, got.To}, reports)[0]
			h.close("availability over what was deleted", got.Figure, all.Sum.Figure(got.To.Sub(got.From)))
		}
		h.verifyLists("a", reports, end)
	}
	figures()

	// What comes late is not all that there was: the figures stay.
	late := report("a", cut.Add(-4*time.Hour+time.Minute), sitemon.OutcomeDown)
	h.record(late)
	h.check(h.Retain(h.ctx, end))
	figures()
	h.equal("reports that are left after a late one", left(), want)

	// Two days on, two more are gone.
	end = end.Add(2 * day)
	h.set(end)
	h.check(h.Retain(h.ctx, end))
	h.equal("reports of days long over", left(), 0)
	h.check(h.Retain(h.ctx, end))
}
