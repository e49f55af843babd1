package sinks_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sitemon/sinks"
)

// holder is a Deliverer that fails once and goes on reading what it was given
// then, like a client that has the messages still in a queue.
type holder struct {
	held   []sinks.Message
	copies [][]byte
	calls  int
}

func (h *holder) Deliver(_ context.Context, messages []sinks.Message) error {
	if h.calls++; h.calls > 1 {
		return nil
	}
	for _, m := range messages {
		h.held = append(h.held, m)
		h.copies = append(h.copies, bytes.Clone(m.Value))
	}
	return errAway
}

func TestSpooledLeavesTheMemoryOfAFailedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &holder{}
		s := start(t, settings{to: to})
		for i := range 20 {
			s.write("a", 100*i, 100*i+100)
			time.Sleep(time.Second)
		}
		s.stop(t)
		if to.calls != 21 || len(to.held) != 100 {
			t.Fatalf("%d calls, %d messages in the first", to.calls, len(to.held))
		}
		for i, m := range to.held {
			if !bytes.Equal(m.Value, to.copies[i]) {
				t.Fatalf("message %d became %s", i, m.Value)
			}
		}
	})
}
