package writer

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"sitemon"
)

const canonical = `{"version":1,"site":"docs","location":"default","slot":"2024-11-24T10:00:07.250Z","started_at":"2024-11-24T10:00:07.251000Z",` +
	`"interval_ms":30000,"outcome":"down","reason":"status","error":"status 503, expected 200-299, 304","status_code":503,` +
	`"duration_us":18211,"phases_us":{"resolve":301,"connect":240,"tls":1911,"processing":15414,"transfer":345},` +
	`"body_bytes":512,"remote_addr":"192.0.2.7:443","certificate_expires_at":"2027-01-03T00:00:00Z","monitor":"host-1","generation":17}`

// FuzzRead holds every message that is taken to what the store relies on.
func FuzzRead(f *testing.F) {
	f.Add([]byte(canonical))
	f.Add([]byte(`{"site_id":7,"timestamp":"2024-11-24T02:44:21.396132","response_complete":true,"response_time":0.1,"response_code":200,"response_valid":true}`))
	f.Add([]byte(`{"version":1,"site":"\ud834\udd1e\u0000","location":"x","slot":"2024-11-24T10:00:07.25012+01:00","outcome":"up"}`))
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, in []byte) {
		var r sitemon.Report
		id, err := read(&r, kafka.Message{Value: in}, time.UTC, now)
		if err != nil {
			return
		}
		if (r.Site == "") != (id > 0) || id < 0 || r.Location == "" || !r.Outcome.Valid() {
			t.Errorf("%q: site %q, id %d, location %q, outcome %q", in, r.Site, id, r.Location, r.Outcome)
		}
		for _, s := range []string{r.Site, r.Location, string(r.Reason), r.Error, r.RemoteAddr, r.Monitor, r.Gap} {
			if !utf8.ValidString(s) || strings.Contains(s, "\x00") || strings.Contains(s, "\ufffd") && !strings.Contains(strings.ToLower(string(in)), "fffd") && !strings.Contains(string(in), "\ufffd") {
				t.Errorf("%q was read as %q", in, s)
			}
		}
		if !r.Slot.Equal(r.Slot.Truncate(time.Millisecond)) || r.Slot.After(now.Add(maxAhead)) || r.Interval > maxInterval || r.Duration < 0 {
			t.Errorf("%q: slot %s, interval %s, duration %s", in, r.Slot, r.Interval, r.Duration)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%q can't be written again: %v", in, err)
		}
	})
}

func FuzzDone(f *testing.F) {
	f.Add([]byte{1, 2, 3, 9, 5, 7, 6})
	f.Fuzz(func(t *testing.T, in []byte) {
		d, want := done{next: 3}, map[int64]bool{0: true, 1: true, 2: true}
		for _, b := range in {
			d.add(int64(b))
			want[int64(b)] = true
		}
		again := readDone(d.write())
		for o := range int64(257) {
			if d.has(o) != want[o] || again.has(o) != want[o] {
				t.Fatalf("%v: offset %d: %t, read again %t, want %t; %+v", in, o, d.has(o), again.has(o), want[o], d)
			}
		}
	})
}

func TestReadDoneOfRubbish(t *testing.T) {
	d := readDone(4, "x,7-,9-8,-3,,10-11,99999999999999999999-1")
	if !d.has(3) || d.has(4) || d.has(7) || !d.has(11) || d.has(12) {
		t.Errorf("got %+v", d)
	}
}

func TestCut(t *testing.T) {
	if got := cut("aää", 4); got != "aä…" {
		t.Errorf("got %q", got)
	}
	if got := cut("aä", 3); got != "aä" {
		t.Errorf("got %q", got)
	}
}

// BenchmarkAdd reads messages into batches: what the writer does besides Kafka
// and the store.
func BenchmarkAdd(b *testing.B) {
	m := kafka.Message{Value: []byte(canonical), Time: time.Now()}
	batch, now := newBatch(), time.Now()
	b.ReportAllocs()
	for i := range b.N {
		if m.Offset = int64(i); batch.full() {
			batch.reset()
		}
		batch.add(m, time.UTC, now)
	}
	if len(batch.letters) > 0 {
		b.Fatal(batch.letters[0].why)
	}
}
