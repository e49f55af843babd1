package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sitemon"
)

const (
	// maxStreams is how many subscriptions there can be at once.
	maxStreams = 1000
	// hubBacklog is how many events a subscriber may be behind. At 1,000 reports a
	// second it is eight seconds.
	hubBacklog = 8192
	// takeMost is how many events a subscriber takes at once, so that what one that was
	// behind has held stays small.
	takeMost = 512
)

// The names of events.
const (
	eventReport   = "report"
	eventStatus   = "status"
	eventIncident = "incident"
	eventConfig   = "config"
	eventNotices  = "notices"
	eventHello    = "hello" // the first of each stream
)

// errBehind ends a subscription that no longer keeps up.
var errBehind = errors.New("subscriber is too far behind")

// Event is one server-sent event.
type Event struct {
	Name  string // report, status, incident, config or notices
	Site  string // "" for config and notices
	Frame []byte // as it goes over the wire; shared, never to be changed
}

// Hub carries events from those who cause them to those who listen. Publishing
// never waits for a subscriber, and a report costs one atomic load while there is none:
// all subscribers read the same ring, and one that falls behind by more than
// the ring holds is ended. The zero value is not usable, see [NewHub].
//
// All events but reports are counted, also while nobody listens, and have the count
// as their id: who knows the id of the last has missed nothing while it is [Hub.Seen].
type Hub struct {
	listeners atomic.Int64
	epoch     string // of the counts: another process counts anew

	mu   sync.Mutex
	seen uint64        // the count
	ring []Event       // nil while nobody listens
	next uint64        // number of the event to come; its place is next mod len(ring)
	wake chan struct{} // closed at the next event; nil while nobody waits
}

// NewHub returns a hub without subscribers.
func NewHub() *Hub { return &Hub{epoch: strconv.FormatInt(time.Now().UnixNano(), 36)} }

// Seen is the id of the last event that is counted. Who reads it before the state has
// all that it tells of, or sees another id later.
func (h *Hub) Seen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id()
}

// id is that of the last event that is counted. The caller holds the lock.
func (h *Hub) id() string { return h.epoch + "-" + strconv.FormatUint(h.seen, 10) }

// Report publishes a report that was recorded, without its evidence: that is for
// those who look at an incident.
func (h *Hub) Report(r sitemon.Report) {
	if h.listeners.Load() > 0 {
		r.Evidence = ""
		h.publish(eventReport, r.Site, r)
	}
}

// Status publishes a change of a site's status.
func (h *Hub) Status(c sitemon.StatusChange) {
	h.publish(eventStatus, c.Site, newStatusJSON(c))
}

// Incident publishes an incident that began, ended, or became another.
func (h *Hub) Incident(i sitemon.Incident) {
	h.publish(eventIncident, i.Site, newIncidentJSON(&i))
}

// Config publishes an attempt to apply a sites file, applied or refused.
func (h *Hub) Config(r sitemon.Reload) {
	h.publish(eventConfig, "", newReloadJSON(r))
}

// Notices publishes what is wrong with SiteMon itself, all of it; nothing: all is
// well again.
func (h *Hub) Notices(list []string) {
	h.publish(eventNotices, "", noticesJSON{append([]string{}, list...)})
}

// publish counts the event, encodes it once and puts it into the ring.
func (h *Hub) publish(name, site string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // cannot happen: the values are our own plain structs
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	id := ""
	if name != eventReport {
		h.seen++
		id = h.id()
	}
	if h.ring == nil {
		return // nobody listens, or the last has just left
	}
	h.ring[h.next%hubBacklog] = Event{Name: name, Site: site, Frame: newFrame(name, data, id)}
	h.next++
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

// newFrame is an event as it goes over the wire; id may be "".
func newFrame(name string, data []byte, id string) []byte {
	var b bytes.Buffer
	b.Grow(len(data) + len(name) + len(id) + 24)
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(data)
	if id != "" {
		b.WriteString("\nid: " + id)
	}
	b.WriteString("\n\n")
	return b.Bytes()
}

// Subscription is one listener's place in a [Hub]. It is for one goroutine.
type Subscription struct {
	hub *Hub
	pos uint64 // number of the next event to read
}

// Subscribe begins a subscription to all events from now on; ok is false where
// there are too many already. The caller closes it.
func (h *Hub) Subscribe() (sub *Subscription, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners.Load() >= maxStreams {
		return nil, false
	}
	if h.ring == nil {
		h.ring = make([]Event, hubBacklog)
	}
	h.listeners.Add(1)
	return &Subscription{hub: h, pos: h.next}, true
}

// Close ends the subscription. It must be called once.
func (s *Subscription) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners.Add(-1) == 0 {
		h.ring = nil
	}
}

// Next appends the events since the last call to buf, or the first of them where
// they are many, waiting for the first until ctx ends. Its error is ctx's, or says that the subscriber is too
// far behind and has missed events.
func (s *Subscription) Next(ctx context.Context, buf []Event) ([]Event, error) {
	for {
		events, wake, err := s.take(buf)
		if err != nil || len(events) > len(buf) {
			return events, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return buf, ctx.Err()
		}
	}
}

// take appends the events that are there already; where there are none, wake is
// closed at the next.
func (s *Subscription) take(buf []Event) (events []Event, wake chan struct{}, err error) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next-s.pos > hubBacklog {
		return buf, nil, errBehind
	}
	had := len(buf)
	for ; s.pos < h.next && len(buf) < had+takeMost; s.pos++ {
		buf = append(buf, h.ring[s.pos%hubBacklog])
	}
	if len(buf) == had && h.wake == nil {
		h.wake = make(chan struct{})
	}
	return buf, h.wake, nil
}

// Listeners returns how many subscriptions there are.
func (h *Hub) Listeners() int { return int(h.listeners.Load()) }
