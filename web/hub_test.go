package web_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/web"
)

func report(site string, n int) sitemon.Report {
	return sitemon.Report{Site: site, Location: "default", Slot: testNow.Add(time.Duration(n) * time.Second), Outcome: sitemon.OutcomeUp}
}

func TestHubOrder(t *testing.T) {
	h := web.NewHub()
	h.Report(report("before", 0)) // nobody listens
	sub, ok := h.Subscribe()
	if !ok {
		t.Fatal("no subscription")
	}
	defer sub.Close()
	h.Report(report("a", 1))
	h.Status(sitemon.StatusChange{Site: "a", Status: sitemon.StatusDown, Since: testNow, Reason: sitemon.ReasonBody})
	h.Config(sitemon.Reload{Generation: 3, At: testNow})
	events, err := sub.Next(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, e := range events {
		got.WriteString(e.Name + " " + e.Site + "\n")
		got.Write(e.Frame)
	}
	want := `report a
event: report
data: {"version":1,"site":"a","location":"default","slot":"2026-11-24T10:00:01.000Z","outcome":"up"}

status a
event: status
data: {"site":"a","status":"down","since":"2026-11-24T10:00:00.000Z","reason":"body"}
id: EPOCH-1

config 
event: config
data: {"generation":3,"at":"2026-11-24T10:00:00Z","source":"","hash":"","applied":false,"added":0,"changed":0,"removed":0,"unchanged":0,"duration_ms":0,"errors":[]}
id: EPOCH-2

`
	epoch, _, _ := strings.Cut(h.Seen(), "-")
	if want := strings.ReplaceAll(want, "EPOCH", epoch); got.String() != want {
		t.Errorf("got events:\n%s\nwant:\n%s", got.String(), want)
	}
}

// All but reports is counted, whether anybody listens or not; another process counts anew.
func TestHubSeen(t *testing.T) {
	h := web.NewHub()
	seen := map[string]string{}
	note := func(what string) {
		t.Helper()
		if before, ok := seen[h.Seen()]; ok {
			t.Errorf("%s: the id is still %s, that of %s", what, h.Seen(), before)
		}
		seen[h.Seen()] = what
	}
	note("nothing")
	h.Status(sitemon.StatusChange{Site: "a", Status: sitemon.StatusDown})
	note("a status")
	h.Incident(sitemon.Incident{ID: 1, Site: "a"})
	note("an incident")
	h.Config(sitemon.Reload{Generation: 3})
	note("a reload")
	h.Notices(nil)
	note("notices")
	if before := h.Seen(); before == web.NewHub().Seen() {
		t.Errorf("another hub counts alike: %s", before)
	}
	before := h.Seen()
	sub, _ := h.Subscribe()
	defer sub.Close()
	h.Report(report("a", 1))
	if h.Seen() != before {
		t.Errorf("a report is counted: %s is %s", before, h.Seen())
	}
	h.Status(sitemon.StatusChange{Site: "a", Status: sitemon.StatusUp})
	note("another status")
	events, err := sub.Next(t.Context(), nil)
	if err != nil || len(events) != 2 || !strings.Contains(string(events[1].Frame), "\nid: "+h.Seen()+"\n") || strings.Contains(string(events[0].Frame), "\nid:") {
		t.Errorf("got %q, %v, want a report without an id and a status with %s", events, err, h.Seen())
	}
}

func TestHubWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := web.NewHub()
		sub, _ := h.Subscribe()
		defer sub.Close()
		time.AfterFunc(time.Minute, func() { h.Report(report("a", 1)) })
		start := time.Now()
		if events, err := sub.Next(t.Context(), nil); err != nil || len(events) != 1 || time.Since(start) != time.Minute {
			t.Errorf("got %d events, %v after %v, want 1 after a minute", len(events), err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := sub.Next(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
}

// A subscriber that reads nothing never holds a publisher up, and is told.
func TestHubSlowSubscriber(t *testing.T) {
	h := web.NewHub()
	slow, _ := h.Subscribe()
	defer slow.Close()
	quick, _ := h.Subscribe()
	defer quick.Close()
	seen := 0
	for i := range web.HubBacklog + 1 {
		h.Report(report("a", i))
		events, err := quick.Next(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(events)
	}
	if seen != web.HubBacklog+1 {
		t.Errorf("the quick one saw %d events, want %d", seen, web.HubBacklog+1)
	}
	if _, err := slow.Next(t.Context(), nil); err == nil {
		t.Error("the slow one was not told that it is behind")
	}
}

func TestHubLimit(t *testing.T) {
	h := web.NewHub()
	subs := make([]*web.Subscription, web.MaxStreams)
	for i := range subs {
		sub, ok := h.Subscribe()
		if !ok {
			t.Fatalf("subscription %d refused", i)
		}
		subs[i] = sub
	}
	if _, ok := h.Subscribe(); ok {
		t.Error("one subscription too many")
	}
	w := ask(newServer(t, newAPIStore(), func(o *web.Options) { o.Hub = h }), "GET", "/api/v1/events")
	wantStatus(t, w, 503)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, sub := range subs {
		sub.Close()
	}
	if n := h.Listeners(); n != 0 {
		t.Errorf("%d listeners are left", n)
	}
	sub, ok := h.Subscribe()
	if !ok {
		t.Fatal("refused after all had left")
	}
	sub.Close()
}

// Publishers, and subscribers that come and go, at once: for the race detector.
func TestHubConcurrently(t *testing.T) {
	h := web.NewHub()
	ctx, cancel := context.WithCancel(t.Context())
	var publishers, readers sync.WaitGroup
	for range 4 {
		publishers.Go(func() {
			for i := range 2000 {
				h.Report(report("a", i))
			}
		})
		readers.Go(func() {
			for ctx.Err() == nil {
				sub, _ := h.Subscribe()
				wait, stop := context.WithTimeout(ctx, time.Millisecond)
				_, _ = sub.Next(wait, nil)
				stop()
				sub.Close()
			}
		})
	}
	publishers.Wait()
	cancel()
	readers.Wait()
}

func BenchmarkHubNobodyListens(b *testing.B) {
	h := web.NewHub()
	r := report("a", 1)
	b.ReportAllocs()
	for b.Loop() {
		h.Report(r)
	}
}

func BenchmarkHubThousandSubscribers(b *testing.B) {
	h := web.NewHub()
	for range web.MaxStreams {
		sub, _ := h.Subscribe()
		defer sub.Close()
	}
	r := report("a", 1)
	b.ReportAllocs()
	for b.Loop() {
		h.Report(r)
	}
}
