package web

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	defaultLimit       = 1000
	defaultReportLimit = 100
	maxLimit           = 10000
)

// checkParams refuses a query that can't be read, and parameters that the route
// does not have or has only once.
func checkParams(rawQuery string, known []string) error {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return problemf(http.StatusBadRequest, "the query can't be read: %v", err)
	}
	for name, vs := range values {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return badParameter(name, "is not a parameter of this route, which has none")
		case !slices.Contains(known, name):
			return badParameter(name, "is not a parameter of this route, which has: %s", strings.Join(known, ", "))
		case len(vs) > 1:
			return badParameter(name, "is given %d times", len(vs))
		case !utf8.ValidString(vs[0]) || strings.ContainsRune(vs[0], 0):
			return badParameter(name, "is not a text in UTF-8")
		}
	}
	return nil
}

// params reads the query parameters of one request, whose names [checkParams]
// has checked, and keeps the first error.
type params struct {
	values url.Values
	now    time.Time
	err    error
}

func (s *Server) params(r *http.Request) *params {
	return &params{values: r.URL.Query(), now: s.Now()}
}

func (p *params) fail(name, format string, args ...any) {
	if p.err == nil {
		p.err = badParameter(name, format, args...)
	}
}

// text returns the parameter, "" where it is absent.
func (p *params) text(name string) string { return p.values.Get(name) }

// limit reads the length of a page.
func (p *params) limit(standard int) int {
	v := p.values.Get("limit")
	if v == "" {
		return standard
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxLimit {
		p.fail("limit", "%q is not a number from 1 to %d", v, maxLimit)
		return standard
	}
	return n
}

// flag reads true or false.
func (p *params) flag(name string) bool {
	switch v := p.values.Get(name); v {
	case "", "false":
		return false
	case "true":
		return true
	default:
		p.fail(name, "%q is neither true nor false", v)
		return false
	}
}

// instant reads a moment: RFC 3339, or a time before now such as -24h. Absent,
// it is the zero time.
func (p *params) instant(name string) time.Time {
	v := p.values.Get(name)
	if v == "" {
		return time.Time{}
	}
	if v == "now" {
		return p.now
	}
	if ago, ok := strings.CutPrefix(v, "-"); ok {
		d, err := parseDuration(ago)
		if err != nil {
			p.fail(name, "%q: %v", v, err)
		}
		return p.now.Add(-d)
	}
	// A + that was not encoded has become a space.
	t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(v, " ", "+"))
	if err != nil {
		p.fail(name, "%q is neither a time such as 2026-11-24T10:00:00Z nor one before now such as -24h", v)
		return time.Time{}
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		p.fail(name, "%q is not between the years 1970 and 9999", v)
		return time.Time{}
	}
	return t.UTC()
}

// duration reads a duration; absent, it is 0.
func (p *params) duration(name string) time.Duration {
	v := p.values.Get(name)
	if v == "" {
		return 0
	}
	d, err := parseDuration(v)
	if err != nil {
		p.fail(name, "%q: %v", v, err)
	}
	return d
}

// zone reads the name of a time zone; absent, it is nil.
func (p *params) zone(name string) *time.Location {
	v := p.values.Get(name)
	if v == "" {
		return nil
	}
	z, err := time.LoadLocation(v)
	if err != nil || v == "Local" {
		p.fail(name, "%q is not a time zone such as Europe/Berlin", v)
		return nil
	}
	return z
}

// oneOf reads a word out of a list; absent, it is "".
func oneOf[T ~string](p *params, name string, words []T) T {
	v := T(p.values.Get(name))
	if v != "" && !slices.Contains(words, v) {
		p.fail(name, "%q is none of %s", v, join(words))
		return ""
	}
	return v
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// cursor reads a cursor that [newCursor] made.
func (p *params) cursor() string {
	v := p.values.Get("cursor")
	b, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil || !utf8.Valid(b) {
		p.fail("cursor", "%q is not one that an answer gave as next", v)
		return ""
	}
	return string(b)
}

// newCursor makes a cursor of the last name on a page.
func newCursor(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

// maxDuration bounds the durations of requests: a hundred years.
const maxDuration = 100 * 365 * 24 * time.Hour

// parseDuration reads what sites.yaml calls a duration: numbers with the units
// ms, s, m, h, d and w, as in 90m, 1h30m or 7d.
func parseDuration(text string) (time.Duration, error) {
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	invalid := fmt.Errorf("not a duration with a unit such as 30s, 1h30m or 7d")
	var sum float64
	rest := text
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if digits < 1 {
			return 0, invalid
		}
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, invalid
		}
		rest = rest[digits:]
		letters := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if letters < 0 {
			letters = len(rest)
		}
		unit, ok := units[rest[:letters]]
		if !ok {
			return 0, invalid
		}
		sum += n * float64(unit)
		rest = rest[letters:]
	}
	if text == "" {
		return 0, invalid
	}
	if sum > float64(maxDuration) {
		return 0, fmt.Errorf("longer than a hundred years")
	}
	return time.Duration(sum), nil
}
