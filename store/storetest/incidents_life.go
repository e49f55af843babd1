package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sitemon"
)

// derive brings the incidents up to date and returns what changed in words.
func (h *harness) derive() (changes []string) {
	h.Helper()
	_, err := h.Tick(h.ctx, h.clock())
	h.check(err)
	list, err := h.DeriveIncidents(h.ctx, h.clock())
	h.check(err)
	for _, c := range list {
		changes = append(changes, fmt.Sprintf("%d %s %s began %t ended %t withdrawn %t", c.ID, c.Site, c.Status(), c.Began, c.Ended, c.Withdrawn))
	}
	slices.Sort(changes)
	return changes
}

// say records reports of the default location one after another: up, down, or none where there is a dot.
func (h *harness) say(name string, slots []time.Time, letters string) {
	h.Helper()
	for i, letter := range letters {
		o := map[rune]sitemon.Outcome{'u': sitemon.OutcomeUp, 'd': sitemon.OutcomeDown}[letter]
		if o == "" {
			continue
		}
		if slots[i].After(h.clock()) {
			h.set(slots[i])
		}
		h.record(report(name, slots[i], o))
	}
}

func testIncidentLife(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten, thresholds(2, 2)), site("b", ten))
	s := grid("a", ten, epoch, 20)
	h.say("a", s, "ud")
	h.equal("one failure of two", h.derive(), []string(nil))
	h.say("a", s, "..d")
	h.equal("confirmed", h.derive(), []string{"1 a open began true ended false withdrawn false"})
	h.equal("nothing new", h.derive(), []string(nil))
	h.say("a", s, "...dd")
	got := h.incidents("a")
	want := sitemon.Incident{
		ID: 1, Site: "a", URL: "https://a.example.org/", StartedAt: s[1], ConfirmedAt: s[2],
		Reason: sitemon.ReasonStatus, Error: "status 503, expected 200-399", Locations: []string{"default"}, Reports: 4,
	}
	h.equal("incidents, with the reports that came since", got, []sitemon.Incident{want})

	at := h.clock()
	one, err := h.AcknowledgeIncident(h.ctx, 1, "ann")
	h.check(err)
	h.equal("status", one.Status(), sitemon.IncidentAcknowledged)
	h.pass(time.Second)
	one, err = h.AcknowledgeIncident(h.ctx, 1, "bob")
	h.check(err)
	h.equal("who knew first", []any{one.AcknowledgedAt, one.AcknowledgedBy}, []any{at, "ann"})
	_, err = h.CommentIncident(h.ctx, 1, "bob", "it's the switch")
	h.check(err)
	h.pass(time.Second)
	h.sync(site("a", ten, thresholds(2, 1)), site("b", ten))
	h.say("a", s, ".....u")
	h.equal("ended", h.derive(), []string{"1 a resolved began false ended true withdrawn false"})
	one, err = h.Incident(h.ctx, 1)
	h.check(err)
	h.equal("bounds", []any{one.StartedAt, one.EndedAt, one.End, one.Reports, one.AcknowledgedBy}, []any{s[1], s[5], sitemon.EndRecovered, 4, "ann"})
	var lines []string
	for _, e := range one.Timeline {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", e.At.Format(time.TimeOnly), e.Kind, e.Location, e.By, e.Text))
	}
	clock := func(t time.Time) string { return t.Format(time.TimeOnly) }
	h.equal("timeline", lines, []string{
		clock(s[1]) + " failed default  status 503, expected 200-399",
		clock(s[2]) + " confirmed   ",
		clock(at) + " acknowledged  ann ",
		clock(at.Add(time.Second)) + " comment  bob it's the switch",
		clock(at.Add(2*time.Second)) + " reload   the site was changed: success_threshold",
		clock(s[5]) + " recovered default  ",
		clock(s[5]) + " ended   the site recovered",
	})
	for what, err := range map[string]error{
		"read":        func() error { _, err := h.Incident(h.ctx, 9); return err }(),
		"acknowledge": func() error { _, err := h.AcknowledgeIncident(h.ctx, 9, "x"); return err }(),
		"comment":     func() error { _, err := h.CommentIncident(h.ctx, 9, "x", "y"); return err }(),
	} {
		if !errors.Is(err, sitemon.ErrNotFound) {
			h.Errorf("%s an incident that is not there: %v", what, err)
		}
	}
	if _, err := h.CommentIncident(h.ctx, 1, "x", " \n"); !errors.Is(err, sitemon.ErrInvalid) {
		h.Errorf("an empty comment: %v", err)
	}
}

