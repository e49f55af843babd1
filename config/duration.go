package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

// durationUnits are the units of a duration, longest first.
var durationUnits = []struct {
	name string
	size time.Duration
}{
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// errNoUnit is wrapped by the error about a bare number.
var errNoUnit = errors.New("has no unit")

// ParseDuration reads a duration as people write it: numbers with units, as in
// "30s", "1h30m", "1.5s" or "14d". The units are ms, s, m, h and d (24 hours), the
// longest first; the result is a whole number of milliseconds and never
// negative. A number without a unit is an error, because its unit would be a
// guess. Errors wrap [sitemon.ErrInvalid].
func ParseDuration(text string) (time.Duration, error) {
	total, err := sumDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%w: duration %q %w", sitemon.ErrInvalid, text, err)
	}
	return total, nil
}

func sumDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, errors.New("is empty, write for example 30s")
	}
	if strings.HasPrefix(text, "-") {
		return 0, errors.New("is negative")
	}
	if isNumber(text) {
		return 0, fmt.Errorf("%w: write %ss for seconds (units: ms, s, m, h, d)", errNoUnit, text)
	}
	var total time.Duration
	next := 0 // the first unit that may still come
	for rest := text; rest != ""; {
		number, unit, after := splitDuration(rest)
		i := unitIndex(unit)
		switch {
		case number == "" || i < 0:
			return 0, errors.New("is no duration, write for example 30s, 1h30m or 14d (units: ms, s, m, h, d)")
		case i < next:
			return 0, errors.New("has its units in the wrong order, write the longest first and each once, as in 1h30m")
		}
		part, err := scale(number, durationUnits[i].size)
		if err != nil {
			return 0, err
		}
		if total += part; total > maxDuration {
			return 0, errors.New("is too long")
		}
		rest, next = after, i+1
	}
	return total, nil
}

// maxDuration bounds every duration; it is far above what any key allows.
const maxDuration = 100 * 365 * 24 * time.Hour

// scale multiplies a decimal number with a unit, exactly.
func scale(number string, unit time.Duration) (time.Duration, error) {
	whole, fraction, _ := strings.Cut(number, ".")
	n, err := strconv.ParseInt("0"+whole, 10, 64)
	if err != nil || n > int64(maxDuration/unit) {
		return 0, errors.New("is too long")
	}
	d := time.Duration(n) * unit
	ms := int64(unit / time.Millisecond) // at most 86,400,000: the products below fit
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 9 {
		return 0, errors.New("is no whole number of milliseconds")
	}
	if fraction == "" {
		return d, nil
	}
	f, err := strconv.ParseInt(fraction, 10, 64)
	pow := int64(1)
	for range len(fraction) {
		pow *= 10
	}
	if err != nil || f*ms%pow != 0 {
		return 0, errors.New("is no whole number of milliseconds")
	}
	return d + time.Duration(f*ms/pow)*time.Millisecond, nil
}

// splitDuration cuts the first number and unit off a duration.
func splitDuration(s string) (number, unit, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 || !isNumber(s[:i]) {
		return "", "", s
	}
	number, s = s[:i], s[i:]
	if j := strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }); j >= 0 {
		return number, s[:j], s[j:]
	}
	return number, s, ""
}

func unitIndex(name string) int {
	for i, u := range durationUnits {
		if u.name == name {
			return i
		}
	}
	return -1
}

// isNumber reports whether s is a plain decimal number: digits with at most one
// point between them.
func isNumber(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return allDigits(whole) && (!point || allDigits(fraction))
}

func allDigits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// FormatDuration writes a duration in a short form that [ParseDuration] reads:
// "1m30s", "1.5s", "250ms", "14d". Parts of a millisecond are left out.
func FormatDuration(d time.Duration) string { return string(appendDuration(nil, d)) }

func appendDuration(b []byte, d time.Duration) []byte {
	start := len(b)
	for _, u := range durationUnits {
		n := d / u.size
		if n == 0 {
			continue
		}
		b = strconv.AppendInt(b, int64(n), 10)
		d -= n * u.size
		if ms := d / time.Millisecond; u.size == time.Second && ms > 0 {
			b = append(b, strings.TrimRight(fmt.Sprintf(".%03d", ms), "0")...)
			d = 0
		}
		b = append(b, u.name...)
	}
	if len(b) == start {
		b = append(b, "0s"...)
	}
	return b
}
