package writer

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// outage remembers for how long something that the writer needs has been away. It
// is said once when it begins and once when it ends.
type outage struct {
	log  *slog.Logger
	now  func() time.Time
	what string

	mu    sync.Mutex
	err   error // nil: all is well
	since time.Time
}

func newOutage(log *slog.Logger, now func() time.Time, what string) *outage {
	return &outage{log: log, now: now, what: what}
}

// begin notes that an attempt failed.
func (o *outage) begin(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.since = o.now()
		o.log.Error("waiting", "for", o.what, "err", err)
	}
	o.err = err
}

// end notes that an attempt succeeded.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		o.log.Info("going on", "after", o.what, "duration", o.now().Sub(o.since))
	}
	o.err = nil
}

// String says what is away, since when and why; "" if nothing is.
func (o *outage) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return ""
	}
	return fmt.Sprintf("%s since %s: %v", o.what, o.since.UTC().Format(time.RFC3339), o.err)
}
