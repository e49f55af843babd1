package web

import (
	"context"
	"errors"
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
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range functions {
		g.Go(func() (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = fell{v, debug.Stack()}
				}
			}()
			return f(ctx)
		})
	}
	err := g.Wait()
	if f, ok := errors.AsType[fell](err); ok {
		panic(f)
	}
	return err
}
