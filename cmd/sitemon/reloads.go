package main

import (
	"context"

	"sitemon"
	"sitemon/web"
)

// reloads is what page and API say of the configuration, in any role.
type reloads struct{ d *daemon }

// Running implements [web.Reloader].
func (r reloads) Running() (sitemon.Generation, *sitemon.Reload) {
	var failed *sitemon.Reload
	if m := r.d.monitor; m != nil && m.reloader != nil {
		_, failed = m.reloader.Running()
	}
	return r.d.running(), failed
}

// Reload implements [web.Reloader].
func (r reloads) Reload(ctx context.Context) (sitemon.Plan, error) { return r.d.reload(ctx) }

// ReadsFile implements [web.Reloader].
func (r reloads) ReadsFile() bool { return r.d.monitor != nil && r.d.monitor.reloader != nil }

// reload applies the sites file, whatever the store has.
func (d *daemon) reload(ctx context.Context) (sitemon.Plan, error) {
	m := d.monitor
	if m == nil || m.reloader == nil {
		return sitemon.Plan{}, web.ErrNoFile
	}
	if m.documents != nil {
		m.documents.ask()
	}
	return m.reloader.Reload(ctx)
}

// running is the generation that this process runs; where it runs no monitor, the
// newest one of the store.
func (d *daemon) running() sitemon.Generation {
	m := d.monitor
	switch {
	case m == nil:
		if gen := d.newest.Load(); gen != nil {
			return *gen
		}
		return sitemon.Generation{}
	case m.reloader == nil:
		return m.fleet.Running()
	}
	gen, _ := m.reloader.Running()
	if m.fleet != nil && !gen.Unstored {
		if all := m.fleet.Running(); all.Number > gen.Number {
			return all // another monitor, or somebody by hand, has changed a site since
		}
	}
	return gen
}
