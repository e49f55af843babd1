package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sitemon"
	"sitemon/alerts"
	"sitemon/config"
)

// checkChannelsEvery is how often channels are looked at that may have become
// unusable, as those are whose variable is missing.
const checkChannelsEvery = 10 * time.Second

// alerting is the parts of a process that tell people of trouble.
type alerting struct {
	*daemon
	sender *alerts.Sender

	broken map[string]string // why channels are out of service, by their names in words
}

func (d *daemon) newAlerting() *alerting {
	return &alerting{daemon: d, broken: map[string]string{}, sender: alerts.New(alerts.Options{
		Outbox: d.store, Logger: d.log, Registerer: d.registry, UserAgent: userAgent(),
		Expander: config.NewExpander(d.settings.Environ.Lookup, nil, nil),
	})}
}

// decide makes notifications of what has happened, each second, until ctx ends.
func (a *alerting) decide(ctx context.Context) error {
	if !a.awaitPrepared(ctx) {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var checked time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			a.keep(ctx, "decide on alerts", func() error {
				judged, ok, err := a.judged(ctx, now)
				if err != nil {
					return err
				}
				if !ok {
					judged = time.Time{}
				}
				return a.store.DecideAlerts(ctx, now, judged)
			})
			if now.Sub(checked) >= checkChannelsEvery {
				checked = now
				a.keep(ctx, "look at the channels of alerts", func() error { return a.checkChannels(ctx) })
			}
		}
	}
}

// deliver sends notifications until ctx ends.
func (a *alerting) deliver(ctx context.Context) error {
	if !a.awaitPrepared(ctx) {
		return nil
	}
	return a.sender.Run(ctx)
}

// checkChannels says, once, which channels can't be used. They stop nothing else.
func (a *alerting) checkChannels(ctx context.Context) error {
	all, err := a.store.Documents(ctx)
	if err != nil {
		return err
	}
	broken := map[string]string{}
	for source, doc := range all {
		for _, c := range doc.Alerting.Channels {
			if err := a.sender.Check(c); err != nil {
				broken[channelName(source, c)] = err.Error()
			}
		}
	}
	a.failingMu.Lock()
	before := a.broken
	a.broken = broken
	a.failingMu.Unlock()
	eachChange(before, broken,
		func(name, why string) {
			a.log.Error("a channel of alerts is out of service", "channel", name, "err", why)
		},
		func(name string) { a.log.Info("a channel of alerts can be used again", "channel", name) })
	return nil
}

// eachChange calls worse for what is wrong now and was not, or otherwise, and better
// for what is wrong no more; both maps say why, by name.
func eachChange(before, now map[string]string, worse func(name, why string), better func(name string)) {
	for name, why := range now {
		if before[name] != why {
			worse(name, why)
		}
	}
	for name := range before {
		if _, ok := now[name]; !ok {
			better(name)
		}
	}
}

func channelName(source string, c sitemon.Channel) string {
	return fmt.Sprintf("%s of %s", c.Name, source)
}

// trouble lists what keeps alerts from going out.
func (a *alerting) trouble() []string {
	a.failingMu.Lock()
	defer a.failingMu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(a.broken)) {
		list = append(list, "channel "+name+": "+a.broken[name])
	}
	return list
}
