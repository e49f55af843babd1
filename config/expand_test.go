package config_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/config"
)

func TestExpand(t *testing.T) {
	tests := []struct {
		name, text, want string
		secrets          []string
		fault            string
	}{
		{name: "no reference", text: "a $b {c}", want: "a $b {c}"},
		{name: "variable", text: "Bearer ${TOKEN}!", want: "Bearer s3cr3t-token!", secrets: []string{"s3cr3t-token"}},
		{name: "two", text: "${HOST}:${TOKEN}", want: "example.org:s3cr3t-token", secrets: []string{"example.org", "s3cr3t-token"}},
		{name: "empty variable", text: "a${EMPTY}b", want: "ab"},
		{name: "default for unset", text: "${UNSET:-d:-e}", want: "d:-e", secrets: []string{"d:-e"}},
		{name: "default for empty", text: "${EMPTY:-d}", want: "d"},
		{name: "default not needed", text: "${HOST:-d}", want: "example.org", secrets: []string{"example.org"}},
		{name: "empty default", text: "[${UNSET:-}]", want: "[]"},
		{name: "file", text: "${file:/run/secrets/token}", want: "from-a-file", secrets: []string{"from-a-file"}},
		{name: "escaped", text: "$${TOKEN} ${HOST} $${", want: "${TOKEN} example.org ${", secrets: []string{"example.org"}},
		{name: "dollar before escaped", text: "$$${a}", want: "$${a}"},
		{name: "unset", text: "${UNSET}", fault: "UNSET is not set"},
		{name: "missing file", text: "${file:/missing}", fault: `"/missing" does not exist`},
		{name: "unclosed", text: "a ${HOST", fault: "never closed"},
		{name: "no name", text: "${}", fault: "is no reference"},
		{name: "digit first", text: "${1A}", fault: "is no reference"},
		{name: "nested", text: "${A:-${HOST}}", fault: "can't hold another"},
		{name: "own setting", text: "${KAFKA_BROKER:-x}", fault: "program's own"},
	}
	e := config.NewExpander(lookup, readFile, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, secrets, err := e.Expand(tt.text)
			if tt.fault != "" {
				if !errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), tt.fault) || strings.HasPrefix(err.Error(), "invalid") || got != "" {
					t.Errorf("got %q, %v, want an error with %q", got, err, tt.fault)
				}
				return
			}
			if err != nil || got != tt.want || !slices.Equal(secrets, tt.secrets) {
				t.Errorf("got %q, %q, %v, want %q, %q", got, secrets, err, tt.want, tt.secrets)
			}
		})
	}
}

func TestExpandReadsFilesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		content := "old\n"
		e := config.NewExpander(lookup, func(string) ([]byte, error) { reads++; return []byte(content), nil }, nil)
		expand := func() string {
			s, _, err := e.Expand("${file:/f}")
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		expand()
		content = "new\r\n"
		time.Sleep(9 * time.Second)
		if got := expand(); got != "old" || reads != 1 {
			t.Errorf("after 9 s got %q by %d reads, want old by 1", got, reads)
		}
		time.Sleep(time.Second)
		if got := expand(); got != "new" || reads != 2 {
			t.Errorf("after 10 s got %q by %d reads, want new by 2", got, reads)
		}
	})
}

func TestExpandConcurrently(t *testing.T) {
	e := config.NewExpander(lookup, readFile, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if s, _, err := e.Expand("${file:/run/secrets/token}${HOST}"); err != nil || s != "from-a-fileexample.org" {
					t.Errorf("got %q, %v", s, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestExpandSlowFile: whoever needs another file need not wait.
func TestExpandSlowFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		e := config.NewExpander(lookup, func(path string) ([]byte, error) {
			if path == "/slow" {
				<-answer
			}
			return []byte(path), nil
		}, nil)
		var slow string
		var wg sync.WaitGroup
		wg.Go(func() { slow, _, _ = e.Expand("${file:/slow}") })
		synctest.Wait()
		if got, _, err := e.Expand("${file:/quick}"); err != nil || got != "/quick" {
			t.Errorf("beside a slow file: got %q, %v", got, err)
		}
		close(answer)
		wg.Wait()
		if slow != "/slow" {
			t.Errorf("the slow file: got %q", slow)
		}
	})
}

func TestExpandErrorsHoldNoValues(t *testing.T) {
	e := config.NewExpander(lookup, readFile, nil)
	_, secrets, err := e.Expand("${TOKEN} ${UNSET}")
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || secrets != nil {
		t.Errorf("got %v, %q", err, secrets)
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "${TOKEN}", "$${a}", "${A:-b}", "${file:/run/secrets/token}", "$$$${", "${a${b}", "}${"} {
		f.Add(s)
	}
	e := config.NewExpander(lookup, readFile, nil)
	f.Fuzz(func(t *testing.T, text string) {
		got, secrets, err := e.Expand(text)
		if err != nil {
			if !errors.Is(err, sitemon.ErrInvalid) || got != "" || secrets != nil {
				t.Errorf("%q: got %q, %q with %v", text, got, secrets, err)
			}
			return
		}
		for _, s := range secrets {
			if len(s) < 3 || !strings.Contains(got, s) {
				t.Errorf("%q: secret %q is not in %q", text, s, got)
			}
		}
		if !strings.Contains(text, "${") && got != text {
			t.Errorf("%q: got %q", text, got)
		}
		escaped := strings.ReplaceAll(text, "${", "$${")
		if got, _, err := e.Expand(escaped); err != nil || got != text {
			t.Errorf("%q escaped: got %q, %v", text, got, err)
		}
	})
}
