package importer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// readUpptime reads an .upptimerc.yml.
func readUpptime(content []byte, r *Result) error {
	top, err := parse(content)
	if err != nil {
		return err
	}
	sites := top.list("sites")
	if sites == nil {
		return errors.New("there is no list of sites")
	}
	interval := r.upptimeInterval(top.sub("workflowSchedule"))
	for i, one := range sites {
		m := asMapping(one)
		if m == nil {
			return fmt.Errorf("site %d is no mapping", i+1)
		}
		r.upptimeSite(m, interval)
	}
	for _, n := range top.list("notifications") {
		r.lose("notification "+asMapping(n).text("type"), "write a channel for it under alerting: as in docs/channels.md")
	}
	for _, key := range sortedKeys(top) {
		if slices.Contains(upptimeOwn, key) || strings.HasPrefix(key, "skip") || strings.HasPrefix(key, "commit") || strings.HasSuffix(key, "HtmlComment") {
			top.take(key)
			r.lose(key, "concerns Upptime itself")
		}
	}
	r.leftover("top of the file", top, "is not known to the importer")
	return nil
}

// upptimeOwn are keys that say nothing about sites.
var upptimeOwn = []string{"owner", "repo", "status-website", "user-agent", "assignees", "delay", "i18n", "customStatusWebsitePackage", "PAT", "runner", "secrets"}

// everyMinutes is the one schedule that is an interval.
var everyMinutes = regexp.MustCompile(`^(?:\*|\*/(\d+)|0/(\d+)) \* \* \* \*$`)

// upptimeInterval is how often sites are looked at: the schedule of its checks.
func (r *Result) upptimeInterval(schedules mapping) string {
	schedule := schedules.text("uptime")
	if len(schedules) > 0 {
		r.lose("workflowSchedule", "all but uptime concerns Upptime itself")
	}
	if schedule == "" {
		return "5m" // what it is there
	}
	m := everyMinutes.FindStringSubmatch(schedule)
	if m == nil {
		r.lose("workflowSchedule", "uptime: %q is no interval; it becomes 5m", schedule)
		return "5m"
	}
	n, err := strconv.Atoi(m[1] + m[2])
	if err != nil || n == 0 {
		n = 1
	}
	return seconds(float64(n * 60))
}

func (r *Result) upptimeSite(m mapping, interval string) {
	name := m.text("name")
	s := Site{Comment: "from site " + name}
	kind := m.text("check")
	target := r.upptimeTarget(name, kind, m)
	if target == "" {
		r.lose(name, "the check %s has no counterpart", kind)
		return
	}
	s.set("url", target)
	s.set("interval", interval)
	for _, key := range []string{"type", "location"} {
		if where := m.text(key); where != "" && where != "local" {
			r.lose(name, "%s %s: it is looked at from there; here from where the monitors are", key, where)
		}
	}
	timeout, ok := m.number("requestTimeout")
	if !ok {
		timeout = 60 // what it is there
	}
	s.set("timeout", seconds(timeout))
	s.set("retries", 2) // there two more checks say whether it is down
	if kind == "" || kind == "http" {
		r.upptimeRequest(&s, name, m)
	}
	if body := r.secrets(name, m.text("body")); kind == "ws" && body != "" {
		s.set("ws", []Key{{"send", []string{body}}})
	} else if kind == "" || kind == "http" {
		s.set("body", body)
	}
	if m.flag("ipv6", false) {
		s.set("preferred_ip_protocol", "ip6")
		if kind == "tcp-ping" {
			s.set("ip_protocol_fallback", false)
		}
	}
	r.upptimeExpectations(&s, name, kind, m)
	s.set("tags", m.texts("tags"))
	for _, own := range []string{"assignees", "icon", "slug", "verbose"} {
		if !empty(m.take(own)) {
			r.lose(name, "%s concerns Upptime itself", own)
		}
	}
	r.leftover(name, m, "is not carried over")
	if name == "" && !strings.Contains(target, "${") {
		name = nameOf(target)
	}
	r.add(s, name)
}

