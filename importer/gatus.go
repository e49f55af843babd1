package importer

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

func sortedKeys(m mapping) []string { return slices.Sorted(maps.Keys(m)) }

// readGatus reads a config.yaml of Gatus, as its README describes it; several files of
// one folder are divided by lines ---.
func readGatus(content []byte, r *Result) error {
	top, err := parse([]byte(gatusVariables(string(content))))
	if err == nil {
		top, err = unwrapped(top)
	}
	if err != nil {
		return err
	}
	endpoints := append(top.list("endpoints"), top.list("services")...) // as it was called once
	alerting := top.sub("alerting")
	channels := r.gatusChannels(alerting)
	for i, e := range endpoints {
		m := asMapping(e)
		if m == nil {
			return fmt.Errorf("endpoint %d is no mapping", i+1)
		}
		r.gatusEndpoint(m, channels)
	}
	for _, e := range top.list("external-endpoints") {
		if m := asMapping(e); m != nil {
			r.gatusExternal(m, channels)
		}
	}
	for _, e := range top.list("suites") {
		r.gatusSuite(asMapping(e), channels)
	}
	r.gatusMaintenance("maintenance", top.sub("maintenance"), nil)
	for _, ours := range []string{"storage", "web", "ui", "security", "metrics", "debug", "concurrency", "disable-monitoring-lock", "skip-invalid-config-update", "connectivity", "remote", "announcements", "tunneling"} {
		if _, ok := top[ours]; ok {
			delete(top, ours)
			r.lose(ours, "concerns Gatus itself; see docs/configuration.md for the daemon's own settings")
		}
	}
	maps.DeleteFunc(top, func(key string, _ any) bool { return strings.HasPrefix(key, "x-") }) // a place for anchors
	r.leftover("top of the file", top, "is not known to the importer")
	return nil
}

// unwrapped is a configuration out of a ConfigMap of Kubernetes, or out of the values
// of its Helm chart.
func unwrapped(top mapping) (mapping, error) {
	if values := asMapping(top["config"]); values != nil && top["endpoints"] == nil {
		return values, nil
	}
	files := asMapping(top["data"])
	if top["kind"] != "ConfigMap" || files == nil {
		return top, nil
	}
	all := mapping{}
	for _, name := range sortedKeys(files) {
		one, err := parse([]byte(files.textOf(name)))
		if err != nil {
			return nil, fmt.Errorf("%s of the ConfigMap: %w", name, err)
		}
		all = joined(all, one)
	}
	return all, nil
}

// shellName is a variable as shells have them, or two dollars, which are one.
var shellName = regexp.MustCompile(`\$\$\{?|\$[A-Za-z_][A-Za-z0-9_]*`)

// gatusVariables writes $NAME as ${NAME}; what has two dollars there is no variable.
func gatusVariables(text string) string {
	return shellName.ReplaceAllStringFunc(text, func(use string) string {
		switch use {
		case "$${":
			return use
		case "$$":
			return "$"
		}
		return "${" + use[1:] + "}"
	})
}

func (r *Result) gatusEndpoint(m mapping, channels map[string]mapping) {
	name, group := m.text("name"), m.text("group")
	where := name
	s := Site{Comment: "from endpoint " + strings.TrimPrefix(group+"/"+name, "/")}
	body, headers := r.gatusBody(where, m, name, group)
	target, c := r.gatusTarget(&s, where, m, body)
	inverted := r.gatusConditions(where, m.texts("conditions"), c)
	s.set("group", group)
	s.set("tags", labels(m.sub("extra-labels")))
	if enabled := m.flag("enabled", true); !enabled || inverted {
		s.set("enabled", false)
		if enabled {
			r.lose(where, "it is good when nobody answers, which has no counterpart; the site is there with enabled: false")
		}
	}
	interval := m.text("interval")
	if interval == "" {
		interval = "60s" // what it is there
	}
	if d, ok := duration(interval); ok {
		s.set("interval", span(d))
	} else {
		r.lose(where, "interval %q is no duration", interval)
	}
	if method := strings.ToUpper(m.text("method")); method != "" && method != "GET" {
		s.set("method", method)
	}
	if c.isHTTP() {
		s.set("headers", headersOf(headers))
		s.set("body", body)
	} else if c.isWS() || c.isGRPC() {
		r.gatusStream(&s, where, target, body, headers)
	} else if body != "" && !c.greeting {
		r.lose(where, "its body is for http alone")
	}
	r.gatusClient(&s, where, m.sub("client"), c)
	s.set("expect", c.keys())
	r.gatusAlerts(&s, where, m.list("alerts"), channels)
	windows := m.list("maintenance-windows")
	if m.take("ui") != nil {
		r.lose(where, "ui concerns the page of Gatus")
	}
	r.leftover(where, m, "is not carried over")
	r.add(s, name, strings.TrimSpace(group+" "+name))
	r.gatusWindows(windows)
}

