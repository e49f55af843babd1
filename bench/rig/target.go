package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"sitemon/slot"
)

// target is the server that all monitors probe: GET /s/17 answers with a page
// that says "site-17 is up", and the arrival is noted. It understands just enough
// HTTP/1.1 to cost little, since it shares the machine with what it judges.
type target struct {
	base     string
	listener net.Listener
	silent   bool // arrivals are not noted
	mu       sync.Mutex
	arrivals map[int][]time.Time // by site, in order
}

func newTarget(addr string) (*target, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open the target: %w", err)
	}
	t := &target{base: "http://" + l.Addr().String(), listener: l, arrivals: map[int][]time.Time{}}
	go t.accept()
	return t, nil
}

func (t *target) close() { t.listener.Close() }

func (t *target) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		go t.serve(c)
	}
}

var padding = bytes.Repeat([]byte("."), 1000)

// serve answers the requests of one connection until its end.
func (t *target) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 2048)
	var page, out []byte
	for {
		id, last, err := readRequest(in)
		if err != nil {
			return
		}
		if !t.silent {
			t.note(id)
		}
		page = fmt.Appendf(page[:0], "site-%d is up\n%s", id, padding)
		connection := "keep-alive"
		if last {
			connection = "close"
		}
		out = fmt.Appendf(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s",
			len(page), connection, page)
		if _, err := c.Write(out); err != nil || last {
			return
		}
	}
}

// readRequest reads one request without a body. last: the client asks to close.
func readRequest(in *bufio.Reader) (id int, last bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	_, path, _ := bytes.Cut(line, []byte(" /s/"))
	number, _, _ := bytes.Cut(path, []byte(" "))
	if id, err = strconv.Atoi(string(number)); err != nil {
		return 0, false, fmt.Errorf("request line %q: %w", line, err)
	}
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return id, last, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("connection")) && bytes.EqualFold(bytes.TrimSpace(value), []byte("close")) {
			last = true
		}
	}
}

func (t *target) note(id int) {
	now := time.Now()
	t.mu.Lock()
	t.arrivals[id] = append(t.arrivals[id], now)
	t.mu.Unlock()
}

// forget empties the record of arrivals.
func (t *target) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.arrivals)
}

// kept is how a monitor kept its schedule in a window, seen from the target.
type kept struct {
	probes   int
	planned  int
	missed   int           // slots, or beats, without a probe
	extra    int           // probes beyond one per slot
	p50, p99 time.Duration // lateness against the slot; without slots: distance of a gap from the interval
}

// judge looks at the sites' arrivals in the window that begins at from. With
// slots each planned slot of a site must see one arrival before the next;
// without, two arrivals must not be more than 1.5 intervals apart. One site may
// be left out.
func (t *target) judge(o options, from time.Time, slots bool, except int) kept {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := from.Add(o.dur)
	var k kept
	var late []time.Duration
	for id := range o.sites {
		if id == except {
			continue
		}
		if slots {
			late = append(late, k.bySlot(slot.NewGrid(siteName(id), o.interval), t.arrivals[id], from, to)...)
		} else {
			late = append(late, k.byGap(o.interval, t.arrivals[id], from, to)...)
		}
	}
	if len(late) > 0 {
		slices.Sort(late)
		k.p50, k.p99 = late[len(late)/2], late[len(late)*99/100]
	}
	return k
}

func (k *kept) bySlot(g slot.Grid, at []time.Time, from, to time.Time) (late []time.Duration) {
	first := g.After(from)
	planned := g.Count(first, to)
	seen := map[time.Time]bool{}
	for _, a := range at {
		if a.Before(first) || !a.Before(first.Add(time.Duration(planned)*g.Interval)) {
			continue
		}
		due := g.AtOrBefore(a)
		if seen[due] {
			k.extra++
			continue
		}
		seen[due] = true
		late = append(late, a.Sub(due))
	}
	k.probes += len(late)
	k.planned += planned
	k.missed += planned - len(seen)
	return late
}

func (k *kept) byGap(interval time.Duration, at []time.Time, from, to time.Time) (off []time.Duration) {
	last := from
	gap := func(a time.Time) {
		if d := a.Sub(last); d > interval*3/2 {
			k.missed += int(math.Round(d.Seconds()/interval.Seconds())) - 1
		}
		last = a
	}
	seen := false
	for _, a := range at {
		if a.Before(from) || !a.Before(to) {
			continue
		}
		k.probes++
		if seen {
			off = append(off, (a.Sub(last) - interval).Abs())
		}
		gap(a)
		seen = true
	}
	gap(to)
	k.planned += int(to.Sub(from) / interval)
	return off
}
