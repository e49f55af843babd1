package config

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// rootAliases are what people call the keys at the top of the file.
var rootAliases = map[string]string{
	"endpoints": "sites", "monitors": "sites", "targets": "sites", "services": "sites", "checks": "sites", "urls": "sites", "hosts": "sites", "websites": "sites",
	"default": "defaults", "global": "defaults", "globals": "defaults",
	"alerts": "alerting", "notifications": "alerting", "alert": "alerting", "channels": "alerting", "maintenancewindows": "maintenance", "statuspages": "status_pages", "maintenances": "maintenance",
}

var rootNames = []string{"alerting", "defaults", "maintenance", "sites", "status_pages"}

// document walks all files.
func (w *walker) document(files []File) []sitemon.Site {
	size := 0
	for _, f := range files {
		size += len(f.Content)
	}
	w.steps = allowedSteps(size)
	lists := make([]source, 0, len(files))
	for _, f := range files {
		w.file = f.Name
		if root := w.parse(f.Content); root != nil {
			if list := w.root(root, len(files) > 1); list != nil {
				lists = append(lists, source{f.Name, list})
			}
		}
	}
	if len(files) == 0 {
		w.note(sitemon.Problem{Message: "there is no *.yaml or *.yml file"})
	}
	if w.base.node != nil {
		w.walkDefaults()
	}
	count := 0
	for _, l := range lists {
		count += len(l.node.Content)
	}
	w.sections()
	sites := make([]sitemon.Site, 0, count)
	for _, l := range lists {
		w.file = l.file
		for _, n := range l.node.Content {
			if !w.step(n, 1) {
				break
			}
			sites = append(sites, w.site(n))
		}
	}
	w.checkLinks(sites)
	return sites
}

// root looks at the top of a file, remembers its defaults and returns its list
// of sites, or nil.
func (w *walker) root(n *yaml.Node, folder bool) (list *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		hint := "begin with the line `sites:`"
		if n.Kind == yaml.SequenceNode {
			hint = "put the line `sites:` before the list"
		}
		w.fail(n, "the file must be a mapping with the key sites, not %s; %s", describe(n), hint)
		return nil
	}
	var sites *yaml.Node
	others := false // there is another key that a file of a folder may have alone
	suspects := w.faults
	for _, f := range w.pairs(n, nil) {
		switch name := f.key.Value; {
		case name == "sites":
			sites = f.value
		case name == "defaults":
			others = true
			w.setDefaults(f)
		case slices.Contains(rootNames, name):
			others = true
			w.beside = append(w.beside, section{w.file, f.key, f.value})
		case strings.HasPrefix(name, "x-"):
		default:
			w.unknownRoot(f.key)
		}
	}
	if sites == nil {
		if !others || !folder {
			if w.faults == suspects || !w.mistakenSites(n) {
				w.fail(n, "the file has no key sites; write `sites: []` if there are none")
			}
		}
		return nil
	}
	list = deref(sites)
	switch {
	case list.Kind == yaml.SequenceNode:
		return list
	case list.Kind == yaml.ScalarNode && list.Tag == "!!null":
		w.fail(sites, "sites has no value; write a list of sites, or `sites: []` for none")
	default:
		w.fail(sites, "sites must be a list, not %s; begin each site with `- name:`", describe(list))
	}
	return nil
}

// mistakenSites reports whether the file has a key that was most likely meant to
// be sites, which then has been noted.
func (w *walker) mistakenSites(n *yaml.Node) bool {
	return slices.ContainsFunc(w.pairs(n, nil), func(f field) bool {
		return rootAliases[fold(f.key.Value)] == "sites" || closest(f.key.Value, rootNames) == "sites"
	})
}

func (w *walker) unknownRoot(k *yaml.Node) {
	name := k.Value
	guess := rootAliases[fold(name)]
	if guess == "" {
		guess = closest(name, rootNames)
	}
	switch {
	case guess != "":
		w.fail(k, "unknown key %q, did you mean %s?", name, guess)
	case slices.Contains(siteObject.names, name):
		w.fail(k, "unknown key %q at the top of the file; it belongs to a site, under sites, or under defaults", name)
	default:
		w.fail(k, "unknown key %q; the top of the file can have defaults, sites, alerting, maintenance and status_pages, and keys that begin with x-", name)
	}
}

