package importer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// families are the keys that say which addresses are used.
func families() []string { return []string{"preferred_ip_protocol", "ip_protocol_fallback"} }

// probe takes a module for one of its targets; false where nothing here is like it.
func (b *blackbox) probe(s *Site, where, target string, m mapping) bool {
	prober := m.text("prober")
	if prober == "" {
		prober = "http"
	}
	timeout, _ := duration(m.text("timeout"))
	o := m.sub(prober)
	for _, other := range []string{"http", "tcp", "dns", "icmp", "grpc", "unix", "websocket"} {
		m.take(other)
	}
	b.leftover(where, m, "is not carried over")
	s.set("timeout", span(timeout))
	switch prober {
	case "http":
		b.http(s, where, target, o)
	case "tcp":
		b.tcp(s, where, target, o)
	case "icmp":
		b.icmp(s, target, o)
	case "dns":
		b.dns(s, where, target, o)
	case "grpc":
		b.grpc(s, where, target, o)
	case "websocket":
		b.websocket(s, where, target, o)
	case "unix":
		b.lose(where, "sockets of the machine (unix) have no counterpart")
		return false
	default:
		b.lose(where, "there is no prober %q", prober)
		return false
	}
	b.leftover(where, o, "is not carried over")
	return true
}

func (b *blackbox) tcp(s *Site, where, target string, o mapping) {
	scheme := "tcp://"
	if o.flag("tls", false) {
		scheme = "tls://"
	}
	s.front("url", scheme+target)
	b.copyKeys(s, o, append(families(), "tls_config")...)
	steps := o.list("query_response")
	for _, one := range steps {
		m := asMapping(one)
		if m["expect_bytes"] != nil || !isText(m.textOf("send")) {
			b.lose(where, "what is said on the connection, as it is in bytes (expect_bytes, or what is sent): the site only looks whether the port answers")
			return
		}
	}
	b.blackboxDialogue(s, where, steps)
}

// isText tells whether a line can stand in a sites file.
func isText(line string) bool {
	return utf8.ValidString(line) && !strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\r' && c != '\n' && c != '\t' })
}

func (b *blackbox) icmp(s *Site, target string, o mapping) {
	s.front("url", "icmp://"+bracketed(target))
	b.copyKeys(s, o, families()...)
	var icmp []Key
	for _, key := range []string{"payload_size", "ttl"} {
		if n, ok := o.number(key); ok && n > 0 {
			icmp = append(icmp, Key{key, int(n)})
		}
	}
	if o.flag("dont_fragment", false) {
		icmp = append(icmp, Key{"dont_fragment", true})
	}
	s.set("icmp", icmp)
}

func (b *blackbox) dns(s *Site, where, target string, o mapping) {
	kind, query := o.text("query_type"), []string(nil)
	if kind == "" {
		kind = "ANY" // what it is there
	}
	if kind != "A" {
		query = append(query, "type="+kind)
	}
	if class := o.text("query_class"); class != "" && class != "IN" {
		query = append(query, "class="+class)
	}
	address := "dns://" + target + "/" + strings.TrimSuffix(o.text("query_name"), ".")
	if query != nil {
		address += "?" + strings.Join(query, "&")
	}
	s.front("url", address)
	b.copyKeys(s, o, families()...)
	var dns []Key
	if o.flag("dns_over_tls", false) {
		dns = append(dns, Key{"dns_over_tls", true})
		o.take("transport_protocol") // which is tcp then
	}
	if transport := o.text("transport_protocol"); transport != "" && transport != "udp" {
		dns = append(dns, Key{"transport_protocol", transport})
	}
	if !o.flag("recursion_desired", true) {
		dns = append(dns, Key{"recursion_desired", false})
	}
	s.set("dns", dns)
	if config := o.sub("tls_config"); len(config) > 0 {
		s.set("tls_config", ordered(config))
	}
	e := &expectations{rcodes: o.texts("valid_rcodes")}
	if e.rcodes == nil {
		e.rcodes = []string{"NOERROR"} // also without a record
	}
	b.answers(e, o.sub("validate_answer_rrs"))
	for _, section := range []string{"validate_authority_rrs", "validate_additional_rrs"} {
		if rules := o.sub(section); len(rules) > 0 {
			b.lose(where, "%s: only the answer section is looked at", section)
		}
	}
	s.set("expect", e.keys())
}

// answers takes what is expected of the records, each of them as a line.
func (b *blackbox) answers(e *expectations, rules mapping) {
	line := func(pattern string) string {
		return strings.NewReplacer("\t", " ", `\t`, " ").Replace(pattern)
	}
	for _, pattern := range rules.texts("fail_if_matches_regexp") {
		e.notMatch = append(e.notMatch, "(?m)"+line(pattern))
	}
	for _, pattern := range rules.texts("fail_if_none_matches_regexp") {
		e.match = append(e.match, "(?m)"+line(pattern))
	}
	all := func(pattern string) string {
		return `all(split(trim(body), "\n"), # matches ` + strconv.Quote(line(pattern)) + ")"
	}
	for _, pattern := range rules.texts("fail_if_not_matches_regexp") {
		e.expr = append(e.expr, all(pattern))
	}
	for _, pattern := range rules.texts("fail_if_all_match_regexp") {
		e.expr = append(e.expr, "not "+all(pattern))
	}
}

func (b *blackbox) grpc(s *Site, where, target string, o mapping) {
	scheme := "grpc://"
	if o.flag("tls", false) {
		scheme = "grpcs://"
	}
	s.front("url", grpcTarget(scheme, target, o.text("service")))
	if scheme == "grpc://" {
		o.take("tls_config")
	}
	b.copyKeys(s, o, append([]string{"tls_config"}, families()...)...)
	s.set("headers", b.firstOfEach(where, "metadata", o.sub("metadata")))
}

// firstOfEach are fields of which each has several values: the first counts.
func (b *blackbox) firstOfEach(where, what string, m mapping) (keys []Key) {
	for _, name := range sortedKeys(m) {
		values := m.texts(name)
		if len(values) > 0 {
			keys = append(keys, Key{name, values[0]})
		}
		if len(values) > 1 {
			b.lose(where, "the other values of %s in %s", name, what)
		}
	}
	return keys
}

// websocket takes a module that talks by WebSocket: what is sent, and what has to come.
func (b *blackbox) websocket(s *Site, where, target string, o mapping) {
	if !strings.Contains(target, "://") {
		target = "ws://" + target
	}
	s.front("url", strings.NewReplacer("https://", "wss://", "http://", "ws://").Replace(target))
	b.copyKeys(s, o, families()...)
	client := o.sub("http_config")
	b.client(s, where, client)
	b.leftover(where, client, "of its http_config is not carried over")
	s.set("headers", b.fields(where, o.sub("headers")))
	var e expectations
	var sends []string
	for _, one := range o.list("query_response") {
		m := asMapping(one)
		if expect := m.text("expect"); expect != "" {
			e.match = append(e.match, "(?m)"+expect)
		}
		if send := m.text("send"); strings.Contains(send, "$") {
			b.lose(where, "what is sent with values of what came before: %q", send)
		} else if send != "" {
			sends = append(sends, send)
		}
		b.leftover(where, m, "of its query_response is not carried over")
	}
	if sends != nil {
		s.set("ws", []Key{{"send", sends}})
	}
	s.set("expect", e.keys())
}
