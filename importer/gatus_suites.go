package importer

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// suite is a suite of Gatus on its way to becoming a site with steps.
type suite struct {
	r      *Result
	site   Site
	name   string
	origin *url.URL          // of the first endpoint, which is the site's address
	values map[string]string // those that are there from the start
	stored map[string]bool   // those that endpoints before have stored, by our names
	client mapping           // of the first endpoint
	expect expectations      // what is expected of the whole
}

// gatusSuite makes a site with steps of a suite.
func (r *Result) gatusSuite(m mapping, channels map[string]mapping) {
	name, group := m.text("name"), m.text("group")
	s := &suite{r: r, name: name, values: map[string]string{}, stored: map[string]bool{}}
	s.site.Comment = "from suite " + strings.TrimPrefix(group+"/"+name, "/")
	s.known("", m.sub("context"))
	var (
		steps  [][]Key
		alerts []any
	)
	endpoints := m.list("endpoints")
	for i, e := range endpoints {
		one := asMapping(e)
		if one == nil {
			r.lose(name, "endpoint %d is no mapping", i+1)
			continue
		}
		alerts = append(alerts, one.list("alerts")...)
		if step := s.step(one, group, i == len(endpoints)-1); step != nil {
			steps = append(steps, step)
		}
	}
	if steps == nil {
		r.lose(name, "the suite has no endpoint that can be a step")
		return
	}
	s.site.set("url", s.origin.String())
	s.site.set("group", group)
	if !m.flag("enabled", true) {
		s.site.set("enabled", false)
	}
	s.rhythm(m)
	s.client.take("timeout") // each endpoint's; here the suite's is that of all together
	r.gatusClient(&s.site, name, s.client, &conditions{scheme: s.origin.Scheme})
	dropTimeout(&s.site)
	s.site.set("steps", steps)
	s.site.set("expect", s.expect.keys())
	r.gatusAlerts(&s.site, name, firstOfEach(alerts), channels)
	r.leftover(name, m, "is not carried over")
	r.add(s.site, name, strings.TrimSpace(group+" "+name))
}

// known notes the values that are there from the start, those within others by their
// paths.
func (s *suite) known(before string, m mapping) {
	for key, v := range m {
		if inner := asMapping(v); inner != nil {
			s.known(before+key+".", inner)
			continue
		}
		s.values[before+key] = fmt.Sprint(v)
	}
}

// rhythm sets how often the suite is looked at, and how long that may take.
func (s *suite) rhythm(m mapping) {
	interval, ok := duration(m.text("interval"))
	if !ok {
		interval, _ = duration("10m") // what it is there
	}
	timeout, ok := duration(m.text("timeout"))
	if !ok {
		timeout, _ = duration("5m")
	}
	if timeout > interval {
		s.r.lose(s.name, "the timeout %s is longer than the interval, and is cut to it", span(timeout))
		timeout = interval
	}
	s.site.set("interval", span(interval))
	s.site.set("timeout", span(timeout))
}

// dropTimeout takes out the timeout that the client's keys bring along: the suite's
// own is there already.
func dropTimeout(s *Site) {
	seen := false
	s.Keys = slices.DeleteFunc(s.Keys, func(k Key) bool {
		again := k.Name == "timeout" && seen
		seen = seen || k.Name == "timeout"
		return again
	})
}

// firstOfEach keeps the first alert of each kind: here they are the site's.
func firstOfEach(alerts []any) []any {
	seen := map[string]bool{}
	return slices.DeleteFunc(alerts, func(a any) bool {
		m := asMapping(a)
		if m == nil {
			return true
		}
		kind := fmt.Sprint(m["type"])
		again := seen[kind]
		seen[kind] = true
		return again
	})
}

// step makes a step of an endpoint; nil where it can't be one.
func (s *suite) step(m mapping, group string, last bool) []Key {
	name := m.text("name")
	where := s.name + ", " + name
	body, headers := s.r.gatusBody(where, m, name, group)
	target, ok := s.fill(where, m.text("url"))
	u, err := url.Parse(placed.ReplaceAllString(target, "x"))
	if !ok || err != nil || u.Scheme != "http" && u.Scheme != "https" {
		s.r.lose(where, "the endpoint %s can't be a step, which is a request by HTTP", target)
		return nil
	}
	if s.origin == nil {
		s.origin = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	}
	var step Site
	step.set("name", name)
	if rest, same := strings.CutPrefix(target, s.origin.Scheme+"://"+s.origin.Host+"/"); same {
		target = "/" + rest
	}
	step.set("url", target)
	if method := strings.ToUpper(m.text("method")); method != "" && method != "GET" {
		step.set("method", method)
	}
	for key, v := range headers {
		headers[key], _ = s.fill(where, fmt.Sprint(v))
	}
	step.set("headers", headersOf(headers))
	body, _ = s.fill(where, body)
	step.set("body", body)
	s.clientOf(&step, where, m.sub("client"))
	s.conditions(&step, where, m.texts("conditions"), last)
	step.set("capture", s.store(where, m.sub("store")))
	if m.flag("always-run", false) {
		s.r.lose(where, "always-run: after a step that failed no other one is made")
	}
	m.take("group")
	m.take("interval")
	for _, quiet := range []string{"ui", "extra-labels"} {
		if m.take(quiet) != nil {
			s.r.lose(where, "%s has no counterpart", quiet)
		}
	}
	s.r.leftover(where, m, "is not carried over")
	return step.Keys
}

