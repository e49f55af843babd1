package importer

import (
	"net"
	"net/url"
	"regexp"
	"strings"
)

// gatusTarget sets the address of an endpoint, and what is said there. It returns what
// its conditions can be about.
func (r *Result) gatusTarget(s *Site, where string, m mapping, body string) (target string, c *conditions) {
	target = m.text("url")
	c = &conditions{}
	if dns := m.sub("dns"); len(dns) > 0 {
		c.record = strings.ToUpper(dns.text("query-type"))
		target = gatusDNS(target, dns.text("query-name"), c.record)
		r.leftover(where, dns, "of dns is not carried over")
	}
	scheme, address, _ := strings.Cut(target, "://")
	var dialogue []any
	switch scheme {
	case "ssh":
		dialogue, c.greeting = []any{map[string]any{"expect": "^SSH-"}}, true
		target = "tcp://" + withPort(address, "22")
		if len(m.sub("ssh")) > 0 {
			r.lose(where, "signing in by ssh, and the command: the site only looks whether a server of SSH answers")
		}
	case "starttls":
		dialogue, c.tls = smtpDialogue(), true
		target = "tcp://" + address
	case "tcp", "tls":
		dialogue = r.gatusDialogue(where, body, m)
		c.greeting = dialogue != nil
	}
	s.set("url", target)
	if dialogue != nil {
		s.set("query_response", dialogue)
	}
	c.scheme, _, _ = strings.Cut(target, ":")
	c.tls = c.tls || secure(c.scheme)
	return target, c
}

// gatusDNS is the URL of a question: there the address is the server's.
func gatusDNS(server, name, record string) string {
	server = strings.TrimPrefix(server, "dns://")
	u := url.URL{Scheme: "dns", Host: server, Path: "/" + strings.TrimSuffix(name, ".")}
	if record != "" && record != "A" {
		u.RawQuery = "type=" + record
	}
	return u.String()
}

// withPort is an address with a port.
func withPort(address, port string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}

// gatusDialogue is what is said on a connection: the body is sent, and what comes back
// is as the first condition on it has it.
func (r *Result) gatusDialogue(where, body string, m mapping) []any {
	if body == "" {
		return nil
	}
	dialogue := []any{map[string]any{"send": body}}
	var others []any
	for _, text := range m.texts("conditions") {
		left, op, right, ok := comparisonOf(text)
		if !ok || left.name != "BODY" {
			others = append(others, text)
			continue
		}
		pattern := lineOf(right.text)
		if left.path != nil || left.function != "" || op != "==" || pattern == "" || len(dialogue) > 1 {
			r.lose(where, "the condition %s: on a connection one text or pattern is waited for, in one line", text)
			continue
		}
		dialogue = append(dialogue, map[string]any{"expect": pattern})
	}
	m["conditions"] = others
	return dialogue
}

// lineOf is a regular expression for a line that what comes has; "" where it has
// several.
func lineOf(right string) string {
	if strings.ContainsAny(strings.TrimSpace(right), "\r\n") {
		return ""
	}
	if list, ok := oneOf(right); ok {
		return "^" + choice(list)
	}
	if pattern, ok := patternOf(right); ok {
		rest, begins := strings.CutPrefix(pattern, "*")
		text := glob(strings.TrimSuffix(rest, "*"), ".")
		if !begins {
			text = "^" + text
		}
		return text
	}
	return "^" + regexp.QuoteMeta(strings.TrimSpace(right))
}
