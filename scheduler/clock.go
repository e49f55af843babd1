package scheduler

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// clockWatch notices when the wall clock moves against the monotonic one: it was
// set, or the machine slept.
type clockWatch struct {
	wall, mono         func() time.Time
	lastWall, lastMono time.Time
}

func (w *clockWatch) start() { w.lastWall, w.lastMono = w.wall().Round(0), w.mono() }

// step returns how far the wall clock has moved against the monotonic one since
// the last step that was reported; ok is false up to [clockTolerance].
func (w *clockWatch) step() (time.Duration, bool) {
	wall, mono := w.wall().Round(0), w.mono()
	d := wall.Sub(w.lastWall) - mono.Sub(w.lastMono)
	if d.Abs() <= clockTolerance {
		return 0, false
	}
	w.lastWall, w.lastMono = wall, mono
	return d, true
}

// standstill is how long nothing has happened when the process as a whole must
// have stood still: [Scheduler.Run] gives a pulse each second.
const standstill = 3 * time.Second

// pulse knows when the process stood still, as one that was stopped by a signal
// or by a debugger. Whoever runs first afterwards, the pulse or a job, it knows.
type pulse struct {
	mu       sync.Mutex
	last     time.Time // with its monotonic part
	from, to time.Time // the newest standstill
}

// beat says that the process runs.
func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.last.IsZero() && now.Sub(p.last) > standstill {
		p.from, p.to = p.last, now
	}
	p.last = now
}

// stood reports whether the process stood still at a moment.
func (p *pulse) stood(at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.last.IsZero() && time.Since(p.last) > standstill && at.After(p.last) {
		return true
	}
	return at.After(p.from) && at.Before(p.to)
}

// cronLogger passes gocron's log on; what it calls information is detail here.
type cronLogger struct{ log *slog.Logger }

func (l cronLogger) Debug(msg string, args ...any) { l.pass(slog.LevelDebug, msg, args) }
func (l cronLogger) Info(msg string, args ...any)  { l.pass(slog.LevelDebug, msg, args) }
func (l cronLogger) Warn(msg string, args ...any)  { l.pass(slog.LevelWarn, msg, args) }
func (l cronLogger) Error(msg string, args ...any) { l.pass(slog.LevelError, msg, args) }

func (l cronLogger) pass(level slog.Level, msg string, args []any) {
	l.log.Log(context.Background(), level, msg, args...) //nolint:sloglint // The message is gocron's, and constant there.
}
