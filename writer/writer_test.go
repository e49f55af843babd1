package writer_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

func TestRecordsWhatIsPublished(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 4)
	k.publish(reports(50, 20)...) // before the group exists
	store := newMemory()
	w, _ := k.start(store)
	has(t, store, 1000)
	k.publish(message(report("late", 0)))
	has(t, store, 1001)
	ready(t, w)
	eventually(t, "lag", func() error {
		if w.Lag() != 0 {
			return fmt.Errorf("lag %d", w.Lag())
		}
		return nil
	})
	want := report("site-7", 3)
	if got := store.reports[identityOf(want)]; got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestContinuesWhereItWas(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 4)
	store := newMemory()
	_, stop := k.start(store)
	k.publish(reports(20, 10)...)
	has(t, store, 200)
	stop()
	k.publish(reports(20, 20)...) // half of them again
	_, stop = k.start(store)
	has(t, store, 400)
	stop()
	if store.given != 600 {
		t.Errorf("%d reports were given to the store, want 600: none again after a graceful stop", store.given)
	}
}

func TestTwoWritersShare(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 6)
	one, two := newMemory(), newMemory()
	_, stopOne := k.start(one)
	k.publish(reports(30, 5)...)
	has(t, one, 150)
	w, stopTwo := k.start(two)
	eventually(t, "both have partitions", func() error {
		k.publish(reports(30, 1)...) // known ones
		if one.count()+two.count() == 150 || two.count() == 0 {
			return fmt.Errorf("%d and %d", one.count(), two.count())
		}
		return nil
	})
	ready(t, w)
	stopOne()
	next := make([]kafka.Message, 0, 30)
	for s := range 30 {
		next = append(next, message(report(fmt.Sprintf("site-%d", s), 100)))
	}
	before := two.count()
	k.publish(next...)
	eventually(t, "the other has them all", func() error {
		if two.count() < 30+30 && two.count()-before < 30 {
			return fmt.Errorf("%d more", two.count()-before)
		}
		return nil
	})
	stopTwo()
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 2)
	store := newMemory()
	w, stop := k.start(store)
	k.publish(reports(10, 10)...)
	has(t, store, 100)
	store.set(func() { store.away = errors.New("nobody listens") })
	k.publish(reports(10, 20)...)
	eventually(t, "said", func() error {
		if len(w.Ready()) == 0 {
			return errors.New("ready while the store is away")
		}
		return nil
	})
	time.Sleep(7 * time.Second) // longer than the session timeout: heartbeats must go on
	store.set(func() { store.away = nil })
	has(t, store, 200)
	ready(t, w)
	store.set(func() { store.away = errors.New("nobody listens") })
	k.publish(reports(10, 30)...)
	time.Sleep(500 * time.Millisecond)
	begun := time.Now()
	stop()
	if d := time.Since(begun); d > 8*time.Second {
		t.Errorf("the stop took %s", d)
	}
	store.set(func() { store.away = nil })
	k.start(store)
	has(t, store, 300)
}

func TestRefusedReports(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 2)
	store := newMemory()
	store.refuse = func(r sitemon.Report) bool { return r.StatusCode == 418 }
	messages := reports(20, 100)
	for i := range 7 {
		bad := report(fmt.Sprintf("site-%d", i), 1000)
		bad.StatusCode = 418
		at := 1 + i*291
		messages = append(messages[:at:at], append([]kafka.Message{message(bad)}, messages[at:]...)...)
	}
	k.start(store)
	k.publish(messages...)
	has(t, store, 2000)
	eventually(t, "dead letters", func() error {
		if n := len(k.letters()); n != 7 {
			return fmt.Errorf("%d letters, want 7", n)
		}
		return nil
	})
}

func TestSeedMessages(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	store := newMemory()
	store.seeds[7] = "old"
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	seed := func(s string) kafka.Message { return kafka.Message{Value: []byte(s)} }
	k.publish(
		seed(`{"site_id":7,"timestamp":"2024-11-24T02:44:21.396132","response_complete":true,"response_time":0.1,"response_code":200,"response_valid":true,"__faust":{"ns":"x"}}`),
		seed(`{"site_id":7,"timestamp":"2024-11-24T02:44:22","response_complete":false,"response_time":null,"response_code":null,"response_valid":null}`),
		seed(`{"site_id":8,"timestamp":"2024-11-24T02:44:22","response_complete":true,"response_time":0.1,"response_code":200,"response_valid":true}`),
		seed(`{"site_id":7,"timestamp":"2024-11-24T02:44:23.5","response_complete":true,"response_time":0.25,"response_code":500,"response_valid":false}`),
	)
	k.start(store, func(o *writer.Options) { o.Zone = berlin })
	has(t, store, 3)
	for _, want := range []sitemon.Report{
		{Slot: firstSlot.Add(-8*time.Hour - 15*time.Minute - 38*time.Second - 604*time.Millisecond), Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 100 * time.Millisecond},
		{Slot: firstSlot.Add(-8*time.Hour - 15*time.Minute - 38*time.Second), Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonConnectError, Error: "no complete response"},
		{
			Slot: firstSlot.Add(-8*time.Hour - 15*time.Minute - 36*time.Second - 500*time.Millisecond), Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonBody,
			Error: "the body does not match the regular expression", StatusCode: 500, Duration: 250 * time.Millisecond,
		},
	} {
		want.Site, want.Location, want.Interval = "old", "default", 10*time.Second
		if got := store.reports[identityOf(want)]; got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	eventually(t, "dead letter", func() error {
		letters := k.letters()
		if len(letters) != 1 || letters[0].Error != "site_id 8: no site of the original system has it" {
			return fmt.Errorf("letters %+v", letters)
		}
		return nil
	})
}

func TestReadTo(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 3)
	store := newMemory()
	k.start(store)
	k.publish(reports(10, 1)...)
	eventually(t, "all partitions are read to now", func() error {
		store.mu.Lock()
		defer store.mu.Unlock()
		if store.of != 3 || len(store.read) != 3 {
			return fmt.Errorf("%d of %d", len(store.read), store.of)
		}
		for p, at := range store.read {
			if time.Since(at) > 3*time.Second {
				return fmt.Errorf("partition %d: %s", p, at)
			}
		}
		return nil
	})
	store.set(func() { store.pause = time.Hour })
	written := time.Now()
	k.publish(reports(10, 5)...)
	time.Sleep(2500 * time.Millisecond)
	store.mu.Lock()
	defer store.mu.Unlock()
	for p, at := range store.read {
		if at.After(written.Add(500 * time.Millisecond)) {
			t.Errorf("partition %d is read to %s, but what was written after %s is not recorded", p, at, written)
		}
	}
}

// TestEndsAllItBegan is not parallel: it counts the goroutines of the process.
func TestEndsAllItBegan(t *testing.T) {
	k := newKit(t, testkit.Kafka(t), 4)
	store := newMemory()
	round := func(n int) int {
		_, stop := k.start(store)
		k.publish(reports(10, n)...)
		k.publish(kafka.Message{Value: []byte("bad")})
		has(t, store, 10*n)
		stop()
		k.broker.Close()
		return runtime.NumGoroutine()
	}
	before := round(1)
	for n := range 3 {
		round(n + 2)
	}
	eventually(t, "goroutines end", func() error {
		k.broker.Close()
		if now := runtime.NumGoroutine(); now > before {
			return fmt.Errorf("%d goroutines, %d after the first time", now, before)
		}
		return nil
	})
}
