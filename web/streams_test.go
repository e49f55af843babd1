package web_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon/web"
)

// crowd are clients that ask for event streams over real sockets.
type crowd struct {
	client *http.Client
	url    string

	mu      sync.Mutex
	streams []*http.Response // that are served
	refused int              // with 503 and Retry-After
	faults  []error          // what should not be
}

// ask asks for one stream, and keeps it if it is served.
func (c *crowd) ask(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	var resp *http.Response
	if err == nil {
		resp, err = c.client.Do(req)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.faults = append(c.faults, err)
	case resp.StatusCode == http.StatusOK:
		c.streams = append(c.streams, resp) //nolint:bodyclose // leave closes it.
		return
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		c.refused++
	default:
		c.faults = append(c.faults, errors.New(resp.Status))
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
}

// leave closes all streams.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resp := range c.streams {
		_ = resp.Body.Close()
	}
	c.streams = nil
}

// read waits until every stream has an event.
func (c *crowd) read(t *testing.T) {
	t.Helper()
	for i, resp := range c.streams {
		for r := bufio.NewReader(resp.Body); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			if strings.HasPrefix(line, "event: report") {
				break
			}
		}
	}
}

// memory is what the process holds after a collection, in bytes.
func memory() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Ten thousand ask for a stream at the same time. As many as there is room for get
// one and go on to get events, the others are told to come later, and all the room is
// free again when they have left.
func TestTenThousandStreams(t *testing.T) {
	const all = 10_000
	const most = 150 << 20 // bytes, those of the clients included
	hub := web.NewHub()
	s := newServer(t, newAPIStore(), func(o *web.Options) { o.Hub, o.Now = hub, time.Now })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	// Fewer sockets than clients: who is refused leaves theirs to the next.
	transport := &http.Transport{MaxConnsPerHost: web.MaxStreams + 500, MaxIdleConnsPerHost: 500}
	c := &crowd{client: &http.Client{Transport: transport}, url: "http://" + ln.Addr().String() + "/api/v1/events"}
	defer func() {
		c.leave()
		transport.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	before := memory()
	var wg sync.WaitGroup
	for range all {
		wg.Go(func() { c.ask(ctx) })
	}
	wg.Wait()
	if len(c.streams) != web.MaxStreams || c.refused != all-web.MaxStreams || len(c.faults) > 0 {
		t.Fatalf("%d served and %d refused, want %d and %d; otherwise: %.500q", len(c.streams), c.refused, web.MaxStreams, all-web.MaxStreams, c.faults)
	}
	hub.Report(report("docs", 1))
	c.read(t)
	if after := memory(); after > before+most {
		t.Errorf("the streams hold %d MiB, want less than %d", (after-before)>>20, most>>20)
	} else {
		t.Logf("%d streams and their clients hold %.1f MiB", len(c.streams), float64(after-min(before, after))/(1<<20))
	}

	c.leave()
	for hub.Listeners() > 0 {
		if pause := time.NewTimer(10 * time.Millisecond); ctx.Err() == nil {
			<-pause.C
			continue
		}
		t.Fatalf("%d streams are open after all have left", hub.Listeners())
	}
	for range web.MaxStreams {
		wg.Go(func() { c.ask(ctx) })
	}
	wg.Wait()
	if len(c.streams) != web.MaxStreams || len(c.faults) > 0 {
		t.Errorf("%d are served when they come again, want %d; otherwise: %.500q", len(c.streams), web.MaxStreams, c.faults)
	}
}
