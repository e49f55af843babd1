package importer

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readURLs reads a plain list: a URL a line, optionally with a name behind it;
// what begins with # is a comment.
func readURLs(content []byte, r *Result) error {
	r.literal = true
	for i, line := range strings.Split(strings.TrimPrefix(string(content), "\ufeff"), "\n") {
		n := i + 1
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		target, name := line, ""
		if at := strings.IndexFunc(line, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == ';' }); at >= 0 {
			target, name = line[:at], strings.TrimLeft(line[at:], " \t,;#")
		}
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
		r.add(s, name)
	}
	return nil
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
	r.literal = true
	for _, g := range groups {
		for _, target := range g.Targets {
			r.discovered(target, g.Labels)
		}
	}
	return nil
}

// discovered makes a site of a target.
func (r *Result) discovered(target string, labels map[string]string) {
	name := nameOf(target)
	s := Site{Comment: "from target " + name}
	address := target
	if !strings.Contains(address, "://") {
		address = "http://" + address
		if scheme := labels["__scheme__"]; scheme != "" {
			address = scheme + "://" + target
		}
		address += labels["__metrics_path__"]
	}
	s.set("url", address)
	s.set("group", labels["job"])
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch known := strings.HasPrefix(key, "__meta_") || slices.Contains([]string{"__scheme__", "__metrics_path__", "__scrape_interval__", "__scrape_timeout__", "__address__"}, key); {
		case key == "job" || known:
		case strings.HasPrefix(key, "__"):
			r.lose(name, "its label %s (%s), which Prometheus takes for itself", key, labels[key])
		default:
			tags = append(tags, key+":"+labels[key])
		}
	}
	s.set("tags", tags)
	for _, key := range []string{"interval", "timeout"} {
		if d, ok := duration(labels["__scrape_"+key+"__"]); ok {
			s.set(key, span(d))
		}
	}
	r.add(s, name, strings.TrimSpace(labels["job"]+" "+name))
}

// nameOf is a name for an address: without what may be secret in it.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User == nil && u.RawQuery == "" {
		return address
	}
	return u.Scheme + "://" + u.Host + u.Path
}
