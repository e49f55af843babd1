package config

import (
	"crypto/tls"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// httpVersions are the versions of HTTP as answers name them.
var httpVersions = []string{"HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}

var typeHTTPVersions = valueInfo{name: "list of words", schema: oneOrMore(schema{"enum": httpVersions})}

func httpVersionKey() key[sitemon.Expect] {
	return key[sitemon.Expect]{
		keyInfo: keyInfo{
			name: "http_version", value: typeHTTPVersions, kinds: kindsHTTP(), def: "any", example: "[HTTP/2.0, HTTP/3.0]",
			doc: "The versions of HTTP in which the answer may come; another one is down with the reason `protocol`. Which ones are spoken, `enable_http2`, `enable_h2c` and `enable_http3` say.",
		},
		read: func(w *walker, f field, e *sitemon.Expect) {
			w.items("http_version", f.value, func(n *yaml.Node) {
				if i := w.choice("http_version", n, httpVersions...); i >= 0 {
					e.HTTPVersions = append(e.HTTPVersions, httpVersions[i])
				}
			})
		},
	}
}

func h2cKey() key[draft] {
	return request(keyInfo{
		name: "enable_h2c", value: typeBool, def: "false", example: "true",
		doc: "Whether HTTP/2 is spoken without TLS, by prior knowledge: for `http://` addresses of servers that are known to speak it.",
	}, func(w *walker, f field, d *draft) { d.h2c, d.request.EnableH2C = f, w.boolean("enable_h2c", f.value) })
}

func http3Key() key[draft] {
	return request(keyInfo{
		name: "enable_http3", value: typeBool, def: "false", example: "true",
		doc: "Whether HTTP/3 is spoken, by QUIC, and nothing else: for `https://` addresses. Redirects to `http://` are followed by TCP. It goes through no proxy, and no connection is kept for the next probe.",
	}, func(w *walker, f field, d *draft) {
		d.http3, d.request.EnableHTTP3 = f, w.boolean("enable_http3", f.value)
	})
}

// oneVersion notes what can't go together with a version of HTTP.
func (w *walker) oneVersion(n *yaml.Node, d *draft) {
	r := &d.request
	scheme, known := w.scheme(d.site.URL)
	at := func(f field) *yaml.Node {
		if f.inherited {
			return n
		}
		return f.value
	}
	if r.EnableH2C {
		switch {
		case r.ProxyURL != "":
			w.fail(at(d.h2c), "enable_h2c does not go through proxy_url; take one of them out")
		case known && scheme != "http":
			w.fail(at(d.h2c), "enable_h2c is for http:// addresses; with TLS, enable_http2 is enough")
		}
	}
	if !r.EnableHTTP3 {
		return
	}
	switch {
	case known && scheme != "https":
		w.fail(at(d.http3), "enable_http3 needs an https:// address, as QUIC has TLS in it")
	case r.ProxyURL != "":
		w.fail(at(d.http3), "enable_http3 does not go through proxy_url, which takes no UDP; take one of them out")
	case r.KeepAlive:
		w.fail(at(d.http3), "enable_http3 can't keep a connection for the next probe; write keep_alive: false, or take one of them out")
	case r.TLS != nil && r.TLS.MaxVersion != 0 && r.TLS.MaxVersion < tls.VersionTLS13:
		w.fail(at(d.http3), "enable_http3 needs TLS 1.3; take tls_config.max_version out")
	}
}

// scheme is that of an address, where it is known here.
func (w *walker) scheme(address string) (string, bool) {
	expanded, known := w.expanded(address)
	if !known {
		scheme, _, ok := strings.Cut(address, "://")
		return strings.ToLower(scheme), ok && !strings.Contains(scheme, "${")
	}
	u, err := url.Parse(expanded)
	if err != nil {
		return "", false
	}
	return u.Scheme, true
}
