package probes_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// counted is a server that counts its connections.
func counted(t *testing.T, tls, http2 bool, ca *authority) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var conns atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	if tls {
		server.TLS, server.EnableHTTP2 = serverTLS(ca.server(t, nil)), http2
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, &conns
}

func TestKeepAlive(t *testing.T) {
	ca := newAuthority(t)
	for _, kind := range []string{"http", "https", "http2"} {
		t.Run(kind, func(t *testing.T) {
			server, conns := counted(t, kind != "http", kind == "http2", ca)
			set := newSet(t, probes.Options{Roots: ca.pool()})
			site := newSite(t, server.URL)
			site.Request.KeepAlive = true
			check := func(when string, want int64, s *sitemon.Site) sitemon.Report {
				t.Helper()
				// The probe's own deadline must not outlive it on the connection.
				r := set.Probe(deadline(t, 5*time.Second), s)
				wantReport(t, r, sitemon.OutcomeUp, "", "")
				if n := conns.Load(); n != want {
					t.Errorf("%s: %d connections, want %d", when, n, want)
				}
				return r
			}
			check("at first", 1, site)
			r := check("again", 1, site)
			if r.Phases.Connect != 0 || r.Phases.TLS != 0 || r.Phases.Processing <= 0 {
				t.Errorf("phases %+v", r.Phases)
			}
			if r.RemoteAddr == "" || r.CertificateExpiresAt.IsZero() != (kind == "http") {
				t.Errorf("facts of the kept connection: %+v", r)
			}
			check("a third time", 1, site)
			server.CloseClientConnections()
			check("after the server closed it", 2, site)
			changed := *site
			changed.Definition = []byte(`{"changed":true}`)
			check("after the site changed", 3, &changed)
			post := changed
			request := *changed.Request
			request.Method = "POST"
			post.Request = &request
			check("a request that must not be sent twice", 4, &post)
			fresh := newSite(t, server.URL)
			fresh.Name = "fresh"
			check("without keep_alive", 5, fresh)
			check("without keep_alive, again", 6, fresh)
		})
	}
}

// The deadline of a probe does not stay on the connection that it leaves behind:
// HTTP/2 reads on while nobody asks.
func TestKeptBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, conns := counted(t, true, true, ca)
	set := newSet(t, probes.Options{Roots: ca.pool()})
	site := newSite(t, server.URL)
	site.Request.KeepAlive = true
	for _, timeout := range []time.Duration{ampleTimeout, time.Second, ampleTimeout} {
		ctx := deadline(t, timeout)
		wantReport(t, set.Probe(ctx, site), sitemon.OutcomeUp, "", "")
		if timeout == time.Second {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A connection that can't be used again is not kept.
func TestNotKept(t *testing.T) {
	tests := []struct{ name, answer string }{
		{"the server closes", okHead + "Connection: close\r\nContent-Length: 2\r\n\r\nok"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{"more than it promised", okHead + "Content-Length: 2\r\n\r\nokHTTP/1.1 500 Sneaky\r\n\r\n"},
		{"cut at the limit", okHead + "Content-Length: 20\r\n\r\n12345678901234567890"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var conns atomic.Int64
			addr := listen(t, func(c net.Conn) {
				conns.Add(1)
				for {
					b := make([]byte, 4096)
					if _, err := c.Read(b); err != nil {
						return
					}
					_, _ = io.WriteString(c, tt.answer)
				}
			})
			set := newSet(t, probes.Options{})
			site := newSite(t, "http://"+addr)
			site.Request.KeepAlive, site.Request.BodySizeLimit = true, 10
			for range 2 {
				wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
			}
			if n := conns.Load(); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
		})
	}
}

// A server that closes each connection after one answer, or amid it, does not
// make a probe try for ever.
func TestStaleConnectionIsRetriedOnce(t *testing.T) {
	var conns atomic.Int64
	addr := listen(t, func(c net.Conn) {
		if conns.Add(1) == 1 {
			answer(okHead+"Content-Length: 2\r\n\r\nok", readRequest)(c)
		}
	})
	set := newSet(t, probes.Options{})
	site := newSite(t, "http://"+addr)
	site.Request.KeepAlive = true
	wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
	r := set.Probe(t.Context(), site)
	if r.Outcome != sitemon.OutcomeDown || conns.Load() != 2 {
		t.Errorf("%s %q after %d connections", r.Outcome, r.Error, conns.Load())
	}
}

func TestCloseEndsKeptConnections(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	ca := newAuthority(t)
	t.Run("kept", func(t *testing.T) {
		for _, http2 := range []bool{false, true} {
			server, _ := counted(t, true, http2, ca)
			set := probes.New(probes.Options{Roots: ca.pool()})
			for i := range 20 {
				site := newSite(t, server.URL)
				site.Name, site.Request.KeepAlive = fmt.Sprint(i), true
				wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
			}
			set.Close()
			late := newSite(t, server.URL)
			late.Request.KeepAlive = true
			wantReport(t, set.Probe(t.Context(), late), sitemon.OutcomeUp, "", "")
		}
	})
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
}
