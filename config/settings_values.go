package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errFilled = errors.New("must not be empty")

func textValue(at *string) value {
	return value{
		set:  func(text string) error { *at = text; return nil },
		show: func() string { return *at },
	}
}

func filled(text string) error {
	if text == "" {
		return errFilled
	}
	return nil
}

// discard is the value of a setting that is checked and then refused.
func discard(check func(text string) error) func(*Settings) value {
	return func(*Settings) value { return value{set: check, show: func() string { return "" }} }
}

func filledValue[S ~string](at *S) value {
	return value{
		set:  func(text string) error { *at = S(text); return filled(text) },
		show: func() string { return string(*at) },
	}
}

func rolesValue(at *Roles) value {
	set := func(text string) error {
		var roles Roles
		for name := range strings.SplitSeq(text, ",") {
			r := Role(strings.TrimSpace(name))
			if !slices.Contains([]Role{RoleAll, RoleMonitor, RoleWriter, RoleWeb}, r) {
				return errors.New("must be all, or monitor, writer and web joined by commas")
			}
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
		if slices.Contains(roles, RoleAll) {
			roles = Roles{RoleAll}
		}
		*at = roles
		return nil
	}
	return value{set: set, show: func() string { return at.String() }}
}

func sitesValue(at *string) value {
	return value{
		set: func(text string) error {
			*at = text
			if text == "" {
				return errors.New("takes the sites from Postgres alone, which is not built yet; name a sites file or a folder of them")
			}
			return nil
		},
		show: func() string { return *at },
	}
}

func addressValue(at *string) value {
	return value{
		set: func(text string) error {
			*at = text
			_, port, err := net.SplitHostPort(text)
			if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
				return errors.New("must be host:port, for example 127.0.0.1:8080")
			}
			return nil
		},
		show: func() string { return *at },
	}
}

func nameValue(at *string) value {
	return value{
		set: func(text string) error {
			*at = text
			if n := len([]rune(text)); n < 1 || n > 200 || !printable(text) {
				return errors.New("must be 1 to 200 printable characters")
			}
			return nil
		},
		show: func() string { return *at },
	}
}

func boolValue(at *bool) value {
	return value{
		set: func(text string) error {
			switch strings.ToLower(text) {
			case "true", "yes", "on", "1":
				*at = true
			case "false", "no", "off", "0":
				*at = false
			default:
				return errors.New("must be true or false")
			}
			return nil
		},
		show: func() string { return strconv.FormatBool(*at) },
	}
}

func levelValue(at *slog.Level) value {
	return value{
		set: func(text string) error {
			switch strings.ToLower(text) {
			case "debug", "info", "warn", "error":
				return at.UnmarshalText([]byte(text))
			}
			return errors.New("must be debug, info, warn or error")
		},
		show: func() string { return strings.ToLower(at.String()) },
	}
}

// choiceValue takes one of the words, in any letter case.
func choiceValue[S ~string](at *S, words ...S) value {
	return value{
		set: func(text string) error {
			i := slices.IndexFunc(words, func(w S) bool { return strings.EqualFold(string(w), text) })
			if i < 0 {
				return fmt.Errorf("must be one of %v", joined(words))
			}
			*at = words[i]
			return nil
		},
		show: func() string { return string(*at) },
	}
}

func joined[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

func countValueOf(at *int) value {
	const most = 1_000_000
	return value{
		set: func(text string) (err error) {
			if *at, err = strconv.Atoi(text); err != nil || *at < 1 || *at > most {
				return fmt.Errorf("must be a whole number from 1 to %d", most)
			}
			return nil
		},
		show: func() string { return strconv.Itoa(*at) },
	}
}

// intervalValue takes seconds too, as the seed system did.
func intervalValue(at *time.Duration) value {
	return value{
		set: func(text string) error {
			if isNumber(text) {
				text += "s"
			}
			d, err := ParseDuration(text)
			if err != nil || d < time.Second || d > 24*time.Hour {
				return errors.New("must be seconds or a duration with a unit, from 1s to 24h in whole milliseconds, for example 60 or 1m30s")
			}
			*at = d
			return nil
		},
		show: func() string { return FormatDuration(*at) },
	}
}

func retentionValue(at *time.Duration) value {
	return value{
		set: func(text string) error {
			if err := retentionText(text); err != nil {
				return err
			}
			d, err := ParseDuration(text)
			*at = d
			return err
		},
		show: func() string { return FormatDuration(*at) },
	}
}

func retentionText(text string) error {
	if d, err := ParseDuration(text); err != nil || d < time.Hour {
		return errors.New("must be a duration with a unit, at least 1h, for example 30d")
	}
	return nil
}

func sizeText(text string) error {
	if ok, err := regexp.MatchString(`^[0-9]+(\.[0-9]+)? ?[KMGT]?i?B$`, text); !ok || err != nil {
		return errors.New("must be a size with a unit, for example 50GB")
	}
	return nil
}

// listValue is a list whose items are read one by one.
func listValue[T any](at *[]T, parse func(text string) (T, error), show func(T) string) value {
	return value{
		clear: func() { *at = nil },
		set: func(text string) error {
			item, err := parse(text)
			if err == nil {
				*at = append(*at, item)
			}
			return err
		},
		show: func() string {
			items := make([]string, len(*at))
			for i, item := range *at {
				items[i] = show(item)
			}
			return strings.Join(items, ", ")
		},
	}
}

func same(s string) string { return s }

func hostsValue(at *[]string) value {
	return listValue(at, func(text string) (string, error) {
		bare := strings.Trim(text, "[]")
		_, err := netip.ParseAddr(bare)
		if bare == "" || err != nil && strings.ContainsAny(bare, ":/@ \t") {
			return "", errors.New("must be a host name or an address, without scheme and port")
		}
		return strings.ToLower(bare), nil
	}, same)
}

func canariesValue(at *[]string) value {
	return listValue(at, func(text string) (string, error) {
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
	}, same)
}

func prefixesValue(at *[]netip.Prefix) value {
	return listValue(at, parsePrefix, netip.Prefix.String)
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
