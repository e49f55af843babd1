// Package reload makes the running daemon do what sites.yaml says.
//
// A reload has two phases. Everything that can fail comes first: reading,
// parsing, comparing with the store and storing, and nothing running is touched
// meanwhile. Then the new set of sites is given to the scheduler, which cannot
// fail. A document with faults changes nothing: the old sites go on, and the
// faults are logged, kept and shown until good content comes.
package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

// patience is how long an edit waits for the store before it is applied anyway
// and stored later.
const patience = 500 * time.Millisecond

// startPatience is the same for the first document, which nobody edited just
// now and which may be all new to the store.
const startPatience = 2 * time.Second

const (
	retryMin = time.Second
	retryMax = 30 * time.Second
	// maxHistory is how many reloads wait for a store that does not answer.
	maxHistory = 100
)

// Content is what was read from disk, not parsed yet.
type Content interface {
	// Hash is equal for equal content.
	Hash() string
	// Parse returns the document, and warnings about it. Its error is
	// [sitemon.Problems] where the content is at fault.
	Parse() (sitemon.Document, []sitemon.Problem, error)
}

// Store keeps documents and the history of reloads.
type Store interface {
	SyncSites(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan, error)
	AddReload(ctx context.Context, r sitemon.Reload) error
}

// Scheduler runs a set of sites.
type Scheduler interface {
	Apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site)
}

// Options is what a [Reloader] is made of. Registerer and Reloaded may be nil.
type Options struct {
	// Path names the document in messages.
	Path string
	// Read reads the document; the error says why it can't be had.
	Read func() (Content, error)
	// Known returns the sites that the store knows from earlier, which run where
	// the document is bad at the very start.
	Known func(ctx context.Context) ([]sitemon.Site, sitemon.Generation, error)

	Store      Store
	Scheduler  Scheduler
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Reloaded is told of each reload, good or bad, from one goroutine.
	Reloaded func(sitemon.Reload)
}

// Reloader applies the document at the start, when it changes, and when asked.
type Reloader struct {
	opts     Options
	log      *slog.Logger
	metrics  *metrics
	hints    chan struct{}
	requests chan request
	stopped  chan struct{}

	// What follows belongs to the goroutine of Run (and to Start before it).
	sites    []sitemon.Site
	lastSeen string // hash of the content that was last applied or refused
	unstored *unstored
	patience time.Duration // with the store
	// history are the newest reloads that the store does not have yet.
	history     []sitemon.Reload
	historyLate bool // the store failed to take one

	mu      sync.Mutex // guards what Running returns
	gen     sitemon.Generation
	lastBad *sitemon.Reload
}

// request asks for a reload now and takes its answer.
type request struct{ answer chan answer }

type answer struct {
	plan sitemon.Plan
	err  error
}

// New returns a reloader; [Reloader.Start] and then [Reloader.Run] make it work.
func New(opts Options) *Reloader {
	return &Reloader{
		opts: opts, log: opts.Logger.With("component", "reload"), metrics: newMetrics(opts.Registerer),
		hints: make(chan struct{}, 1), requests: make(chan request), stopped: make(chan struct{}),
	}
}

// Start applies the document for the first time. Where it is bad or missing, the
// sites that the store knows run instead; with none known Start returns the
// error.
func (r *Reloader) Start(ctx context.Context) error {
	r.patience = startPatience
	_, err := r.reload(ctx, true)
	r.patience = patience
	if err == nil {
		return nil
	}
	sites, gen, knownErr := r.opts.Known(ctx)
	if knownErr != nil {
		return errors.Join(err, knownErr)
	}
	if gen.Number == 0 {
		return err
	}
	r.logRefused(err)
	r.log.Warn("the last known sites run until the file is good", "generation", gen.Number, "sites", len(sites))
	r.apply(gen, sitemon.Plan{}, sites)
	return nil
}

// Hint says that the document may have changed. It returns at once.
func (r *Reloader) Hint() {
	select {
	case r.hints <- struct{}{}:
	default: // one is waiting already
	}
}

// Reload reads the document now, also where it seems unchanged, and returns what
// was applied. Its error is [sitemon.Problems] where the document is at fault.
func (r *Reloader) Reload(ctx context.Context) (sitemon.Plan, error) {
	req := request{make(chan answer, 1)}
	select {
	case r.requests <- req:
	case <-r.stopped:
		return sitemon.Plan{}, errors.New("reload: the daemon is stopping")
	case <-ctx.Done():
		return sitemon.Plan{}, fmt.Errorf("reload: %w", ctx.Err())
	}
	select {
	case a := <-req.answer:
		return a.plan, a.err
	case <-ctx.Done():
		return sitemon.Plan{}, fmt.Errorf("reload: %w", ctx.Err())
	}
}

// Running returns the generation that runs, and the newest reload if it was
// refused, as a whole or in part, else nil.
func (r *Reloader) Running() (sitemon.Generation, *sitemon.Reload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gen, r.lastBad
}

// Run works off hints and requests until ctx ends.
func (r *Reloader) Run(ctx context.Context) error {
	defer close(r.stopped)
	defer r.awaitStore()
	for {
		var stored <-chan synced
		var retry, history <-chan time.Time
		if u := r.unstored; u != nil {
			stored, retry = u.running, u.retry
		} else if len(r.history) > 0 {
			history = time.After(retryMin)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.hints:
			_, _ = r.reload(ctx, false) // the error has been logged and is shown
		case req := <-r.requests:
			plan, err := r.reload(ctx, true)
			req.answer <- answer{plan, err}
		case res := <-stored:
			r.storedLater(ctx, res)
		case <-history:
			r.addHistory(ctx)
		case <-retry:
			r.unstored.retry = nil
			r.unstored.running = r.sync(ctx, r.unstored.doc)
		}
	}
}

