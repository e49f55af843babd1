package web_test

import (
	"context"
	"regexp"
	"slices"
	"testing"
	"time"

	"sitemon/availability"
	"sitemon/web"
)

// chartStore has the same buckets for every window.
type chartStore struct {
	*apiStore
	buckets []availability.Bucket
}

func (f chartStore) Availability(_ context.Context, q availability.Query) (availability.Result, error) {
	r := availability.Result{From: q.From, To: q.To, Buckets: slices.Clone(f.buckets)}
	for i := range r.Buckets {
		r.Buckets[i].Start = q.From.Add(time.Duration(i) * q.Step)
	}
	return r, nil
}

// Maintenance hangs from the upper edge and is hatched; what is down stands on the
// lower one; what nobody knows is as high as the chart.
func TestChartTellsMaintenanceFromUnknown(t *testing.T) {
	up := availability.Bucket{Figure: availability.Figure{Coverage: 1}, Up: time.Minute}
	planned := availability.Bucket{Maintenance: time.Minute}
	part := availability.Bucket{Figure: availability.Figure{Coverage: 1}, Down: 15 * time.Second, Up: 15 * time.Second, Maintenance: 30 * time.Second}
	both := availability.Bucket{Maintenance: 30 * time.Second, Unknown: 30 * time.Second}
	unknown := availability.Bucket{Unknown: time.Minute}
	band := regexp.MustCompile(`<rect class="band-(\w+)"( fill="url\(#hatch\)")? x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"`)
	for _, c := range []struct {
		name    string
		buckets []availability.Bucket
		want    []string
	}{
		{"unknown between known", []availability.Bucket{up, unknown, up}, []string{"unknown 0.0+240.0"}},
		{"maintenance", []availability.Bucket{up, planned, up}, []string{"maintenance hatched 0.0+240.0"}},
		{"beside down", []availability.Bucket{up, part}, []string{"maintenance hatched 0.0+120.0", "down 120.0+120.0"}},
		{"beside unknown", []availability.Bucket{up, both, up}, []string{"maintenance hatched 0.0+120.0", "unknown 120.0+120.0"}},
		{"at the ends", []availability.Bucket{planned, unknown, planned}, []string{"maintenance hatched 0.0+240.0", "unknown 0.0+240.0", "maintenance hatched 0.0+240.0"}},
		{"unknown at the ends", []availability.Bucket{unknown, up, unknown}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, newAPIStore(), func(o *web.Options) { o.History = chartStore{newAPIStore(), c.buckets} })
			var got []string
			for _, m := range band.FindAllStringSubmatch(page(t, s, "/sites/docs?range=1h&parts=chart", 200), -1) {
				name := m[1]
				if m[2] != "" {
					name += " hatched"
				}
				got = append(got, name+" "+m[4]+"+"+m[5])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got the bands %q, want %q", got, c.want)
			}
		})
	}
}
