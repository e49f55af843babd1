package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sitemon"
	"sitemon/config"
	"sitemon/web"
)

// definitions says what sites are by what the store has of them.
type definitions struct{ store store }

// Definition implements [web.Definitions].
func (d definitions) Definition(ctx context.Context, name string) (web.Definition, error) {
	stored, err := d.store.Definition(ctx, name)
	if err != nil {
		return web.Definition{}, err
	}
	keys, err := config.Describe(stored)
	return web.Definition{Source: stored.Source, Generation: stored.Generation, Keys: keys}, err
}

// Definitions implements [web.Definitions].
func (d definitions) Definitions(ctx context.Context, after string, limit int) ([]web.SiteDefinition, int64, error) {
	stored, g, err := d.store.DefinitionsAfter(ctx, after, limit)
	if err != nil {
		return nil, 0, err
	}
	list := make([]web.SiteDefinition, len(stored))
	for i, s := range stored {
		public, redacted, err := config.Public(s.JSON)
		if err != nil {
			return nil, 0, fmt.Errorf("show the definition of site %q: %w", s.Name, err)
		}
		list[i] = web.SiteDefinition{Name: s.Name, Source: s.Source, Definition: public, Redacted: redacted}
	}
	return list, g.Number, nil
}

// prober makes probes that people ask for, beside those of the scheduler, in a daemon
// with a monitor.
type prober struct{ d *daemon }

// ProbeNow implements [web.Prober]. A connection that the site's own probes keep is
// left alone.
func (p prober) ProbeNow(ctx context.Context, name string) (json.RawMessage, error) {
	stored, err := p.d.store.Definition(ctx, name)
	if err != nil {
		return nil, err
	}
	site, err := config.DecodeSite(name, stored.JSON)
	if err != nil {
		return nil, err
	}
	fresh := *site.Request
	fresh.KeepAlive = false
	site.Request = &fresh
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, site.Timeout)
	defer cancel()
	r, detail := p.d.monitor.probes.Explain(ctx, &site)
	if errors.Is(ctx.Err(), context.Canceled) { // nobody waits for it any more
		return nil, fmt.Errorf("probe site %q: %w", name, ctx.Err())
	}
	r = offSlot(r, p.d.settings, &site, start)
	r.Generation = stored.Generation
	return json.Marshal(probeResult{r, detail})
}

// offSlot fills in who made a report, and when, of a probe that has no slot.
func offSlot(r sitemon.Report, s config.Settings, site *sitemon.Site, start time.Time) sitemon.Report {
	r.Site, r.Location, r.Monitor, r.Interval = site.Name, s.Location, s.Instance, site.Interval
	r.StartedAt, r.Slot = start.UTC(), start.UTC().Truncate(time.Millisecond)
	return r
}