// clientOf takes the client of an endpoint: how redirects are followed is the step's,
// all else is the site's, and so that of the first endpoint.
func (s *suite) clientOf(step *Site, where string, c mapping) {
	if c.flag("ignore-redirect", false) {
		step.set("follow_redirects", false)
	}
	if s.client == nil {
		s.client = c
		return
	}
	c.take("timeout")
	for _, key := range sortedKeys(c) {
		if fmt.Sprint(s.client[key]) == fmt.Sprint(c[key]) {
			c.take(key)
		}
	}
	s.r.leftover(where, c, "of the client is not carried over: steps share the client of the first one")
}

// conditions are the step's expectations; those of a certificate are about the site
// as a whole.
func (s *suite) conditions(step *Site, where string, all []string, last bool) {
	c := &conditions{scheme: "https", tls: true}
	var fixed []string
	for _, text := range all {
		if filled, ok := s.fixed(text); ok {
			fixed = append(fixed, filled)
		} else {
			s.r.lose(where, "the condition %s: it compares with what was stored", text)
		}
	}
	if s.r.gatusConditions(where, fixed, c) {
		s.r.lose(where, "a step has to answer")
	}
	if c.validFor != "" && !last {
		s.r.lose(where, "the certificate's time is that of the last step here")
	}
	if last {
		s.expect.validFor = c.validFor
	}
	c.validFor = ""
	step.set("expect", c.keys())
}

// store is what an endpoint stores, as captures.
func (s *suite) store(where string, m mapping) (captures []Key) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		from := fmt.Sprint(m[key])
		path, isBody := strings.CutPrefix(from, "[BODY]")
		switch {
		case isBody && path == "":
			captures = append(captures, Key{captureName(key), []Key{{"regex", `(?s)^\s*(.*?)\s*$`}}})
		case isBody:
			captures = append(captures, Key{captureName(key), []Key{{"json", gjson(pathOf(path))}}})
		default:
			s.r.lose(where, "%s of %s can't be stored", from, key)
			continue
		}
		s.stored[captureName(key)] = true
	}
	return captures
}

// captureName is a name as captures have it: no hyphens.
func captureName(name string) string {
	name = strings.ReplaceAll(name, "-", "_")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

var (
	// contextUse is where a value is used.
	contextUse = regexp.MustCompile(`\[CONTEXT\]\.[A-Za-z0-9_.-]+`)
	// placed is where one is used here, and braced what looks like it.
	placed = regexp.MustCompile(`\{\{[A-Za-z_][A-Za-z0-9_]*\}\}`)
	braced = regexp.MustCompile(`\{\{ *[A-Za-z_][A-Za-z0-9_]* *\}\}`)
)

// fill writes the values of the context into a text: those from the start as they are,
// those that are stored as captures. ok is false where one of them is not there.
func (s *suite) fill(where, text string) (filled string, ok bool) {
	ok = true
	text = braced.ReplaceAllString(text, "{{$0")
	return contextUse.ReplaceAllStringFunc(text, func(use string) string {
		key := strings.TrimPrefix(use, "[CONTEXT].")
		if v, fixed := s.values[key]; fixed && !s.stored[captureName(key)] {
			return v
		}
		if !s.stored[captureName(key)] {
			s.r.lose(where, "%s: nothing before has stored it", use)
			ok = false
			return use
		}
		return "{{" + captureName(key) + "}}"
	}), ok
}

// random is what Gatus makes anew for each request.
var random = regexp.MustCompile(`\[(RANDOM_STRING_\d+|LOCAL_ADDRESS)\]`)

// gatusPlaceholders writes what is known of an endpoint into its body.
func (r *Result) gatusPlaceholders(where, body, name, group, target string) string {
	for _, use := range random.FindAllString(body, -1) {
		r.lose(where, "%s in the body has no counterpart", use)
	}
	return strings.NewReplacer("[ENDPOINT_NAME]", name, "[ENDPOINT_GROUP]", group, "[ENDPOINT_URL]", target).Replace(body)
}

// fixed writes values into a condition, where all of them are there from the start.
func (s *suite) fixed(text string) (filled string, ok bool) {
	ok = true
	return contextUse.ReplaceAllStringFunc(text, func(use string) string {
		key := strings.TrimPrefix(use, "[CONTEXT].")
		v, fixed := s.values[key]
		ok = ok && fixed && !s.stored[captureName(key)]
		return v
	}), ok
}
