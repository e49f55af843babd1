package expression_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/expression"
)

// environment is an answer.
func environment(t testing.TB) *expression.Environment {
	t.Helper()
	env := &expression.Environment{
		Status: 200, Proto: "HTTP/1.1", Headers: map[string]string{"content-type": "application/json"},
		Body:    `{"queue":{"depth":12},"ok":true,"items":[{"state":"up","n":1},{"state":"down","n":3}],"text":"v2.4"}`,
		Latency: 1500 * time.Millisecond, Phases: expression.Phases{TLS: 20 * time.Millisecond},
		Certificate: expression.Certificate{Issuer: "CN=R3,O=Let's Encrypt", Names: []string{"example.org"}, ValidFor: 240 * time.Hour},
		TLS:         expression.TLS{Version: "TLS 1.3"}, IP: "192.0.2.1", Values: map[string]float64{"queue": 12},
	}
	env.BodyBytes = int64(len(env.Body))
	if err := json.Unmarshal([]byte(env.Body), &env.JSON); err != nil {
		t.Fatal(err)
	}
	return env
}

func TestCondition(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
		err        string
	}{
		{"a comparison", `status == 200 and json.queue.depth < 20`, true, ""},
		{"a range of numbers", `status in 200..299`, true, ""},
		{"a list", `json.queue.depth in [11, 12]`, true, ""},
		{"a text", `json.text startsWith "v2."`, true, ""},
		{"a pattern", `json.text matches "^v\\d+\\.\\d+$"`, true, ""},
		{"not a pattern", `body matches "(?i)ERROR"`, false, ""},
		{"several patterns", `json.text matches "^v" and not (json.text matches "^w") and body matches "queue"`, true, ""},
		{"a loop", `all(json.items, .state in ["up", "down"])`, true, ""},
		{"a loop within a loop", `all(json.items, any(json.items, .n >= 3))`, true, ""},
		{"a loop with a pattern", `any(json.items, .state matches "^do")`, true, ""},
		{"a part of a list", `filter(json.items, .n > 1)[0].state == "down"`, true, ""},
		{"a count", `len(json.items) == 2 and count(json.items, .state == "up") == 1`, true, ""},
		{"a duration", `latency < duration("2s") and phases.tls < duration("21ms")`, true, ""},
		{"a duration of days", `certificate.valid_for > duration("9d") and certificate.valid_for < duration("11d")`, true, ""},
		{"a header in any case", `headers["Content-Type"] contains "json"`, true, ""},
		{"a header that is not there", `headers["x-nothing"] == ""`, true, ""},
		{"the certificate", `"example.org" in certificate.names and certificate.issuer contains "Let's Encrypt"`, true, ""},
		{"a captured value", `values.queue >= 12`, true, ""},
		{"a value of the answer", `json.ok`, true, ""},
		{"something that is missing", `json.nothing == nil and json?.a?.b == nil`, true, ""},
		{"a variable", `let n = json.queue.depth; n > 10 && n < 20`, true, ""},
		{"a value that is no truth", `json.text`, false, "it is a text, neither true nor false"},
		{"what is in nothing", `json.nothing.deep < 1`, false, "cannot fetch deep from <nil>"},
		{"a text that is no number", `json.text < 3`, false, "invalid operation: string < int"},
		{"a pattern for a number", `json.queue.depth matches "1"`, false, "matches takes a text, not 12"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := expression.Condition(c.text)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := p.Holds(t.Context(), environment(t))
				if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("%s: %v, %v; want %v, %q", c.text, got, err, c.want, c.err)
				}
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		line, column int
		message      string
	}{
		{"no end", `status ==`, 1, 9, "it ends too early"},
		{"an unknown name", `stats == 200`, 1, 1, "unknown name stats"},
		{"an unknown field", "status == 200 and\n  phases.tsl < latency", 2, 10, "has no field tsl"},
		{"types", `status == "200"`, 1, 8, "mismatched types int and string"},
		{"no truth", `status + 1`, 1, 1, "has to be true or false, but this is a number"},
		{"a pattern of the answer", `body matches json.pattern`, 1, 19, "the pattern after matches has to be written out"},
		{"a bad pattern", `body matches "a(b"`, 1, 14, "missing closing"},
		{"a bad duration", `latency < duration("2 weeks")`, 1, 1, "no duration"},
		{"the program's own", `__tick()`, 1, 1, "unknown name __tick"},
		{"without limits", `len(repeat(body, 1000000)) > 0`, 1, 5, "unknown name repeat"},
		{"too long", strings.Repeat("1 + ", 1100) + "1 > 0", 1, 1, "it can have 4096"},
		{"too much", strings.Repeat("1+", 600) + "1 > 0", 1, 502, "exceeds maximum allowed nodes"},
		{"empty", ``, 1, 1, "it ends too early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := expression.Condition(c.text)
			if c.name == "a bad duration" && err == nil { // known when it runs
				_, err = p.Holds(t.Context(), environment(t))
				if err == nil || !strings.Contains(err.Error(), c.message) {
					t.Errorf("err = %v", err)
				}
				return
			}
			fault, ok := errors.AsType[*expression.Error](err)
			if !ok || !errors.Is(err, sitemon.ErrInvalid) {
				t.Fatalf("err = %v", err)
			}
			if !strings.Contains(fault.Message, c.message) || strings.Contains(fault.Message, "\n") || fault.Line != c.line || fault.Column != c.column {
				t.Errorf("%d:%d %q, want %d:%d %q", fault.Line, fault.Column, fault.Message, c.line, c.column, c.message)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
		err  string
	}{
		{`json.queue.depth`, 12, ""},
		{`json.queue.depth / 8`, 1.5, ""},
		{`len(json.items)`, 2, ""},
		{`latency`, 1.5, ""},
		{`json.ok`, 1, ""},
		{`json.text`, 0, "it is a text, not a number"},
		{`json.nothing`, 0, "it is nil (there is no such value), not a number"},
		{`json.queue.depth / 0`, 0, "not a number"},
	} {
		p, err := expression.Number(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Value(t.Context(), environment(t))
		if got != c.want && c.err == "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %v; want %v, %q", c.text, got, err, c.want, c.err)
		}
	}
	if _, err := expression.Number(`body`); err == nil || err.Error() != "a number is needed, but this is a text" {
		t.Errorf("a text: %v", err)
	}
}

