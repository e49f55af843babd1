package web

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// fell is a panic of a goroutine, with where that was.
type fell struct {
	value any
	stack []byte
}

// Error says both.
func (f fell) Error() string { return fmt.Sprintf("%v\n%s", f.value, f.stack) }

// together runs functions at once until all have returned, and returns the first
// error. A panic of one of them becomes one of the caller, which ends the request
// and not the process.
func together(ctx context.Context, functions ...func(ctx context.Context) error) error {
	panics := make(chan fell, len(functions))
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range functions {
		g.Go(func() error {
			return guarded(panics, func() error { return f(ctx) })
		})
	}
	err := g.Wait()
	select {
	case f := <-panics: // also one after an error
		panic(f)
	default:
		return err
	}
}

// guarded runs a function whose panic becomes an error, and goes into panics as far as
// there is room.
func guarded(panics chan<- fell, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			f := fell{v, debug.Stack()}
			select {
			case panics <- f:
			default:
			}
			err = f
		}
	}()
	return f()
}
