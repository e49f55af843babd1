package writer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"sitemon"
)

const (
	// maxAhead is how far a slot may lie in the future: as far as clocks go wrong.
	maxAhead = 5 * time.Minute
	// maxName is the length of names in characters.
	maxName = 200
)

// ranges are those of the columns that take a report's numbers; none is negative.
const (
	maxInterval   = math.MaxInt32 * time.Millisecond
	maxStatusCode = math.MaxInt16
	maxAttempts   = math.MaxInt16
)

// read makes a report of a message: of version 1, or one of the original system.
// Of the latter it returns the id of the site, whose name and interval are still
// to be found. The error is the reason for which the message can't be used.
func read(r *sitemon.Report, m kafka.Message, zone *time.Location, now time.Time) (seedID int64, err error) {
	switch {
	case len(m.Value) == 0:
		return 0, errors.New("the message is empty")
	case !utf8.Valid(m.Value):
		return 0, errors.New("the message has invalid UTF-8")
	case bytes.Contains(m.Value, []byte(`\u`)) && halfCharacter(m.Value):
		return 0, errors.New("a text has half of a character (an unpaired surrogate)")
	}
	if seed, ok := readSeed(m.Value); ok {
		if err := seed.report(r, zone, m.Time); err != nil {
			return 0, err
		}
		return *seed.SiteID, check(r, now)
	}
	if err := r.UnmarshalJSON(m.Value); err != nil {
		return 0, err
	}
	if bytes.Contains(m.Value, []byte(`\u0000`)) && hasNUL(r) {
		return 0, errors.New("a text has a NUL character")
	}
	r.Slot = r.Slot.Truncate(time.Millisecond)
	return 0, check(r, now)
}

// check returns an error if r, which was read from JSON, does not fit the columns
// that take it.
func check(r *sitemon.Report, now time.Time) error {
	for _, name := range [...]struct{ key, text string }{
		{"site", r.Site}, {"location", r.Location}, {"monitor", r.Monitor}, {"reason", string(r.Reason)}, {"gap", r.Gap},
	} {
		if len(name.text) > maxName && utf8.RuneCountInString(name.text) > maxName {
			return fmt.Errorf("%s has more than %d characters", name.key, maxName)
		}
	}
	switch ahead := r.Slot.Sub(now); {
	case ahead > maxAhead:
		return fmt.Errorf("slot %s lies more than %s ahead of %s", r.Slot.Format(sitemon.SlotFormat), maxAhead, now.UTC().Format(sitemon.SlotFormat))
	case r.Interval > maxInterval:
		return outOfRange("interval_ms", r.Interval.Milliseconds())
	case r.StatusCode < 0 || r.StatusCode > maxStatusCode:
		return outOfRange("status_code", int64(r.StatusCode))
	case r.Attempts < 0 || r.Attempts > maxAttempts:
		return outOfRange("attempts", int64(r.Attempts))
	case r.BodyBytes < 0:
		return outOfRange("body_bytes", r.BodyBytes)
	case r.Generation < 0:
		return outOfRange("generation", r.Generation)
	}
	if !r.StartedAt.IsZero() {
		if late := r.StartedAt.Sub(r.Slot); late == math.MaxInt64 || late == math.MinInt64 {
			return fmt.Errorf("started_at %s is centuries away from the slot", r.StartedAt.Format(time.RFC3339))
		}
	}
	return nil
}

func outOfRange(key string, n int64) error { return fmt.Errorf("%s %d is out of range", key, n) }

// hasNUL reports whether a text of r has a character that databases do not take.
func hasNUL(r *sitemon.Report) bool {
	for _, s := range [...]string{r.Site, r.Location, string(r.Reason), r.Error, r.RemoteAddr, r.Monitor, r.Gap} {
		if strings.IndexByte(s, 0) >= 0 {
			return true
		}
	}
	return false
}

// halfCharacter reports whether JSON has an escaped surrogate without its other
// half, which encoding/json would replace by another character.
func halfCharacter(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return false
		}
		r, ok := escapedUnit(b[i:])
		if !ok {
			b = b[i+2:]
			continue
		}
		b = b[i+6:]
		switch {
		case 0xDC00 <= r && r < 0xE000:
			return true
		case 0xD800 <= r && r < 0xDC00:
			if low, ok := escapedUnit(b); !ok || low < 0xDC00 || low >= 0xE000 {
				return true
			}
			b = b[6:]
		}
	}
}

// escapedUnit reads a \u escape at the start of b.
func escapedUnit(b []byte) (unit int, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			unit = unit<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			unit = unit<<4 | int(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return unit, true
}
