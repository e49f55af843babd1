package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/web"
)

// settled makes a server that has been running for a while.
func settled(o *web.Options) {
	first := true
	o.Now = func() time.Time {
		if first { // it asks for the time when it is made
			first = false
			return testNow.Add(-time.Hour)
		}
		return testNow
	}
}

func TestNotices(t *testing.T) {
	ago := func(d time.Duration) time.Time { return testNow.Add(-d) }
	here := sitemon.Monitor{ID: "a", Role: "all", Location: "default", LastSeen: ago(5 * time.Second)}
	for _, c := range []struct {
		name     string
		monitors []sitemon.Monitor
		want     string // "": none
	}{
		{"all is well", []sitemon.Monitor{here}, ""},
		{"nobody has ever been there", nil, ""},
		{"the only one of a location is silent", []sitemon.Monitor{here, {ID: "b", Role: "monitor", Location: "fra", LastSeen: ago(3 * time.Hour)}}, "Monitor b has not been heard for 3 h : nobody probes from location fra"},
		{"one of several is silent", []sitemon.Monitor{here, {ID: "b", Role: "monitor", Location: "default", LastSeen: ago(3 * time.Minute)}}, "Monitor b has not been heard for 3 min : other monitors of location default are alive"},
		{"one of several has long been silent", []sitemon.Monitor{here, {ID: "b", Role: "monitor", Location: "default", LastSeen: ago(time.Hour)}}, ""},
		{"one has stopped", []sitemon.Monitor{here, {ID: "b", Role: "monitor", Location: "fra", LastSeen: ago(time.Hour), Stopped: true}}, ""},
		{"a page is gone", []sitemon.Monitor{here, {ID: "b", Role: "web", LastSeen: ago(2 * time.Minute)}}, ""},
		{"the only writer is silent", []sitemon.Monitor{{ID: "b", Role: "writer", LastSeen: ago(2 * time.Minute)}}, "Writer b has not been heard for 2 min : no reports are recorded"},
		{"a writer of several", []sitemon.Monitor{here, {ID: "b", Role: "writer,web", LastSeen: ago(2 * time.Minute)}}, "Monitor b has not been heard for 2 min : another writer records"},
		{"one has problems", []sitemon.Monitor{{ID: "a", Role: "all", LastSeen: here.LastSeen, Problems: []string{"<b>bad</b>", "worse"}}}, "a: <b>bad</b> a: worse"},
		{"one has many", []sitemon.Monitor{{ID: "a", Role: "all", LastSeen: here.LastSeen, Problems: strings.Split("1234567", "")}}, "a: 5 and 2 more: Monitors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			store.reloads, store.monitors = nil, c.monitors
			text := page(t, newServer(t, store, settled), "/", 200)
			if none := !strings.Contains(text, `class="banner notice"`); none != (c.want == "") {
				t.Errorf("there is no notice: %t; the page says\n%s", none, words(text))
			}
			wantSaid(t, text, c.want)
			if strings.Contains(text, "<b>bad") {
				t.Error("a problem is taken for markup")
			}
		})
	}
	t.Run("at the start nobody is missed", func(t *testing.T) {
		store := newAPIStore()
		store.reloads, store.monitors = nil, []sitemon.Monitor{{ID: "b", Role: "monitor", LastSeen: ago(time.Hour)}}
		if text := page(t, newServer(t, store), "/", 200); strings.Contains(text, "has not been heard") {
			t.Errorf("it says %s", words(text))
		}
	})
	t.Run("the database is away", func(t *testing.T) {
		store := newAPIStore()
		store.err = errors.New("no way to 192.0.2.1")
		text := body(ask(newServer(t, store), "GET", "/"))
		wantSaid(t, text, "The database does not answer")
		if strings.Contains(text, "192.0.2.1") {
			t.Error("the page says where the database is")
		}
	})
	t.Run("a stranger learns nothing", func(t *testing.T) {
		store := newAPIStore()
		store.monitors[0].Problems = []string{"bad"}
		if text := body(ask(guarded(t, store), "GET", "/login")); strings.Contains(text, "host-1") {
			t.Error("the page of the sign-in tells of host-1")
		}
	})
}

// noListener is for a server that nobody asks.
type noListener struct{ done chan struct{} }

func (l noListener) Accept() (net.Conn, error) { <-l.done; return nil, net.ErrClosed }
func (l noListener) Close() error              { close(l.done); return nil }
func (l noListener) Addr() net.Addr            { return &net.TCPAddr{} }

func TestPagesAreToldOfNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, hub := newAPIStore(), web.NewHub()
		store.monitors[0].LastSeen = time.Now().Add(time.Hour)
		s := newServer(t, store, func(o *web.Options) { o.Hub, o.Now = hub, time.Now })
		sub, _ := hub.Subscribe()
		defer sub.Close()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Serve(ctx, noListener{make(chan struct{})}) }()
		next := func() (said struct{ Notices []string }) {
			t.Helper()
			events, err := sub.Next(t.Context(), nil)
			if err != nil || len(events) != 1 {
				t.Fatalf("got %d events: %v", len(events), err)
			}
			data, _, _ := strings.Cut(strings.TrimPrefix(string(events[0].Frame), "event: notices\ndata: "), "\nid: ")
			if err := json.Unmarshal([]byte(data), &said); err != nil {
				t.Fatalf("%s: %v", events[0].Frame, err)
			}
			return said
		}
		time.Sleep(time.Minute) // all is well, and nothing is said
		store.mu.Lock()
		store.monitors[0].Problems = []string{"bad"}
		store.mu.Unlock()
		if said := next(); len(said.Notices) != 1 || said.Notices[0] != "host-1: bad" {
			t.Errorf("the pages are told %q", said.Notices)
		}
		store.mu.Lock()
		store.monitors[0].Problems = nil
		store.mu.Unlock()
		if said := next(); said.Notices == nil || len(said.Notices) != 0 {
			t.Errorf("then they are told %q, want that all is well", said.Notices)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
