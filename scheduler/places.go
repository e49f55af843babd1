package scheduler

import "sync"

// places bounds how many probes run at the same time, over all and per host. A
// site that finds no place waits in a queue, without a goroutine, and is served
// in the order of arrival. So a slow host with many sites takes no places from
// others, and a monitor that is asked for too much still does what it can.
type places struct {
	perHost int

	mu    sync.Mutex
	free  int              // of all places
	hosts map[string]*host // those with a probe running or waiting
	queue fifo             // who waits for a place among all
}

// host is who uses the places of one host.
type host struct {
	running int
	queue   fifo // who waits for a place of this host
}

func newPlaces(all, perHost int) *places {
	return &places{perHost: perHost, free: all, hosts: map[string]*host{}}
}

// take gives e a place, or a turn in a queue: then it is returned by a later
// call of next.
func (p *places) take(e *entry) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[e.host]
	if h == nil {
		h = &host{}
		p.hosts[e.host] = h
	}
	switch {
	case h.running >= p.perHost:
		h.queue.push(e)
	case p.free == 0:
		p.queue.push(e)
	default:
		p.free--
		h.running++
		return true
	}
	return false
}

// next gives the place of a probe that has ended to the first who can use it,
// or back.
func (p *places) next(of string) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[of]
	if e := h.queue.pop(); e != nil {
		return e
	}
	if h.running--; h.running == 0 {
		delete(p.hosts, of)
	}
	for e := p.queue.pop(); e != nil; e = p.queue.pop() {
		h := p.hosts[e.host]
		if h == nil {
			h = &host{}
			p.hosts[e.host] = h
		}
		if h.running < p.perHost {
			h.running++
			return e
		}
		h.queue.push(e)
	}
	p.free++
	return nil
}

// fifo is a queue of entries.
type fifo struct {
	first int
	items []*entry
}

func (q *fifo) push(e *entry) { q.items = append(q.items, e) }

// pop returns the oldest entry, nil where there is none.
func (q *fifo) pop() *entry {
	if q.first == len(q.items) {
		return nil
	}
	e := q.items[q.first]
	q.items[q.first] = nil
	if q.first++; q.first == len(q.items) {
		q.first, q.items = 0, q.items[:0]
	} else if q.first > len(q.items)/2 {
		q.items = append(q.items[:0], q.items[q.first:]...)
		q.first = 0
	}
	return e
}
