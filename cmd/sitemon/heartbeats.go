package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sitemon"
	"sitemon/config"
	"sitemon/heartbeat"
	"sitemon/web"
)

const (
	// callersEvery is how often is looked which sites send heartbeats.
	callersEvery = 2 * time.Second
	// listenEvery is how often is noted that heartbeats can be received.
	listenEvery = 5 * time.Second
	// receiveTimeout bounds one look at the store.
	receiveTimeout = 5 * time.Second
)

// receiving keeps the server of the page told of the sites that send heartbeats.
type receiving struct {
	*daemon
	callers  web.Callers
	decoder  *config.Decoder
	expander *config.Expander
	calling  []sitemon.CallingSite
	version  int64                    // of calling
	decoded  map[string]decodedCaller // of calling, by name
	listened time.Time                // when it was last noted that they can be received,
	refused  []string                 // but for those of these sites

	mu     sync.Mutex        // held to write faults, and to read them elsewhere than in run
	faults map[string]string // why none of a site can be accepted
}

// decodedCaller is a site as its definition says, which need not be read again.
type decodedCaller struct {
	definition string
	caller     web.Caller // with its token as it is written
	fault      string
}

func (d *daemon) newReceiving() *receiving {
	return &receiving{
		daemon: d, decoder: config.NewDecoder(), expander: config.NewExpander(d.settings.Environ.Lookup, nil, nil),
		version: -1, decoded: map[string]decodedCaller{}, faults: map[string]string{},
	}
}

// run looks for sites that send heartbeats until ctx ends. While the store is away the
// known ones go on to be accepted, though what they send can't be recorded; that time
// is not noted as one in which somebody listened.
func (r *receiving) run(ctx context.Context) error {
	if !r.awaitPrepared(ctx) {
		return nil
	}
	tick := time.NewTicker(callersEvery)
	defer tick.Stop()
	for {
		r.keep(ctx, "receive heartbeats", func() error { return r.look(ctx, time.Now()) })
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads which sites send heartbeats, and notes that they can be received.
func (r *receiving) look(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, receiveTimeout)
	defer cancel()
	calling, version, err := r.store.HeartbeatSites(ctx, r.version)
	if err != nil {
		return err
	}
	if version != r.version {
		r.calling, r.version = calling, version
	}
	now = now.UTC().Truncate(time.Microsecond)
	if fresh := r.take(now); len(fresh) > 0 {
		if err := r.store.AcceptHeartbeats(ctx, fresh, now); err != nil {
			return err
		}
		for i := range r.calling {
			if s := &r.calling[i]; r.faults[s.Name] == "" && awaits(s, now) {
				s.Since = now
			}
		}
	}
	refused := slices.Sorted(maps.Keys(r.faults))
	due := now.Before(r.listened) || now.Sub(r.listened) >= listenEvery || !slices.Equal(refused, r.refused)
	if len(r.calling) == 0 || !due {
		return nil
	}
	if err := r.store.ListenForHeartbeats(ctx, r.settings.Instance, refused, now); err != nil {
		return err
	}
	r.listened, r.refused = now, refused
	return nil
}

// take makes the known sites those whose heartbeats are accepted, and returns the names
// of those that are so for the first time. One whose token is not known here is not:
// another process may know it.
func (r *receiving) take(now time.Time) (fresh []string) {
	sites, decoded, faults := make(map[string]web.Caller, len(r.calling)), make(map[string]decodedCaller, len(r.calling)), map[string]string{}
	for _, s := range r.calling {
		known, ok := r.decoded[s.Name]
		if !ok || known.definition != string(s.JSON) {
			known = r.decode(s.Definition)
		}
		decoded[s.Name] = known
		c := r.expanded(known)
		sites[s.Name] = c
		switch {
		case c.Fault != "":
			faults[s.Name] = c.Fault
		case awaits(&s, now):
			fresh = append(fresh, s.Name)
		}
	}
	r.decoded = decoded
	r.callers.Set(sites)
	r.complain(faults)
	return fresh
}

// awaits reports whether a site's heartbeats are not accepted yet, or only from a
// moment on that a clock said which was set back since.
func awaits(s *sitemon.CallingSite, now time.Time) bool {
	return s.Since.IsZero() || s.Since.After(now.Add(heartbeat.Ahead))
}

func (r *receiving) decode(def sitemon.Definition) decodedCaller {
	d := decodedCaller{definition: string(def.JSON)}
	site, err := r.decoder.Decode(def.Name, def.JSON)
	if err == nil {
		d.caller.Request = site.Request.Heartbeat
		d.caller.Rule, err = heartbeat.NewRule(d.caller.Request, site.Interval)
	}
	if err != nil {
		d.fault = err.Error()
	}
	return d
}

// expanded is a site with its token as it is at this moment, in this process.
func (r *receiving) expanded(d decodedCaller) web.Caller {
	c := d.caller
	if c.Fault = d.fault; c.Fault != "" {
		return c
	}
	token, _, err := r.expander.Expand(c.Request.Token.Reveal())
	switch {
	case err != nil:
		c.Fault = "its token: " + err.Error()
	case len(token) < web.MinHeartbeatToken:
		c.Fault = fmt.Sprintf("its token has %d characters; it has to have %d, so that it can't be guessed", len(token), web.MinHeartbeatToken)
	default:
		c.Token = sitemon.Secret(token)
	}
	return c
}

// complain says, once, of which sites no heartbeats can be accepted.
func (r *receiving) complain(faults map[string]string) {
	r.mu.Lock()
	before := r.faults
	r.faults = faults
	r.mu.Unlock()
	eachChange(before, faults,
		func(name, why string) { r.log.Error("heartbeats of a site are refused", "site", name, "err", why) },
		func(name string) { r.log.Info("heartbeats of a site are accepted again", "site", name) })
}

// maxTroubles is how many sites a list of what is missing names.
const maxTroubles = 10

// trouble lists the sites of which no heartbeats can be accepted.
func (r *receiving) trouble() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		if len(list) == maxTroubles {
			return append(list, fmt.Sprintf("heartbeats of %d more sites are refused", len(r.faults)-maxTroubles))
		}
		list = append(list, "heartbeats of "+name+" are refused: "+r.faults[name])
	}
	return list
}
