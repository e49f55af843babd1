package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"sitemon/slot"
)

func TestTally(t *testing.T) {
	g := slot.NewGrid(siteName(0), time.Second)
	from := g.After(time.Unix(1_800_000_000, 0)) // a slot, the first of five
	to := from.Add(5 * time.Second)
	up := func(ms int) recorded {
		return recorded{slot: from.Add(time.Duration(ms) * time.Millisecond), started: from.Add(time.Duration(ms+3) * time.Millisecond), outcome: "up"}
	}
	down := up(2000)
	down.outcome, down.problem = "down status", "status 500"
	tests := map[string]struct {
		reports []recorded
		gaps    []missing
		want    tally // without its maps and lists
		lost    int
		up      int
	}{
		"every slot":            {[]recorded{up(0), up(1000), up(2000), up(3000), up(4000)}, nil, tally{sites: 1, planned: 5, reports: 5}, 0, 5},
		"before and after":      {[]recorded{up(-1000), up(0), up(1000), up(2000), up(3000), up(4000), up(5000)}, nil, tally{sites: 1, planned: 5, reports: 5}, 0, 5},
		"one is missing":        {[]recorded{up(0), up(1000), up(3000), up(4000)}, nil, tally{sites: 1, planned: 5, reports: 4}, 1, 4},
		"two in a gap":          {[]recorded{up(0), up(3000), up(4000)}, []missing{{from.Add(time.Second), from.Add(2 * time.Second)}}, tally{sites: 1, planned: 5, reports: 3, gaps: 2}, 0, 3},
		"a gap from before":     {[]recorded{up(1000), up(2000), up(3000), up(4000)}, []missing{{from.Add(-9 * time.Second), from}}, tally{sites: 1, planned: 5, reports: 4, gaps: 1}, 0, 4},
		"one twice, one aside":  {[]recorded{up(0), up(0), up(1000), up(1500), up(2000), up(3000), up(4000)}, nil, tally{sites: 1, planned: 5, reports: 5, twice: 1, off: 1}, 0, 5},
		"one says why":          {[]recorded{up(0), up(1000), down, up(3000), up(4000)}, nil, tally{sites: 1, planned: 5, reports: 5, sample: "status 500"}, 0, 4},
		"nobody knows anything": {nil, nil, tally{sites: 1, planned: 5}, 5, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := &tally{outcomes: map[string]int{}}
			got.add(g, from, to, tt.reports, tt.gaps)
			w := tt.want
			if got.sites != w.sites || got.planned != w.planned || got.reports != w.reports || got.gaps != w.gaps || got.twice != w.twice || got.off != w.off || got.sample != w.sample {
				t.Errorf("got %+v, want %+v", got, w)
			}
			if lost := got.planned - got.reports - got.gaps; lost != tt.lost || got.outcomes["up"] != tt.up {
				t.Errorf("got %d lost, %v; want %d lost, %d up", lost, got.outcomes, tt.lost, tt.up)
			}
			if len(got.late) != w.reports || w.reports > 0 && share(got.late, .99) != 3 {
				t.Errorf("late: %v", got.late)
			}
			all := &tally{outcomes: map[string]int{}}
			all.join(got)
			all.join(got)
			if all.planned != 2*w.planned || all.reports != 2*w.reports || all.gaps != 2*w.gaps || all.outcomes["up"] != 2*tt.up || len(all.late) != 2*w.reports {
				t.Errorf("twice the same: %+v", all)
			}
		})
	}
}

func TestShare(t *testing.T) {
	tests := map[string]struct {
		all  []time.Duration
		q    float64
		want float64
	}{
		"nothing":  {nil, .5, 0},
		"the most": {[]time.Duration{3e6, 1e6, 2e6}, 1, 3},
		"half":     {[]time.Duration{3e6, 1e6, 2e6}, .5, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := share(tt.all, tt.q); got != tt.want {
				t.Errorf("got %g, want %g", got, tt.want)
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	tests := map[string]struct {
		kinds []kind
		sites int
		want  map[string]int
	}{
		"by their shares":   {[]kind{{name: "a", share: 3}, {name: "b", share: 1}}, 400, map[string]int{"a": 300, "b": 100}},
		"one alone":         {[]kind{{name: "b", share: 2}}, 7, map[string]int{"b": 7}},
		"fewer than shares": {[]kind{{name: "a", share: 3}, {name: "b", share: 1}}, 3, map[string]int{"a": 3}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, got := &fleet{kinds: tt.kinds}, map[string]int{}
			for id := range tt.sites {
				got[f.kindOf(id).name]++
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWants(t *testing.T) {
	tests := map[string]struct {
		only, name string
		want       bool
	}{
		"all":     {"", "dns", true},
		"named":   {"http,dns", "dns", true},
		"not":     {"http,dns", "tcp", false},
		"in part": {"http/3", "http", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (&fleet{options: options{only: tt.only}}).wants(tt.name); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestShowKinds(t *testing.T) {
	var b strings.Builder
	by := map[string]*tally{"dns": {sites: 2, planned: 9, reports: 6, gaps: 1, outcomes: map[string]int{"up": 5, "down dns_error": 1}, sample: "SERVFAIL"}}
	if err := showKinds(&b, []string{"dns"}, by); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if got := strings.Join(strings.Fields(lines[1]), " "); got != "dns 2 9 6 1 2 0 0 0.0 0.0 0.0 0.0 0.0 1 down dns_error, 5 up" || lines[2] != "dns: SERVFAIL" {
		t.Errorf("got %q", lines)
	}
}
