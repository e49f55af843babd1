package alerts

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

const (
	// pollEvery is how often the outbox is asked.
	pollEvery = time.Second
	// takeAtOnce is how many notifications are taken at a time.
	takeAtOnce = 50
	// sendTimeout bounds one attempt to deliver.
	sendTimeout = 20 * time.Second
	// staleAfter is when a notification that was taken is left to whoever takes it
	// next: an attempt begun later might outlast the lease of a minute.
	staleAfter = 30 * time.Second
)

// Outbox has what is to be delivered. Several processes may work on one.
type Outbox interface {
	// TakeNotifications leases, for a minute, up to limit notifications that are due.
	TakeNotifications(ctx context.Context, now time.Time, limit int) ([]sitemon.Notification, error)
	// NotificationSent says what became of one: nil if it was delivered.
	NotificationSent(ctx context.Context, id string, now time.Time, sendErr error) error
}

// Expander replaces the ${…} references of a text.
type Expander interface {
	// Expand returns the text and the values that were put in, so that they can be
	// redacted. Its error names a reference that can't be replaced, never a value.
	Expand(text string) (expanded string, secrets []string, err error)
}

// Options are what a [Sender] works with.
type Options struct {
	Outbox     Outbox // may be nil where nothing but Send is called
	Expander   Expander
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	UserAgent  string
}

// Sender delivers notifications.
type Sender struct {
	Options
	http      httpClient
	delivered *prometheus.CounterVec

	mu      sync.Mutex
	busy    map[channelKey]bool   // a goroutine sends over it
	failing map[channelKey]string // channels whose newest attempt failed, with the error
}

// channelKey is a channel of a document.
type channelKey struct{ source, name string }

// New returns a sender.
func New(o Options) *Sender {
	s := &Sender{
		Options: o, http: newHTTPClient(o.UserAgent),
		busy: map[channelKey]bool{}, failing: map[channelKey]string{},
	}
	s.delivered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_notifications_total", Help: "Attempts to deliver a notification, by channel and result.",
	}, []string{"channel", "result"})
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.delivered)
	}
	return s
}

// Run delivers what the outbox has until ctx ends, and returns when the attempts
// under way have ended with it. What they leave undone is delivered later, by
// whoever takes it.
func (s *Sender) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			list, err := s.Outbox.TakeNotifications(ctx, now, takeAtOnce)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil && !failed: // said once
				s.Logger.Error("notifications can't be read and are tried again", "err", err)
			case err == nil && failed:
				s.Logger.Info("notifications can be read again")
			}
			failed = err != nil
			s.dispatch(ctx, &wg, list, now)
		}
	}
}

// dispatch sends notifications, those of one channel one after another. A channel
// that is still busy gets its notifications when they are taken next.
func (s *Sender) dispatch(ctx context.Context, wg *sync.WaitGroup, list []sitemon.Notification, taken time.Time) {
	byChannel := map[channelKey][]sitemon.Notification{}
	for _, n := range list {
		key := channelKey{n.Source, n.Channel}
		byChannel[key] = append(byChannel[key], n)
	}
	for key, list := range byChannel {
		s.mu.Lock()
		busy := s.busy[key]
		s.busy[key] = true
		s.mu.Unlock()
		if busy {
			continue
		}
		wg.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.busy, key)
				s.mu.Unlock()
			}()
			for _, n := range list {
				if ctx.Err() != nil || time.Since(taken) > staleAfter {
					return
				}
				s.deliver(ctx, key, n)
			}
		})
	}
}

// deliver makes one attempt and says what became of it.
func (s *Sender) deliver(ctx context.Context, key channelKey, n sitemon.Notification) {
	err := s.Send(ctx, n)
	if err != nil && ctx.Err() != nil { // we stop: it was not the channel
		return
	}
	s.tell(key, n, err)
	if err := s.Outbox.NotificationSent(ctx, n.ID, time.Now(), err); err != nil && ctx.Err() == nil {
		s.Logger.Error("what became of a notification can't be stored: it may be sent again", "channel", n.Channel, "notification", n.ID, "err", err)
	}
}

// tell logs the result of an attempt, a failure of a channel once.
func (s *Sender) tell(key channelKey, n sitemon.Notification, err error) {
	s.mu.Lock()
	before := s.failing[key]
	if err != nil {
		s.failing[key] = err.Error()
	} else {
		delete(s.failing, key)
	}
	s.mu.Unlock()
	args := []any{"channel", n.Channel, "kind", n.Kind, "notification", n.ID, "summary", n.Summary}
	switch {
	case err == nil:
		s.delivered.WithLabelValues(n.Channel, "delivered").Inc()
		s.Logger.Info("notification delivered", args...)
	case before == err.Error():
		s.delivered.WithLabelValues(n.Channel, "failed").Inc()
	default:
		s.delivered.WithLabelValues(n.Channel, "failed").Inc()
		s.Logger.Error("notification not delivered, it is tried again", append(args, "err", err)...)
	}
}

// Send makes one attempt, of at most 20 s. Its error holds no secret.
func (s *Sender) Send(ctx context.Context, n sitemon.Notification) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	t, secrets, err := s.target(n.Target)
	if err == nil {
		err = t.send(ctx, n)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", sendTimeout)
	}
	return redact(err, secrets)
}

// Check says what keeps a channel from being used, without sending anything: a
// reference that can't be expanded, or an address that makes no sense.
func (s *Sender) Check(c sitemon.Channel) error {
	t, secrets, err := s.target(c.Target)
	if err == nil {
		err = t.check()
	}
	return redact(err, secrets)
}