// setDefaults remembers the defaults of the document; in a folder one file has
// them, for all.
func (w *walker) setDefaults(f field) {
	m := deref(f.value)
	switch {
	case w.base.node != nil:
		first := place{w.base.file, w.base.node.Line, w.base.node.Column}
		w.fail(f.key, "defaults are already set at %s; one file of a folder has them, for all", first)
	case m.Kind == yaml.MappingNode:
		w.base = source{w.file, m}
	case m.Kind == yaml.ScalarNode && m.Tag == "!!null":
		w.fail(f.value, "defaults has no value; take it out, or write keys such as interval: 60s under it")
	default:
		w.fail(f.value, "defaults must be a mapping of keys and values, not %s", describe(m))
	}
}

// walkDefaults notes the faults of defaults, which would stay unseen if no site
// takes a key over.
func (w *walker) walkDefaults() {
	w.file, w.kind, w.defaults = w.base.file, "", true
	w.begin()
	siteObject.read(w, field{value: w.base.node}, &w.draft)
	w.defaults = false
}

// begin makes the walker ready for a site.
func (w *walker) begin() {
	w.out, w.refers = w.out[:0], false
	for i := range w.part {
		w.part[i] = w.part[i][:0]
	}
	w.draft = draft{
		site:    sitemon.Site{Enabled: true, FailureThreshold: 1, SuccessThreshold: 1, RetryInterval: defaultRetryInterval, Quorum: 1},
		request: defaultRequest(),
	}
}

// site reads one site. Whether it has faults, the walker knows.
func (w *walker) site(n *yaml.Node) sitemon.Site {
	w.begin()
	w.kind, w.self = "", ""
	m := deref(n)
	if m.Kind == yaml.MappingNode {
		w.kind, w.self = w.identify(m)
	}
	d := &w.draft
	before := w.faults
	d.site.Kind = w.kind
	w.places.begin()
	siteObject.read(w, field{value: n, base: w.base.node}, d)
	if d.site.Name != "" {
		w.unique(d.name, d.site.Name)
		w.remember(d)
	}
	if w.faults > before {
		return sitemon.Site{}
	}
	w.together(n, d)
	s := d.site
	s.References = w.refers
	s.Request, s.Expect = w.shared(d)
	s.Rules = w.sharedRules(d)
	s.Definition = bytes.Clone(w.out)
	w.places.end(&s)
	return s
}

// remember keeps the sites on which a site depends.
func (w *walker) remember(d *draft) {
	if w.names == nil || d.rules.DependsOn == nil {
		return
	}
	at := d.parents.key
	if d.parents.inherited {
		at = d.name
	}
	w.parents[d.site.Name] = parents{d.rules.DependsOn, w.at(at)}
}

// identify finds the address of a site before the rest, as it decides which keys
// apply, and its name.
func (w *walker) identify(m *yaml.Node) (kind sitemon.Kind, name string) {
	top := len(w.fields)
	w.fields = w.pairs(m, w.fields)
	if i := indexField(w.fields[top:], "url"); i >= 0 {
		kind, _ = targetKind(deref(w.fields[top+i].value).Value)
	}
	if i := indexField(w.fields[top:], "name"); i >= 0 {
		name = deref(w.fields[top+i].value).Value
	}
	w.fields = w.fields[:top]
	return kind, name
}

// unique notes a name that is there already.
func (w *walker) unique(n *yaml.Node, name string) {
	here := place{w.file, deref(n).Line, deref(n).Column}
	if first, ok := w.names[name]; ok {
		w.fail(n, "the name %s is already used at %s; every site has its own", quote(name), first)
		return
	}
	if w.names != nil {
		w.names[name] = here
		w.order = append(w.order, name)
	}
}

