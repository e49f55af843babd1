package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"
)

// clock is gocron's clock: timers as always, the time of day as the scheduler
// has it.
type clock struct {
	clockwork.Clock
	now func() time.Time
}

func newClock(now func() time.Time) clock { return clock{clockwork.NewRealClock(), now} }

// Now returns the wall clock without its monotonic part, so that gocron aims
// each timer at the time of day.
func (c clock) Now() time.Time { return c.now().Round(0) }

// Until returns the time left until t by the wall clock.
func (c clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// Since returns the time since t by the wall clock.
func (c clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

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

// cronLogger passes gocron's log on; what it calls information is detail here.
type cronLogger struct{ log *slog.Logger }

func (l cronLogger) Debug(msg string, args ...any) { l.pass(slog.LevelDebug, msg, args) }
func (l cronLogger) Info(msg string, args ...any)  { l.pass(slog.LevelDebug, msg, args) }
func (l cronLogger) Warn(msg string, args ...any)  { l.pass(slog.LevelWarn, msg, args) }
func (l cronLogger) Error(msg string, args ...any) { l.pass(slog.LevelError, msg, args) }

func (l cronLogger) pass(level slog.Level, msg string, args []any) {
	l.log.Log(context.Background(), level, msg, args...) //nolint:sloglint // The message is gocron's, and constant there.
}
