package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"sitemon"
	"sitemon/store/sqlite"
	"sitemon/store/storetest"
)

// restless is a store that is closed and opened again before every third call
// that writes, so that nothing it remembers only in memory can matter.
type restless struct {
	*sqlite.DB
	t    *testing.T
	path string
	opts sqlite.Options
	n    int // of calls
}

func (r *restless) reopen() {
	if r.n++; r.n%3 != 0 {
		return
	}
	if err := r.DB.Close(); err != nil {
		r.t.Error(err)
	}
	db, err := sqlite.Open(context.WithoutCancel(r.t.Context()), r.path, r.opts)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.DB = db
}

func (r *restless) Record(ctx context.Context, reports []sitemon.Report) (sitemon.Recorded, error) {
	r.reopen()
	return r.DB.Record(ctx, reports)
}

func (r *restless) SyncSites(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan, error) {
	r.reopen()
	return r.DB.SyncSites(ctx, doc)
}

// TestConformanceReopened runs the parts of the suite that depend on what the
// writer remembers.
func TestConformanceReopened(t *testing.T) {
	storetest.RunState(t, func(t *testing.T, opts storetest.Options) storetest.Store {
		r := &restless{t: t, path: filepath.Join(t.TempDir(), "sitemon.db"), opts: sqlite.Options{
			Clock: opts.Clock, Retention: opts.Retention, FiveMinuteRetention: opts.FiveMinuteRetention, HourRetention: opts.HourRetention,
			MaxSize: opts.MaxSize,
		}}
		db, err := sqlite.Open(t.Context(), r.path, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		r.DB = db
		t.Cleanup(func() {
			if err := r.DB.Close(); err != nil {
				t.Error(err)
			}
		})
		return r
	})
}
