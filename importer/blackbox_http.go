package importer

import (
	"fmt"
	"strconv"
	"strings"
)

func (b *blackbox) http(s *Site, where, target string, o mapping) {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	s.front("url", target)
	b.copyKeys(s, o, "method", "body", "enable_http2")
	headers := append(headersOf(o.sub("headers")), b.fields(where, o.sub("http_headers"))...)
	s.set("headers", unique(headers))
	b.client(s, where, o)
	b.copyKeys(s, o, families()...)
	if file := o.text("body_file"); file != "" {
		s.set("body", fileReference+file+"}")
	}
	o.take("skip_resolve_phase_with_proxy") // addresses are looked up by the proxy here
	if http3 := o.flag("enable_http3", false); http3 && strings.HasPrefix(target, "https://") {
		s.set("enable_http3", true)
		taken(s, "enable_http2")
	} else if http3 {
		b.lose(target, "enable_http3 is for https:// alone")
	}
	b.answer(s, where, target, o)
}

// client takes how a server is reached, and how the monitor signs in.
func (b *blackbox) client(s *Site, where string, o mapping) {
	b.copyKeys(s, o, "follow_redirects", "basic_auth", "authorization", "proxy_url", "tls_config")
	if oauth := o.sub("oauth2"); len(oauth) > 0 {
		kept := mapping{}
		for _, key := range []string{"client_id", "client_secret", "client_secret_file", "scopes", "token_url", "endpoint_params"} {
			if v := oauth.take(key); v != nil {
				kept[key] = v
			}
		}
		s.set("oauth2", ordered(map[string]any(kept)))
		b.leftover(where, oauth, "of its oauth2 is not carried over")
	}
	if token := o.text("bearer_token"); token != "" {
		s.set("authorization", []Key{{"credentials", token}})
	}
	if file := o.text("bearer_token_file"); file != "" {
		s.set("authorization", []Key{{"credentials_file", file}})
	}
}

// fields are header fields that have values, secrets and files: the last counts there.
func (b *blackbox) fields(where string, m mapping) (keys []Key) {
	for _, name := range sortedKeys(m) {
		field := asMapping(m[name])
		if field == nil { // plain, as some examples have it
			keys = append(keys, Key{name, fmt.Sprint(m[name])})
			continue
		}
		all := append(field.texts("values"), field.texts("secrets")...)
		for _, file := range field.texts("files") {
			all = append(all, fileReference+file+"}")
		}
		if len(all) > 0 {
			keys = append(keys, Key{name, all[len(all)-1]})
		}
		if len(all) > 1 {
			b.lose(where, "the other values of the header %s", name)
		}
	}
	return keys
}

// unique keeps the last of the fields with the same name.
func unique(fields []Key) (kept []Key) {
	last := map[string]int{}
	for i, f := range fields {
		last[strings.ToLower(f.Name)] = i
	}
	for i, f := range fields {
		if last[strings.ToLower(f.Name)] == i {
			kept = append(kept, f)
		}
	}
	return kept
}

// answer takes what is expected of an answer.
func (b *blackbox) answer(s *Site, where, target string, o mapping) {
	var e expectations
	for _, version := range o.texts("valid_http_versions") {
		if version == "HTTP/2" || version == "HTTP/3" {
			version += ".0"
		}
		e.versions = append(e.versions, version)
	}
	e.status = append(e.status, o.list("valid_status_codes")...)
	if e.status == nil {
		e.status = []any{"200-299"}
	}
	e.match = o.texts("fail_if_body_not_matches_regexp")
	e.notMatch = o.texts("fail_if_body_matches_regexp")
	for _, h := range o.list("fail_if_header_not_matches") {
		e.header(asMapping(h), true)
	}
	for _, h := range o.list("fail_if_header_matches") {
		e.header(asMapping(h), false)
	}
	if limit := o.text("body_size_limit"); limit != "" && limit != "0" {
		if _, err := strconv.Atoi(limit); err == nil {
			limit += "B"
		}
		s.set("body_size_limit", limit)
		e.expr = append(e.expr, "not body_truncated") // there a longer one fails
	}
	if o.flag("fail_if_ssl", false) {
		e.expr = append(e.expr, `tls.version == ""`)
	}
	if o.flag("fail_if_not_ssl", false) && !strings.HasPrefix(target, "https://") {
		e.tls = []Key{{"min_version", "TLS10"}} // any, as long as there is one
	}
	for _, cel := range []string{"fail_if_body_json_matches_cel", "fail_if_body_json_not_matches_cel"} {
		if text := o.text(cel); text != "" {
			b.lose(where, "%s: %s; write it to expect.expr (docs/expressions.md)", cel, text)
		}
	}
	s.set("expect", e.keys())
}

// header takes a rule for a field of the answer.
func (e *expectations) header(m mapping, match bool) {
	name, pattern := strings.ToLower(m.text("header")), m.text("regexp")
	missing := m.flag("allow_missing", false)
	there := fmt.Sprintf("%q in headers", name)
	matches := fmt.Sprintf("headers[%q] matches %s", name, strconv.Quote(pattern))
	switch {
	case match && !missing:
		e.headers = append(e.headers, Key{name, pattern})
	case match:
		e.expr = append(e.expr, fmt.Sprintf("not (%s) or %s", there, matches))
	case missing:
		e.expr = append(e.expr, fmt.Sprintf("not (%s and %s)", there, matches))
	default:
		e.expr = append(e.expr, fmt.Sprintf("%s and not (%s)", there, matches))
	}
}
