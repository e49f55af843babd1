package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// streamBeat is how often a silent stream gets a comment, so that proxies keep
	// it open and a dead client is noticed.
	streamBeat = 15 * time.Second
	// gather is how long a stream waits between two writes: events that come close
	// together share one.
	gather = 50 * time.Millisecond
	// streamWriteTimeout is how long a client may take nothing.
	streamWriteTimeout = 10 * time.Second
)

// getEvents streams events until the client leaves, falls behind, or the server
// stops. Clients of a browser's EventSource come back by themselves.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	wanted, err := eventFilter(r)
	if err != nil {
		return err
	}
	sub, ok := s.Hub.Subscribe()
	if !ok {
		w.Header().Set("Retry-After", "30")
		return problemf(http.StatusServiceUnavailable, "there are %d event streams already", maxStreams)
	}
	defer sub.Close()
	st := &stream{w: w, rc: http.NewResponseController(w), sub: sub, wanted: wanted}
	if err := st.open(s.hello()); err != nil {
		return nil // the client is gone
	}
	ctx, cancel := context.WithCancel(r.Context())
	if until := s.principal(r).Until; !until.IsZero() { // the session's end is the stream's
		ctx, cancel = context.WithDeadline(r.Context(), until)
	}
	defer cancel()
	defer context.AfterFunc(s.streams, cancel)() //nolint:contextcheck // It ends all streams, whoever asked.
	if err := st.run(ctx); errors.Is(err, errBehind) {
		s.log.Info("event stream ended", "err", err, "remote", r.RemoteAddr)
	}
	return nil
}

// helloJSON is what a stream begins with. Where Pages is not what a page was made of,
// it is another version's.
type helloJSON struct {
	Version string `json:"version"`
	Pages   string `json:"pages"`
}

// hello is the first event of a stream. Its id is that of the last event before it, so
// that clients see whether they have missed any.
func (s *Server) hello() []byte {
	data, err := json.Marshal(helloJSON{s.Version, s.pages.assets.hash})
	if err != nil {
		return nil // cannot happen: they are two texts
	}
	return newFrame(eventHello, data, s.Hub.Seen())
}

// eventFilter reads which events a client wants: those of one site, or of some
// types. Those of config and notices are about all sites.
func eventFilter(r *http.Request) (func(Event) bool, error) {
	site := r.URL.Query().Get("site")
	all := []string{eventReport, eventStatus, eventIncident, eventConfig, eventNotices}
	types := all
	if v := r.URL.Query().Get("types"); v != "" {
		types = strings.Split(v, ",")
	}
	for _, t := range types {
		if !slices.Contains(all, t) {
			return nil, badParameter("types", "%q is none of %s", t, strings.Join(all, ", "))
		}
	}
	return func(e Event) bool {
		return slices.Contains(types, e.Name) && (site == "" || e.Site == "" || e.Site == site)
	}, nil
}

// stream is one client that listens.
type stream struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	sub    *Subscription
	wanted func(Event) bool
}

// open sends the headers and the first event, so that the client sees at once that
// the stream is there.
func (st *stream) open(hello []byte) error {
	h := st.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	// The server's own deadlines are for requests that end. What can't set them
	// (a test's recorder) has none.
	_ = st.rc.SetReadDeadline(time.Time{})
	st.w.WriteHeader(http.StatusOK)
	return st.write(hello)
}

// run sends events until ctx ends or the client can't take them.
func (st *stream) run(ctx context.Context) error {
	var events []Event
	var out []byte
	beat := time.Now().Add(streamBeat)
	for ctx.Err() == nil {
		wait, cancel := context.WithDeadline(ctx, beat)
		var err error
		events, err = st.sub.Next(wait, events[:0])
		cancel()
		if errors.Is(err, errBehind) {
			return err
		}
		out = out[:0]
		for _, e := range events {
			if st.wanted(e) {
				out = append(out, e.Frame...)
			}
		}
		if len(out) == 0 && ctx.Err() == nil && !time.Now().Before(beat) {
			out = append(out, ": heartbeat\n\n"...)
		}
		if len(out) > 0 {
			if err := st.write(out); err != nil {
				return err
			}
			beat = time.Now().Add(streamBeat)
		}
		pause(ctx, gather)
	}
	return nil
}

// write sends b at once, and gives up on a client that does not take it.
func (st *stream) write(b []byte) error {
	_ = st.rc.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
	if _, err := st.w.Write(b); err != nil {
		return err
	}
	return st.rc.Flush()
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
