package scheduler

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// limiter bounds how many probes run at the same time, over all and per host.
// Who has to wait is served in order of arrival.
type limiter struct {
	all     *semaphore.Weighted
	perHost int64

	mu    sync.Mutex
	hosts map[string]*hostLimit
}

// hostLimit is the bound of one host; it exists while somebody uses it.
type hostLimit struct {
	sem   *semaphore.Weighted
	users int
}

func newLimiter(all, perHost int) *limiter {
	return &limiter{all: semaphore.NewWeighted(int64(all)), perHost: int64(perHost), hosts: map[string]*hostLimit{}}
}

// acquire waits at most so long for a place among all probes and one among those
// of a host. The place of the host comes first, so that a slow host with many
// sites takes no places from the others while it waits.
func (l *limiter) acquire(ctx context.Context, host string, wait time.Duration) (release func(), ok bool) {
	if wait <= 0 {
		return nil, false
	}
	h := l.use(host)
	if h.sem.TryAcquire(1) {
		if l.all.TryAcquire(1) {
			return func() { l.all.Release(1); h.sem.Release(1); l.unuse(host, h) }, true
		}
		h.sem.Release(1)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if h.sem.Acquire(ctx, 1) != nil {
		l.unuse(host, h)
		return nil, false
	}
	if l.all.Acquire(ctx, 1) != nil {
		h.sem.Release(1)
		l.unuse(host, h)
		return nil, false
	}
	return func() { l.all.Release(1); h.sem.Release(1); l.unuse(host, h) }, true
}

func (l *limiter) use(host string) *hostLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[host]
	if h == nil {
		h = &hostLimit{sem: semaphore.NewWeighted(l.perHost)}
		l.hosts[host] = h
	}
	h.users++
	return h
}

func (l *limiter) unuse(host string, h *hostLimit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(l.hosts, host)
	}
}
