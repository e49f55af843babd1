package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readUpptime reads an .upptimerc.yml.
func readUpptime(content []byte, r *Result) error {
	top, err := parse(content)
	if err != nil {
		return err
	}
	for i, one := range top.list("sites") {
		m := asMapping(one)
		if m == nil {
			return fmt.Errorf("site %d is no mapping", i+1)
		}
		r.upptimeSite(m)
	}
	for _, n := range top.list("notifications") {
		r.lose("notification "+asMapping(n).text("type"), "write a channel for it under alerting: as in docs/channels.md")
	}
	for _, ours := range []string{"owner", "repo", "status-website", "user-agent", "workflowSchedule", "assignees", "delay", "skipDescriptionUpdate", "skipTopicsUpdate", "skipHomepageUpdate", "i18n", "commitMessages", "customStatusWebsitePackage", "skipGeneratingWebsite", "PAT", "commits", "summaryStartHtmlComment"} {
		if top.take(ours) != nil {
			r.lose(ours, "concerns Upptime itself")
		}
	}
	r.leftover("top of the file", top, "is not known to the importer")
	return nil
}

func (r *Result) upptimeSite(m mapping) {
	name, target := m.text("name"), secrets(m.text("url"))
	s := Site{Comment: "from site " + name}
	port := m.text("port")
	switch check := m.text("check"); check {
	case "", "http":
		if !strings.Contains(target, "://") && !strings.HasPrefix(target, "${") {
			target = "https://" + target
		}
	case "tcp-ping":
		target = "tcp://" + withoutScheme(target) + ":" + port
	case "icmp-ping":
		target = "icmp://" + withoutScheme(target)
	case "ws":
		target = strings.Replace(target, "http", "ws", 1)
	default:
		r.lose(name, "the check %s has no counterpart", check)
		return
	}
	s.set("url", target)
	s.set("interval", "5m") // what it is there
	if method := m.text("method"); method != "" && method != "GET" {
		s.set("method", method)
	}
	var headers []Key
	for _, h := range m.texts("headers") {
		field, value, _ := strings.Cut(h, ":")
		headers = append(headers, Key{strings.TrimSpace(field), secrets(strings.TrimSpace(value))})
	}
	s.set("headers", headers)
	s.set("body", secrets(m.text("body")))
	if m.flag("__dangerous__disable_verify_peer", false) || m.flag("__dangerous__insecure", false) {
		s.set("tls_config", []Key{{"insecure_skip_verify", true}})
	}
	if m.flag("__dangerous__disable_verify_host", false) {
		r.lose(name, "__dangerous__disable_verify_host: a certificate is either verified with its name, or not at all (tls_config.insecure_skip_verify)")
	}
	if m.flag("ipv6", false) {
		s.set("preferred_ip_protocol", "ip6")
	}
	if n, ok := m.number("maxRedirects"); ok {
		s.set("max_redirects", int(n))
	}
	r.upptimeExpectations(&s, name, m)
	s.set("tags", m.texts("tags"))
	r.leftover(name, m, "is not carried over")
	r.add(s, name, name+" "+target)
}

func (r *Result) upptimeExpectations(s *Site, name string, m mapping) {
	var e expectations
	e.status = append(e.status, m.list("expectedStatusCodes")...)
	if n, ok := m.number("maxResponseTime"); ok {
		e.latency = seconds(n / 1000)
	}
	if text := m.text("__dangerous__body_down"); text != "" {
		e.notMatch = append(e.notMatch, regexp.QuoteMeta(text))
	}
	if text := m.text("__dangerous__body_down_if_text_missing"); text != "" {
		e.match = append(e.match, regexp.QuoteMeta(text))
	}
	for _, key := range []string{"__dangerous__body_degraded", "__dangerous__body_degraded_if_text_missing"} {
		if m.take(key) != nil {
			r.lose(name, "%s: a text can make a site down here, not degraded", key)
		}
	}
	s.set("expect", e.keys())
}

// secrets makes ${NAME} of $NAME, as the secrets of a repository are written.
func secrets(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		if text[i] != '$' {
			continue
		}
		end := i + 1
		for end < len(text) && (text[end] == '_' || text[end] >= 'A' && text[end] <= 'Z' || text[end] >= '0' && text[end] <= '9') {
			end++
		}
		if name := text[i+1 : end]; name != "" {
			b.WriteString("{" + name + "}")
			i = end - 1
		}
	}
	return b.String()
}

// readURLs reads a plain list: a URL a line, optionally with a name behind it;
// what begins with # is a comment.
func readURLs(content []byte, r *Result) error {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		target, name, _ := strings.Cut(line, " ")
		if !strings.Contains(target, "://") {
			target = "https://" + target
		}
		u, err := url.Parse(target)
		if err != nil || u.Host == "" {
			r.lose(fmt.Sprintf("line %d", n), "%q is no URL", line)
			continue
		}
		if name = strings.TrimSpace(name); name == "" {
			name = u.Host + strings.TrimSuffix(u.Path, "/")
		}
		s := Site{Comment: fmt.Sprintf("from line %d", n)}
		s.set("url", target)
		r.add(s, name, target)
	}
	return lines.Err()
}

// readDiscovery reads a file of Prometheus' file or HTTP service discovery: a list of
// targets with labels, as JSON or YAML.
func readDiscovery(content []byte, r *Result) error {
	var groups []struct {
		Targets []string          `json:"targets" yaml:"targets"`
		Labels  map[string]string `json:"labels" yaml:"labels"`
	}
	if err := json.Unmarshal(content, &groups); err != nil {
		if yaml.Unmarshal(content, &groups) != nil {
			return fmt.Errorf("it is no list of targets with labels: %w", err)
		}
	}
	for _, g := range groups {
		for _, target := range g.Targets {
			s := Site{Comment: "from target " + target}
			address := target
			if !strings.Contains(address, "://") {
				address = "http://" + address
				if scheme := g.Labels["__scheme__"]; scheme != "" {
					address = scheme + "://" + target
				}
				address += g.Labels["__metrics_path__"]
			}
			s.set("url", address)
			s.set("group", g.Labels["job"])
			var tags []string
			for key, value := range g.Labels {
				if key != "job" && !strings.HasPrefix(key, "__") {
					tags = append(tags, key+":"+value)
				}
			}
			slices.Sort(tags)
			s.set("tags", tags)
			if d, ok := duration(g.Labels["__scrape_interval__"]); ok {
				s.set("interval", span(d))
			}
			r.add(s, target, strings.TrimSpace(g.Labels["job"]+" "+target))
		}
	}
	return nil
}

// nameOf is a name for an address: without what may be secret in it.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User == nil && u.RawQuery == "" {
		return address
	}
	return u.Scheme + "://" + u.Host + u.Path
}
