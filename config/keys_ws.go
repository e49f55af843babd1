package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

func kindsWS() []sitemon.Kind { return []sitemon.Kind{sitemon.KindWS} }

// kindsWithHeaders are those whose question and answer carry header fields.
func kindsWithHeaders() []sitemon.Kind {
	return []sitemon.Kind{sitemon.KindHTTP, sitemon.KindGRPC, sitemon.KindWS}
}

// kindsWithProxy are those that go through a proxy of HTTP.
func kindsWithProxy() []sitemon.Kind { return []sitemon.Kind{sitemon.KindHTTP, sitemon.KindWS} }

// wsKey says what is sent through a WebSocket.
func wsKey() key[draft] {
	return request(keyInfo{
		name: "ws", value: typeMapping(wsObject.info), kinds: kindsWS(), example: `{ send: '{"op": "ping"}' }`,
		doc: "What is said once the WebSocket is open, see [kinds.md](kinds.md).",
	}, func(w *walker, f field, d *draft) {
		d.request.WS = new(sitemon.WSRequest)
		wsObject.read(w, f.alone(), d.request.WS)
	})
}

var wsObject = newWSObject()

func newWSObject() *object[sitemon.WSRequest] {
	o := newObject("ws", []key[sitemon.WSRequest]{
		{
			keyInfo: keyInfo{
				name: "send", value: typeTexts, example: `['{"op": "subscribe"}']`,
				doc: "Text messages that are sent, in this order. `expect.body` and `expect.json` say what has to come back.",
			},
			read: func(w *walker, f field, r *sitemon.WSRequest) {
				w.items("send", f.value, func(n *yaml.Node) {
					s, _ := w.reference("send", n)
					w.out = appendJSON(w.out, s)
					r.Send = append(r.Send, s)
				})
			},
		},
		{
			keyInfo: keyInfo{
				name: "subprotocols", value: typeTexts, example: "[graphql-transport-ws]",
				doc: "Subprotocols that are offered to the server, which has to choose one of them.",
			},
			read: func(w *walker, f field, r *sitemon.WSRequest) {
				w.items("subprotocols", f.value, func(n *yaml.Node) {
					s, ok := w.text("subprotocols", n)
					w.out = appendJSON(w.out, s)
					if ok && !isToken(s) {
						w.fail(n, "subprotocols: %s is no name of a subprotocol", quote(s))
					}
					r.Subprotocols = append(r.Subprotocols, s)
				})
			},
		},
	}, nil)
	o.aliases = map[string]string{
		"message": "send", "messages": "send", "body": "send", "data": "send",
		"subprotocol": "subprotocols", "protocol": "subprotocols", "protocols": "subprotocols",
	}
	return o
}

var typeTexts = valueInfo{name: "list of texts", schema: oneOrMore(schema{"type": "string"})}

// plainOrSecure notes keys of TLS where the scheme has none, and header fields that
// the upgrade to a WebSocket sets.
func (w *walker) plainOrSecure(d *draft) {
	scheme, _, _ := strings.Cut(strings.ToLower(d.site.URL), ":")
	if scheme == "grpc" || scheme == "ws" {
		for name, f := range map[string]field{"tls_config": d.tls, "certificate_valid_for": d.validity} {
			if f.value != nil && !f.inherited {
				w.warn(f.key, "%s does nothing here; the scheme with TLS is %ss://", name, scheme)
			}
		}
	}
	if w.kind != sitemon.KindWS || d.headers.value == nil {
		return
	}
	for _, f := range w.pairs(deref(d.headers.value), nil) {
		if strings.HasPrefix(strings.ToLower(f.key.Value), "sec-websocket-") {
			w.fail(f.key, "headers: %s is set by the upgrade itself; subprotocols are a key of ws", f.key.Value)
		}
	}
}
