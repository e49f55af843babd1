package availability_test

import (
	"encoding/json"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
)

func TestFigure(t *testing.T) {
	tests := []struct {
		name   string
		sum    availability.Sum
		window time.Duration
		want   string // as JSON
	}{
		{"nothing known", availability.Sum{Unknown: time.Hour}, time.Hour, `{"availability":null,"coverage":0}`},
		{"all up", availability.Sum{Up: time.Hour}, time.Hour, `{"availability":1,"coverage":1}`},
		{"all down", availability.Sum{Down: time.Hour}, time.Hour, `{"availability":0,"coverage":1}`},
		{"degraded is available", availability.Sum{Up: 1, Degraded: 2, Down: 1}, 4, `{"availability":0.75,"coverage":1}`},
		{"unknown is out of it", availability.Sum{Up: 1, Down: 1, Unknown: 2}, 4, `{"availability":0.5,"coverage":0.5}`},
		{"a window longer than what is there", availability.Sum{Up: time.Hour}, 4 * time.Hour, `{"availability":1,"coverage":0.25}`},
		{"no window", availability.Sum{}, 0, `{"availability":null,"coverage":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if b, err := json.Marshal(tt.sum.Figure(tt.window)); err != nil || string(b) != tt.want {
				t.Errorf("%v, got %s, want %s", err, b, tt.want)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	phases := func(n time.Duration) sitemon.Phases {
		return sitemon.Phases{Resolve: n, Connect: 2 * n, TLS: 3 * n, Processing: 4 * n, Transfer: 5 * n}
	}
	sum := func(n time.Duration, durations ...time.Duration) availability.Sum {
		return availability.Sum{
			Up: n, Degraded: 2 * n, Down: 3 * n, Unknown: 4 * n,
			Maintenance: 30 * n, MaintenanceUp: 5 * n, MaintenanceDegraded: 6 * n, MaintenanceDown: 7 * n,
			Reports: 8 * int(n), Timed: 9 * int(n), Total: 10 * n, Max: 80, Phases: phases(n), Durations: availability.HistogramOf(durations...),
		}
	}
	a, b, want := sum(1, time.Second), sum(10, time.Second, time.Minute), sum(11, time.Minute, time.Second, time.Second)
	a.Max = 8
	ab, ba := a, b
	ab.Merge(b)
	ba.Merge(a)
	if ab != want || ba != want {
		t.Errorf("got %+v and %+v, want %+v", ab, ba, want)
	}
}

func TestMaintenance(t *testing.T) {
	s := availability.Sum{
		Up: 1, Down: 1, Unknown: 2,
		Maintenance: 8, MaintenanceUp: 1, MaintenanceDegraded: 1, MaintenanceDown: 2,
	}
	for _, c := range []struct {
		name  string
		sum   availability.Sum
		known time.Duration
		want  string
	}{
		{"left out", s, 2, `{"availability":0.5,"coverage":0.5}`},
		{"kept in", s.WithMaintenance(), 6, `{"availability":0.5,"coverage":0.5}`},
	} {
		b, err := json.Marshal(c.sum.Figure(12))
		if err != nil || string(b) != c.want || c.sum.Known() != c.known || c.sum.Width() != 12 {
			t.Errorf("%s: %s of %s known, %s wide, %v; want %s", c.name, b, c.sum.Known(), c.sum.Width(), err, c.want)
		}
	}
	if f := (availability.Sum{Maintenance: time.Hour}).Figure(time.Hour); f.Availability != nil || f.Coverage != 0 {
		t.Errorf("nothing but maintenance: %+v", f)
	}
}

func TestSummarize(t *testing.T) {
	h, m := time.Hour, time.Millisecond
	spans := []availability.Span{
		{From: start, To: start.Add(h), Sum: availability.Sum{Up: h, Reports: 2, Timed: 2, Total: 30 * m, Max: 20 * m}, Exact: true, P50: 10 * m, P95: 20 * m, P99: 20 * m},
		{From: start.Add(h), To: start.Add(4 * h), Sum: availability.Sum{Down: h, Unknown: 2 * h, Reports: 1}},
	}
	res := availability.Summarize(spans)
	if !res.From.Equal(start) || !res.To.Equal(start.Add(4*h)) {
		t.Errorf("from %s to %s", res.From, res.To)
	}
	// By time: one hour up, one down. The mean of the buckets would be the same,
	// their coverages' would not.
	if *res.Availability != 0.5 || res.Coverage != 0.5 {
		t.Errorf("availability %v, coverage %v, want 0.5 of 0.5", *res.Availability, res.Coverage)
	}
	if len(res.Buckets) != 2 {
		t.Fatalf("%d buckets", len(res.Buckets))
	}
	first, second := res.Buckets[0], res.Buckets[1]
	if got, want := *first.Latency, (availability.Latency{Mean: 15 * m, P50: 10 * m, P95: 20 * m, P99: 20 * m, Max: 20 * m, Durations: spans[0].Sum.Durations}); got != want {
		t.Errorf("latency %+v, want %+v", got, want)
	}
	if *first.Availability != 1 || first.Up != h || first.Reports != 2 || !first.Start.Equal(start) {
		t.Errorf("first bucket %+v", first)
	}
	if second.Latency != nil || *second.Availability != 0 || second.Coverage != 1.0/3 || second.Down != h || second.Unknown != 2*h {
		t.Errorf("second bucket %+v", second)
	}
	if got := availability.Summarize(nil); got.Availability != nil || len(got.Buckets) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}