// gatusBody is what an endpoint sends, with the header fields that go with it.
func (r *Result) gatusBody(where string, m mapping, name, group string) (body string, headers mapping) {
	body, headers = r.gatusPlaceholders(where, m.text("body"), name, group, fmt.Sprint(m["url"])), m.sub("headers")
	if !m.flag("graphql", false) {
		return body, headers
	}
	if !slices.ContainsFunc(sortedKeys(headers), func(key string) bool { return strings.EqualFold(key, "Content-Type") }) {
		headers["Content-Type"] = "application/json"
	}
	return quoted(body), headers
}

// quoted is a GraphQL query as it is sent.
func quoted(query string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]string{"query": query}); err != nil {
		return query
	}
	return strings.TrimSpace(b.String())
}

// labels are those of a mapping as tags.
func labels(m mapping) (tags []string) {
	for _, key := range sortedKeys(m) {
		tags = append(tags, key+":"+fmt.Sprint(m[key]))
	}
	return tags
}

func (r *Result) gatusClient(s *Site, where string, c mapping, of *conditions) {
	timeout, ok := duration(c.text("timeout"))
	if interval, _ := duration(s.text("interval")); !ok {
		timeout = 10 * time.Second // what it is there
		if interval > 0 && interval < timeout {
			timeout = interval
			r.lose("all sites", "a timeout is 10s there where nothing is said, here no longer than the interval")
		}
	}
	s.set("timeout", span(timeout))
	if network := c.text("network"); of.scheme == "icmp" && (network == "ip4" || network == "ip6") {
		s.set("preferred_ip_protocol", network)
		s.set("ip_protocol_fallback", false)
	}
	if !of.isHTTP() { // what there is of it would not count
		delete(c, "ignore-redirect")
		if c.flag("insecure", false) && of.tls {
			s.set("tls_config", []Key{{"insecure_skip_verify", true}})
		}
		r.leftover(where, c, "of the client is not carried over")
		return
	}
	if c.flag("ignore-redirect", false) {
		s.set("follow_redirects", false)
	}
	s.set("proxy_url", c.text("proxy-url"))
	var config []Key
	if c.flag("insecure", false) {
		config = append(config, Key{"insecure_skip_verify", true})
	}
	t := c.sub("tls")
	for theirs, ours := range map[string]string{"certificate-file": "cert_file", "private-key-file": "key_file"} {
		if file := t.text(theirs); file != "" {
			config = append(config, Key{ours, file})
		}
	}
	slices.SortFunc(config, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	s.set("tls_config", config)
	if o := c.sub("oauth2"); len(o) > 0 {
		keys := []Key{{"client_id", o.text("client-id")}, {"client_secret", o.text("client-secret")}, {"token_url", o.text("token-url")}}
		if scopes := o.texts("scopes"); scopes != nil {
			keys = append(keys, Key{"scopes", scopes})
		}
		s.set("oauth2", keys)
	}
	r.leftover(where, t, "of the client's tls is not carried over")
	r.leftover(where, c, "of the client is not carried over")
}

func (r *Result) gatusAlerts(s *Site, where string, alerts []any, channels map[string]mapping) {
	var all []any
	for _, a := range alerts {
		m := asMapping(a)
		kind := m.text("type")
		usual, known := channels[kind]
		if !known {
			r.lose(where, "alerts over %s: there is no channel for it", kind)
			continue
		}
		m = over(usual, m)
		if !m.flag("enabled", true) {
			r.lose(where, "the alert over %s is off, and left out", kind)
			continue
		}
		// Where nothing is said, this is what it is there.
		one := map[string]any{"to": kind, "send_resolved": m.flag("send-on-resolved", false), "failure_threshold": 3}
		if n, ok := m.number("failure-threshold"); ok {
			one["failure_threshold"] = int(n)
		}
		if d, ok := duration(m.text("minimum-reminder-interval")); ok && d > 0 {
			one["reminder_interval"] = span(d)
		}
		if n, ok := m.number("success-threshold"); ok && n > 1 {
			r.lose(where, "the alert over %s ends after %g good results there; write success_threshold at the site", kind, n)
		}
		r.leftover(where, m, "of the alert over "+kind+" is not carried over")
		all = append(all, one)
	}
	s.set("alerts", all)
}

// over is a mapping with the values of another one in front of its own.
func over(usual, m mapping) mapping {
	both := clone(usual)
	maps.Copy(both, m)
	return both
}
