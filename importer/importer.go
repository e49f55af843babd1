// Package importer turns the configuration of other monitors into a sites file.
//
// What a configuration says and a sites file can say too is carried over, with a
// comment at each site that names where it comes from. What can't be carried over
// is a [Loss], and never silent: each reader takes what it knows out of a mapping,
// and what is left in it then is lost.
package importer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Loss is something that could not be carried over.
type Loss struct {
	Where string // the site, the channel, or the key at the top of the file
	What  string // what is lost and why
}

// String returns the loss as one line.
func (l Loss) String() string { return l.Where + ": " + l.What }

// Result is a sites file in the making.
type Result struct {
	Channels     []Channel
	Sites        []Site
	Maintenances []Maintenance
	Losses       []Loss

	names   map[string]bool
	lost    map[Loss]bool
	literal bool // ${ stands for itself in what is read
}

// Channel is a way on which alerts go out.
type Channel struct {
	Name string
	Keys []Key // as alerting.channels has them
}

// Maintenance is a time in which sites may be down.
type Maintenance struct {
	Title string
	Keys  []Key // beside its title
}

// Site is one site.
type Site struct {
	Name    string
	Comment string // where it comes from
	Keys    []Key  // beside its name, in the order in which they are written
}

// Key is a key of a site with its value: a text, a number, a truth value, a list, or
// a mapping as a []Key.
type Key struct {
	Name  string
	Value any
}

// set adds a key, unless the value is empty.
func (s *Site) set(name string, value any) {
	switch v := value.(type) {
	case string, []any:
		if empty(v) {
			return
		}
	case []Key:
		if len(v) == 0 {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	}
	s.Keys = append(s.Keys, Key{name, value})
}

// Kinds are the monitors whose configurations can be read.
func Kinds() []string { return slices.Sorted(maps.Keys(readers())) }

func readers() map[string]func(content []byte, r *Result) error {
	return map[string]func(content []byte, r *Result) error{
		"gatus": readGatus, "uptime-kuma": readKuma, "blackbox": readBlackbox, "upptime": readUpptime,
		"urls": readURLs, "prometheus-sd": readDiscovery,
	}
}

// Read reads the configuration of a monitor, one of [Kinds]. Its error says what is
// wrong with the content as a whole.
func Read(kind string, content []byte) (*Result, error) {
	read, ok := readers()[kind]
	if !ok {
		return nil, fmt.Errorf("there is no importer for %q; there are %s", kind, strings.Join(Kinds(), ", "))
	}
	r := &Result{names: map[string]bool{}, lost: map[Loss]bool{}}
	if err := read(content, r); err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", kind, err)
	}
	return r, nil
}

// lose notes a loss, once.
func (r *Result) lose(where, format string, args ...any) {
	l := Loss{where, fmt.Sprintf(format, args...)}
	if !r.lost[l] {
		r.lost[l] = true
		r.Losses = append(r.Losses, l)
	}
}

// leftover notes what is left in a mapping that a reader has taken apart, unless it
// says nothing.
func (r *Result) leftover(where string, m mapping, why string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !empty(m[key]) {
			r.lose(where, "%s %s", key, why)
		}
	}
}

// add adds a site, under a name that no other one has.
func (r *Result) add(s Site, wanted ...string) {
	r.withoutReferences(&s, wanted)
	name := ""
	for _, w := range wanted {
		if name = printable(w); name != "" && !r.names[name] {
			break
		}
	}
	if name == "" {
		name = "site"
	}
	for base, i := name, 2; r.names[name]; i++ {
		name = fmt.Sprintf("%s (%d)", base, i)
	}
	if first := printable(wanted[0]); first != name {
		r.lose(first, "another site has this name; it is now %q", name)
	}
	r.names[name] = true
	s.Name = name
	r.rhythm(&s)
	if r.literal {
		escape(&s)
	}
	r.Sites = append(r.Sites, s)
}

