package storetest

import (
	"errors"
	"fmt"
	"time"

	"sitemon"
)

// calling makes a site that calls us.
func calling(name string, change ...func(*sitemon.Site)) sitemon.Site {
	return site(name, time.Minute, append(change, func(s *sitemon.Site) { s.URL, s.Kind = "heartbeat://", sitemon.KindHeartbeat })...)
}

// accept has the store accept heartbeats, as who receives them does, and returns the
// names of the sites.
func (h *harness) accept() (names []string) {
	h.Helper()
	sites, version, err := h.HeartbeatSites(h.ctx, -1)
	h.check(err)
	same, now, err := h.HeartbeatSites(h.ctx, version)
	h.check(err)
	if same != nil || now != version {
		h.Errorf("asked again: %d sites of version %d, want none of version %d", len(same), now, version)
	}
	for _, s := range sites {
		names = append(names, s.Name)
	}
	h.check(h.AcceptHeartbeats(h.ctx, append(names, "nobody", "web"), h.clock()))
	return names
}

func (h *harness) beat(site string, b sitemon.Heartbeat) (repeated bool) {
	h.Helper()
	b.ReceivedAt, b.LastAt = h.clock(), h.clock()
	repeated, err := h.RecordHeartbeat(h.ctx, site, b)
	h.check(err)
	return repeated
}

func (h *harness) beats(site string, limit int) []sitemon.Heartbeat {
	h.Helper()
	list, err := h.Heartbeats(h.ctx, site, limit)
	h.check(err)
	return list
}

func (h *harness) beatState(site string) sitemon.HeartbeatState {
	h.Helper()
	s, err := h.HeartbeatState(h.ctx, site)
	h.check(err)
	return s
}

// testHeartbeatSites accepts heartbeats of sites from when they are known on.
func testHeartbeatSites(h *harness) {
	paused := func(s *sitemon.Site) { s.Enabled = false }
	h.sync(calling("b"), calling("a"), site("web", time.Minute), calling("off", paused))
	h.equal("before anybody receives any", h.beatState("a"), sitemon.HeartbeatState{})
	h.equal("sites", h.accept(), []string{"a", "b"})
	h.pass(time.Hour)
	h.sync(calling("a"), site("b", time.Minute), calling("off"))
	h.equal("sites", h.accept(), []string{"a", "off"})
	h.equal("a, which stays", h.beatState("a").Since, epoch)
	sites, _, err := h.HeartbeatSites(h.ctx, -1)
	h.check(err)
	h.equal("since, in the list", []time.Time{sites[0].Since, sites[1].Since}, []time.Time{epoch, epoch.Add(time.Hour)})
	h.equal("off, which is enabled", h.beatState("off").Since, epoch.Add(time.Hour))
	h.equal("b, which does not call us any more", h.beatState("b"), sitemon.HeartbeatState{})
	h.pass(time.Hour)
	h.sync(calling("a"), calling("b"), calling("off"))
	h.accept()
	h.equal("b, which calls us again", h.beatState("b").Since, epoch.Add(2*time.Hour))
	for _, name := range []string{"web", "nobody"} {
		_, err := h.RecordHeartbeat(h.ctx, name, sitemon.Heartbeat{ReceivedAt: h.clock(), LastAt: h.clock()})
		if !errors.Is(err, sitemon.ErrNotFound) {
			h.Errorf("a heartbeat of %s: %v, want not found", name, err)
		}
	}
	if _, err := h.Heartbeats(h.ctx, "nobody", 10); !errors.Is(err, sitemon.ErrNotFound) {
		h.Errorf("heartbeats of nobody: %v, want not found", err)
	}
}

// testHeartbeats keeps what heartbeats say, each once.
func testHeartbeats(h *harness) {
	h.sync(calling("a"), calling("b"))
	h.accept()
	three := 3
	first := sitemon.Heartbeat{Failed: true, ExitCode: &three, Duration: 90 * time.Second, Message: "disk full\n«»", Run: "run-1"}
	h.equal("the first is new", h.beat("a", first), false)
	h.pass(time.Minute)
	h.equal("the same run", h.beat("a", first), true)
	h.equal("another one", h.beat("a", sitemon.Heartbeat{}), false)
	h.pass(9 * time.Second)
	h.equal("it again", h.beat("a", sitemon.Heartbeat{}), true)
	h.equal("one of another site", h.beat("b", sitemon.Heartbeat{}), false)
	h.pass(time.Second)
	h.equal("it again, much later than the first", h.beat("a", sitemon.Heartbeat{}), false)
	h.equal("the first run, which is sent once more", h.beat("a", first), true)
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	first.ReceivedAt, first.LastAt, first.Repeats = epoch, epoch, 2
	want := []sitemon.Heartbeat{
		{ReceivedAt: at(70 * time.Second), LastAt: at(70 * time.Second)},
		{ReceivedAt: at(60 * time.Second), LastAt: at(69 * time.Second), Repeats: 1},
		first,
	}
	h.equal("heartbeats", h.beats("a", 10), want)
	h.equal("the newest two", h.beats("a", 2), want[:2])
	h.equal("the state", h.beatState("a"), sitemon.HeartbeatState{Since: epoch, Newest: &want[0]})
}

