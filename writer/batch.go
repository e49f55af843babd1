package writer

import (
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
)

const (
	// maxBatch and maxBatchBytes bound one transaction and, as a few batches are
	// in hand at a time, the memory.
	maxBatch      = 5000
	maxBatchBytes = 8 << 20
	// gather is how long the first message of a batch waits for others.
	gather = 100 * time.Millisecond
)

// batch is what is recorded in one transaction.
type batch struct {
	reports  []sitemon.Report
	messages []kafka.Message // each report's
	seeds    []pending       // reports whose site is known by its old id alone
	letters  []letter        // messages that can't be used
	marks    map[int]mark    // how far each partition is read with this batch
	bytes    int
}

// pending is a report that waits for the name of its site.
type pending struct {
	index int   // in reports
	id    int64 // of the site
}

// mark is how far a partition is read.
type mark struct {
	next int64     // the next offset
	at   time.Time // when the newest message was written
}

func newBatch() *batch {
	return &batch{
		reports: make([]sitemon.Report, 0, maxBatch), messages: make([]kafka.Message, 0, maxBatch),
		marks: map[int]mark{},
	}
}

func (b *batch) reset() {
	clear(b.reports)
	clear(b.messages)
	clear(b.letters)
	clear(b.marks)
	b.reports, b.messages, b.seeds, b.letters, b.bytes = b.reports[:0], b.messages[:0], b.seeds[:0], b.letters[:0], 0
}

func (b *batch) len() int   { return len(b.reports) + len(b.letters) }
func (b *batch) full() bool { return b.len() >= maxBatch || b.bytes >= maxBatchBytes }

// add reads a message into the batch.
func (b *batch) add(m kafka.Message, zone *time.Location, now time.Time) {
	b.bytes += len(m.Key) + len(m.Value)
	last := b.marks[m.Partition]
	last.next = m.Offset + 1
	if m.Time.After(last.at) {
		last.at = m.Time
	}
	b.marks[m.Partition] = last

	i := len(b.reports)
	b.reports = append(b.reports, sitemon.Report{})
	id, err := read(&b.reports[i], m, zone, now)
	switch {
	case err != nil:
		b.reports = b.reports[:i]
		b.letters = append(b.letters, letter{m, err.Error()})
		return
	case id != 0:
		b.seeds = append(b.seeds, pending{i, id})
	}
	b.messages = append(b.messages, m)
}

// name gives the reports of the original system the names of their sites; find
// returns them. A report of a site that nobody knows becomes a dead letter.
func (b *batch) name(find func(id int64) (seedSite, error)) error {
	if len(b.seeds) == 0 {
		return nil
	}
	unknown := map[int]string{}
	for _, p := range b.seeds {
		site, err := find(p.id)
		if err != nil {
			return err
		}
		if site.name == "" {
			unknown[p.index] = site.unknown
			continue
		}
		b.reports[p.index].Site, b.reports[p.index].Interval = site.name, site.interval
	}
	b.seeds = b.seeds[:0]
	if len(unknown) == 0 {
		return nil
	}
	kept := 0
	for i := range b.reports {
		if why, ok := unknown[i]; ok {
			b.letters = append(b.letters, letter{b.messages[i], why})
			continue
		}
		b.reports[kept], b.messages[kept] = b.reports[i], b.messages[i]
		kept++
	}
	b.reports, b.messages = b.reports[:kept], b.messages[:kept]
	return nil
}
