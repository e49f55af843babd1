package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"sitemon"
	"sitemon/availability"
)

// reading is something that is read, and the words for it.
type reading struct {
	what string
	read func(round int) error
}

// readings are the lists and charts that are measured.
func (p *past) readings(ctx context.Context) []reading {
	var names []string
	for id := range min(p.sites, 1000) {
		names = append(names, siteName(id))
	}
	windows := []time.Duration{day, 7 * day, 30 * day, 90 * day}
	chart := func(window time.Duration) func(round int) error {
		return func(round int) error {
			q := availability.Query{Site: names[round*37%len(names)], From: p.now().Add(-window), To: p.now(), Step: availability.DefaultStep(window)}
			res, err := p.db.Availability(ctx, q)
			if err == nil && (len(res.Buckets) == 0 || res.Buckets[len(res.Buckets)/2].Latency == nil && window <= time.Duration(p.days)*day) {
				return fmt.Errorf("a chart of %s has no latency in its middle", window)
			}
			return err
		}
	}
	figures := func(int) error {
		found, err := p.db.Availabilities(ctx, names, p.now(), windows)
		if err == nil && len(found) != len(names) {
			return fmt.Errorf("the list has %d sites", len(found))
		}
		return err
	}
	overview := func(round int) error { // as the page does it
		var g errgroup.Group
		g.Go(func() error {
			_, err := p.db.Sites(ctx, sitemon.SiteQuery{Names: names})
			return err
		})
		g.Go(func() error { return figures(round) })
		return g.Wait()
	}
	bars := func(int) error {
		to := p.now()
		found, err := p.db.Series(ctx, availability.SeriesQuery{Names: names, From: to.Truncate(day).Add(-89 * day), To: to, Step: day})
		if err == nil && len(found) != len(names) {
			return fmt.Errorf("%d sites have bars", len(found))
		}
		return err
	}
	return []reading{
		{fmt.Sprintf("figures of %d sites over 24h, 7d, 30d, 90d", len(names)), figures},
		{"the same with the sites and their newest reports", overview},
		{fmt.Sprintf("bars of 90 days of %d sites", len(names)), bars},
		{"a site's chart of 24h", chart(day)},
		{"a site's chart of 7d", chart(7 * day)},
		{"a site's chart of 30d", chart(30 * day)},
		{"a site's chart of 90d", chart(90 * day)},
	}
}

// read measures lists and charts.
func (p *past) read(ctx context.Context) error {
	for _, c := range p.readings(ctx) {
		cold, err := p.timed(coldRounds, c.read, func() error { return p.restart(ctx) })
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		warm, err := p.timed(warmRounds, c.read, func() error { return nil })
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		fmt.Printf("%s: cold %s (at most %s), warm %s (at most %s)\n", c.what,
			cold[len(cold)/2], cold[len(cold)-1], warm[len(warm)/2], warm[len(warm)-1])
	}
	return nil
}

// timed reads several times and returns how long it took, sorted.
func (p *past) timed(rounds int, read func(round int) error, before func() error) (took []time.Duration, err error) {
	for round := range rounds {
		if err := before(); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := read(round); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began).Round(10*time.Microsecond))
	}
	slices.Sort(took)
	return took, nil
}
