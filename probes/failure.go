package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"sitemon"
)

// failure ends a probe: why, and in words for a person.
type failure struct {
	reason sitemon.Reason
	text   string
	err    error // what was behind it; may be nil
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

func failf(reason sitemon.Reason, err error, format string, args ...any) *failure {
	return &failure{reason, fmt.Sprintf(format, args...), err}
}

// asFailure returns err as the failure that it is, or as one of the monitor's own.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return &failure{sitemon.ReasonInternal, err.Error(), err}
}

// outcome is down, but for what is the monitor's own failing.
func (f *failure) outcome() sitemon.Outcome {
	switch f.reason {
	case sitemon.ReasonBlocked, sitemon.ReasonInternal, sitemon.ReasonMonitorOverloaded, sitemon.ReasonMonitorOffline:
		return sitemon.OutcomeUnknown
	}
	return sitemon.OutcomeDown
}

// timedOut reports whether err comes from a deadline, the connection's, the
// context's or the kernel's.
func timedOut(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// tooLate reports whether err comes of the deadline. Libraries that keep a connection
// to themselves do not always pass on why it ended; on a busy machine it may end
// before the context does.
func (a *attempt) tooLate(err error) bool {
	return timedOut(err) || a.ctx.Err() != nil || !time.Now().Before(a.deadline)
}

// noAnswer is the failure of a step that the deadline ended.
func (a *attempt) noAnswer(reason sitemon.Reason, err error, doing string) *failure {
	return failf(reason, err, "no answer within %s (%s)", a.patience(), doing)
}

// patience is how long the probe had, for people: the site's timeout unless the
// deadline came clearly before it.
func (a *attempt) patience() time.Duration {
	d := a.deadline.Sub(a.start)
	if t := a.site.Timeout; t > 0 && d < t && t-d < t/50 {
		return t
	}
	return shortly(d)
}

// shortly rounds a duration to three or four digits.
func shortly(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Nanosecond; unit /= 10 {
		if d >= unit || -d >= unit {
			return d.Round(unit / 1000)
		}
	}
	return d
}

// words names the cause of a network error without the library's framing.
func words(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case errors.Is(err, syscall.ECONNRESET):
		return "the connection was reset"
	case errors.Is(err, syscall.EPIPE):
		return "the connection was closed by the other side"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}
