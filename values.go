package sitemon

import (
	"encoding/json"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxValues is how many values a report may have.
	MaxValues = 16
	// MaxValueName is how many characters the name of a value may have.
	MaxValueName = 40
	// maxRawValues is how long the JSON of values may be, spaced out, to be looked at.
	maxRawValues = 8 << 10
)

// Values are the numbers that a probe read off an answer: a JSON object of finite
// numbers by name, at most [MaxValues], their names sorted; "" for none.
type Values string

// NewValues makes values of numbers. What is no value is left out: names that
// [ValidValueName] refuses, numbers that are not finite, and beyond [MaxValues] the
// names that come last.
func NewValues(numbers map[string]float64) Values {
	if len(numbers) == 0 {
		return ""
	}
	b := []byte{'{'}
	count := 0
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		n := numbers[name]
		if !ValidValueName(name) || math.IsNaN(n) || math.IsInf(n, 0) || count == MaxValues {
			continue
		}
		if count++; count > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), `":`...)
		b = append(b, numberText(n)...)
	}
	if count == 0 {
		return ""
	}
	return Values(append(b, '}'))
}

// numberText is a finite number as encoding/json writes it; there is no negative 0.
func numberText(n float64) []byte {
	b, err := json.Marshal(n + 0)
	if err != nil {
		return []byte("0") // never: it is finite
	}
	return b
}

// ValidValueName reports whether a text can be the name of a value: a letter or _,
// then letters, digits and _, in ASCII.
func ValidValueName(s string) bool {
	if s == "" || len(s) > MaxValueName {
		return false
	}
	for i, r := range []byte(s) {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return true
}

// All returns the values in the order of their names.
func (v Values) All() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		c := cursor{rest: string(v)}
		for more := c.skip("{"); more; more = c.skip(",") {
			name, n, ok := c.value()
			if !ok || !yield(name, n) {
				return
			}
		}
	}
}

// Get returns the value of a name.
func (v Values) Get(name string) (n float64, ok bool) {
	for key, n := range v.All() {
		if key == name {
			return n, true
		}
	}
	return 0, false
}

// ReadValues returns values written as a JSON object in their one form, "" for what
// is none, or has too many or bad names, or anything but finite numbers.
func ReadValues(raw string) Values {
	if raw == "" {
		return ""
	}
	if c := (cursor{rest: raw}); c.values() && c.rest == "" {
		return Values(strings.Clone(raw))
	}
	var numbers map[string]*float64
	if len(raw) > maxRawValues || json.Unmarshal([]byte(raw), &numbers) != nil || len(numbers) > MaxValues {
		return ""
	}
	clean := make(map[string]float64, len(numbers))
	for name, n := range numbers {
		if n == nil || !ValidValueName(name) {
			return ""
		}
		clean[name] = *n
	}
	return NewValues(clean)
}

// values passes over an object of values in its one form.
func (c *cursor) values() bool {
	last, count := "", 0
	for more := c.skip("{"); more; more = c.skip(",") {
		before := c.rest
		name, n, ok := c.value()
		if count++; !ok || name <= last || !ValidValueName(name) || count > MaxValues {
			return false
		}
		written := before[:len(before)-len(c.rest)]
		if _, text, _ := strings.Cut(written, ":"); text != string(numberText(n)) {
			return false
		}
		last = name
	}
	return count > 0 && c.skip("}")
}

// value reads a name and its number.
func (c *cursor) value() (name string, n float64, ok bool) {
	name, escaped, ok := c.quoted()
	if !ok || escaped || !c.skip(":") {
		return "", 0, false
	}
	end := strings.IndexAny(c.rest, ",}")
	if end < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseFloat(c.rest[:end], 64)
	c.rest = c.rest[end:]
	return name, n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// readValues reads the values of a message.
func (c *cursor) readValues(to *Values) bool {
	before := c.rest
	if !c.values() {
		return false
	}
	*to = Values(strings.Clone(before[:len(before)-len(c.rest)]))
	return true
}
