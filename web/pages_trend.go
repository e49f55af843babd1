package web

import (
	"context"
	"time"

	"sitemon/availability"
)

// trend is how a site was lately, as its row in a list shows it.
type trend struct {
	bars  *dayBars
	spark *sparkline
}

// newTrendCache keeps the trends of sites: days of UTC, and hours.
func newTrendCache(h History, now func() time.Time) *siteCache[trend] {
	return newSiteCache(trendAge, now, nil, func(ctx context.Context, names []string) (map[string]trend, error) {
		to := now()
		days, err := h.Series(ctx, availability.SeriesQuery{
			Names: names, From: to.UTC().Truncate(day).Add(-(barDays - 1) * day), To: to, Step: day,
		})
		if err != nil {
			return nil, err
		}
		hours, err := h.Series(ctx, availability.SeriesQuery{
			Names: names, From: to.UTC().Truncate(time.Hour).Add(-(sparkHours - 1) * time.Hour), To: to, Step: time.Hour, Latency: true,
		})
		trends := make(map[string]trend, len(days))
		for n, d := range days {
			trends[n] = trend{newDayBars(d), newSparkline(hours[n])}
		}
		return trends, err
	})
}
