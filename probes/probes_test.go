package probes_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

func ExampleSet_Probe() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "welcome") }))
	defer server.Close()
	set := probes.New(probes.Options{})
	defer set.Close()
	report := set.Probe(context.Background(), &sitemon.Site{
		Name: "docs", URL: server.URL, Kind: sitemon.KindHTTP, Timeout: time.Second,
		Request: &sitemon.Request{}, Expect: &sitemon.Expect{},
	})
	fmt.Println(report.Outcome, report.StatusCode, report.BodyBytes)
	// Output: up 200 7
}

// A probe that its owner cancels ends at once, wherever it is, and says nothing
// about the site.
func TestCancelledProbe(t *testing.T) {
	ca := newAuthority(t)
	targets := map[string]string{
		"connecting":        "http://" + fullBacklog(t),
		"in the handshake":  "https://" + listen(t, silent),
		"waiting":           "http://" + listen(t, silent),
		"receiving":         "http://" + listen(t, answer(okHead+"\r\nabc", silent)),
		"waiting on HTTP/2": "https://" + listenTLS(t, ca.server(t, nil), []string{"h2"}, silent),
	}
	set := newSet(t, probes.Options{Roots: ca.pool()})
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			time.AfterFunc(50*time.Millisecond, cancel)
			start := time.Now()
			wantReport(t, set.Probe(ctx, newSite(t, target)), sitemon.OutcomeUnknown, sitemon.ReasonInternal, "the probe was cancelled")
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("ended after %s only", took)
			}
		})
	}
}

func TestPanicIsAReport(t *testing.T) {
	var log bytes.Buffer
	set := newSet(t, probes.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	site := newSite(t, "http://"+listen(t, answer(okHead+"Content-Length: 2\r\n\r\nok", nil)))
	site.Expect = nil
	wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUnknown, sitemon.ReasonInternal, "the probe failed inside the monitor: runtime error: invalid memory address")
	if !strings.Contains(log.String(), "probe panicked") || !strings.Contains(log.String(), "judge.go") {
		t.Errorf("log: %s", log.String())
	}
}

func TestWithoutADeadlineTheTimeoutHolds(t *testing.T) {
	site := newSite(t, "http://"+listen(t, silent))
	site.Timeout = 100 * time.Millisecond
	wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, "no answer within 100ms (connected, waiting for the first byte)")
}

// An earlier deadline than the site's timeout is what is told.
func TestTheDeadlineIsTold(t *testing.T) {
	site := newSite(t, "http://"+listen(t, silent))
	r := newSet(t, probes.Options{}).Probe(deadline(t, 150*time.Millisecond), site)
	if !strings.Contains(r.Error, "no answer within 1") || strings.Contains(r.Error, "10s") {
		t.Errorf("got %s", r.Error)
	}
}

func TestTCP(t *testing.T) {
	addr := listen(t, func(net.Conn) {})
	r := probe(t, probes.Options{}, newSite(t, "tcp://"+addr))
	wantReport(t, r, sitemon.OutcomeUp, "", "")
	if r.RemoteAddr != addr || r.Phases.Connect <= 0 || r.StatusCode != 0 {
		t.Errorf("report %+v", r)
	}
	wantReport(t, probe(t, probes.Options{}, newSite(t, "tcp://127.0.0.1:9")), sitemon.OutcomeDown, sitemon.ReasonConnectRefused, "connection refused by 127.0.0.1:9")
	both := probe(t, probes.Options{}, newSite(t, "tcp://localhost:9"))
	wantReport(t, both, sitemon.OutcomeDown, sitemon.ReasonConnectRefused, "connection refused by 127.0.0.1:9; ")
}

func TestContentEncodings(t *testing.T) {
	const text = "hello hello hello hello"
	tests := []struct{ name, encoding string }{
		{"gzip", "gzip"},
		{"x-gzip", "X-Gzip"},
		{"zlib", "deflate"},
		{"bare deflate", "deflate"},
		{"an encoding nobody undoes", "other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := encode(t, tt.name, text)
			addr := listen(t, answer(fmt.Sprintf("%sContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", okHead, tt.encoding, len(body), body), nil))
			site := newSite(t, "http://"+addr)
			site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "^"+text+"$")}
			r := probe(t, probes.Options{}, site)
			wantReport(t, r, sitemon.OutcomeUp, "", "")
			if r.BodyBytes != int64(len(text)) {
				t.Errorf("%d bytes", r.BodyBytes)
			}
		})
	}
	t.Run("HEAD", func(t *testing.T) {
		site := newSite(t, "http://"+listen(t, answer(okHead+"Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n", nil)))
		site.Request.Method = "HEAD"
		wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeUp, "", "")
	})
}

// TestMemory: what a peer sends without end costs little memory.
func TestMemory(t *testing.T) {
	head, piece := bomb()
	ca := newAuthority(t)
	cert := ca.server(t, nil)
	tests := []struct {
		name   string
		handle func(net.Conn)
	}{
		{"a body of 10 GB", answer(okHead+"Content-Length: 10737418240\r\n\r\n", endless("x"))},
		{"a gzip bomb", answer(okHead+"Content-Encoding: gzip\r\n\r\n"+head, endless(piece))},
		{"endless headers", answer(okHead, endless("X-A: y\r\n"))},
		{"many small headers", answer(okHead, endless("a:\r\n"))},
		{"one endless header", answer(okHead+"X: ", endless("yyyyyyyy"))},
		{"endless chunks", answer(okHead+"Transfer-Encoding: chunked\r\n\r\n", endless("1\r\nx\r\n"))},
	}
	const limit = 16 << 20
	for _, tt := range tests {
		for _, scheme := range []string{"http", "https"} {
			t.Run(scheme+"/"+tt.name, func(t *testing.T) {
				addr := ""
				if scheme == "http" {
					addr = listen(t, tt.handle)
				} else {
					addr = listenTLS(t, cert, nil, tt.handle)
				}
				set := newSet(t, probes.Options{Roots: ca.pool()})
				site := newSite(t, scheme+"://"+addr)
				set.Probe(deadline(t, ampleTimeout), site) // the pools are filled
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				r := set.Probe(deadline(t, ampleTimeout), site)
				runtime.ReadMemStats(&after)
				allocated := after.TotalAlloc - before.TotalAlloc
				t.Logf("%s/%s: %d KiB allocated, of this process's server too", r.Outcome, r.Reason, allocated>>10)
				if allocated > limit {
					t.Errorf("%d bytes allocated", allocated)
				}
			})
		}
	}
}
