package availability_test

import (
	"encoding/json"
	"testing"
	"time"

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
	a := availability.Sum{Up: 1, Degraded: 2, Down: 3, Unknown: 4, Reports: 5, Timed: 6, Total: 7, Max: 8}
	b := availability.Sum{Up: 10, Degraded: 20, Down: 30, Unknown: 40, Reports: 50, Timed: 60, Total: 70, Max: 80}
	want := availability.Sum{Up: 11, Degraded: 22, Down: 33, Unknown: 44, Reports: 55, Timed: 66, Total: 77, Max: 80}
	ab, ba := a, b
	ab.Merge(b)
	ba.Merge(a)
	if ab != want || ba != want {
		t.Errorf("got %+v and %+v, want %+v", ab, ba, want)
	}
}

func TestSummarize(t *testing.T) {
	h, m := time.Hour, time.Millisecond
	spans := []availability.Span{
		{From: start, To: start.Add(h), Sum: availability.Sum{Up: h, Reports: 2, Timed: 2, Total: 30 * m, Max: 20 * m}, P50: 10 * m, P95: 20 * m, P99: 20 * m},
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
	if got, want := *first.Latency, (availability.Latency{Mean: 15 * m, P50: 10 * m, P95: 20 * m, P99: 20 * m, Max: 20 * m}); got != want {
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
