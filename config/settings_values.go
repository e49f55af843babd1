package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is a setting that can be read from text and shown as text.
type value struct {
	// set reads the text. The error says what the text must be, without the text.
	set func(text string) error
	// show returns the value as set reads it.
	show func() string
	// clear empties a list, to which set then adds. nil: the value is no list.
	clear func()
}

// parsed is the value of a setting that parse reads. It stays as it is after a
// fault.
func parsed[T any](at *T, parse func(text string) (T, error), show func(T) string) value {
	return value{
		set: func(text string) error {
			v, err := parse(text)
			if err == nil {
				*at = v
			}
			return err
		},
		show: func() string { return show(*at) },
	}
}

// checked is the value of a setting that is the text itself.
func checked[S ~string](at *S, check func(text string) error) value {
	return parsed(at, func(text string) (S, error) { return S(text), check(text) }, asText)
}

// listed is the value of a setting that is a list, whose items are read one by
// one.
func listed[T any](at *[]T, parse func(text string) (T, error), show func(T) string) value {
	return value{
		clear: func() { *at = nil },
		set: func(text string) error {
			item, err := parse(text)
			if err == nil {
				*at = append(*at, item)
			}
			return err
		},
		show: func() string { return joined(*at, show) },
	}
}

func joined[T any](items []T, show func(T) string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = show(item)
	}
	return strings.Join(texts, ", ")
}

func asText[S ~string](s S) string { return string(s) }

func anyText(string) error { return nil }

func filled(text string) error {
	if text == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func hostPort(text string) error {
	_, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return errors.New("must be host:port, for example 127.0.0.1:8080")
	}
	return nil
}

func shortName(text string) error {
	if n := len([]rune(text)); n < 1 || n > maxName || !printable(text) {
		return fmt.Errorf("must be 1 to %d printable characters", maxName)
	}
	return nil
}

// byteSize is a number with a unit: powers of 1000, or of 1024 with an i.
var byteSize = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT]?)(i?)B$`)

func parseSize(text string) (int64, error) {
	const least = 1 << 20
	m := byteSize.FindStringSubmatch(text)
	if m == nil {
		return 0, errors.New("must be a size with a unit, for example 50GB")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, errors.New("must be a size with a unit, for example 50GB")
	}
	base := 1000.0
	if m[3] != "" {
		base = 1024
	}
	n *= math.Pow(base, float64(strings.Index(" KMGT", cmp.Or(m[2], " "))))
	if n < least || n > 1<<60 {
		return 0, errors.New("must be at least 1MiB")
	}
	return int64(n), nil
}

// formatSize writes a size in the largest unit in which it is a whole number.
func formatSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3},
	} {
		if n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

func parseZone(text string) (*time.Location, error) {
	zone, err := time.LoadLocation(text)
	if err != nil {
		return nil, errors.New("must be the name of a time zone, for example Europe/Berlin")
	}
	return zone, nil
}

func parseRoles(text string) (Roles, error) {
	var roles Roles
	for name := range strings.SplitSeq(text, ",") {
		r := Role(strings.TrimSpace(name))
		if !slices.Contains([]Role{RoleAll, RoleMonitor, RoleWriter, RoleWeb}, r) {
			return nil, errors.New("must be all, or monitor, writer and web joined by commas")
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	if slices.Contains(roles, RoleAll) {
		return Roles{RoleAll}, nil
	}
	return roles, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

func parseLevel(text string) (l slog.Level, err error) {
	switch strings.ToLower(text) {
	case "debug", "info", "warn", "error":
		return l, l.UnmarshalText([]byte(text))
	}
	return l, errors.New("must be debug, info, warn or error")
}

func showLevel(l slog.Level) string { return strings.ToLower(l.String()) }

// oneOf reads one of the words, in any letter case.
func oneOf[S ~string](words ...S) func(text string) (S, error) {
	return func(text string) (S, error) {
		i := slices.IndexFunc(words, func(w S) bool { return strings.EqualFold(string(w), text) })
		if i < 0 {
			return "", errors.New("must be one of " + joined(words, asText))
		}
		return words[i], nil
	}
}

func parseCount(text string) (int, error) {
	const most = 1_000_000
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("must be a whole number from 1 to %d", most)
	}
	return n, nil
}

// parseScanInterval takes seconds too, as the seed system did.
func parseScanInterval(text string) (time.Duration, error) {
	if isNumber(text) {
		text += "s"
	}
	d, err := ParseDuration(text)
	if err != nil || d < minInterval || d > maxInterval {
		return 0, errors.New("must be seconds or a duration with a unit, from 1s to 24h in whole milliseconds, for example 60 or 1m30s")
	}
	return d, nil
}

func parseRetention(text string) (time.Duration, error) {
	d, err := ParseDuration(text)
	if err != nil || d < time.Hour {
		return 0, errors.New("must be a duration with a unit, at least 1h, for example 30d")
	}
	return d, nil
}

func parseHost(text string) (string, error) {
	bare := strings.Trim(text, "[]")
	_, err := netip.ParseAddr(bare)
	if bare == "" || err != nil && strings.ContainsAny(bare, ":/@ \t") {
		return "", errors.New("must be a host name or an address, without scheme and port")
	}
	return strings.ToLower(bare), nil
}

func parseCanary(text string) (string, error) {
	u, err := url.Parse(text)
	if err == nil && u.Hostname() != "" {
		switch u.Scheme {
		case "http", "https":
			return text, nil
		case "tcp", "tls":
			if u.Port() != "" {
				return text, nil
			}
		}
	}
	return "", errors.New("must be a URL: http://, https://, tcp://host:port or tls://host:port")
}

// parsePrefix reads a network, or an address as the network of it alone. An IPv4
// network in IPv6 form is that IPv4 network.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errors.New("must be an address or a network, for example 169.254.0.0/16")
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("has bits set behind its prefix, write %v", p.Masked())
	}
	return p, nil
}
