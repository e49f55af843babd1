package alerts_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
)

// outbox has notifications that are taken once.
type outbox struct {
	mu      sync.Mutex
	waiting []sitemon.Notification
	results map[string]error
	settled chan string
}

func newOutbox(list ...sitemon.Notification) *outbox {
	return &outbox{waiting: list, results: map[string]error{}, settled: make(chan string, len(list))}
}

func (o *outbox) TakeNotifications(_ context.Context, _ time.Time, limit int) ([]sitemon.Notification, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(limit, len(o.waiting))
	taken := o.waiting[:n]
	o.waiting = o.waiting[n:]
	return taken, nil
}

func (o *outbox) NotificationSent(_ context.Context, id string, _ time.Time, err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.results[id] = err
	o.settled <- id
	return nil
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestRun delivers over four channels, one of which hangs: that delays none of the
// others, and is no failure of the channel when the sender is stopped.
func TestRun(t *testing.T) {
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	good, got := serve(t, 200)
	bad, _ := serve(t, 503)
	named := func(id, channel, target string) sitemon.Notification {
		return notification(target, func(n *sitemon.Notification) { n.ID, n.Channel = id, channel })
	}
	o := newOutbox(
		named("1", "hanging", `{"webhook":{"url":"http://`+hanging.Addr().String()+`/"}}`),
		named("2", "bad", `{"webhook":{"url":"`+bad.URL+`/?token=${TOKEN}"}}`),
		named("3", "good", `{"webhook":{"url":"`+good.URL+`"}}`),
		named("4", "good", `{"webhook":{"url":"`+good.URL+`"}}`),
		named("5", "gone", `{"url":"${MISSING}"}`),
	)
	log := &lockedBuffer{}
	s := newSender(t, o, log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range 4 {
		<-o.settled
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for id, want := range map[string]string{"2": "503", "3": "", "4": "", "5": "out of service"} {
		if err := o.results[id]; want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("notification %s: %v, want %q", id, err, want)
		}
	}
	if _, ok := o.results["1"]; ok {
		t.Error("the attempt that was cut off counts")
	}
	if len(got.all()) != 2 || got.all()[0].header.Get("Idempotency-Key") != "3" {
		t.Errorf("the good channel got %+v", got.all())
	}
	if strings.Contains(log.String(), "s3cr3t") || !strings.Contains(log.String(), "notification delivered") {
		t.Errorf("log:\n%s", log.String())
	}
}
