package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/web"
)

// pipes is a network in memory, so that servers and clients run on a fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serving runs a server on a fake network and clock, gives the test a client,
// and ends both.
func serving(t *testing.T, hub *web.Hub, store *apiStore, test func(t *testing.T, client *http.Client, stop func() error)) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, store, func(o *web.Options) { o.Hub, o.Now = hub, time.Now })
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipes()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln) }()
		transport := &http.Transport{DialContext: ln.dial}
		defer transport.CloseIdleConnections()
		stop := func() error {
			cancel()
			err := <-served
			served <- err
			return err
		}
		defer func() { _ = stop() }()
		test(t, &http.Client{Transport: transport}, stop)
	})
}

// hello is what a stream begins with.
var hello = regexp.MustCompile(`^event: hello\ndata: {"version":"1.0.0","pages":"[0-9a-f]{12}"}\nid: [0-9a-z]+-[0-9]+$`)

// listen opens a stream of events.
func listen(t *testing.T, client *http.Client, query string) (*bufio.Reader, io.Closer) {
	t.Helper()
	resp, err := client.Get("http://localhost:8080/api/v1/events" + query)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got status %d, type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	r := bufio.NewReader(resp.Body)
	if got := frame(t, r); !hello.MatchString(got) {
		t.Fatalf("got %q at the begin of the stream", got)
	}
	return r, resp.Body
}

// frame reads up to an empty line.
func frame(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var lines []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", lines, err)
		}
		if line == "\n" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

func TestEventStream(t *testing.T) {
	hub := web.NewHub()
	serving(t, hub, newAPIStore(), func(t *testing.T, client *http.Client, _ func() error) {
		all, close1 := listen(t, client, "")
		defer close1.Close()
		one, close2 := listen(t, client, "?site=docs")
		defer close2.Close()
		some, close3 := listen(t, client, "?types=status,config")
		defer close3.Close()

		hub.Report(report("other", 1))
		hub.Report(report("docs", 2))
		hub.Status(sitemon.StatusChange{Site: "other", Status: sitemon.StatusUp})
		hub.Config(sitemon.Reload{Generation: 5, At: testNow})
		for _, c := range []struct {
			name   string
			stream *bufio.Reader
			want   []string
		}{
			{"all", all, []string{"report", "report", "status", "config"}},
			{"one site", one, []string{"report", "config"}},
			{"some types", some, []string{"status", "config"}},
		} {
			for _, want := range c.want {
				if got := frame(t, c.stream); !strings.HasPrefix(got, "event: "+want+"\ndata: {") {
					t.Errorf("%s: got %q, want an event %q", c.name, got, want)
				}
			}
		}
	})
}

func TestEventStreamHeartbeat(t *testing.T) {
	hub := web.NewHub()
	serving(t, hub, newAPIStore(), func(t *testing.T, client *http.Client, _ func() error) {
		stream, closer := listen(t, client, "?site=docs")
		defer closer.Close()
		for range 3 {
			start := time.Now()
			hub.Report(report("other", 1)) // for others; a heartbeat is due all the same
			if got := frame(t, stream); got != ": heartbeat" {
				t.Errorf("got %q, want a heartbeat", got)
			}
			if d := time.Since(start); d < 14*time.Second || d > 16*time.Second {
				t.Errorf("heartbeat after %v, want 15 s", d)
			}
		}
	})
}

// A stream lives on beyond the time that other requests have, ends when its
// client leaves, and when the server stops.
func TestEventStreamEnds(t *testing.T) {
	hub := web.NewHub()
	serving(t, hub, newAPIStore(), func(t *testing.T, client *http.Client, stop func() error) {
		leaver, leave := listen(t, client, "")
		stayer, closer := listen(t, client, "")
		defer closer.Close()
		for range 20 {
			frame(t, leaver)
			frame(t, stayer)
		}
		leave.Close()
		synctest.Wait()
		if n := hub.Listeners(); n != 1 {
			t.Errorf("%d listen after one of two has left", n)
		}
		start := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, stayer)
			ended <- err
		}()
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("the server took %v to stop with a stream open", d)
		}
		if err := <-ended; err != nil {
			t.Errorf("the stream did not end cleanly: %v", err)
		}
		if n := hub.Listeners(); n != 0 {
			t.Errorf("%d listen after the end", n)
		}
	})
}

// A client that takes nothing is cut off and holds nobody up.
func TestEventStreamStalledClient(t *testing.T) {
	hub := web.NewHub()
	serving(t, hub, newAPIStore(), func(t *testing.T, client *http.Client, _ func() error) {
		_, stalled := listen(t, client, "")
		defer stalled.Close()
		for i := range 2 * web.HubBacklog {
			hub.Report(report("docs", i))
			if i%500 == 0 {
				time.Sleep(500 * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := hub.Listeners(); n != 0 {
			t.Errorf("%d still listen", n)
		}
	})
}

// slowReload waits for the test, or for the end of the request.
type slowReload struct {
	*apiStore
	release chan struct{}
}

func (s slowReload) Reload(ctx context.Context) (sitemon.Plan, error) {
	select {
	case <-s.release:
		return s.plan, nil
	case <-ctx.Done():
		return sitemon.Plan{}, ctx.Err()
	}
}

func TestServeLetsRequestsFinish(t *testing.T) {
	for _, c := range []struct {
		name     string
		after    time.Duration
		finishes bool
	}{{"in time", 4 * time.Second, true}, {"not in time", time.Minute, false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := slowReload{newAPIStore(), make(chan struct{})}
				s := newServer(t, slow.apiStore, func(o *web.Options) { o.Reloader, o.Now = slow, time.Now })
				ctx, cancel := context.WithCancel(t.Context())
				ln := newPipes()
				served := make(chan error, 1)
				go func() { served <- s.Serve(ctx, ln) }()
				client := &http.Client{Transport: &http.Transport{DialContext: ln.dial}}
				defer client.CloseIdleConnections()
				answered := make(chan error, 1)
				go func() {
					resp, err := client.Post("http://localhost/api/v1/config/reload", "", nil)
					if err == nil {
						resp.Body.Close()
					}
					answered <- err
				}()
				synctest.Wait()
				cancel()
				time.AfterFunc(c.after, func() { close(slow.release) })
				err := <-answered
				if (err == nil) != c.finishes {
					t.Errorf("the request under way: %v; finishes: %v", err, c.finishes)
				}
				if err := <-served; (err == nil) != c.finishes {
					t.Errorf("serve: %v", err)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := newServer(t, newAPIStore()).Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want that the listener is closed", err)
	}
}

func TestServeSlowHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, newAPIStore())
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipes()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln) }()
		conn, err := ln.dial(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: ")); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn)
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("cut off after %v, want 10 s", d)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
