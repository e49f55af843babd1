package shards_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sitemon/internal/testkit"
	"sitemon/shards"
)

// nobody is an address where no broker answers.
const nobody = "127.0.0.1:1"

func TestOutages(t *testing.T) {
	t.Parallel()
	k := testkit.StartKafka(t, testkit.KafkaOptions{Proxied: true})
	t.Run("a monitor that is cut off goes on, and another takes over", func(t *testing.T) {
		l := newLocation(t, k.Direct)
		a := l.start("a", at(t, k.Addr)) // by way of the proxy
		b := l.start("b")
		l.awaitShared("a", "b")
		before := a.Share()
		l.watch()
		k.Proxy.Cut()
		took := await(t, func() bool { owned, _ := b.Share().Count(); return owned == 64 }, "nobody takes over")
		t.Logf("cut off: its shards are taken over after %s", took)
		await(t, func() bool { return !a.joined() }, "it does not notice that it is cut off")
		if got := a.Share(); got != before {
			t.Errorf("it has %s, had %s, though it can't know who has them", got, before)
		}
		k.Proxy.Restore()
		t.Logf("connected: shared again after %s", l.awaitShared("a", "b"))
		for _, f := range l.unwatched() {
			t.Error(f)
		}
	})
	t.Run("a restart of the broker moves nothing", func(t *testing.T) {
		l := newLocation(t, k.Addr)
		ms := []*monitor{l.start("a"), l.start("b"), l.start("c")}
		l.awaitShared("a", "b", "c")
		before := l.owners()
		l.watch()
		joined := func(want bool) func() bool {
			return func() bool {
				for _, m := range ms {
					if m.joined() != want {
						return false
					}
				}
				return true
			}
		}
		k.Kill()
		await(t, joined(false), "nobody notices that the broker is away")
		k.Start()
		took := await(t, joined(true), "the group does not come back")
		t.Logf("the group is back %s after the broker", took)
		if l.awaitShared("a", "b", "c"); l.moved(before) != 0 {
			t.Errorf("%d shards moved: %v", l.moved(before), l)
		}
		for _, f := range l.unwatched() {
			t.Error(f)
		}
	})
	t.Run("who leaves while the broker is away probes on for as long as there is time", func(t *testing.T) {
		l := newLocation(t, k.Addr)
		a := l.start("a")
		await(t, a.joined, "it does not join")
		before := a.Share()
		k.Proxy.Refuse()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("leaving ends with %v, want the end of its time", err)
		}
		if got := a.Share(); got != before {
			t.Errorf("it has %s, had %s: nobody took them", got, before)
		}
		if err := a.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestShareIsKeptForTheNextRun(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	a := l.start("a")
	l.start("b")
	l.awaitShared("a", "b")
	before := a.Share()
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	l.stops("a")
	a.start(at(t, nobody))
	await(t, func() bool { return l.has("a", before) }, "it does not begin with what it had, %s: %v", before, l)
}

// What monitors kept they claim, and so it stays theirs: even one that comes later
// than another, who was alone until then.
func TestKeptShareIsClaimed(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	var odd, even []int
	for p := 0; p < 64; p += 2 {
		even, odd = append(even, p), append(odd, p+1)
	}
	keep := func(kept []int) func(*shards.Options) {
		return func(o *shards.Options) {
			content, err := json.Marshal(map[string]any{"topic": l.topic, "group": l.topic + ".monitors", "generation": 70, "shards": kept, "of": 64})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(o.File, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	a := l.start("a", keep(odd))
	await(t, a.joined, "it does not join")
	b := l.start("b", keep(even))
	await(t, b.joined, "it does not join")
	l.awaitShared("a", "b")
	if a.Share() != shards.NewShare(64, odd...) || b.Share() != shards.NewShare(64, even...) {
		t.Errorf("a has %v, b has %v, want the odd and the even ones, as they kept", a.Share().Shards(), b.Share().Shards())
	}
}

func TestShareBeforeTheGroupAnswers(t *testing.T) {
	kept := `{"topic":"t","group":"t.monitors","generation":7,"shards":[1,2,5],"of":8}`
	tests := []struct {
		name, topic, content string
		want                 shards.Share
	}{
		{"none is kept", "t", "", shards.All(64)},
		{"one is kept", "t", kept, shards.NewShare(8, 1, 2, 5)},
		{"one of another group", "another", kept, shards.All(64)},
		{"broken", "t", kept[:30], shards.All(64)},
		{"of no shards", "t", `{"topic":"t","group":"t.monitors"}`, shards.All(64)},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "share.json")
			if tc.content != "" {
				if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			opts := options(t, nobody, tc.topic, file)
			told := make(chan shards.Share, 10)
			opts.Own = func(s shards.Share) { told <- s }
			s := shards.New(opts)
			if s.Share() != tc.want {
				t.Errorf("before it runs it has %s, want %s", s.Share(), tc.want)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- s.Run(ctx) }()
			if got := <-told; got != tc.want {
				t.Errorf("told %s, want %s", got, tc.want)
			}
			// Nobody counts on it, so it waits for nobody.
			if err := s.Leave(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			cancel()
			if len(told) != 0 {
				t.Errorf("told %s, though nothing changed", <-told)
			}
		})
	}
}
