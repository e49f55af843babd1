package web

import (
	"context"
	"fmt"
	"html/template"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// trend is how a site was lately, drawn for its row in a list: days as bars, and the
// latency of hours, "" where nothing is known. It is drawn once for all who look at it,
// since it is most of a row.
type trend struct {
	Bars, Spark template.HTML

	bars *dayBars // of which Bars is the drawing
}

// newTrendCache keeps the trends of sites: days of UTC, and hours.
func newTrendCache(h History, now func() time.Time, p *pages) *siteCache[trend] {
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
		if err != nil {
			return nil, err
		}
		trends := make(map[string]trend, len(days))
		for n, d := range days {
			if trends[n], err = p.trend(newDayBars(d), newSparkline(hours[n])); err != nil {
				return nil, err
			}
		}
		return trends, nil
	})
}

// trend draws days and hours; either may be nil.
func (p *pages) trend(bars *dayBars, spark *sparkline) (t trend, err error) {
	if t.bars = bars; bars != nil {
		if t.Bars, err = p.piece("day-bars", bars); err != nil {
			return t, err
		}
	}
	if spark != nil {
		t.Spark, err = p.piece("spark", spark)
	}
	return t, err
}

// piece renders a template of the overview's rows alone.
func (p *pages) piece(name string, data any) (template.HTML, error) {
	var b strings.Builder
	if err := p.sets["sites"].ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // It is what a template has escaped.
}

// newMarks draws each status once.
func (p *pages) newMarks() map[sitemon.Status]template.HTML {
	marks := map[sitemon.Status]template.HTML{}
	for _, st := range sitemon.Statuses {
		mark, err := p.piece("status", newStatusView(st))
		if err != nil {
			panic(err) // the templates are embedded, and the tests have rendered all of them
		}
		marks[st] = mark
	}
	return marks
}

// ageHTML is the template "age" of what holds nothing to escape; "" for nil.
func ageHTML(a *ageView) template.HTML {
	if a == nil {
		return ""
	}
	return template.HTML(`<time datetime="` + a.Machine + `" title="` + a.Clock + `" data-age="short">` + a.Short + `</time>`) //nolint:gosec // Times and their words.
}
