package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// linkKind says to what a name leads.
type linkKind int

const (
	linkSite linkKind = iota
	linkChannel
	linkGroup
	linkTag
)

// link is a name in the document that stands for something in it.
type link struct {
	kind      linkKind
	key, name string
	at        place
}

// channelAt is a channel with the place of its name.
type channelAt struct {
	name, fallback string
	at             place
}

// parents are the sites on which one depends.
type parents struct {
	names []string
	at    place // of the key depends_on, or where defaults has it of the site
}

// maxSuggestions bounds how many unknown names are compared with all others.
const maxSuggestions = 50

// at is the position of a node of the file being walked.
func (w *walker) at(n *yaml.Node) place { return place{w.file, n.Line, n.Column} }

// failAt notes a fault at a place.
func (w *walker) failAt(p place, message string) {
	w.note(sitemon.Problem{File: p.file, Line: p.line, Column: p.column, Message: message})
}

// refer remembers a name, to be looked up once the whole document is known.
func (w *walker) refer(kind linkKind, key, name string, n *yaml.Node) {
	if w.names == nil { // a definition by itself
		return
	}
	l := link{kind, key, name, w.at(n)}
	if _, seen := w.linked[l]; !seen { // defaults come by with every site
		w.linked[l] = struct{}{}
		w.links = append(w.links, l)
	}
}

// once notes a key that another file of the folder has too.
func (w *walker) once(what string, k *yaml.Node) {
	if first, ok := w.seen[what]; ok && first != w.at(k) {
		name := what[strings.LastIndexByte(what, '.')+1:]
		if rest, ok := strings.CutPrefix(what, "alerting.channels."); ok {
			name = "the channel " + quote(rest)
		}
		w.fail(k, "%s is already set at %s", name, first)
		return
	}
	w.seen[what] = w.at(k)
}

// checkLinks looks up all names.
func (w *walker) checkLinks(sites []sitemon.Site) {
	channels := map[string]bool{}
	for _, c := range w.channels {
		channels[c.name] = true
	}
	groups, tags := map[string]bool{}, map[string]bool{}
	for i := range sites {
		groups[sites[i].Group] = true
		for _, t := range sites[i].Tags {
			tags[t] = true
		}
	}
	near := suggester(maxSuggestions)
	w.checkFallbacks()
	w.checkParents()
	whole := w.faults == 0 // else groups and tags of faulty sites are missing
	for _, l := range w.links {
		switch {
		case l.kind == linkSite && w.names[l.name] == (place{}):
			w.failAt(l.at, l.key+": there is no site "+quote(l.name)+near.of(l.name, w.siteNames))
		case l.kind == linkChannel && !channels[l.name]:
			w.failAt(l.at, l.key+": there is no channel "+quote(l.name)+channelHint(near.of(l.name, keysOf(channels)), channels))
		case l.kind == linkGroup && whole && !groups[l.name]:
			w.warnAt(l.at, l.key+": no site is in the group "+quote(l.name)+near.of(l.name, keysOf(groups)))
		case l.kind == linkTag && whole && !tags[l.name]:
			w.warnAt(l.at, l.key+": no site has the tag "+quote(l.name)+near.of(l.name, keysOf(tags)))
		}
	}
}

func (w *walker) warnAt(p place, message string) {
	w.note(sitemon.Problem{File: p.file, Line: p.line, Column: p.column, Message: message, Warning: true})
}

// channelHint says which channels there are, where none is near.
func channelHint(near string, channels map[string]bool) string {
	switch {
	case near != "":
		return near
	case len(channels) == 0:
		return "; alerting.channels has none"
	case len(channels) <= 10:
		return "; alerting.channels has " + strings.Join(sortedKeys(channels), ", ")
	}
	return ""
}

// suggester is how many names may yet be compared with all others.
type suggester int

// of says which name was most likely meant, if one is near.
func (s *suggester) of(name string, among func() []string) string {
	if *s--; *s >= 0 {
		if c := closest(name, among()); c != "" {
			return ", did you mean " + quote(c) + "?"
		}
	}
	return ""
}

func (w *walker) siteNames() []string { return w.order }

func keysOf[V any](m map[string]V) func() []string { return func() []string { return sortedKeys(m) } }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checkFallbacks notes channels whose fallbacks lead back to them.
func (w *walker) checkFallbacks() {
	next := map[string][]string{}
	names := make([]string, len(w.channels))
	at := map[string]place{}
	for i, c := range w.channels {
		names[i], at[c.name] = c.name, c.at
		if c.fallback != "" {
			next[c.name] = []string{c.fallback}
		}
	}
	for _, cycle := range cycles(names, next) {
		w.failAt(at[cycle[0]], "fallback leads back to the channel itself: "+arrows(cycle))
	}
}

// checkParents notes sites that depend on themselves by way of others.
func (w *walker) checkParents() {
	if len(w.parents) == 0 {
		return
	}
	next := map[string][]string{}
	for name, p := range w.parents {
		next[name] = p.names
	}
	for _, cycle := range cycles(w.order, next) {
		if len(cycle) > 1 { // one of itself is noted already
			w.failAt(w.parents[cycle[0]].at, "depends_on leads back to the site itself: "+arrows(cycle))
		}
	}
}

// maxCycles bounds how many circles are told of in one run.
const maxCycles = 100

func arrows(cycle []string) string {
	return strings.Join(append(slices.Clone(cycle), cycle[0]), " → ")
}

// cycles finds circles in a graph: at least one if there is any, each beginning with
// its first node in the order given.
func cycles(order []string, next map[string][]string) [][]string {
	position := make(map[string]int, len(order))
	for i, name := range order {
		position[name] = i
	}
	var found [][]string
	state := make(map[string]int, len(next)) // 1: on the path, 2: done
	var path []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = 1
		path = append(path, name)
		for _, n := range next[name] {
			switch state[n] {
			case 0:
				visit(n)
			case 1:
				if len(found) == maxCycles {
					continue
				}
				cycle := slices.Clone(path[slices.Index(path, n):])
				first := slices.Index(cycle, slices.MinFunc(cycle, func(a, b string) int { return position[a] - position[b] }))
				found = append(found, slices.Concat(cycle[first:], cycle[:first]))
			}
		}
		path = path[:len(path)-1]
		state[name] = 2
	}
	for _, name := range order {
		if state[name] == 0 && next[name] != nil {
			visit(name)
		}
	}
	return found
}
