package main

import (
	"bufio"
	"math"
	"strings"
	"testing"
	"time"

	"sitemon/slot"
)

// at lists moments by their milliseconds after from.
func at(from time.Time, ms ...int) []time.Time {
	var all []time.Time
	for _, m := range ms {
		all = append(all, from.Add(time.Duration(m)*time.Millisecond))
	}
	return all
}

func TestJudge(t *testing.T) {
	o := options{sites: 1, interval: time.Second, dur: 5 * time.Second}
	grid := slot.NewGrid(siteName(0), o.interval)
	from := grid.After(time.Unix(1_800_000_000, 0)).Add(-time.Millisecond) // a slot each second, from 1 ms on
	tests := map[string]struct {
		slots    bool
		arrivals []time.Time
		want     kept
	}{
		"every slot, 2 ms late": {
			true, at(from, 3, 1003, 2003, 3003, 4003),
			kept{probes: 5, planned: 5, p50: 2 * time.Millisecond, p99: 2 * time.Millisecond},
		},
		"one slot missed": {
			true, at(from, 3, 2003, 3003, 4003),
			kept{probes: 4, planned: 5, missed: 1, p50: 2 * time.Millisecond, p99: 2 * time.Millisecond},
		},
		"a second probe does not stand for the slot after": {
			true, at(from, 3, 4, 2003, 3003, 4003),
			kept{probes: 4, planned: 5, missed: 1, extra: 1, p50: 2 * time.Millisecond, p99: 2 * time.Millisecond},
		},
		"silent": {true, nil, kept{planned: 5, missed: 5}},
		"without slots, steady": {
			false, at(from, 500, 1500, 2500, 3500, 4500),
			kept{probes: 5, planned: 5},
		},
		"without slots, a beat missed": {
			false, at(from, 500, 1500, 3510, 4510),
			kept{probes: 4, planned: 5, missed: 1, p99: 1010 * time.Millisecond},
		},
		"without slots, silent": {false, nil, kept{planned: 5, missed: 4}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := &target{arrivals: map[int][]time.Time{0: tt.arrivals}}
			if got := target.judge(o, from, tt.slots, -1); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestReadRequest(t *testing.T) {
	tests := map[string]struct {
		in   string
		id   int
		last bool
		ok   bool
	}{
		"kept":   {"GET /s/17 HTTP/1.1\r\nHost: a\r\n\r\n", 17, false, true},
		"closed": {"GET /s/17 HTTP/1.1\r\nhost: a\r\nconnection: Close\r\n\r\n", 17, true, true},
		"other":  {"GET /x HTTP/1.1\r\n\r\n", 0, false, false},
		"cut":    {"GET /s/17 HTTP/1.1\r\nHost", 0, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id, last, err := readRequest(bufio.NewReader(strings.NewReader(tt.in)))
			if id != tt.id || last != tt.last || (err == nil) != tt.ok {
				t.Errorf("got %d, %t, %v", id, last, err)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	bounds := []float64{1, 2, math.Inf(1)}
	tests := map[string]struct {
		q      float64
		counts []float64
		want   float64
	}{
		"within a bucket":      {.5, []float64{0, 10, 10}, 1.5},
		"in the first":         {.5, []float64{10, 10, 10}, .5},
		"beyond the last edge": {.99, []float64{0, 1, 10}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := quantile(tt.q, bounds, tt.counts); math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("got %g, want %g", got, tt.want)
			}
		})
	}
	if got := quantile(.5, nil, nil); !math.IsNaN(got) {
		t.Errorf("an empty histogram gives %g, want NaN", got)
	}
}
