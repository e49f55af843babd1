package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoded is a value that stands there as it is, or as JSON in a text.
func decoded(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	inner, err := loosely(&doc)
	if err != nil {
		return nil
	}
	return inner
}

// request takes what a monitor by HTTP or WebSocket sends, and what has to come back.
func (k *kuma) request(s *Site, name, kind string, m mapping) {
	isHTTP := slices.Contains([]string{"http", "keyword", "json-query", "real-browser"}, kind)
	if m.flag("ignoreTls", false) && kind != "push" && kind != "ping" && kind != "dns" && kind != "port" {
		s.set("tls_config", []Key{{"insecure_skip_verify", true}})
	}
	if family := m.text("ipFamily"); family == "ipv4" || family == "ipv6" {
		s.set("preferred_ip_protocol", "ip"+family[3:])
		s.set("ip_protocol_fallback", false)
	}
	if !isHTTP && kind != "websocket-upgrade" {
		return
	}
	text := m.take("headers")
	headers := asMapping(decoded(text))
	if headers == nil && !empty(text) {
		k.lose(name, "its headers are no JSON object")
	}
	if isHTTP {
		k.method(s, m)
		headers = k.contentType(s, headers, m)
	}
	s.set("headers", headersOf(headers))
	k.signIn(s, name, m)
	if id := m.text("proxyId"); id != "" && k.proxies[id] != "" {
		s.set("proxy_url", k.proxies[id])
	} else if id != "" {
		k.lose(name, "its proxy, which is not in the file or is off; write proxy_url by hand")
	}
	if isHTTP {
		if m.flag("cacheBust", false) {
			k.lose(name, "its parameter against caches")
		}
		k.expectations(s, name, kind, m)
	}
}

func (k *kuma) method(s *Site, m mapping) {
	if method := strings.ToUpper(m.text("method")); method != "" && method != "GET" {
		s.set("method", method)
	}
	if n, ok := m.number("maxredirects"); ok {
		if n == 0 {
			s.set("follow_redirects", false)
		} else if n != 10 {
			s.set("max_redirects", int(n))
		}
	}
}

// contentType sets the body of a monitor, and what its encoding says of it.
func (k *kuma) contentType(s *Site, headers, m mapping) mapping {
	body := m.text("body")
	s.set("body", body)
	encoding := m.text("httpBodyEncoding")
	if encoding == "" {
		encoding = "json"
	}
	kind := map[string]string{"json": "application/json", "form": "application/x-www-form-urlencoded", "xml": "text/xml; charset=utf-8"}[encoding]
	if strings.TrimSpace(body) == "" || kind == "" {
		return headers
	}
	if headers == nil {
		headers = mapping{}
	}
	if !slices.ContainsFunc(sortedKeys(headers), func(key string) bool { return strings.EqualFold(key, "Content-Type") }) {
		headers["Content-Type"] = kind
	}
	return headers
}

// signIn sets how a monitor signs in.
func (k *kuma) signIn(s *Site, name string, m mapping) {
	switch method := m.text("authMethod"); method {
	case "", "basic":
		if user := m.text("basic_auth_user"); user != "" {
			s.set("basic_auth", []Key{{"username", user}, {"password", m.text("basic_auth_pass")}})
		}
	case "bearer":
		s.set("authorization", []Key{{"credentials", m.text("bearer_token")}})
	case "oauth2-cc":
		keys := []Key{{"client_id", m.text("oauth_client_id")}, {"client_secret", m.text("oauth_client_secret")}, {"token_url", m.text("oauth_token_url")}}
		if scopes := m.text("oauth_scopes"); scopes != "" {
			keys = append(keys, Key{"scopes", strings.Fields(scopes)})
		}
		if audience := m.text("oauth_audience"); audience != "" {
			keys = append(keys, Key{"endpoint_params", []Key{{"audience", audience}}})
		}
		s.set("oauth2", keys)
	case "mtls":
		keys, _ := taken(s, "tls_config").([]Key)
		for theirs, ours := range map[string]string{"tlsCa": "ca", "tlsCert": "cert", "tlsKey": "key"} {
			if pem := m.text(theirs); pem != "" {
				keys = append(keys, Key{ours, pem})
			}
		}
		slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
		s.set("tls_config", keys)
	case "null":
	default:
		k.lose(name, "signing in by %s is not carried over", method)
	}
}

// taken takes a key out of a site.
func taken(s *Site, name string) (value any) {
	s.Keys = slices.DeleteFunc(s.Keys, func(k Key) bool {
		if k.Name == name {
			value = k.Value
		}
		return k.Name == name
	})
	return value
}

// expectations sets what a monitor by HTTP expects.
func (k *kuma) expectations(s *Site, name, kind string, m mapping) {
	c := &conditions{scheme: "https"}
	for _, code := range m.texts("accepted_statuscodes") {
		c.status = append(c.status, code)
	}
	if c.status == nil {
		c.status = []any{"200-299"} // what it is there
	}
	if word := m.text("keyword"); kind == "keyword" && word != "" {
		pattern := regexp.QuoteMeta(word)
		if m.flag("invertKeyword", false) {
			c.notMatch = append(c.notMatch, pattern)
		} else {
			c.match = append(c.match, pattern)
		}
	}
	if kind == "json-query" {
		if why := c.jsonQuery(m.text("jsonPath"), m.text("jsonPathOperator"), m.text("expectedValue")); why != "" {
			k.lose(name, "its JSON query: %s", why)
		}
	}
	if m.flag("expiryNotification", false) && strings.HasPrefix(m.textOf("url"), "https") {
		c.validFor = "14d"
	}
	s.set("expect", c.keys())
}

// jsonata is the part of JSONata that is a path.
var jsonata = regexp.MustCompile(`^\$?\.?([A-Za-z_][A-Za-z0-9_-]*|\[\d+\])?(\.[A-Za-z_][A-Za-z0-9_-]*|\[\d+\])*$`)

// jsonQuery takes what a value in a JSON body has to be.
func (c *conditions) jsonQuery(path, op, want string) string {
	if !jsonata.MatchString(path) {
		return fmt.Sprintf("%s is more of JSONata than a path; write expect.json or expect.expr by hand", path)
	}
	if op == "" {
		op = "=="
	}
	left := operand{name: "BODY", path: pathOf(strings.TrimPrefix(path, "$"))}
	switch {
	case op == "contains" && left.path == nil:
		c.match = append(c.match, regexp.QuoteMeta(want))
		return ""
	case op == "contains":
		c.json = append(c.json, map[string]any{"path": gjson(left.path), "matches": regexp.QuoteMeta(want)})
		return ""
	case left.path == nil && op == "==":
		return c.matches(op, `^\s*"?`+regexp.QuoteMeta(want)+`"?\s*$`)
	case left.path == nil && op != "!=":
		return c.add("float(trim(body)) %s %s", op, want)
	case left.path == nil:
		return "it is about the body as a whole"
	}
	return c.jsonIs(left, op, want)
}
