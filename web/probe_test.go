package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/web"
)

// TestProbe: a probe that somebody asks for, over the API and by the button without
// scripts.
func TestProbe(t *testing.T) {
	s := newServer(t, newAPIStore())
	w := ask(s, "POST", "/api/v1/sites/docs/probe")
	wantStatus(t, w, 200)
	if got := body(w); got != probed {
		t.Errorf("got %s", got)
	}
	wantOn(t, page(t, s, "/sites/new", 200), `<form method="post" action="/sites/new/probe" data-probe>`)
	w = ask(s, "POST", "/sites/new/probe")
	wantStatus(t, w, 200)
	wantOn(t, body(w), "<h1>Probe of <bdi>new</bdi></h1>", "<b>Too slow</b>", `<th scope="row"><bdi>latency</bdi></th><td class="mono"><bdi>at most 2s</bdi></td><td class="mono"><bdi>2.5s</bdi></td>`,
		"GET https://docs.example.org/", "CN=docs.example.org", `action="/sites/new/probe"`)
	w = ask(s, "POST", "/sites/shop%2Fcheckout/probe?parts=probe")
	wantStatus(t, w, 200)
	if got := strings.TrimSpace(body(w)); !strings.HasPrefix(got, `<section class="card" id="probe" data-part="probe"`) {
		t.Errorf("the part alone begins with %.80s", got)
	}
}

// TestProbeRefused: who may not probe, and what can't be probed.
func TestProbeRefused(t *testing.T) {
	without := func(o *web.Options) { o.Prober = nil }
	for _, c := range []struct {
		name    string
		edit    func(*apiStore)
		options func(*web.Options)
		target  string
		headers []string
		status  int
		want    string
	}{
		{"no site", func(*apiStore) {}, func(*web.Options) {}, "/api/v1/sites/nothing/probe", nil, 404, ""},
		{"no monitor", func(*apiStore) {}, without, "/api/v1/sites/docs/probe", nil, 409, "runs no monitor"},
		{"no monitor, by the button", func(*apiStore) {}, without, "/sites/docs/probe", nil, 409, "runs no monitor"},
		{"from another page", func(*apiStore) {}, func(*web.Options) {}, "/sites/docs/probe", []string{"Origin: https://evil.example"}, 403, ""},
		{"a site that calls", func(f *apiStore) { f.sites[0].Kind = sitemon.KindHeartbeat }, func(*web.Options) {}, "/api/v1/sites/docs/probe", nil, 409, "not probed"},
		{"can't be expanded", func(f *apiStore) {
			f.probe = func(context.Context, string) (json.RawMessage, error) {
				return nil, fmt.Errorf("decode: %w", sitemon.ErrInvalid)
			}
		}, func(*web.Options) {}, "/api/v1/sites/docs/probe", nil, 409, "can't be probed now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			c.edit(store)
			w := ask(newServer(t, store, c.options), "POST", c.target, c.headers...)
			wantStatus(t, w, c.status)
			wantOn(t, body(w), c.want)
		})
	}
	wantOn(t, page(t, newServer(t, newAPIStore(), without), "/sites/docs", 200), "!data-probe>")
	s := guarded(t, newAPIStore())
	vic := signIn(t, s, "vic")
	wantStatus(t, ask(s, "POST", "/api/v1/sites/docs/probe", "Authorization: Bearer viewer-0123456789"), 403)
	wantStatus(t, ask(s, "POST", "/sites/docs/probe", vic, "Origin: http://localhost:8080"), 403)
	w := ask(s, "GET", "/sites/docs", vic)
	wantOn(t, body(w), "!data-probe>", `id="definition"`)
	wantStatus(t, ask(s, "POST", "/api/v1/sites/docs/probe", "Authorization: Bearer operator-0123456789"), 200)
}

// TestProbesAreBounded: one probe of a site at a time and every 2 s, four at once, sixty
// a minute.
func TestProbesAreBounded(t *testing.T) {
	store := manySites(70, nil)
	var mu sync.Mutex
	now := testNow
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	s := newServer(t, store, func(o *web.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	probe := func(i int) (int, string) {
		w := ask(s, "POST", fmt.Sprintf("/api/v1/sites/site-%05d/probe", i))
		return w.Code, w.Header().Get("Retry-After")
	}
	want := func(what string, i, code int, after string) {
		t.Helper()
		if got, wait := probe(i); got != code || wait != after {
			t.Errorf("%s: got status %d, retry after %q, want %d, %q", what, got, wait, code, after)
		}
	}
	want("the first", 0, 200, "")
	want("the same at once", 0, 429, "2")
	pass(2 * time.Second)
	want("the same later", 0, 200, "")

	begun, end := make(chan struct{}), make(chan struct{})
	store.probe = func(context.Context, string) (json.RawMessage, error) {
		begun <- struct{}{}
		<-end
		return json.RawMessage(probed), nil
	}
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() { probe(10 + i) })
		<-begun
	}
	pass(3 * time.Second)
	want("the same under way", 10, 429, "2")
	want("a fifth at once", 20, 429, "2")
	close(end)
	running.Wait()
	store.probe = nil
	for i := 30; i < 69; i++ {
		want("another", i, 200, "")
	}
	for i := range 15 {
		want("another", 1+i, 200, "")
		pass(time.Millisecond)
	}
	want("the sixty-first in a minute", 69, 429, "55")
	pass(time.Minute)
	want("a minute later", 69, 200, "")
}
