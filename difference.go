package sitemon

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// KeyChange is what became of one key of a site's definition, in short texts for
// people: JSON without credentials, cut where it is long.
type KeyChange struct {
	Key    string `json:"key"`
	Before string `json:"before,omitempty"` // "": the key was not there
	After  string `json:"after,omitempty"`  // "": the key is gone
}

// Difference is what a reload changed, as the history of reloads keeps it: bounded,
// so that the names and keys of a large edit are not all there.
type Difference struct {
	Added   []string `json:"added,omitempty"`
	Changed []Change `json:"changed,omitempty"`
	Removed []string `json:"removed,omitempty"`
	// Omitted is how many sites are not named, for their number.
	Omitted int `json:"omitted,omitempty"`
}

const (
	// maxDifferenceBytes bounds what is kept of one reload, as JSON.
	maxDifferenceBytes = 16 << 10
	// maxKeyText bounds each side of a [KeyChange], in characters.
	maxKeyText = 120
)

// NewDifference returns what a plan changes, in as much detail as there is room for;
// nil where it changes nothing.
func NewDifference(p Plan) *Difference {
	if p.Empty() {
		return nil
	}
	d := &Difference{}
	left := maxDifferenceBytes
	fits := func(v any) bool {
		text, err := json.Marshal(v)
		left -= len(text) + 1
		return err == nil && left >= 0
	}
	for _, c := range p.Changed { // they say most
		if !fits(c) {
			break
		}
		d.Changed = append(d.Changed, c)
	}
	for _, name := range p.Added {
		if !fits(name) {
			break
		}
		d.Added = append(d.Added, name)
	}
	for _, name := range p.Removed {
		if !fits(name) {
			break
		}
		d.Removed = append(d.Removed, name)
	}
	d.Omitted = len(p.Changed) + len(p.Added) + len(p.Removed) - len(d.Changed) - len(d.Added) - len(d.Removed)
	return d
}

// plainKeys are the keys of a definition whose values are shown. Of all others only
// references, numbers and switches are: they may hold credentials, as headers do.
var plainKeys = map[string]bool{
	"url": true, "group": true, "tags": true, "enabled": true, "interval": true, "timeout": true, "locations": true,
	"failure_threshold": true, "success_threshold": true, "quorum": true, "retries": true, "retry_interval": true,
	"depends_on": true, "slo": true, "alerts": true, "expect": true, "regex": true, "method": true,
	"preferred_ip_protocol": true, "body_size_limit": true, "dns": true, "icmp": true,
}

// keyChanges returns what became of the keys that differ between two definitions.
func keyChanges(before, after json.RawMessage, keys []string) []KeyChange {
	var old, now map[string]json.RawMessage
	if json.Unmarshal(before, &old) != nil || json.Unmarshal(after, &now) != nil {
		return nil // never made by package config; the keys say that something changed
	}
	changes := make([]KeyChange, len(keys))
	for i, k := range keys {
		changes[i] = KeyChange{k, keyText(k, old[k]), keyText(k, now[k])}
	}
	return changes
}

// keyText is a value of a definition as everybody may see it.
func keyText(key string, value json.RawMessage) string {
	if value == nil {
		return ""
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return Redacted
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(shownValue(v, plainKeys[key] && !CredentialName(key))) != nil {
		return Redacted
	}
	text := strings.TrimSpace(b.String())
	if s, ok := v.(string); ok && plainKeys[key] {
		text = shownText(s)
	}
	if utf8.RuneCountInString(text) > maxKeyText {
		text = string([]rune(text)[:maxKeyText-1]) + "…"
	}
	return text
}

// shownValue hides the texts of a value that may be credentials: all of them unless
// it is plain.
func shownValue(v any, plain bool) any {
	switch v := v.(type) {
	case string:
		if plain {
			return shownText(v)
		}
		return redactValue(v)
	case []any:
		shown := slices.Clone(v)
		for i := range shown {
			shown[i] = shownValue(v[i], plain)
		}
		return shown
	case map[string]any:
		shown := make(map[string]any, len(v))
		for k := range v {
			shown[k] = shownValue(v[k], plain && !CredentialName(k))
		}
		return shown
	}
	return v
}

// shownText hides the credentials of a text that may be an address.
func shownText(s string) string {
	if strings.Contains(s, "://") {
		return RedactURL(s)
	}
	return s
}