// testIncidentLate: late reports change what was, and the number stays where there
// still was something.
func testIncidentLate(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten, thresholds(2, 1)))
	s := grid("a", ten, epoch, 60)
	h.say("a", s, "u..d.duu")
	h.equal("found later", h.derive(), []string{"1 a resolved began true ended true withdrawn false"})
	_, err := h.CommentIncident(h.ctx, 1, "ann", "hm")
	h.check(err)
	bounds := func() []any {
		h.Helper()
		var all []any
		for _, i := range h.incidents("a") {
			all = append(all, i.ID, i.StartedAt, i.EndedAt, i.Reports)
		}
		return all
	}
	h.equal("as it was", bounds(), []any{int64(1), s[3], s[6], 2})
	h.say("a", s, "..d")
	h.equal("it began earlier", bounds(), []any{int64(1), s[2], s[6], 3})
	h.say("a", s, "....u")
	h.equal("and was over sooner", bounds(), []any{int64(1), s[2], s[4], 2})
	h.say("a", s, "........d.d.uuu")
	h.equal("another one", bounds(), []any{int64(1), s[2], s[4], 2, int64(2), s[8], s[12], 2})
	h.say("a", s, ".........u")
	h.equal("which did not take place", h.derive(), []string{"2 a resolved began false ended true withdrawn true"})
	h.equal("lists leave it out", bounds(), []any{int64(1), s[2], s[4], 2})
	two, err := h.Incident(h.ctx, 2)
	h.check(err)
	h.equal("its timeline", two.Timeline[len(two.Timeline)-1].Kind, sitemon.EventWithdrawn)
	h.say("a", s, "...........d")
	h.equal("or did", bounds(), []any{int64(1), s[2], s[4], 2, int64(2), s[10], s[12], 2})
}

// testIncidentLateOpen: a late report makes the rows say something else than the
// status, which stays as it is; what comes next counts for both.
func testIncidentLateOpen(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten, thresholds(3, 1)))
	s := grid("a", ten, epoch, 20)
	h.say("a", s, "u.d.du")
	h.equal("two failures of three", h.incidents("a"), []sitemon.Incident{})
	h.say("a", s, "......d.d")
	h.say("a", s, ".......d")
	list := h.incidents("a")
	h.equal("the third came late", []any{len(list), list[0].StartedAt, list[0].EndedAt}, []any{1, s[6], time.Time{}})
	state, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("the present does not turn back", state.Status, sitemon.StatusUp)
	h.say("a", s, ".........u")
	h.pass(2 * time.Second)
	list = h.incidents("a")
	h.equal("a good report that changes no status", []any{len(list), list[0].EndedAt}, []any{1, s[9]})
}

