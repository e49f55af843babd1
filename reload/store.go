package reload

import (
	"context"
	"time"

	"sitemon"
)

// unstored is a document that runs but is not in the store yet.
type unstored struct {
	doc     sitemon.Document
	running chan synced      // the attempt in progress; nil between two
	behind  bool             // that attempt is about an older document
	retry   <-chan time.Time // when the next attempt begins; nil during one
	wait    time.Duration    // before the next attempt
	told    bool             // a failure has been logged
}

// synced is what became of an attempt to store a document.
type synced struct {
	gen  sitemon.Generation
	plan sitemon.Plan
	err  error
}

// sync stores a document in a goroutine of its own, whose answer must be taken.
func (r *Reloader) sync(ctx context.Context, doc sitemon.Document) chan synced {
	done := make(chan synced, 1)
	go func() {
		var s synced
		s.gen, s.plan, s.err = r.opts.Store.SyncSites(ctx, doc)
		done <- s
	}()
	return done
}

// store brings a document into the store and returns its generation and what it
// changes. Where the store fails, or takes longer than an edit should, the
// difference to what runs is returned under the generation that runs, and the
// document is stored later.
func (r *Reloader) store(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan) {
	timer := time.NewTimer(r.patience)
	defer timer.Stop()
	if u := r.unstored; u != nil && u.running != nil { // an older document must not come in after this one
		select {
		case <-u.running:
		case <-timer.C:
			u.doc, u.behind = doc, true
			return r.runUnstored(doc)
		}
	}
	u := &unstored{doc: doc, running: r.sync(ctx, doc), wait: retryMin}
	r.unstored = nil
	select {
	case s := <-u.running:
		if s.err == nil {
			return s.gen, s.plan
		}
		u.failed(r, s.err)
	case <-timer.C:
		r.log.Warn("the store is slow: the sites file is applied and will be stored later", "source", doc.Source)
	}
	r.unstored = u
	return r.runUnstored(doc)
}

// runUnstored returns the generation under which a document runs that is not
// stored yet, and its difference to what runs.
func (r *Reloader) runUnstored(doc sitemon.Document) (sitemon.Generation, sitemon.Plan) {
	gen, _ := r.Running()
	gen.LoadedAt, gen.Source, gen.Hash, gen.Sites = time.Now().UTC(), doc.Source, doc.Hash, len(doc.Sites)
	gen.Unstored = true
	plan := sitemon.Diff(r.sites, doc.Sites)
	plan.Generation = gen.Number
	return gen, plan
}

// failed plans the next attempt.
func (u *unstored) failed(r *Reloader, err error) {
	if !u.told {
		r.log.Error("the sites file could not be stored: it is applied and tried again", "source", u.doc.Source, "err", err)
		u.told = true
	}
	u.running, u.retry = nil, time.After(u.wait)
	u.wait = min(2*u.wait, retryMax)
}

// storedLater takes the answer to a document that runs already.
func (r *Reloader) storedLater(ctx context.Context, s synced) {
	u := r.unstored
	if u.behind { // whatever became of it, a newer document runs
		u.behind, u.running = false, r.sync(ctx, u.doc)
		return
	}
	if s.err != nil {
		u.failed(r, s.err)
		return
	}
	r.unstored = nil
	r.log.Info("the sites file is stored now", "generation", s.gen.Number)
	r.mu.Lock()
	r.gen = s.gen
	r.mu.Unlock()
	r.opts.Scheduler.Apply(s.gen, sitemon.Plan{}, r.sites)
	if problems := r.refused(s.plan); len(problems) > 0 {
		rl := sitemon.Reload{
			Generation: s.gen.Number, At: time.Now().UTC(), Source: s.gen.Source, Hash: s.gen.Hash, Applied: true,
			Unchanged: s.gen.Sites, Errors: problems,
		}
		r.setBad(rl)
		r.done(ctx, rl)
		return
	}
	r.addHistory(ctx)
}

// addHistory writes the reloads that are not in the store's history yet. A store
// that does not answer gets them later.
func (r *Reloader) addHistory(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for len(r.history) > 0 {
		if err := r.opts.Store.AddReload(ctx, r.history[0]); err != nil {
			if !r.historyLate && ctx.Err() == nil {
				r.log.Warn("the reload is not in the history yet", "err", err)
			}
			r.historyLate = true
			return
		}
		r.history = r.history[1:]
	}
	r.historyLate = false
}

// awaitStore waits for an attempt in progress and gives up further ones.
func (r *Reloader) awaitStore() {
	if r.unstored != nil && r.unstored.running != nil {
		<-r.unstored.running
	}
	r.unstored = nil
}