// together notes what is wrong with keys beside each other.
func (w *walker) together(n *yaml.Node, d *draft) {
	r, e := &d.request, &d.expect
	if r.Method == http.MethodHead && w.wantsBody(e) {
		at := d.method
		if at.inherited {
			at.value = n
		}
		w.fail(at.value, "an answer to HEAD has no body, so expectations of the body can't hold; use another method")
	}
	if r.Body != "" && d.method.value == nil {
		w.warn(d.body, "body is sent with GET; most often method: POST is meant")
	}
	w.oneCredential(n, d)
	w.oneVersion(n, d)
	w.oneWay(n, d)
	w.reachable(n, d)
	w.ofKind(n, d)
	w.calling(n, d)
	if f := d.latency; f.value != nil && !f.inherited && w.kind != sitemon.KindHeartbeat && e.Latency >= d.site.Timeout {
		w.warn(f.value, "latency %s is never exceeded, as the timeout %s comes first", FormatDuration(e.Latency), FormatDuration(d.site.Timeout))
	}
}

// reachable notes what no number of locations or attempts can lead to.
func (w *walker) reachable(n *yaml.Node, d *draft) {
	s := &d.site
	if s.Locations != nil && int(s.Quorum) > len(s.Locations) {
		at := d.quorum.value
		if d.quorum.inherited {
			at = n
		}
		w.fail(at, "quorum %d is never reached by %s", s.Quorum, countOf(len(s.Locations), "location"))
	}
	if f := d.retry; f.value != nil && !f.inherited && s.Retries > 0 && s.RetryInterval >= s.Interval {
		w.warn(f.value, "retry_interval %s is never over before the next slot, which comes after %s", FormatDuration(s.RetryInterval), FormatDuration(s.Interval))
	}
}

func countOf(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// oneCredential notes a second thing that would fill in the Authorization
// header.
func (w *walker) oneCredential(n *yaml.Node, d *draft) {
	if d.auth.key == nil {
		return
	}
	at, name := d.auth.key, d.auth.key.Value
	if d.auth.inherited {
		at = n
	}
	if hasUser(d.site.URL) {
		w.fail(at, "%s can't stand beside a user in url; take one of them out", name)
	}
	if slices.ContainsFunc(d.request.Headers, func(h sitemon.Header) bool { return strings.EqualFold(h.Name, "Authorization") }) {
		w.fail(at, "%s can't stand beside the header Authorization; take one of them out", name)
	}
}

// shared returns the request and the expectations of the draft, as values that
// all equal ones share.
func (w *walker) shared(d *draft) (*sitemon.Request, *sitemon.Expect) {
	r, ok := w.requests[string(w.part[partRequest-1])]
	if !ok {
		c := d.request
		r = &c
		w.requests[string(w.part[partRequest-1])] = r
	}
	e, ok := w.expects[string(w.part[partExpect-1])]
	if !ok {
		c := d.expect
		e = &c
		w.expects[string(w.part[partExpect-1])] = e
	}
	return r, e
}

// sharedRules returns the rules of the draft as a value that all equal ones share;
// nil if there are none.
func (w *walker) sharedRules(d *draft) *sitemon.Rules {
	id := w.part[partRules-1]
	if len(id) == 0 {
		return nil
	}
	r, ok := w.rules[string(id)]
	if !ok {
		c := d.rules
		r = &c
		w.rules[string(id)] = r
	}
	return r
}

// publicAddress is an address without user and password, as a name can be.
func publicAddress(address string) string {
	address = strings.ReplaceAll(address, "${", "{")
	if u, err := url.Parse(address); err == nil && u.User != nil {
		u.User = nil
		address = u.String()
	}
	if r := []rune(address); len(r) > maxName {
		address = string(r[:maxName])
	}
	return address
}

// hasUser reports whether an address holds a user.
func hasUser(address string) bool {
	var b strings.Builder
	err := eachReference(address, func(s string) { b.WriteString(s) }, func(reference) error { b.WriteByte('x'); return nil })
	u, urlErr := url.Parse(b.String())
	return err == nil && urlErr == nil && u.User != nil
}