func testIncidentPages(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten), site("b", ten), site("c", ten))
	s := grid("a", ten, epoch, 40)
	h.say("a", s, "dududud")
	h.say("b", s, "........du")
	h.derive()
	page := func(q sitemon.IncidentQuery) (all []string, next string) {
		h.Helper()
		list, next, err := h.Incidents(h.ctx, q)
		h.check(err)
		for _, i := range list {
			all = append(all, i.Site+i.StartedAt.Format(time.TimeOnly))
		}
		return all, next
	}
	all := []string{"b", "a", "a", "a", "a"}
	for i, k := range []int{8, 6, 4, 2, 0} {
		all[i] += s[k].Format(time.TimeOnly)
	}
	got, next := page(sitemon.IncidentQuery{})
	h.equal("all", []any{got, next}, []any{all, ""})
	var paged []string
	for cursor := ""; ; {
		got, next := page(sitemon.IncidentQuery{Limit: 2, Cursor: cursor})
		paged = append(paged, got...)
		if cursor = next; next == "" {
			break
		}
		h.say("c", s, "...........du"[:11+len(paged)/2]) // does not move the others
		h.derive()
	}
	h.equal("in pages", paged, all)
	yes, no := true, false
	for _, tt := range []struct {
		name string
		q    sitemon.IncidentQuery
		want []string
	}{
		{"of a site", sitemon.IncidentQuery{Site: "b"}, all[:1]},
		{"of nobody", sitemon.IncidentQuery{Site: "x"}, nil},
		{"open", sitemon.IncidentQuery{Site: "a", Open: &yes}, all[1:2]},
		{"over", sitemon.IncidentQuery{Site: "a", Open: &no}, all[2:]},
		{"from", sitemon.IncidentQuery{Site: "a", From: s[3]}, all[1:3]},
		{"to", sitemon.IncidentQuery{Site: "a", To: s[2]}, all[4:]},
		{"between", sitemon.IncidentQuery{Site: "a", From: s[1], To: s[4]}, all[3:4]},
	} {
		got, _ := page(tt.q)
		h.equal(tt.name, got, tt.want)
	}
	if _, _, err := h.Incidents(h.ctx, sitemon.IncidentQuery{Cursor: "next"}); !errors.Is(err, sitemon.ErrInvalid) {
		h.Errorf("a cursor that is none: %v", err)
	}
}

// testLongIncident: an incident outlives its reports.
func testLongIncident(h *harness) {
	h.open(Options{Clock: h.clock, Retention: 8 * time.Hour})
	h.sync(site("a", 5*time.Minute))
	s := grid("a", 5*time.Minute, epoch, 300)
	r := report("a", s[0], sitemon.OutcomeDown)
	r.Interval = 5 * time.Minute
	for i := range 200 { // 16 hours and 40 minutes
		r.Slot = s[i]
		r.StartedAt = r.Slot
		h.set(r.Slot)
		h.record(r)
		h.derive()
		if i%20 == 19 {
			h.check(h.Retain(h.ctx, h.clock()))
		}
	}
	_, err := h.AcknowledgeIncident(h.ctx, 1, "ann")
	h.check(err)
	second := r // another location sees it fail for a while
	second.Location = "second"
	h.record(second)
	h.derive()
	second.Slot, second.Outcome, second.Reason, second.Error = s[200], sitemon.OutcomeUp, "", ""
	r.Slot, r.Outcome, r.Reason, r.Error = s[200], sitemon.OutcomeUp, "", ""
	h.set(s[200])
	h.record(r, second)
	list := h.incidents("a")
	want := sitemon.Incident{
		ID: 1, Site: "a", URL: "https://a.example.org/", StartedAt: s[0], ConfirmedAt: s[0], EndedAt: s[200], End: sitemon.EndRecovered,
		Reason: sitemon.ReasonStatus, Error: "status 503, expected 200-399", Locations: []string{"default", "second"}, Reports: 201,
		AcknowledgedAt: s[199], AcknowledgedBy: "ann",
	}
	h.equal("incidents", list, []sitemon.Incident{want})
}

// testIncidentLongAgo: a late report of long ago changes what was then, and nothing
// of what has been since.
func testIncidentLongAgo(h *harness) {
	h.sync(site("a", time.Minute))
	s := grid("a", time.Minute, epoch, 1600)
	var batch []sitemon.Report
	for i, at := range s {
		o := sitemon.OutcomeUp
		if i == 1500 || i == 3 {
			o = sitemon.OutcomeDown
		}
		r := report("a", at, o)
		r.Interval = time.Minute
		if i != 100 {
			batch = append(batch, r)
		}
	}
	h.set(s[len(s)-1])
	h.record(batch...)
	before := h.incidents("a")
	h.equal("before", []any{len(before), before[0].StartedAt, before[1].StartedAt}, []any{2, s[3], s[1500]})
	late := report("a", s[100], sitemon.OutcomeDown)
	late.Interval = time.Minute
	h.record(late)
	after := h.incidents("a")
	h.equal("after", []any{len(after), after[0], after[1].StartedAt, after[1].EndedAt, after[2]}, []any{3, before[0], s[100], s[101], before[1]})
}

