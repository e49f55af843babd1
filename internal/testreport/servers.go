package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/servers"
)

// backend is a kind of server that the tests use: one that they share, and some
// of their own.
type backend struct {
	name     string
	variable string // names the shared one to the tests
	// program makes sure that there is a program to start, and says which.
	program func(ctx context.Context) (string, error)
	// start runs the shared one and returns what to put into the variable.
	start func(ctx context.Context) (string, io.Closer, error)
	// ask tries one that was running before.
	ask func(ctx context.Context, addr string) error
}

func backends() []backend {
	return []backend{{
		name: "kafka", variable: "SITEMON_TEST_KAFKA",
		program: func(ctx context.Context) (string, error) {
			if _, err := servers.FindJava(); err != nil {
				return "", err
			}
			dir, err := servers.FetchKafka(ctx)
			return servers.KafkaVersion + " from " + dir, err
		},
		start: func(ctx context.Context) (string, io.Closer, error) {
			k, err := servers.StartKafka(ctx, servers.KafkaOptions{})
			if err != nil {
				return "", nil, err
			}
			return k.Addr, k, nil
		},
		ask: func(ctx context.Context, addr string) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}, {
		name: "postgres", variable: "SITEMON_TEST_POSTGRES",
		program: func(context.Context) (string, error) {
			bin, err := servers.FindPostgres()
			if err != nil {
				return "", err
			}
			version, err := servers.PostgresVersion(bin)
			return version + " from " + bin, err
		},
		start: func(ctx context.Context) (string, io.Closer, error) {
			p, err := servers.StartPostgres(ctx, servers.PostgresOptions{})
			if err != nil {
				return "", nil, err
			}
			return p.DSN, p, nil
		},
		ask: func(ctx context.Context, dsn string) error {
			conn, err := pgx.Connect(ctx, dsn)
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	}}
}

// found is what became of a backend.
type found struct {
	note    string   // for a person
	missing []string // what could not be had, and why
	env     string   // VARIABLE=value, or empty
	closer  io.Closer
}

// get finds or starts the shared server: the one that getenv names, or else one
// of this machine's own program.
func (b backend) get(ctx context.Context, getenv func(string) string) found {
	var f found
	miss := func(what string, err error) {
		f.missing = append(f.missing, fmt.Sprintf("%s: %s: %v", b.name, what, err))
	}
	from := time.Now()
	program, programErr := b.program(ctx)
	if addr := getenv(b.variable); addr != "" {
		f.note = b.name + ": running already, named by " + b.variable
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := b.ask(ctx, addr); err != nil {
			miss("the one that "+b.variable+" names does not answer", err)
		}
		if programErr != nil {
			miss("no servers of a test's own", programErr)
		}
		return f
	}
	if programErr != nil {
		miss("none", programErr)
		return f
	}
	addr, closer, err := b.start(ctx)
	if err != nil {
		miss("none", err)
		return f
	}
	f.closer, f.env = closer, b.variable+"="+addr
	f.note = fmt.Sprintf("%s: started %s, within %.1f s", b.name, program, time.Since(from).Seconds())
	return f
}

// shared is what all backends came to.
type shared struct {
	env     []string // for the tests
	missing []string
	closers []io.Closer
}

// serve gets all the backends at once and writes to out what each one is.
func serve(ctx context.Context, all []backend, getenv func(string) string, out io.Writer) *shared {
	results := make([]found, len(all))
	var wg sync.WaitGroup
	for i, b := range all {
		wg.Go(func() { results[i] = b.get(ctx, getenv) })
	}
	wg.Wait()
	s := &shared{}
	for _, f := range results {
		if f.note != "" {
			fmt.Fprintln(out, f.note)
		}
		for _, m := range f.missing {
			fmt.Fprintln(out, m)
		}
		s.missing = append(s.missing, f.missing...)
		if f.closer != nil {
			s.env, s.closers = append(s.env, f.env), append(s.closers, f.closer)
		}
	}
	return s
}

// environ is the environment of the tests.
func (s *shared) environ() []string { return append(os.Environ(), s.env...) }

// close ends the servers that were started.
func (s *shared) close() error {
	var err error
	for _, c := range s.closers {
		err = errors.Join(err, c.Close())
	}
	return err
}

// verdict is an error if something was missing where nothing may be.
func (s *shared) verdict(ci bool) error {
	if !ci || len(s.missing) == 0 {
		return nil
	}
	return fmt.Errorf("in CI nothing may be missing: %s", strings.Join(s.missing, "; "))
}
