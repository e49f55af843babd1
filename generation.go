package sitemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Document is the content of one source (a sites file, or a folder of them),
// valid and ready to be applied.
type Document struct {
	Source string
	// Hash is the SHA-256 of the content as read, in hexadecimal.
	Hash  string
	Sites []Site // in the order of the file

	Alerting    Alerting
	Maintenance []Maintenance
	StatusPages []StatusPage

	// Places says where the values of its sites are written, in the form of package
	// config; nil: not known.
	Places []byte
}

// Generation is a document as it was applied.
type Generation struct {
	Number   int64 // counts up from 1; 0: not stored yet
	LoadedAt time.Time
	Source   string
	Hash     string
	Sites    int
	// Unstored: the document runs, and is not in the store yet. Number is then that
	// of the generation before it.
	Unstored bool
}

// Problem is one fault of a sites file, or with Warning set something that is
// allowed and seldom meant.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0: the file as a whole
	Column  int    `json:"column"` // from 1, in characters
	Message string `json:"message"`
	// Excerpt is the line, or the part of it around the position, which is its Caret-th
	// character, from 1; "": it is not known. It holds no credentials.
	Excerpt string `json:"excerpt,omitempty"`
	Caret   int    `json:"caret,omitempty"`
	Warning bool   `json:"-"`
}

// String returns the problem as "file:line:column: message".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is every fault of a document at once, as an error.
type Problems []Problem

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Is makes Problems an [ErrInvalid].
func (ps Problems) Is(target error) bool { return target == ErrInvalid }

// Reload is one attempt to apply a document, as config_reloads keeps it.
type Reload struct {
	Generation int64     `json:"generation"` // the one that runs after it
	At         time.Time `json:"at"`
	Source     string    `json:"source"`
	Hash       string    `json:"hash"`
	Applied    bool      `json:"applied"`
	Added      int       `json:"added"`
	Changed    int       `json:"changed"`
	Removed    int       `json:"removed"`
	Unchanged  int       `json:"unchanged"`
	DurationMS float64   `json:"duration_ms"`
	Errors     []Problem `json:"errors"`
	// Difference is what it changed, as far as there is room; nil: nothing, or an older
	// version did it.
	Difference *Difference `json:"difference,omitempty"`
}

// Plan is the difference between two sets of sites: what a reload does.
type Plan struct {
	Generation int64    `json:"generation"`
	Added      []string `json:"added"`
	Changed    []Change `json:"changed"`
	Removed    []string `json:"removed"`
	Unchanged  int      `json:"unchanged"`
	// Together is how many sites the generation makes due at once, where the plan
	// names only some of them: the moments of their extra slots depend on it. 0: it
	// names them all.
	Together int `json:"-"`
	// Refused are the sites that the store left as they are, as another source owns
	// them.
	Refused []Refusal `json:"refused,omitempty"`
}

// Refusal is a site of a document that belongs to another source.
type Refusal struct {
	Name  string `json:"name"`
	Owner string `json:"owner"` // the source that it belongs to
}

// Change is a site that is in both sets with another definition.
type Change struct {
	Name string `json:"name"`
	// Keys are the top-level keys of the definition that differ, sorted.
	Keys []string `json:"keys"`
	// Values are what became of each of them.
	Values []KeyChange `json:"values,omitempty"`
	// Rescheduled: the site gets another rhythm or another target, and so one
	// extra slot at once.
	Rescheduled bool `json:"rescheduled"`
}

// Empty reports whether the plan changes nothing.
func (p Plan) Empty() bool { return len(p.Added)+len(p.Changed)+len(p.Removed) == 0 }

// Diff compares two sets of sites by name and definition. Names in the plan are
// sorted.
func Diff(before, after []Site) Plan {
	old := make(map[string]*Site, len(before))
	for i := range before {
		old[before[i].Name] = &before[i]
	}
	p := Plan{Added: []string{}, Changed: []Change{}, Removed: []string{}}
	for i := range after {
		s := &after[i]
		o, ok := old[s.Name]
		delete(old, s.Name)
		switch {
		case !ok:
			p.Added = append(p.Added, s.Name)
		case bytes.Equal(o.Definition, s.Definition):
			p.Unchanged++
		default:
			keys := changedKeys(o.Definition, s.Definition)
			p.Changed = append(p.Changed, Change{s.Name, keys, keyChanges(o.Definition, s.Definition, keys), Rescheduled(o, s)})
		}
	}
	p.Removed = append(p.Removed, slices.Collect(maps.Keys(old))...)
	slices.Sort(p.Added)
	slices.Sort(p.Removed)
	slices.SortFunc(p.Changed, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return p
}

// unprobed are the keys of a definition that change what is shown or how reports
// are judged over time, but neither what is probed nor when.
var unprobed = map[string]bool{
	"group": true, "tags": true, "failure_threshold": true, "success_threshold": true, "quorum": true,
	"retries": true, "retry_interval": true, "depends_on": true, "slo": true, "alerts": true,
}

// Rescheduled reports whether a site that was o and is now s is due at once: it
// is enabled, and was not before or is probed differently.
func Rescheduled(o, s *Site) bool {
	if !s.Enabled || bytes.Equal(o.Definition, s.Definition) {
		return false
	}
	return slices.ContainsFunc(changedKeys(o.Definition, s.Definition), func(k string) bool { return !unprobed[k] })
}

// changedKeys lists the keys in which two JSON objects differ, sorted.
func changedKeys(a, b json.RawMessage) []string {
	var before, after map[string]json.RawMessage
	if json.Unmarshal(a, &before) != nil || json.Unmarshal(b, &after) != nil {
		return []string{"definition"} // never made by package config; still a change
	}
	keys := []string{}
	for k, v := range after {
		if o, ok := before[k]; !ok || !bytes.Equal(o, v) {
			keys = append(keys, k)
		}
		delete(before, k)
	}
	keys = slices.AppendSeq(keys, maps.Keys(before))
	slices.Sort(keys)
	return keys
}

// Definition is a site as it is stored: its name and [Site.Definition].
type Definition struct {
	Name string
	JSON json.RawMessage
}