// testIncidentLongSince: a late report of long ago changes what lasted for long.
func testIncidentLongSince(h *harness) {
	type late struct {
		slot    int
		outcome sitemon.Outcome
	}
	tests := []struct {
		name         string
		threshold    int
		failing, end int // slots, the end exclusive
		late         []late
		want         []int // slots: first failure, confirmed, end
	}{
		{"earlier and in two", 1, 90, 1500, []late{{89, sitemon.OutcomeDown}, {100, sitemon.OutcomeUp}}, []int{89, 89, 100, 101, 101, 1500}},
		{"later", 700, 90, 1500, []late{{89, sitemon.OutcomeDown}, {100, sitemon.OutcomeUp}}, []int{101, 800, 1500}},
		{"just enough", 700, 91, 790, []late{{90, sitemon.OutcomeDown}}, []int{90, 789, 790}},
	}
	var sites []sitemon.Site
	for _, tt := range tests {
		sites = append(sites, site(tt.name, time.Minute, thresholds(tt.threshold, 1)))
	}
	h.sync(sites...)
	h.pass(1700 * time.Minute)
	for _, tt := range tests {
		s := grid(tt.name, time.Minute, epoch, 1600)
		var batch []sitemon.Report
		for i, at := range s {
			o := sitemon.OutcomeUp
			if i >= tt.failing && i < tt.end {
				o = sitemon.OutcomeDown
			}
			r := report(tt.name, at, o)
			r.Interval = time.Minute
			if !slices.ContainsFunc(tt.late, func(l late) bool { return l.slot == i }) {
				batch = append(batch, r)
			}
		}
		h.record(batch...)
		h.derive()
		for _, l := range tt.late {
			r := report(tt.name, s[l.slot], l.outcome)
			r.Interval = time.Minute
			h.record(r)
			h.derive()
		}
		var got, want []time.Time
		for _, i := range h.incidents(tt.name) {
			got = append(got, i.StartedAt, i.ConfirmedAt, i.EndedAt)
		}
		for _, k := range tt.want {
			want = append(want, s[k])
		}
		h.equal("incidents of "+tt.name, got, want)
	}
}

// testIncidentsTogether: several that derive at the same time do it once.
func testIncidentsTogether(h *harness) {
	const n = 120
	var sites []sitemon.Site
	for i := range n {
		sites = append(sites, site(fmt.Sprint("s", i), 10*time.Second))
	}
	h.sync(sites...)
	for round := range 4 {
		at := epoch.Add(time.Duration(round) * 10 * time.Second)
		h.set(at)
		var batch []sitemon.Report
		for _, s := range sites {
			batch = append(batch, report(s.Name, at, []sitemon.Outcome{sitemon.OutcomeDown, sitemon.OutcomeUp}[round%2]))
		}
		h.record(batch...)
		var wg sync.WaitGroup
		var mu sync.Mutex
		began, ended := 0, 0
		derive := func() {
			changes, err := h.DeriveIncidents(h.ctx, at)
			if err != nil {
				h.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, c := range changes {
				if c.Began {
					began++
				}
				if c.Ended {
					ended++
				}
			}
		}
		for range 3 {
			wg.Go(derive)
		}
		wg.Wait()
		derive() // what one left to another that had just begun, or all for want of time
		h.equal(fmt.Sprint("changes of round ", round), []int{began, ended}, [][]int{{n, 0}, {0, n}}[round%2])
	}
	list, _, err := h.Incidents(h.ctx, sitemon.IncidentQuery{})
	h.check(err)
	h.equal("incidents", len(list), 2*n)
}
