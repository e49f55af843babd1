package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// saidAgain is after how long a complaint that keeps coming is logged once more.
const saidAgain = time.Minute

// ErrorLogger takes what a reader, writer or group of the library complains of,
// for whoever looks at the details (level debug): what fails for good comes back
// as an error too, and is said by those who get it. A complaint that keeps coming
// is logged once a minute, with how often it came.
func (b *Broker) ErrorLogger() kafka.Logger {
	return &complaints{log: b.log, told: map[string]*complaint{}}
}

// complaints logs each kind of complaint once a minute.
type complaints struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[string]*complaint // by format
}

type complaint struct {
	at    time.Time
	times int // since then
}

// Printf implements [kafka.Logger].
func (c *complaints) Printf(format string, args ...any) {
	if !c.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.told[format]
	if last == nil {
		last = &complaint{}
		c.told[format] = last
	}
	last.times++
	if time.Since(last.at) >= saidAgain {
		c.log.Debug("Kafka's client complains", "complaint", fmt.Sprintf(format, args...), "times", last.times)
		last.at, last.times = time.Now(), 0
	}
}
