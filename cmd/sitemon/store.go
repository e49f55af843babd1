package main

import (
	"context"
	"path/filepath"
	"time"

	"sitemon"
	"sitemon/alerts"
	"sitemon/config"
	"sitemon/fleet"
	"sitemon/reload"
	"sitemon/sinks"
	"sitemon/store/postgres"
	"sitemon/store/sqlite"
	"sitemon/web"
)

// store is what the daemon needs of either store.
type store interface {
	web.Sites
	web.History
	web.Incidents
	web.Operations
	sinks.Recorder
	reload.Store
	Known(ctx context.Context) ([]sitemon.Definition, sitemon.Generation, error)
	Maintain(ctx context.Context, now time.Time) error
	Tick(ctx context.Context, now time.Time) ([]sitemon.StatusChange, error)
	DeriveIncidents(ctx context.Context, now time.Time) ([]sitemon.IncidentChange, error)
	Retain(ctx context.Context, now time.Time) error
	Heartbeat(ctx context.Context, m sitemon.Monitor) error
	alerts.Outbox
	DecideAlerts(ctx context.Context, now, judged time.Time) error
	Documents(ctx context.Context) (map[string]sitemon.Document, error)
	Definition(ctx context.Context, name string) (sitemon.StoredDefinition, error)
	DefinitionsAfter(ctx context.Context, after string, limit int) ([]sitemon.StoredDefinition, sitemon.Generation, error)
	web.Heartbeats
	HeartbeatSites(ctx context.Context, have int64) (sites []sitemon.CallingSite, version int64, err error)
	AcceptHeartbeats(ctx context.Context, sites []string, now time.Time) error
	ListenForHeartbeats(ctx context.Context, instance string, refused []string, now time.Time) error
	Close() error
}

// openStore opens the store that the settings name. Postgres may be away: what
// needs it waits.
func (d *daemon) openStore(ctx context.Context) (err error) {
	s := d.settings
	if s.Postgres.DSN == "" {
		return d.patiently(func() error { // the schema may be brought up to date
			d.store, err = sqlite.Open(ctx, databasePath(s), sqlite.Options{
				Logger: d.log, MaxSize: s.Retention.MaxSize, Retention: s.Retention.Reports, FiveMinuteRetention: s.Retention.Availability5m, HourRetention: s.Retention.Availability1h,
			})
			return err
		})
	}
	d.shared, err = postgres.Open(ctx, s.Postgres.DSN.Reveal(), postgres.Options{
		Logger: d.log, Instance: s.Instance, MaxSize: s.Retention.MaxSize, Retention: s.Retention.Reports, FiveMinuteRetention: s.Retention.Availability5m,
		HourRetention: s.Retention.Availability1h, MigrateSchema: s.Role.Has(config.RoleWriter), SeedZone: s.SeedTimezone,
	})
	d.store = d.shared
	return err
}

// databasePath is where the settings keep SQLite's file.
func databasePath(s config.Settings) string { return filepath.Join(s.DataDir, "sitemon.db") }

// sharedSites is the sites of a shared store as a fleet follows them.
type sharedSites struct {
	*postgres.DB
	interval time.Duration // of rows that name none
}

// Rows implements [fleet.Store].
func (s sharedSites) Rows(ctx context.Context, have map[string]string) ([]fleet.Row, []string, sitemon.Generation, error) {
	stored, removed, gen, err := s.Definitions(ctx, have)
	rows := make([]fleet.Row, len(stored))
	for i, r := range stored {
		rows[i] = fleet.Row{
			Name: r.Name, Source: r.Source, Definition: r.Definition, Version: r.Version,
			Generation: r.Generation, LoadedAt: r.LoadedAt, Due: r.Due, Together: r.Together,
		}
	}
	return rows, removed, gen, err
}

// Adopt implements [fleet.Store].
func (s sharedSites) Adopt(ctx context.Context) error {
	_, err := s.DB.Adopt(ctx, func(row postgres.HandRow) (sitemon.Site, error) {
		return config.SiteFromRow(config.Row(row), s.interval)
	})
	return err
}
