package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	defaultMaxRedirects  = 10
	maxMaxRedirects      = 100
	defaultBodySizeLimit = 1 << 20
	maxBodySizeLimit     = 64 << 20
	maxHeaderName        = 200
)

func kindsHTTP() []sitemon.Kind { return []sitemon.Kind{sitemon.KindHTTP} }

// kindsWithBody are those whose answer has a text.
func kindsWithBody() []sitemon.Kind {
	return []sitemon.Kind{sitemon.KindHTTP, sitemon.KindDNS, sitemon.KindWS, sitemon.KindPostgres, sitemon.KindRedis, sitemon.KindKafka}
}

func kindsWithTLS() []sitemon.Kind {
	return []sitemon.Kind{sitemon.KindHTTP, sitemon.KindTCP, sitemon.KindTLS, sitemon.KindDNS, sitemon.KindGRPC, sitemon.KindWS, sitemon.KindPostgres, sitemon.KindRedis, sitemon.KindKafka}
}

// defaultRequest is what is sent where nothing else is asked for.
func defaultRequest() sitemon.Request {
	return sitemon.Request{
		Method: "GET", FollowRedirects: true, MaxRedirects: defaultMaxRedirects,
		IPProtocolFallback: true, BodySizeLimit: defaultBodySizeLimit, EnableHTTP2: true,
	}
}

// request describes a key of a request with HTTP.
func request(k keyInfo, read func(w *walker, f field, d *draft)) key[draft] {
	k.part = partRequest
	if k.kinds == nil {
		k.kinds = kindsHTTP()
	}
	return key[draft]{keyInfo: k, read: read}
}

func requestBool(k keyInfo, in func(*sitemon.Request) *bool) key[draft] {
	k.value = typeBool
	return request(k, func(w *walker, f field, d *draft) { *in(&d.request) = w.boolean(k.name, f.value) })
}

// requestKeys say what is asked for.
func requestKeys() []key[draft] {
	return []key[draft]{
		request(keyInfo{
			name: "method", value: typeMethod, def: "GET", example: "HEAD",
			doc: "The method of the request.",
		}, func(w *walker, f field, d *draft) { d.method = f; d.request.Method = w.method(f.value) }),
		request(keyInfo{
			name: "headers", value: typeHeaders, kinds: kindsWithHeaders(), example: `{ Accept: application/json, X-Api-Key: "${API_KEY}" }`,
			doc: "Header fields of the request; the metadata of gRPC. Those of `defaults` are added to a site's own.",
		}, func(w *walker, f field, d *draft) {
			d.headers, d.request.Headers = f, w.headers("headers", f, headerFault)
		}),
		request(keyInfo{
			name: "body", value: typeText, example: `'{"ping": true}'`,
			doc: "The body of the request. It needs a `method` such as POST.",
		}, func(w *walker, f field, d *draft) {
			d.body = f.value
			d.request.Body, _ = w.reference("body", f.value)
			w.out = appendJSON(w.out, d.request.Body)
		}),
		requestBool(keyInfo{
			name: "follow_redirects", def: "true", example: "false",
			doc: "Whether redirects are followed. If not, a redirect is the answer that is judged.",
		}, func(r *sitemon.Request) *bool { return &r.FollowRedirects }),
		request(keyInfo{
			name: "max_redirects", value: typeCount(0, maxMaxRedirects), def: "10", example: "3",
			doc: "How many redirects are followed before the report is down with the reason `redirect`.",
		}, func(w *walker, f field, d *draft) {
			d.request.MaxRedirects = w.integer("max_redirects", f.value, 0, maxMaxRedirects)
		}),
	}
}

// connectionKeys say how the site is reached, and how much of the answer is read.
func connectionKeys() []key[draft] {
	return []key[draft]{
		request(keyInfo{
			name: "proxy_url", value: typeText, kinds: kindsWithProxy(), example: "http://proxy.example.org:3128",
			doc: "The proxy through which the request goes: http, https or socks5. The environment's HTTP_PROXY is not used by probes.",
		}, func(w *walker, f field, d *draft) { d.request.ProxyURL = w.proxy(f.value) }),
		request(keyInfo{
			name: "preferred_ip_protocol", value: typeWords(ipProtocols...), example: "ip4",
			kinds: everyKind(),
			doc:   "The family of addresses to use. Without it both are tried at once, as RFC 8305 has it.",
		}, func(w *walker, f field, d *draft) {
			if i := w.choice("preferred_ip_protocol", f.value, ipProtocols...); i >= 0 {
				d.request.PreferredIPProtocol = ipProtocols[i]
			}
		}),
		requestBool(keyInfo{
			name: "ip_protocol_fallback", def: "true", example: "false",
			kinds: everyKind(),
			doc:   "Whether the other family is used where the preferred one has no address.",
		}, func(r *sitemon.Request) *bool { return &r.IPProtocolFallback }),
		request(keyInfo{
			name: "body_size_limit", value: typeSize, kinds: kindsWithProxy(), def: "1MiB", example: "512KiB",
			doc: "How much of the decoded body is read and judged, from 1B to 64MiB. Of a longer body the first part is judged, and the report says `body_truncated`.",
		}, func(w *walker, f field, d *draft) { d.request.BodySizeLimit = w.size("body_size_limit", f.value) }),
		requestBool(keyInfo{
			name: "enable_http2", def: "true", example: "false",
			doc: "Whether HTTP/2 is spoken with servers that know it.",
		}, func(r *sitemon.Request) *bool { return &r.EnableHTTP2 }),
		h2cKey(),
		http3Key(),
		requestBool(keyInfo{
			name: "keep_alive", def: "false", example: "true",
			doc: "Whether the connection is kept for the next probe. By default each probe makes a new one, which is what a visitor meets.",
		}, func(r *sitemon.Request) *bool { return &r.KeepAlive }),
	}
}