// Keep keeps the sites, channels and maintenances with which a sites file is one that
// check accepts; each of the others is lost, with what check says of it.
func (r *Result) Keep(check func(text []byte) error) {
	kept := Result{}
	r.Channels = slices.DeleteFunc(r.Channels, func(c Channel) bool {
		alone := Result{Channels: []Channel{c}}
		why := alone.checked(check)
		if why != "" {
			r.lose("channel "+c.Name, "%s", why)
		} else {
			kept.Channels = append(kept.Channels, c)
		}
		return why != ""
	})
	r.Sites = slices.DeleteFunc(r.Sites, func(s Site) bool {
		alone := Result{Channels: kept.Channels, Sites: []Site{s}}
		why := alone.checked(check)
		if why != "" {
			r.lose(s.Name, "the site is left out: %s", why)
		} else {
			kept.Sites = append(kept.Sites, Site{Name: s.Name, Keys: namesake(s)})
		}
		return why != ""
	})
	r.Maintenances = slices.DeleteFunc(r.Maintenances, func(m Maintenance) bool {
		alone := Result{Sites: kept.Sites, Maintenances: []Maintenance{m}}
		why := alone.checked(check)
		if why != "" {
			r.lose("maintenance "+m.Title, "%s", why)
		}
		return why != ""
	})
}

// namesake are the keys of a small site that maintenances can name in place of s.
func namesake(s Site) []Key {
	keys := []Key{{"url", "tcp://localhost:1"}}
	return append(keys, slices.DeleteFunc(slices.Clone(s.Keys), func(k Key) bool { return k.Name != "group" && k.Name != "tags" })...)
}

// checked is what check says of a file, in one line; "" for a good one.
func (r *Result) checked(check func(text []byte) error) string {
	text, err := r.Text("")
	if err == nil {
		err = check(text)
	}
	if err == nil {
		return ""
	}
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines { // the place is one in a file that nobody sees
		if _, rest, ok := strings.Cut(l, ": "); ok && strings.HasPrefix(l, "sites.yaml:") {
			lines[i] = rest
		}
	}
	return strings.Join(lines, "; ")
}

// printable is a name as a sites file takes it.
func printable(name string) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	name = strings.TrimSpace(name)
	if runes := []rune(name); len(runes) > 200 {
		name = string(runes[:200])
	}
	return name
}

// Text writes the sites file. header is a comment above it.
func (r *Result) Text(header string) ([]byte, error) {
	var root yaml.Node
	root.Kind = yaml.MappingNode
	put := func(key string, value *yaml.Node) {
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
	if len(r.Channels) > 0 {
		channels := make([]Key, len(r.Channels))
		for i, c := range r.Channels {
			channels[i] = Key{c.Name, c.Keys}
		}
		n, err := node([]Key{{"channels", channels}})
		if err != nil {
			return nil, err
		}
		put("alerting", n)
	}
	if len(r.Maintenances) > 0 {
		all := make([][]Key, len(r.Maintenances))
		for i, m := range r.Maintenances {
			all[i] = append([]Key{{"title", m.Title}}, m.Keys...)
		}
		n, err := node(all)
		if err != nil {
			return nil, err
		}
		put("maintenance", n)
	}
	sites := &yaml.Node{Kind: yaml.SequenceNode}
	if len(r.Sites) == 0 {
		sites.Style = yaml.FlowStyle
	}
	for _, s := range r.Sites {
		n, err := node(append([]Key{{"name", s.Name}}, s.Keys...))
		if err != nil {
			return nil, fmt.Errorf("write site %q: %w", s.Name, err)
		}
		n.HeadComment = comment(s.Comment)
		sites.Content = append(sites.Content, n)
	}
	put("sites", sites)
	var b bytes.Buffer
	b.WriteString(comment(header) + "\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&root), enc.Close()); err != nil {
		return nil, fmt.Errorf("write the sites file: %w", err)
	}
	return b.Bytes(), nil
}

// comment is a text as a comment.
func comment(text string) string {
	if text == "" {
		return ""
	}
	return "# " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n# ")
}

// node is a value as YAML.
func node(v any) (*yaml.Node, error) {
	if list, ok := v.([][]Key); ok {
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, keys := range list {
			one, err := node(keys)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, one)
		}
		return n, nil
	}
	keys, ok := v.([]Key)
	if !ok {
		n := &yaml.Node{}
		if err := n.Encode(v); err != nil {
			return nil, err
		}
		if n.Kind == yaml.SequenceNode {
			n.Style = yaml.FlowStyle
		}
		return n, nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range keys {
		value, err := node(k.Value)
		if err != nil {
			return nil, err
		}
		name := &yaml.Node{}
		if err := name.Encode(k.Name); err != nil {
			return nil, err
		}
		n.Content = append(n.Content, name, value)
	}
	return n, nil
}
