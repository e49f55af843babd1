package config

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Why [Watch] says that a sites file may have changed.
const (
	// WatchStart is said once, before anything else: the file may have changed
	// between its first reading and the start of the watch.
	WatchStart = "start"
	// WatchEvent follows an event of the file system.
	WatchEvent = "event"
	// WatchPoll: no event told of the change, the poll found it.
	WatchPoll = "poll"
)

// WatchOptions are the settings of [Watch]; the zero value has the defaults.
type WatchOptions struct {
	// Settle is how long the file system has to be quiet before the file is looked
	// at, so that most saves have ended by then; default 200 ms. Under writes that
	// never pause the file is looked at after five times as long.
	Settle time.Duration
	// Poll is the time between two looks that no event asked for; default 5 s. It
	// finds what events can't show: NFS, a bind mount of a single file.
	Poll time.Duration
	// Logger is told when events can't be had; default: nobody.
	Logger *slog.Logger
}

// settleFactor bounds the wait for a pause between writes, in units of Settle.
const settleFactor = 5

// Watch calls changed whenever the sites file at path, or one of the files in the
// folder at path, may have changed, with the reason: [WatchStart], [WatchEvent]
// or [WatchPoll]. It returns nil when ctx ends, and an error only if path is
// empty.
//
// The path need not exist; its coming and going are changes as well. A call is a
// hint and no promise: the content may be what it was (touch), half of what it
// will be (a slow writer; another call follows the rest), or gone. So the caller
// reads the file and compares. After the last write to the file there is always
// one more call, within Settle if the file system has events, else within Poll.
//
// Calls come one at a time from the goroutine of Watch; what happens during a
// call leads to another one.
func Watch(ctx context.Context, path string, opts WatchOptions, changed func(reason string)) error {
	return watchWith(ctx, path, opts, changed, fsnotify.NewWatcher)
}

// watchWith is Watch with a way to events that a test can break.
func watchWith(ctx context.Context, path string, opts WatchOptions, changed func(string), events func() (*fsnotify.Watcher, error)) error {
	if path == "" {
		return errors.New("watch the sites file: the path is empty")
	}
	w := &watcher{
		path:    path,
		settle:  cmp.Or(opts.Settle, 200*time.Millisecond),
		poll:    cmp.Or(opts.Poll, 5*time.Second),
		logger:  cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		changed: changed,
	}
	fw, err := events()
	if err != nil {
		w.pollAlone(err)
	} else {
		w.events = fw
		defer fw.Close() //nolint:errcheck // Nothing is left to be done about it.
	}
	w.run(ctx)
	return nil
}

// watcher is one running Watch. Only its own goroutine touches it.
type watcher struct {
	path         string
	settle, poll time.Duration
	logger       *slog.Logger
	changed      func(reason string)

	events   *fsnotify.Watcher // nil: polling alone
	saidPoll bool
	seen     fingerprint
}

func (w *watcher) run(ctx context.Context) {
	var hints <-chan fsnotify.Event
	var faults <-chan error
	if w.events != nil {
		hints, faults = w.events.Events, w.events.Errors
	}
	w.arm()
	w.seen = fingerprintOf(w.path)
	w.changed(WatchStart)

	tick := time.NewTicker(w.poll)
	defer tick.Stop()
	var quiet <-chan time.Time // fires when a burst of events has ended
	var latest time.Time       // when the burst is looked at even if it goes on
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case err := <-faults: // events may have been lost, which is a hint too
			w.logger.Debug("the watch of the sites file has a fault", "err", err)
		case <-tick.C:
			w.look(WatchPoll)
			continue
		case <-quiet:
			quiet = nil
			w.look(WatchEvent)
			continue
		}
		if quiet == nil {
			latest = time.Now().Add(settleFactor * w.settle)
		}
		quiet = time.After(min(w.settle, time.Until(latest)))
	}
}

// look calls changed if the files are not as they were at the last look. The
// watches come first, so that nothing is missed between the two.
func (w *watcher) look(reason string) {
	w.arm()
	now := fingerprintOf(w.path)
	if now == w.seen {
		return
	}
	w.seen = now
	w.changed(reason)
}

// arm watches the folders through which the path leads now, and no others. Each
// look does it anew, as any of them may have been replaced.
func (w *watcher) arm() {
	if w.events == nil {
		return
	}
	want := foldersOf(w.path)
	for _, dir := range w.events.WatchList() {
		if !slices.Contains(want, dir) {
			_ = w.events.Remove(dir) // gone by itself, which is as good
		}
	}
	for _, dir := range want {
		err := w.events.Add(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a folder that went is found at the next look
			w.pollAlone(err)
		}
	}
}

// pollAlone says once that changes are found by polling.
func (w *watcher) pollAlone(err error) {
	if w.saidPoll {
		return
	}
	w.saidPoll = true
	w.logger.Warn("the file system sends no events, edits are found by polling",
		"path", w.path, "interval", w.poll, "err", err)
}