var ipProtocols = []string{"ip4", "ip6"}

func everyKind() []sitemon.Kind {
	return []sitemon.Kind{sitemon.KindHTTP, sitemon.KindTCP, sitemon.KindTLS, sitemon.KindDNS, sitemon.KindICMP, sitemon.KindGRPC, sitemon.KindWS, sitemon.KindPostgres, sitemon.KindRedis, sitemon.KindKafka}
}

func (w *walker) method(n *yaml.Node) string {
	s, ok := w.text("method", n)
	w.out = appendJSON(w.out, s)
	switch {
	case !ok:
	case !isToken(s):
		w.fail(n, "method must be a word such as GET or POST, not %s", quote(s))
	case s != strings.ToUpper(s):
		w.fail(n, "method must be in capitals; write %s", strings.ToUpper(s))
	case s == "CONNECT":
		w.fail(n, "method CONNECT opens a tunnel and can't be probed; to probe through a proxy use proxy_url")
	}
	return s
}

// isToken reports whether s is a token of HTTP (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// headers reads a mapping of names and texts, with the names in order. fault
// says what is wrong with a name.
func (w *walker) headers(name string, f field, fault func(name string) string) []sitemon.Header {
	var headers []sitemon.Header
	w.table(name, f, fault, func(key string, n *yaml.Node) {
		what := name + "." + key
		value := w.referenceLine(what, n)
		if sitemon.CredentialName(key) {
			w.literalCredential(what, n, value)
		}
		w.out = appendJSON(w.out, value)
		headers = append(headers, sitemon.Header{Name: key, Value: sitemon.Secret(value)})
	})
	return headers
}

// table reads a mapping whose keys are free, sorted, with those of defaults
// added. Letter case makes no difference between keys.
func (w *walker) table(name string, f field, fault func(name string) string, each func(key string, n *yaml.Node)) {
	m := deref(f.value)
	if m.Kind != yaml.MappingNode {
		w.fail(f.value, "%s must be a mapping of names and values, as in { Accept: text/html }, not %s", name, describe(m))
		return
	}
	fields := w.pairs(m, nil)
	own := len(fields)
	if f.base != nil && deref(f.base).Kind == yaml.MappingNode {
		back := w.inDefaults()
		fields = w.pairs(deref(f.base), fields)
		back()
		for i := range fields[own:] {
			fields[own+i].inherited = true
		}
	}
	slices.SortStableFunc(fields[:own], byKey)
	for i := range fields[:max(own-1, 0)] {
		if a, b := fields[i].key, fields[i+1].key; strings.EqualFold(a.Value, b.Value) && a != b {
			w.fail(b, "%s: %s and %s (at %s) are the same name", name, b.Value, a.Value, place{w.file, a.Line, a.Column})
		}
	}
	slices.SortStableFunc(fields, byKey) // a site's own before the defaults'
	fields = slices.CompactFunc(fields, func(a, b field) bool { return strings.EqualFold(a.key.Value, b.key.Value) })
	w.out = append(w.out, '{')
	for i, f := range fields {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(appendJSON(w.out, f.key.Value), ':')
		back := func() {}
		if f.inherited {
			back = w.inDefaults()
		}
		w.places.entry(w, f)
		if message := fault(f.key.Value); message != "" {
			w.fail(f.key, "%s: %s", name, message)
		} else {
			each(f.key.Value, f.value)
		}
		back()
	}
	w.out = append(w.out, '}')
}

func byKey(a, b field) int {
	return strings.Compare(strings.ToLower(a.key.Value), strings.ToLower(b.key.Value))
}

// headerNameFault says what is wrong with the name of a header field, or "".
func headerNameFault(name string) string {
	switch {
	case strings.HasSuffix(name, ":"):
		return quote(name) + " has a colon at its end; take it out"
	case !isToken(name):
		return quote(name) + " is no name of a header field"
	case len(name) > maxHeaderName:
		return quote(name) + " is too long for a name"
	}
	return ""
}

// headerFault says why a request can't have a header field, or "".
func headerFault(name string) string {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "connection", "trailer", "upgrade", "keep-alive", "te":
		return name + " is set by the connection itself and can't be chosen"
	}
	return headerNameFault(name)
}
