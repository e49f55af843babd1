package storetest

import (
	"math/rand/v2"
	"slices"
	"time"

	"sitemon"
	"sitemon/status"
)

func testThresholds(h *harness) {
	const (
		up       = sitemon.OutcomeUp
		degraded = sitemon.OutcomeDegraded
		down     = sitemon.OutcomeDown
		unknown  = sitemon.OutcomeUnknown
	)
	h.sync(site("a", 10*time.Second, thresholds(3, 2)))
	slots := grid("a", 10*time.Second, epoch, 20)
	for i, step := range []struct {
		outcome sitemon.Outcome
		status  sitemon.Status
		since   int // index of the slot
	}{
		{up, sitemon.StatusUp, 0},
		{degraded, sitemon.StatusDegraded, 1},
		{up, sitemon.StatusUp, 2},
		{down, sitemon.StatusUp, 2},
		{down, sitemon.StatusUp, 2},
		{unknown, sitemon.StatusUp, 2},
		{down, sitemon.StatusDown, 3},
		{down, sitemon.StatusDown, 3},
		{up, sitemon.StatusDown, 3},
		{down, sitemon.StatusDown, 3},
		{up, sitemon.StatusDown, 3},
		{degraded, sitemon.StatusDegraded, 10},
	} {
		h.set(slots[i])
		before, err := h.Site(h.ctx, "a")
		h.check(err)
		rec := h.record(report("a", slots[i], step.outcome))
		s, err := h.Site(h.ctx, "a")
		h.check(err)
		h.equal("status after report "+string(step.outcome), []any{i, s.Status, s.Since}, []any{i, step.status, slots[step.since]})
		var want []sitemon.StatusChange
		if before.Status != s.Status {
			want = []sitemon.StatusChange{{Site: "a", Status: s.Status, Since: s.Since, Reason: s.Reason, Error: s.Error}}
		}
		h.equal("changes", rec.Changes, want)
	}
}

func testLocations(h *harness) {
	h.sync(site("a", 10*time.Second))
	east, west := report("a", epoch, sitemon.OutcomeUp), report("a", epoch, sitemon.OutcomeDown)
	east.Location, west.Location = "east", "west"
	h.record(east, west)
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("status", []any{s.Status, s.Reason, s.Error}, []any{sitemon.StatusDown, west.Reason, west.Error})
	h.equal("locations", s.Locations, []sitemon.LocationState{
		{Location: "east", Status: sitemon.StatusUp, Since: epoch, LastSlot: epoch},
		{Location: "west", Status: sitemon.StatusDown, Since: epoch, Reason: west.Reason, Error: west.Error, LastSlot: epoch},
	})
	// The west falls silent and has no vote any more.
	east.Slot = epoch.Add(30 * time.Second)
	h.set(epoch.Add(35 * time.Second))
	h.record(east)
	h.set(epoch.Add(40 * time.Second))
	changes, err := h.Tick(h.ctx, h.clock())
	h.check(err)
	h.equal("changes by the silence of one", changes, []sitemon.StatusChange{{Site: "a", Status: sitemon.StatusUp, Since: epoch}})
}

func testQuorum(h *harness) {
	h.sync(site("two", 10*time.Second, quorum(2)), site("majority", 10*time.Second, quorum(sitemon.Majority)))
	tell := func(name, location string, after time.Duration, o sitemon.Outcome, want ...sitemon.StatusChange) {
		h.Helper()
		r := report(name, epoch.Add(after), o)
		r.Location, r.Error = location, "from "+location
		if o == sitemon.OutcomeUp {
			r.Error = ""
		}
		h.set(r.Slot)
		rec := h.record(r)
		h.equal(name+" after "+location, rec.Changes, want)
	}
	is := func(name string, s sitemon.Status, since time.Duration, from string) sitemon.StatusChange {
		c := sitemon.StatusChange{Site: name, Status: s, Since: epoch.Add(since)}
		if from != "" {
			c.Reason, c.Error = sitemon.ReasonStatus, "from "+from
		}
		return c
	}
	const s = time.Second
	tell("two", "east", 0, sitemon.OutcomeDown)
	tell("two", "west", 1*s, sitemon.OutcomeUp, is("two", sitemon.StatusUp, 1*s, ""))
	tell("two", "west", 2*s, sitemon.OutcomeDown, is("two", sitemon.StatusDown, 2*s, "west"))
	tell("two", "east", 3*s, sitemon.OutcomeUp, is("two", sitemon.StatusUp, 3*s, ""))

	tell("majority", "east", 4*s, sitemon.OutcomeUp, is("majority", sitemon.StatusUp, 4*s, ""))
	tell("majority", "west", 4*s, sitemon.OutcomeUp)
	tell("majority", "north", 5*s, sitemon.OutcomeDown)
	tell("majority", "north", 30*s, sitemon.OutcomeDown)
	tell("majority", "west", 31*s, sitemon.OutcomeUp)
	// The east falls silent: one of two is not more than half of them.
	h.set(epoch.Add(45 * s))
	changes, err := h.Tick(h.ctx, h.clock())
	h.check(err)
	h.equal("majority after the silence of one", slices.DeleteFunc(changes, func(c sitemon.StatusChange) bool { return c.Site == "two" }), []sitemon.StatusChange{})
	// The west does so too, and half of the rest is all of it.
	tell("majority", "north", 70*s, sitemon.OutcomeDown)
	h.set(epoch.Add(75 * s))
	changes, err = h.Tick(h.ctx, h.clock())
	h.check(err)
	h.equal("majority after the silence of two", changes, []sitemon.StatusChange{is("majority", sitemon.StatusDown, 5*s, "north")})
}

