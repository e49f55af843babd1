package web

import (
	"context"
	"fmt"
	"math"
	"time"

	"sitemon/availability"
)

const (
	week = 7 * day
	// comparedReports is how many reports each of two days needs to be compared: with
	// fewer, one slow answer is the percentile.
	comparedReports = 100
	// sameWithin is the change, in percent, up to which two percentiles count as the
	// same: those of an older day come from histograms, which are up to 5 % off.
	sameWithin = 5
)

// dayLatency is the latency of one day.
type dayLatency struct {
	P95     time.Duration // 0: unknown
	Reports int           // of the day, of any outcome
}

// dayText is "p95 182 ms in 24 h, +9 % on a week before", without what is unknown.
func dayText(now, before dayLatency) string {
	if now.P95 <= 0 {
		return ""
	}
	text := "p95 " + latencyText(now.P95) + " in 24 h"
	if before.P95 <= 0 || min(now.Reports, before.Reports) < comparedReports {
		return text
	}
	change := math.Round(100 * (float64(now.P95)/float64(before.P95) - 1))
	switch {
	case math.Abs(change) <= sameWithin:
		return text + ", as a week before"
	case change < 0:
		return text + fmt.Sprintf(", −%.0f %% on a week before", -change)
	}
	return text + fmt.Sprintf(", +%.0f %% on a week before", change)
}

// dayAndWeekBefore are the site's latencies over the last 24 hours, and over the same
// 24 hours a week before.
func (s *Server) dayAndWeekBefore(ctx context.Context, site string) (now, before dayLatency, err error) {
	end := s.Now()
	if before, err = s.latencyOfDay(ctx, site, end.Add(-week)); err != nil {
		return now, before, err
	}
	now, err = s.latencyOfDay(ctx, site, end)
	return now, before, err
}

// latencyOfDay is the site's latency over the 24 hours up to end.
func (s *Server) latencyOfDay(ctx context.Context, site string, end time.Time) (dayLatency, error) {
	// One step that is longer than any window gives one bucket for all of it, and so
	// its true percentile.
	result, err := s.History.Availability(ctx, availability.Query{Site: site, From: end.Add(-day), To: end, Step: 100 * 365 * day})
	if err != nil || len(result.Buckets) == 0 || result.Buckets[0].Latency == nil {
		return dayLatency{}, err
	}
	return dayLatency{P95: result.Buckets[0].Latency.P95, Reports: result.Buckets[0].Reports}, nil
}