func TestSeen(t *testing.T) {
	p, err := expression.Condition(`len(json.items) > 3 or headers["Content-Type"] == "text/html" or json.queue.depth == 3 or not all(json.items, .n > 0) or latency > duration("2s")`)
	if err != nil {
		t.Fatal(err)
	}
	want := []expression.Seen{
		{"len(json.items)", "2"}, {`headers["Content-Type"]`, `"application/json"`}, {"json.queue.depth", "12"}, {"json.items", "a list of 2"}, {"latency", "1.5s"},
	}
	if got := p.Seen(t.Context(), environment(t)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := p.Uses(); !slices.Equal(got, []string{"headers", "json", "latency"}) {
		t.Errorf("uses %q", got)
	}
}

// TestBounded: an answer can't make an expression take for ever, nor all memory.
func TestBounded(t *testing.T) {
	items := make([]any, 200_000)
	for i := range items {
		items[i] = float64(i)
	}
	env := &expression.Environment{JSON: map[string]any{"items": items, "n": 1e9}, Body: strings.Repeat("a", 1<<20)}
	for name, c := range map[string]struct{ text, want string }{
		"turns":            {`all(json.items, all(json.items, # >= 0))`, "more than a million turns"},
		"turns of a sum":   {`sum(json.items, sum(json.items, # * 2)) > 0`, "more than a million turns"},
		"a range":          {`len(1..int(json.n)) > 0`, "memory budget exceeded"},
		"lists":            {`len(map(json.items, [#, #, #, #, #])) > 0`, "memory budget exceeded"},
		"late in a loop":   {`all(json.items, # >= 0)`, "it was not done in time"},
		"late in patterns": {`body matches "(a|a?)*(a|a?)*(a|a?)*(x|y){100}b"`, "it was not done in time"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := expression.Condition(c.text)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if strings.HasPrefix(name, "late") {
				cancel()
			}
			if ok, err := p.Holds(ctx, env); ok || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v", ok, err)
			} else if expression.Late(err) != strings.HasPrefix(name, "late") {
				t.Errorf("Late(%v) = %v", err, expression.Late(err))
			}
		})
	}
}

// FuzzCondition: no text breaks the program, and a condition that compiles can be
// run.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{`status == 200`, `all(json.items, .n > 0)`, `let a = 1; a > 0`, `body matches "x"`, `headers.a?.b`, `{"a": 1}.a == 1`, `1..2 == []`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := expression.Condition(text)
		if err != nil {
			fault, ok := errors.AsType[*expression.Error](err)
			if !ok || fault.Line < 1 || fault.Column < 1 || strings.Contains(fault.Message, "\n") {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = p.Holds(ctx, environment(t))
		p.Seen(ctx, environment(t))
	})
}
