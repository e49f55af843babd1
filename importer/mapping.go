package importer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// mapping is a part of a configuration from which is taken what is understood: what
// is left in it at last is lost.
type mapping map[string]any

// parse reads YAML or JSON whose top is a mapping.
func parse(content []byte) (mapping, error) {
	var m mapping
	if err := yaml.Unmarshal(content, &m); err != nil {
		return nil, err
	}
	return m, nil
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
	case time.Time:
		return v.Format(time.RFC3339)
	default:
		return fmt.Sprint(v)
	}
}

// flag takes a truth value out; missing is what it is where it is not there.
func (m mapping) flag(key string, missing bool) bool {
	switch v := m.take(key).(type) {
	case bool:
		return v
	case int:
		return v != 0
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
	}
	return missing
}

// number takes a number out; ok is false where there is none.
func (m mapping) number(key string) (n float64, ok bool) {
	switch v := m.take(key).(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return n, err == nil
	}
	return 0, false
}

// sub takes a mapping out; an empty one where there is none.
func (m mapping) sub(key string) mapping {
	switch v := m.take(key).(type) {
	case mapping:
		return v
	case map[string]any:
		return v
	}
	return mapping{}
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

// duration reads a duration as Go writes it, also with days.
func duration(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			return time.Duration(n * 24 * float64(time.Hour)), true
		}
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// headersOf are header fields, in the order of their names.
func headersOf(m mapping) (keys []Key) {
	for _, name := range sortedKeys(m) {
		keys = append(keys, Key{name, fmt.Sprint(m[name])})
	}
	return keys
}
