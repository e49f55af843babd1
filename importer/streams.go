package importer

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// streaming reports whether an address is that of a WebSocket, or of gRPC.
func streaming(target string) (ws, grpc bool) {
	scheme, _, _ := strings.Cut(target, "://")
	return scheme == "ws" || scheme == "wss", scheme == "grpc" || scheme == "grpcs"
}

// secure reports whether the scheme of an address has a certificate.
func secure(scheme string) bool {
	switch scheme {
	case "https", "tls", "wss", "grpcs":
		return true
	}
	return false
}

// gatusStream takes what an endpoint by WebSocket or gRPC sends.
func (r *Result) gatusStream(s *Site, where, target, body string, headers mapping) {
	ws, _ := streaming(target)
	s.set("headers", headersOf(headers))
	switch {
	case body == "":
	case ws:
		s.set("ws", []Key{{"send", []string{body}}})
	default:
		r.lose(where, "its body: of gRPC only the health is asked for")
	}
}

// kumaStream takes what a monitor by WebSocket or gRPC asks for.
func (r *kuma) kumaStream(s *Site, name, kind string, m mapping) {
	switch kind {
	case "websocket-upgrade":
		var offered []string
		for p := range strings.SplitSeq(m.text("wsSubprotocol"), ",") {
			if p = strings.TrimSpace(p); p != "" {
				offered = append(offered, p)
			}
		}
		if offered != nil {
			s.set("ws", []Key{{"subprotocols", offered}})
		}
		if m.flag("wsIgnoreSecWebsocketAcceptHeader", false) {
			r.lose(name, "that Sec-WebSocket-Accept is not looked at; here the server has to answer as the protocol has it")
		}
	case "grpc-keyword":
		r.kumaGRPC(s, name, m)
	}
}

// kumaGRPC takes the metadata of a call. A call other than that of the health is lost.
func (r *kuma) kumaGRPC(s *Site, name string, m mapping) {
	service, method := m.text("grpcServiceName"), m.text("grpcMethod")
	keyword := m.text("keyword")
	s.set("headers", headersOf(asMapping(decoded(m.take("grpcMetadata")))))
	inverted := m.flag("invertKeyword", false)
	if !strings.HasSuffix(service, "Health") || !strings.EqualFold(method, "check") {
		r.lose(name, "it calls %s of %s and looks for %q; here the server is asked for its health (grpc.health.v1)", method, service, keyword)
		return
	}
	if inverted || keyword != "SERVING" && keyword != "" {
		r.lose(name, "the keyword %q; here the answer has to be SERVING", keyword)
	}
}

// kumaGRPCTarget is the address of a monitor by gRPC, with the service whose health
// its call asks for.
func kumaGRPCTarget(m mapping) string {
	scheme := "grpc://"
	if m.flag("grpcEnableTls", false) {
		scheme = "grpcs://"
	}
	host, _, _ := strings.Cut(withoutScheme(m.text("grpcUrl")), "/")
	var question struct {
		Service string `json:"service"`
	}
	if json.Unmarshal([]byte(m.text("grpcBody")), &question) != nil {
		question.Service = ""
	}
	return grpcTarget(scheme, host, question.Service)
}

// grpcTarget is the address of a service.
func grpcTarget(scheme, host, service string) string {
	if service == "" {
		return scheme + host
	}
	return fmt.Sprintf("%s%s/%s", scheme, host, url.PathEscape(service))
}