// testHeartbeatsBounded keeps the newest heartbeats of a site, and the last of all
// when those of its time are gone.
func testHeartbeatsBounded(h *harness) {
	h.sync(calling("a"), calling("b"))
	h.accept()
	h.beat("b", sitemon.Heartbeat{Message: "the only one"})
	for i := range 210 {
		h.pass(time.Second)
		h.beat("a", sitemon.Heartbeat{Message: fmt.Sprint(i)})
	}
	list := h.beats("a", 2000)
	if len(list) != 200 || list[0].Message != "209" {
		h.Fatalf("%d heartbeats, the newest %+v", len(list), list[0])
	}
	h.pass(31 * 24 * time.Hour)
	h.beat("a", sitemon.Heartbeat{Message: "new"})
	h.pass(time.Hour)
	h.check(h.Retain(h.ctx, h.clock()))
	if list := h.beats("a", 2000); len(list) != 1 || list[0].Message != "new" {
		h.Errorf("%d heartbeats of a are left", len(list))
	}
	if list := h.beats("b", 2000); len(list) != 1 {
		h.Errorf("%d heartbeats of b are left, want its last", len(list))
	}
}

// testListening remembers when somebody listened.
func testListening(h *harness) {
	h.sync(calling("a"))
	listen := func(instance string, d time.Duration) {
		h.Helper()
		h.check(h.ListenForHeartbeats(h.ctx, instance, nil, epoch.Add(d)))
	}
	listen("old", -time.Hour) // before the site was known
	h.accept()
	for d := range 5 {
		listen("one", time.Duration(d)*10*time.Second)
	}
	listen("two", 20*time.Second) // takes over
	listen("two", 50*time.Second)
	listen("two", 81*time.Second) // it did not say so for too long
	listen("one", 120*time.Second)
	span := func(from, to time.Duration) sitemon.Span {
		return sitemon.Span{From: epoch.Add(from), To: epoch.Add(to)}
	}
	all := []sitemon.Span{span(0, 50*time.Second), span(81*time.Second, 81*time.Second), span(120*time.Second, 120*time.Second)}
	h.equal("listened", h.beatState("a").Listened, all)
	h.pass(60 * time.Second)
	h.beat("a", sitemon.Heartbeat{})
	h.equal("listened since the heartbeat", h.beatState("a").Listened, all[1:])
}

// testRuns measures runs that say when they begin.
func testRuns(h *harness) {
	h.sync(calling("a"))
	h.accept()
	began := func(run string) bool { return h.beat("a", sitemon.Heartbeat{Began: true, Run: run}) }
	running := func() sitemon.OpenRun { return h.beatState("a").Run }
	h.equal("a run begins", began(""), false)
	h.equal("the one that goes on", running(), sitemon.OpenRun{At: epoch})
	h.pass(3 * time.Second)
	h.equal("it is said again", began(""), true)
	h.equal("heartbeats before it ends", len(h.beats("a", 10)), 0)
	h.pass(57 * time.Second)
	h.equal("it ends", h.beat("a", sitemon.Heartbeat{}), false)
	h.pass(time.Second)
	h.equal("that is said again", h.beat("a", sitemon.Heartbeat{}), true)
	h.equal("how long it took", h.beats("a", 1)[0].Duration, time.Minute)
	h.equal("nothing goes on", running(), sitemon.OpenRun{})
	h.pass(time.Hour)
	began("one")
	h.pass(time.Hour)
	h.equal("the run of the same name", began("one"), true)
	h.beat("a", sitemon.Heartbeat{Run: "two"})
	h.equal("another one ends", running(), sitemon.OpenRun{At: h.clock().Add(-time.Hour), Name: "one"})
	h.beat("a", sitemon.Heartbeat{Run: "one", Duration: time.Second, Failed: true})
	h.equal("it says itself how long", h.beats("a", 1)[0].Duration, time.Second)
	h.equal("the begin comes after the end", began("one"), true)
	h.equal("nothing goes on", running(), sitemon.OpenRun{})
}

// testClockSetBack has heartbeats from when a clock was a day ahead.
func testClockSetBack(h *harness) {
	h.sync(calling("a"))
	h.pass(24 * time.Hour)
	h.accept()
	h.beat("a", sitemon.Heartbeat{})
	h.check(h.ListenForHeartbeats(h.ctx, "one", nil, h.clock()))
	h.pass(-24 * time.Hour)
	h.accept()
	h.equal("since", h.beatState("a").Since, epoch)
	h.equal("one that says the same", h.beat("a", sitemon.Heartbeat{}), false)
	h.equal("the newest", h.beatState("a").Newest.LastAt, epoch)
	h.check(h.ListenForHeartbeats(h.ctx, "one", nil, h.clock()))
	h.equal("listened", h.beatState("a").Listened, []sitemon.Span{{From: epoch, To: epoch}})
}

// testRefusing does not listen for heartbeats whose token a process does not know.
func testRefusing(h *harness) {
	h.sync(calling("a"), calling("b"))
	h.accept()
	listen := func(instance string, d time.Duration, refused ...string) {
		h.Helper()
		h.check(h.ListenForHeartbeats(h.ctx, instance, refused, epoch.Add(d*time.Second)))
	}
	listen("one", 0)
	for d := time.Duration(10); d <= 60; d += 10 {
		listen("one", d, "a", "nobody")
	}
	listen("one", 80)
	listen("one", 100, "a")
	listen("two", 40)
	listen("two", 50)
	span := func(from, to time.Duration) sitemon.Span {
		return sitemon.Span{From: epoch.Add(from * time.Second), To: epoch.Add(to * time.Second)}
	}
	h.equal("of a", h.beatState("a").Listened, []sitemon.Span{span(0, 10), span(40, 50), span(60, 100)})
	h.equal("of b", h.beatState("b").Listened, []sitemon.Span{span(0, 100)})
	h.pass(3 * 366 * 24 * time.Hour)
	h.check(h.Retain(h.ctx, h.clock()))
	h.equal("long after", len(h.beatState("a").Listened), 0)
}