// reload reads the document and applies it. Unless it is asked for, content that
// was seen last time is left alone.
func (r *Reloader) reload(ctx context.Context, asked bool) (sitemon.Plan, error) {
	began := time.Now()
	content, err := r.opts.Read()
	if err != nil {
		return sitemon.Plan{}, r.refuse(ctx, began, "", sitemon.Problems{{File: r.opts.Path, Message: err.Error()}})
	}
	hash := content.Hash()
	if !asked && hash == r.lastSeen {
		return sitemon.Plan{}, nil
	}
	doc, warnings, err := content.Parse()
	r.lastSeen = hash
	if err != nil {
		return sitemon.Plan{}, r.refuse(ctx, began, hash, err)
	}
	for _, w := range warnings {
		r.log.Warn("odd in the sites file", "at", place(w), "problem", w.Message)
	}
	gen, plan := r.store(ctx, doc)
	r.apply(gen, plan, doc.Sites)
	rl := sitemon.Reload{
		Generation: gen.Number, At: began.UTC(), Source: doc.Source, Hash: doc.Hash, Applied: true,
		Added: len(plan.Added), Changed: len(plan.Changed), Removed: len(plan.Removed), Unchanged: plan.Unchanged,
		DurationMS: milliseconds(time.Since(began)), Errors: r.refused(plan), Difference: sitemon.NewDifference(plan),
	}
	r.setBad(rl)
	r.done(ctx, rl)
	return plan, nil
}

// refused returns what the store did not take of a document, as its errors.
func (r *Reloader) refused(plan sitemon.Plan) []sitemon.Problem {
	var problems []sitemon.Problem
	for _, f := range plan.Refused {
		problems = append(problems, sitemon.Problem{
			File: r.opts.Path, Message: fmt.Sprintf("site %q belongs to %s, and stays as it is there", f.Name, f.Owner),
		})
	}
	if len(problems) > 0 {
		r.log.Error("sites of the file belong to other sources: the rest of it is applied", "path", r.opts.Path,
			"errors", len(problems), "problem", problems[0].Message)
	}
	return problems
}

// setBad remembers the newest reload if something was wrong with it.
func (r *Reloader) setBad(rl sitemon.Reload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastBad = nil
	if len(rl.Errors) > 0 {
		r.lastBad = &rl
	}
}

// apply hands the sites to the scheduler; nothing can fail from here on.
func (r *Reloader) apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site) {
	r.sites = sites
	r.opts.Scheduler.Apply(gen, plan, sites)
	r.mu.Lock()
	r.gen = gen
	r.mu.Unlock()
}

// refuse keeps the old sites and remembers what is wrong with the document.
func (r *Reloader) refuse(ctx context.Context, began time.Time, hash string, err error) error {
	var problems sitemon.Problems
	if !errors.As(err, &problems) {
		problems = sitemon.Problems{{File: r.opts.Path, Message: err.Error()}}
	}
	r.mu.Lock()
	same := hash == "" && r.lastBad != nil && r.lastBad.Hash == "" && r.lastBad.Errors[0].Message == problems[0].Message
	gen := r.gen
	r.mu.Unlock()
	if same {
		return problems // still missing: said once
	}
	if hash == "" {
		r.lastSeen = "" // whatever comes back is looked at
	}
	rl := sitemon.Reload{
		Generation: gen.Number, At: began.UTC(), Source: gen.Source, Hash: hash,
		Unchanged: gen.Sites, DurationMS: milliseconds(time.Since(began)), Errors: problems,
	}
	r.mu.Lock()
	r.lastBad = &rl
	r.mu.Unlock()
	if !gen.LoadedAt.IsZero() {
		r.logRefused(problems)
	}
	r.done(ctx, rl)
	return problems
}

// logRefused says what is wrong, once some sites go on nevertheless; a start
// without any ends with the error instead.
func (r *Reloader) logRefused(err error) {
	var problems sitemon.Problems
	errors.As(err, &problems)
	r.log.Error("sites file refused, the running sites go on", "path", r.opts.Path, "errors", len(problems))
	for _, p := range problems {
		r.log.Error("wrong in the sites file", "at", place(p), "problem", p.Message)
	}
}

// done makes a reload known: to the metrics, the history, and who listens.
func (r *Reloader) done(ctx context.Context, rl sitemon.Reload) {
	r.metrics.reloaded(rl)
	if rl.Applied {
		r.log.Info("sites file applied", "generation", rl.Generation, "added", rl.Added, "changed", rl.Changed,
			"removed", rl.Removed, "unchanged", rl.Unchanged, "duration", time.Since(rl.At).Round(time.Millisecond))
	}
	r.history = append(r.history, rl)
	r.history = r.history[max(0, len(r.history)-maxHistory):]
	if r.unstored == nil { // else the store has enough to do
		r.addHistory(ctx)
	}
	if r.opts.Reloaded != nil {
		r.opts.Reloaded(rl)
	}
}

func place(p sitemon.Problem) string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
