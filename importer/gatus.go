package importer

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

func sortedKeys(m mapping) []string { return slices.Sorted(maps.Keys(m)) }

// readGatus reads a config.yaml of Gatus, as its README describes it.
func readGatus(content []byte, r *Result) error {
	top, err := parse(content)
	if err != nil {
		return err
	}
	endpoints := append(top.list("endpoints"), top.list("services")...) // as it was called once
	alerting := top.sub("alerting")
	channels := r.gatusChannels(alerting)
	if len(endpoints) > 0 {
		r.lose("all sites", "a slow answer, or a certificate that ends soon, makes a site degraded here, not down")
	}
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
	if m := top.sub("maintenance"); m.flag("enabled", len(m) > 0) && m.text("start") != "" {
		r.lose("maintenance", "write it under maintenance: with a date in start")
	}
	for _, ours := range []string{"storage", "web", "ui", "security", "metrics", "debug", "concurrency", "disable-monitoring-lock", "skip-invalid-config-update", "connectivity", "remote", "announcements", "tunneling"} {
		if _, ok := top[ours]; ok {
			delete(top, ours)
			r.lose(ours, "concerns Gatus itself; see docs/configuration.md for the daemon's own settings")
		}
	}
	r.leftover("top of the file", top, "is not known to the importer")
	return nil
}

func (r *Result) gatusEndpoint(m mapping, channels map[string]mapping) {
	name, group := m.text("name"), m.text("group")
	where := name
	s := Site{Comment: "from endpoint " + strings.TrimPrefix(group+"/"+name, "/")}
	target := m.text("url")
	dns := m.sub("dns")
	if len(dns) > 0 {
		target = gatusDNS(target, dns)
	}
	if m.take("ssh") != nil {
		r.lose(where, "signing in by ssh is not carried over; the site only looks whether the port answers")
	}
	target = strings.Replace(target, "ssh://", "tcp://", 1)
	mail := strings.HasPrefix(target, "starttls://")
	target = strings.Replace(target, "starttls://", "tcp://", 1)
	s.set("url", target)
	if mail {
		s.set("query_response", smtpDialogue())
	}
	s.set("group", group)
	if !m.flag("enabled", true) {
		s.set("enabled", false)
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
	if method := m.text("method"); method != "" && method != "GET" {
		s.set("method", method)
	}
	body := m.text("body")
	if m.flag("graphql", false) {
		body = fmt.Sprintf(`{"query":%q}`, body)
	}
	body = r.gatusPlaceholders(where, body, name, group, target)
	if strings.HasPrefix(target, "http") {
		s.set("headers", headersOf(m.sub("headers")))
		s.set("body", body)
	} else if ws, grpc := streaming(target); ws || grpc {
		r.gatusStream(&s, where, target, body, m.sub("headers"))
	} else if body != "" {
		r.lose(where, "body is for http alone")
	}
	scheme, _, _ := strings.Cut(target, ":")
	r.gatusClient(&s, where, m.sub("client"), strings.HasPrefix(target, "http"), mail || secure(scheme))
	r.gatusConditions(&s, where, target, m.texts("conditions"))
	r.gatusAlerts(&s, where, m.list("alerts"), channels)
	for _, quiet := range []string{"ui", "extra-labels", "always-run", "store"} {
		if m.take(quiet) != nil {
			r.lose(where, "%s has no counterpart", quiet)
		}
	}
	r.leftover(where, m, "is not carried over")
	r.add(s, name, strings.TrimSpace(group+" "+name))
}

// gatusDNS is the URL of a question: there the address is the server's.
func gatusDNS(server string, dns mapping) string {
	server = strings.TrimPrefix(server, "dns://")
	u := url.URL{Scheme: "dns", Host: server, Path: "/" + strings.TrimSuffix(dns.text("query-name"), ".")}
	if kind := dns.text("query-type"); kind != "" && kind != "A" {
		u.RawQuery = "type=" + kind
	}
	return u.String()
}

func (r *Result) gatusClient(s *Site, where string, c mapping, http, tls bool) {
	if d, ok := duration(c.text("timeout")); ok {
		s.set("timeout", span(d))
	} else {
		s.set("timeout", "10s") // what it is there
	}
	if !http { // what there is of it would not count
		delete(c, "ignore-redirect")
		if c.flag("insecure", false) && tls {
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
			r.lose(where, "alerts over %s: the file has no channel for it", kind)
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

// gatusConditions turns conditions into expectations.
func (r *Result) gatusConditions(s *Site, where, target string, conditions []string) {
	var e expectations
	for _, c := range conditions {
		if why := e.gatus(c, target); why != "" {
			r.lose(where, "the condition %s: %s", c, why)
		}
	}
	for _, note := range e.notes {
		r.lose(where, "%s", note)
	}
	s.set("expect", e.keys())
}

// gatusLatency reads a response time in milliseconds.
func gatusLatency(text string) string {
	if d, ok := duration(text); ok {
		return span(d)
	}
	if d, ok := duration(text + "ms"); ok {
		return span(d)
	}
	return ""
}
