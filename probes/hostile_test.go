package probes_test

import (
	"context"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

// What probes of hostile peers get. A handshake may take a while on a busy
// machine, and must be over where the peer only becomes hostile after it. Where
// the probe is to end by itself, it has all the time it may need.
const (
	hostileTimeout = 400 * time.Millisecond
	secureTimeout  = 3 * time.Second
	ampleTimeout   = time.Minute
)

// overrun is the promise: a probe returns by its deadline and this. The figures
// are logged; what fails a test is thirty times as much, as test machines are busy.
const overrun = 100 * time.Millisecond

// runHostile probes a hostile peer and checks that the probe ends in time.
func runHostile(t *testing.T, set *probes.Set, site *sitemon.Site, timeout time.Duration, worst *atomic.Int64) sitemon.Report {
	t.Helper()
	site.Timeout = timeout
	ctx, cancel := context.WithTimeout(t.Context(), site.Timeout)
	defer cancel()
	limit, _ := ctx.Deadline()
	r := set.Probe(ctx, site)
	late := time.Since(limit)
	for old := worst.Load(); int64(late) > old; old = worst.Load() {
		if worst.CompareAndSwap(old, int64(late)) {
			t.Logf("%s after the deadline", late)
			break
		}
	}
	if late > 30*overrun {
		t.Errorf("returned %s after the deadline", late)
	}
	if r.Duration <= 0 {
		t.Errorf("duration %s", r.Duration)
	}
	return r
}

// patiently probes until a report is good, with more time again and again: what ends
// such a probe is its deadline, and what has to be over before that, as to connect, may
// take its time on a busy machine.
func patiently(short time.Duration, probe func(timeout time.Duration) sitemon.Report, good func(sitemon.Report) bool) sitemon.Report {
	for {
		r := probe(short)
		if short *= 4; good(r) || short > ampleTimeout {
			return r
		}
	}
}

// meetHostile probes a peer and compares the report with what is wanted; in its text
// 400ms stand for the time that the probe had.
func meetHostile(t *testing.T, set *probes.Set, site *sitemon.Site, short time.Duration, worst *atomic.Int64, want sitemon.Reason, text string) sitemon.Report {
	t.Helper()
	words := func() string { return strings.ReplaceAll(text, hostileTimeout.String(), site.Timeout.String()) }
	r := patiently(peer{want: want, text: text}.timeout(short), func(timeout time.Duration) sitemon.Report {
		return runHostile(t, set, site, timeout, worst)
	}, func(r sitemon.Report) bool { return r.Reason == want && strings.Contains(r.Error, words()) })
	wantHostile(t, r, want, words())
	return r
}

func wantHostile(t *testing.T, r sitemon.Report, want sitemon.Reason, text string) {
	t.Helper()
	outcome := sitemon.OutcomeDown
	switch want {
	case "":
		outcome = sitemon.OutcomeUp
	case sitemon.ReasonBlocked:
		outcome = sitemon.OutcomeUnknown
	}
	wantReport(t, r, outcome, want, text)
}

// TestHostilePeers lets every kind of probe meet every peer. It ends with nothing
// left over: no goroutine, no file.
func TestHostilePeers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // so that Go's poller has its own files
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		cert := ca.server(t, nil)
		set := newSet(t, probes.Options{Roots: ca.pool()})
		for _, p := range httpPeers {
			t.Run("http/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "http://"+listen(t, p.handle)), hostileTimeout, &worst, p.want, p.text)
			})
			t.Run("https/"+p.name, func(t *testing.T) {
				t.Parallel()
				addr := listenTLS(t, cert, nil, p.handle)
				meetHostile(t, set, newSite(t, "https://"+addr), secureTimeout, &worst, p.want, p.text)
			})
			t.Run("tcp/"+p.name, func(t *testing.T) {
				t.Parallel()
				wantHostile(t, runHostile(t, set, newSite(t, "tcp://"+listen(t, p.handle)), ampleTimeout, &worst), "", "")
			})
			t.Run("tls/"+p.name, func(t *testing.T) {
				t.Parallel()
				r := runHostile(t, set, newSite(t, "tls://"+listen(t, p.handle)), hostileTimeout, &worst)
				if r.Outcome != sitemon.OutcomeDown || !strings.HasPrefix(string(r.Reason), "tls_") {
					t.Errorf("got %s/%s %q, want down and a reason of TLS", r.Outcome, r.Reason, r.Error)
				}
			})
		}
		for _, p := range tlsPeers {
			for _, scheme := range []string{"tls", "https"} {
				t.Run(scheme+"/"+p.name, func(t *testing.T) {
					t.Parallel()
					meetHostile(t, set, newSite(t, scheme+"://"+listen(t, p.handle)), hostileTimeout, &worst, p.want, p.text)
				})
			}
		}
		for _, p := range http2Peers {
			t.Run("http2/"+p.name, func(t *testing.T) {
				t.Parallel()
				addr := listenTLS(t, cert, []string{"h2"}, p.handle)
				meetHostile(t, set, newSite(t, "https://"+addr), secureTimeout, &worst, p.want, p.text)
			})
		}
		for name, addr := range map[string]string{"a full backlog": fullBacklog(t)} {
			for _, scheme := range []string{"http", "https", "tcp", "tls"} {
				t.Run(scheme+"/"+name, func(t *testing.T) {
					t.Parallel()
					r := runHostile(t, set, newSite(t, scheme+"://"+addr), hostileTimeout, &worst)
					wantHostile(t, r, sitemon.ReasonConnectTimeout, "no answer within 400ms (connecting to "+addr)
				})
			}
		}
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}

// openFiles counts the process's open files.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		testkit.Missing(t, "files are counted in /proc only")
	}
	return len(entries)
}

// waitFor waits for what comes soon after.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
}
