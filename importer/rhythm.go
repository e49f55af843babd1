package importer

import (
	"strings"
	"time"
)

// The bounds of a site's interval.
const (
	shortest = time.Second
	longest  = 24 * time.Hour
)

// rhythm keeps a site's interval within what a sites file takes, and its timeout
// within its interval.
func (r *Result) rhythm(s *Site) {
	interval := s.duration("interval")
	if bounded := min(max(interval, shortest), longest); interval > 0 && interval != bounded && s.text("url") != "heartbeat://" {
		r.lose(s.Name, "its interval is %s, and becomes %s", span(interval), span(bounded))
		interval = bounded
		s.put("interval", span(interval))
	}
	if timeout := s.duration("timeout"); interval > 0 && timeout > interval {
		r.lose(s.Name, "its timeout of %s is longer than its interval, and becomes %s", span(timeout), span(interval))
		s.put("timeout", span(interval))
	}
}

// withoutReferences takes the $ off what would be references in names, groups and
// tags, where there are none.
func (r *Result) withoutReferences(s *Site, names []string) {
	plain := func(what, text string) string {
		bare := strings.ReplaceAll(text, "${", "{")
		if bare != text {
			r.lose(printable(names[0]), "its %s %q can hold no ${…}; it is now %q", what, text, bare)
		}
		return bare
	}
	for i, name := range names {
		names[i] = strings.ReplaceAll(name, "${", "{")
		if i == 0 {
			plain("name", name)
		}
	}
	for i, k := range s.Keys {
		switch v := k.Value.(type) {
		case string:
			if k.Name == "group" {
				s.Keys[i].Value = plain("group", v)
			}
		case []string:
			if k.Name == "tags" {
				for j := range v {
					v[j] = plain("tag", v[j])
				}
			}
		}
	}
}

// text is the value of a key that is a text; "" where there is none.
func (s *Site) text(name string) string {
	for _, k := range s.Keys {
		if k.Name == name {
			text, _ := k.Value.(string)
			return text
		}
	}
	return ""
}

func (s *Site) duration(name string) time.Duration {
	d, _ := duration(s.text(name))
	return d
}

// front sets a key before all others.
func (s *Site) front(name string, value any) { s.Keys = append([]Key{{name, value}}, s.Keys...) }

// put changes a key that is there.
func (s *Site) put(name string, value any) {
	for i := range s.Keys {
		if s.Keys[i].Name == name {
			s.Keys[i].Value = value
		}
	}
}

// expanded are the keys of a site in which ${NAME} stands for a variable.
var expanded = map[string]bool{
	"url": true, "headers": true, "body": true, "basic_auth": true, "authorization": true, "oauth2": true, "proxy_url": true, "tls_config": true, "ws": true, "heartbeat": true,
}

// escape writes ${ as what stands for itself.
func escape(s *Site) {
	for i, k := range s.Keys {
		if expanded[k.Name] {
			s.Keys[i].Value = escaped(k.Value)
		}
	}
}

// fileReference is a part of a text that a reader has made a reference of itself.
const fileReference = "${file:"

func escaped(v any) any {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, fileReference) {
			return v
		}
		return literally(v)
	case []Key:
		keys := make([]Key, len(v))
		for i, k := range v {
			keys[i] = Key{k.Name, escaped(k.Value)}
		}
		return keys
	case []string:
		all := make([]string, len(v))
		for i, s := range v {
			all[i] = literally(s)
		}
		return all
	}
	return v
}

// literally is a text in which ${ stands for itself.
func literally(text string) string { return strings.ReplaceAll(text, "${", "$${") }