func testSilence(h *harness) {
	h.sync(site("a", 10*time.Second), site("b", 10*time.Minute), site("never", time.Minute))
	b := report("b", epoch, sitemon.OutcomeDown)
	b.Interval = 10 * time.Minute
	h.record(report("a", epoch, sitemon.OutcomeUp), b)
	for _, step := range []struct {
		after   time.Duration
		changes []sitemon.StatusChange
	}{
		{40*time.Second - time.Millisecond, nil},
		{40 * time.Second, []sitemon.StatusChange{{Site: "a", Status: sitemon.StatusUnknown, Since: epoch.Add(40 * time.Second)}}},
		{41 * time.Second, nil},
		{15*time.Minute - time.Millisecond, nil},
		{15 * time.Minute, []sitemon.StatusChange{{Site: "b", Status: sitemon.StatusUnknown, Since: epoch.Add(15 * time.Minute)}}},
		{24 * time.Hour, nil},
	} {
		h.set(epoch.Add(step.after))
		changes, err := h.Tick(h.ctx, h.clock())
		h.check(err)
		h.equal("changes after "+step.after.String(), changes, step.changes)
	}
	at := grid("a", 10*time.Second, h.clock(), 1)[0]
	h.set(at)
	rec := h.record(report("a", at, sitemon.OutcomeUp))
	if len(rec.Changes) != 1 || rec.Changes[0].Status != sitemon.StatusUp {
		h.Fatalf("changes after the silence: %+v, want up", rec.Changes)
	}
}

// testRandomStatus gives a site reports of two locations in batches, some twice
// and some late, with ticks between, and compares with the pure package.
func testRandomStatus(h *harness) {
	first := h.seed()
	for i := range uint64(2) {
		rnd := rand.New(rand.NewPCG(first+i, 1))
		th := status.Thresholds{Failure: 1 + rnd.IntN(3), Success: 1 + rnd.IntN(3)}
		name := "random" + string(rune('a'+i))
		h.set(epoch.Add(time.Duration(i) * time.Hour)) // time does not go back
		h.sync(site(name, 10*time.Second, thresholds(th.Failure, th.Success)))
		tracks := []status.Located{{Location: "east"}, {Location: "west"}, {Location: "north"}}
		terms := status.Terms{Enabled: true}
		var late []sitemon.Report
		for _, at := range grid(name, 10*time.Second, h.clock(), 40) {
			h.set(at)
			if rnd.IntN(10) == 0 { // nobody reports for a while
				continue
			}
			var batch []sitemon.Report
			for i := range tracks {
				if rnd.IntN(4) == 0 && i > 0 {
					continue
				}
				r := report(name, at, sitemon.Outcomes[min(3, rnd.IntN(8)*rnd.IntN(3)/2)])
				r.Location = tracks[i].Location
				if rnd.IntN(8) == 0 {
					late = append(late, r)
					continue
				}
				batch = append(batch, r)
				tracks[i].Track.Advance(r, th)
			}
			if rnd.IntN(5) == 0 && len(late) > 0 { // only what came after it is newer
				l := late[0]
				late = late[1:]
				batch = append(batch, l)
				tracks[slices.IndexFunc(tracks, func(t status.Located) bool { return t.Location == l.Location })].Track.Advance(l, th)
			}
			h.record(batch...)
			if rnd.IntN(6) == 0 {
				terms.Quorum = sitemon.Quorum(rnd.IntN(5) - 1)
				terms.Locations = [][]string{nil, {"east"}, {"north", "west"}, {"elsewhere", "east", "west"}}[rnd.IntN(4)]
				th = status.Thresholds{Failure: 1 + rnd.IntN(3), Success: 1 + rnd.IntN(3)}
				h.sync(site(name, 10*time.Second, thresholds(th.Failure, th.Success), quorum(terms.Quorum), probedFrom(terms.Locations...)))
				for i := range tracks {
					tracks[i].Track.Judge(th)
				}
			}
			_, err := h.Tick(h.ctx, at)
			h.check(err)
			want := status.Combine(at, terms, tracks)
			s, err := h.Site(h.ctx, name)
			h.check(err)
			got := status.State{Status: s.Status, Since: s.Since, Reason: s.Reason, Error: s.Error}
			if got != want {
				h.Fatalf("seed %d, slot %s:\n got %+v\nwant %+v", first+i, at, got, want)
			}
		}
	}
}
