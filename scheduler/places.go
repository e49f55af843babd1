package scheduler

import (
	"container/heap"
	"sync"
)

// places bounds how many probes run at the same time, over all and per host. A
// site that finds no place waits in a queue, without a goroutine. The one that has
// not been probed for the longest time is served first: so a monitor that is asked
// for too much finds out as much of one site as of another, and neither a slow host
// nor the order of the slots takes places from anybody for good.
type places struct {
	perHost int

	mu    sync.Mutex
	free  int              // of all places
	hosts map[string]*host // those with a probe running or waiting
	queue queue            // who waits for a place among all
	turns uint64           // given out
}

// host is who uses the places of one host. Nobody waits for those of a host that has
// some left and of which nobody waits for a place among all.
type host struct {
	running int
	queue   queue // who waits for a place of this host
}

func newPlaces(all, perHost int) *places {
	return &places{perHost: perHost, free: all, hosts: map[string]*host{}}
}

// take gives e a place, or a turn in a queue: then it is returned by a later
// call of next.
func (p *places) take(e *entry) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.of(e.host)
	if h.running < p.perHost && p.free > 0 {
		p.free--
		h.running++
		return true
	}
	p.turns++
	e.turn = p.turns
	if h.running >= p.perHost {
		heap.Push(&h.queue, e)
	} else {
		heap.Push(&p.queue, e)
	}
	return false
}

// of returns the host of a name.
func (p *places) of(name string) *host {
	h := p.hosts[name]
	if h == nil {
		h = &host{}
		p.hosts[name] = h
	}
	return h
}

// next gives the place of a probe that has ended to the first who can use it,
// or back.
func (p *places) next(of string) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[of]
	h.running--
	switch {
	case len(h.queue) > 0:
		heap.Push(&p.queue, heap.Pop(&h.queue)) // there is room for one more of this host
	case h.running == 0:
		delete(p.hosts, of)
	}
	for len(p.queue) > 0 {
		e := heap.Pop(&p.queue).(*entry)
		h := p.of(e.host)
		if h.running < p.perHost {
			h.running++
			return e
		}
		heap.Push(&h.queue, e)
	}
	p.free++
	return nil
}

// queue is a heap of entries by when they were probed last, and those never probed by
// when they came.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].probed.Equal(q[j].probed) {
		return q[i].turn < q[j].turn
	}
	return q[i].probed.Before(q[j].probed)
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *queue) Push(x any) { *q = append(*q, x.(*entry)) }

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