// upptimeTarget is the address of a site; "" where no kind fits.
func (r *Result) upptimeTarget(name, kind string, m mapping) string {
	target, port := r.secrets(name, m.text("url")), r.secrets(name, m.text("port"))
	bare := withoutScheme(target)
	switch kind {
	case "", "http":
		if !strings.Contains(target, "://") && !strings.HasPrefix(target, "${") {
			target = "https://" + target
		}
		return target
	case "tcp-ping":
		return "tcp://" + bracketed(bare) + ":" + port
	case "icmp-ping":
		return "icmp://" + bracketed(bare)
	case "ssl":
		if port == "" {
			port = "443"
		}
		bare, _, _ = strings.Cut(bare, "/")
		return "tls://" + bare + ":" + port
	case "ws":
		if rest, ok := strings.CutPrefix(target, "http"); ok {
			target = "ws" + rest
		}
		return target
	}
	return ""
}

// upptimeRequest takes what a site by HTTP sends.
func (r *Result) upptimeRequest(s *Site, name string, m mapping) {
	if method := strings.ToUpper(m.text("method")); method != "" && method != "GET" {
		s.set("method", method)
	}
	var headers []Key
	for _, h := range m.texts("headers") {
		field, value, _ := strings.Cut(h, ":")
		headers = append(headers, Key{strings.TrimSpace(field), r.secrets(name, strings.TrimSpace(value))})
	}
	s.set("headers", headers)
	insecure := m.flag("__dangerous__insecure", false)
	if m.flag("__dangerous__disable_verify_peer", false) || insecure {
		s.set("tls_config", []Key{{"insecure_skip_verify", true}})
		m.take("__dangerous__disable_verify_host")
	}
	if n, ok := m.number("maxRedirects"); ok && n == 0 {
		s.set("follow_redirects", false)
	} else if ok {
		s.set("max_redirects", int(n))
	}
}

func (r *Result) upptimeExpectations(s *Site, name, kind string, m mapping) {
	var e expectations
	e.status = append(e.status, m.list("expectedStatusCodes")...)
	if n, ok := m.number("maxResponseTime"); ok {
		e.latency = seconds(n / 1000)
	}
	if kind == "ssl" {
		e.expr = append(e.expr, `certificate.valid_for >= duration("7d")`) // what it is there
	}
	for _, key := range []string{"__dangerous__body_down", "__dangerous__body_down_if_text_missing", "__dangerous__body_degraded", "__dangerous__body_degraded_if_text_missing"} {
		text := m.text(key)
		if text == "" {
			continue
		}
		if strings.Contains(r.secrets(name, text), "${") && !strings.Contains(text, "${") {
			r.lose(name, "%s: it has a secret, and expectations have none", key)
			continue
		}
		switch key {
		case "__dangerous__body_down":
			e.notMatch = append(e.notMatch, regexp.QuoteMeta(text))
		case "__dangerous__body_down_if_text_missing":
			e.match = append(e.match, regexp.QuoteMeta(text))
		case "__dangerous__body_degraded":
			e.degraded("not (body contains " + strconv.Quote(text) + ")")
		default:
			e.degraded("body contains " + strconv.Quote(text))
		}
	}
	s.set("expect", e.keys())
}

// degraded adds a condition without which a site is degraded.
func (e *expectations) degraded(condition string) {
	e.expr = append(e.expr, map[string]any{"expr": condition, "otherwise": "degraded"})
}

// upptimeVariable is a secret of the repository, as sites name it.
var upptimeVariable = regexp.MustCompile(`\$\{|\$[A-Za-z_][A-Za-z0-9_]*`)

// secrets makes ${NAME} of $NAME, as the secrets of a repository are written.
func (r *Result) secrets(name, text string) string {
	return upptimeVariable.ReplaceAllStringFunc(text, func(use string) string {
		switch variable := use[1:]; {
		case use == "${":
			return "$${" // which is itself there
		case strings.HasPrefix(variable, "DYNAMIC_"):
			r.lose(name, "%s, which is something else each time", use)
			return "0"
		case variable != strings.ToUpper(variable):
			return use
		default:
			return "${" + variable + "}"
		}
	})
}
