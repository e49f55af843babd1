package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// mapping is a part of a configuration from which is taken what is understood: what
// is left in it at last is lost.
type mapping map[string]any

// parse reads YAML or JSON whose top is a mapping. Several documents become one:
// lists are put together, and mappings key by key.
func parse(content []byte) (mapping, error) {
	all := mapping{}
	docs := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))
	for {
		var doc yaml.Node
		if err := docs.Decode(&doc); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		v, err := loosely(&doc)
		if err != nil {
			return nil, err
		}
		one := asMapping(v)
		if one == nil && v != nil {
			return nil, errors.New("its top is no mapping")
		}
		all = joined(all, one)
	}
}

// joined puts two mappings together, the second in front of the first.
func joined(a, b mapping) mapping {
	for key, v := range b {
		old := a[key]
		list, isList := old.([]any)
		more, both := v.([]any)
		switch {
		case isList && both:
			a[key] = append(list, more...)
		case asMapping(old) != nil && asMapping(v) != nil:
			a[key] = map[string]any(joined(asMapping(old), asMapping(v)))
		default:
			a[key] = v
		}
	}
	return a
}

// loosely reads a document as [yaml.Unmarshal] reads it into an any, but keeps what
// would not be written again as it stands: versions such as 1.10, and dates.
func loosely(doc *yaml.Node) (any, error) {
	var probe any // refuses what leads back to itself, or grows without bound
	if err := doc.Decode(&probe); err != nil {
		return nil, err
	}
	var v loose
	if err := doc.Decode(&v); err != nil {
		return nil, err
	}
	return v.value, nil
}

// loose is a value that keeps its text where a number or a date would not.
type loose struct{ value any }

// UnmarshalYAML reads a value.
func (l *loose) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		var m map[string]loose
		if err := n.Decode(&m); err != nil {
			return err
		}
		plain := make(map[string]any, len(m))
		for key, v := range m {
			plain[key] = v.value
		}
		l.value = plain
	case yaml.SequenceNode:
		var list []loose
		if err := n.Decode(&list); err != nil {
			return err
		}
		plain := make([]any, len(list))
		for i, v := range list {
			plain[i] = v.value
		}
		l.value = plain
	default:
		if err := n.Decode(&l.value); err != nil {
			return err
		}
		switch l.value.(type) {
		case string, bool, nil:
		default:
			if fmt.Sprint(l.value) != n.Value {
				l.value = n.Value
			}
		}
	}
	return nil
}

// take takes a value out.
func (m mapping) take(key string) any {
	v := m[key]
	delete(m, key)
	return v
}

// text takes a text out, also one that was written as a number or a truth value.
func (m mapping) text(key string) string {
	switch v := m.take(key).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// textOf is a text that stays there.
func (m mapping) textOf(key string) string {
	if m[key] == nil {
		return ""
	}
	return fmt.Sprint(m[key])
}

// flag takes a truth value out; missing is what it is where it is not there. What is
// none stays, to be lost.
func (m mapping) flag(key string, missing bool) bool {
	value := missing
	switch v := m[key].(type) {
	case bool:
		value = v
	case int:
		value = v != 0
	case string:
		b, err := strconv.ParseBool(v)
		if err != nil {
			return missing
		}
		value = b
	case nil:
	default:
		return missing
	}
	delete(m, key)
	return value
}

// number takes a number out; ok is false where there is none.
func (m mapping) number(key string) (n float64, ok bool) {
	switch v := m[key].(type) {
	case int:
		n, ok = float64(v), true
	case float64:
		n, ok = v, true
	case string:
		var err error
		n, err = strconv.ParseFloat(strings.TrimSpace(v), 64)
		ok = err == nil
	}
	if ok {
		delete(m, key)
	}
	return n, ok
}

// sub takes a mapping out; an empty one where there is none.
func (m mapping) sub(key string) mapping {
	inner := asMapping(m[key])
	if inner == nil {
		return mapping{}
	}
	delete(m, key)
	return inner
}

// list takes a list out, or a single value as one.
func (m mapping) list(key string) []any {
	switch v := m.take(key).(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// texts takes a list of texts out.
func (m mapping) texts(key string) (all []string) {
	for _, v := range m.list(key) {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// asMapping is an entry of a list as a mapping; nil if it is none.
func asMapping(v any) mapping {
	switch v := v.(type) {
	case mapping:
		return v
	case map[string]any:
		return v
	}
	return nil
}

// empty reports whether a value says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case int:
		return v == 0
	case []any:
		return len(v) == 0
	case mapping:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// span is a duration as a sites file writes it; "" for none.
func span(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// seconds is a number of seconds as a sites file writes it.
func seconds(n float64) string { return span(time.Duration(n * float64(time.Second))) }

// inPrometheus is a duration as Prometheus writes it.
var inPrometheus = regexp.MustCompile(`^(?:(\d+)y)?(?:(\d+)w)?(?:([0-9.]+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$`)

// duration reads a duration as Go writes it, or Prometheus.
func duration(text string) (d time.Duration, ok bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	parts := inPrometheus.FindStringSubmatch(text)
	if text == "" || parts == nil {
		return 0, false
	}
	const day = 24 * time.Hour
	for i, unit := range []time.Duration{365 * day, 7 * day, day, time.Hour, time.Minute, time.Second, time.Millisecond} {
		if n, err := strconv.ParseFloat(parts[i+1], 64); err == nil {
			d += time.Duration(n * float64(unit))
		}
	}
	return d, true
}

// headersOf are header fields, in the order of their names.
func headersOf(m mapping) (keys []Key) {
	for _, name := range sortedKeys(m) {
		keys = append(keys, Key{name, fmt.Sprint(m[name])})
	}
	return keys
}
