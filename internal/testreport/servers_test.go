package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	fail := errors.New("boom")
	tests := map[string]struct {
		named                         string
		programErr, startErr, askErr  error
		wantEnv, wantOut, wantMissing []string
		wantClosed                    int
	}{
		"started": {
			wantEnv: []string{"TEST_DB=addr"}, wantClosed: 1,
			wantOut: []string{"db: started 1.2 from here, within "},
		},
		"no program": {
			programErr: fail, wantMissing: []string{"db: none: boom"}, wantOut: []string{"db: none: boom\n"},
		},
		"does not start": {
			startErr: fail, wantMissing: []string{"db: none: boom"}, wantOut: []string{"db: none: boom\n"},
		},
		"named": {
			named:   "secret@there",
			wantOut: []string{"db: running already, named by TEST_DB\n"},
		},
		"named, and silent": {
			named: "secret@there", askErr: fail,
			wantMissing: []string{"db: the one that TEST_DB names does not answer: boom"},
		},
		"named, without program": {
			named: "secret@there", programErr: fail,
			wantMissing: []string{"db: no servers of a test's own: boom"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var closed counter
			b := backend{
				name: "db", variable: "TEST_DB",
				program: func(context.Context) (string, error) { return "1.2 from here", tt.programErr },
				start: func(context.Context) (string, io.Closer, error) {
					if tt.startErr != nil {
						return "", nil, tt.startErr
					}
					return "addr", &closed, nil
				},
				ask: func(_ context.Context, addr string) error {
					if addr != tt.named {
						t.Errorf("asked %q", addr)
					}
					return tt.askErr
				},
			}
			getenv := func(key string) string { return map[string]string{"TEST_DB": tt.named}[key] }
			var out strings.Builder
			s := serve(t.Context(), []backend{b}, getenv, &out)
			if !slices.Equal(s.env, tt.wantEnv) {
				t.Errorf("env %q, want %q", s.env, tt.wantEnv)
			}
			if !slices.Equal(s.missing, tt.wantMissing) {
				t.Errorf("missing %q, want %q", s.missing, tt.wantMissing)
			}
			for _, w := range tt.wantOut {
				if !strings.Contains(out.String(), w) {
					t.Errorf("said %q, want %q", out.String(), w)
				}
			}
			if strings.Contains(out.String(), "secret") {
				t.Errorf("said %q, with a secret", out.String())
			}
			if err := s.verdict(true); (err != nil) != (tt.wantMissing != nil) {
				t.Errorf("in CI: %v", err)
			}
			if err := s.verdict(false); err != nil {
				t.Errorf("outside of CI: %v", err)
			}
			if err := s.close(); err != nil || int(closed) != tt.wantClosed {
				t.Errorf("closed %d, %v, want %d", closed, err, tt.wantClosed)
			}
		})
	}
}

func TestExecute(t *testing.T) {
	const variable = "GOPRIVATE" // one that go env tells
	t.Setenv(variable, "")
	var closed counter
	b := backend{
		name: "db", variable: variable,
		program: func(context.Context) (string, error) { return "1.2", nil },
		start:   func(context.Context) (string, io.Closer, error) { return "addr", &closed, nil },
	}
	var out strings.Builder
	if err := execute(t.Context(), exec.CommandContext(t.Context(), "go", "env", variable), []backend{b}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "\naddr\n") {
		t.Errorf("printed %q, want addr at its end", out.String())
	}
	if err := execute(t.Context(), exec.CommandContext(t.Context(), "go", "no-such-command"), []backend{b}, &out); err == nil {
		t.Error("a failure is no error")
	}
	if closed != 2 {
		t.Errorf("closed %d servers, want 2", closed)
	}
}

type counter int

func (c *counter) Close() error { *c++; return nil }
