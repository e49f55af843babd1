package probes_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// sleepy is a context whose deadline has come before anybody is told, as on a busy
// machine.
type sleepy struct {
	context.Context
	at time.Time
}

func (s sleepy) Deadline() (time.Time, bool) { return s.at, true }

// A probe that has next to no time left says that time was short, at whatever point
// of the exchange it ends: nothing else is known of the site.
func TestNoTimeLeft(t *testing.T) {
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for _, tt := range []struct {
		name, url string
		options   []option
	}{
		{"http/1.1", "http://" + silent, nil},
		{"http/2", "http://" + silent, []option{func(s *sitemon.Site) { s.Request.EnableH2C = true }}},
		{"https", "https://" + silent, nil},
		{"grpc", "grpc://" + silent, nil},
		{"ws", "ws://" + silent, nil},
		{"tls", "tls://" + silent, nil},
		{"a dialogue", "tcp://" + silent, []option{says(step("^220", ""))}},
		{"redis", "redis://" + silent, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, site := newSet(t, probes.Options{}), newSite(t, tt.url, tt.options...)
			var crowd sync.WaitGroup
			for i := range 50 { // more than can be served at once
				crowd.Go(func() {
					for left := time.Duration(i) * 100 * time.Microsecond; left < 10*time.Millisecond; left += time.Millisecond {
						r := set.Probe(sleepy{t.Context(), time.Now().Add(left)}, site)
						if r.Outcome != sitemon.OutcomeDown || !strings.HasSuffix(string(r.Reason), "_timeout") && r.Reason != sitemon.ReasonSendError {
							t.Errorf("with %s left: %s %s %s", left, r.Outcome, r.Reason, r.Error)
						}
					}
				})
			}
			crowd.Wait()
		})
	}
}
