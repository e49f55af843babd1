package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"sitemon"
)

// healthMethod is the call that a gRPC server answers about its health (grpc.health.v1).
const healthMethod = "/grpc.health.v1.Health/Check"

// grpcPrefix is how many bytes stand before a message of gRPC: whether it is
// compressed, and its length.
const grpcPrefix = 5

// servingStatuses are the states of a service by their number.
var servingStatuses = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

const serving = "SERVING"

// grpcCodes are the status codes of gRPC by their number.
var grpcCodes = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// healthCheck is a question about the health of a service, and its answer.
type healthCheck struct {
	service string
	request *request
	shown   *exchange
	resp    *http.Response
	status  string // of the service; "" where the call failed
	code    string // of the call
	message string // what the server says of a call that failed
}

// probeGRPC asks a gRPC server for its health, or that of one of its services.
func probeGRPC(a *attempt) error {
	h, err := a.healthCheck()
	if err != nil {
		return err
	}
	c, err := a.connect(h.request)
	if err != nil {
		return err
	}
	if err := a.callHealth(c, h); err != nil {
		c.close()
		return err
	}
	err = a.conclude(func(v *verdict) {
		v.health(h)
		metadata := h.metadata()
		v.headers(metadata)
		v.ans = answered{header: metadata}
	})
	c.end()
	return err
}

// healthCheck makes the site's question.
func (a *attempt) healthCheck() (*healthCheck, error) {
	u, err := a.target()
	if err != nil {
		return nil, err
	}
	h := &healthCheck{service: strings.TrimPrefix(u.Path, "/"), shown: &exchange{method: "Check", url: u.String()}}
	a.asking(h.shown)
	wire := &url.URL{Scheme: "http", Host: u.Host, Path: healthMethod}
	switch u.Scheme {
	case "grpc":
	case "grpcs":
		wire.Scheme = "https"
	default:
		return nil, failf(sitemon.ReasonInternal, nil, "a gRPC probe can't reach a URL with the scheme %q", u.Scheme)
	}
	if u.Port() == "" {
		return nil, failf(sitemon.ReasonInternal, nil, "the URL has no port: %s://host:port/service is expected", u.Scheme)
	}
	if h.request, err = a.prepareTo(wire); err != nil {
		return nil, err
	}
	h.request.method, h.request.body = http.MethodPost, healthRequest(h.service)
	for _, own := range []field{{name: "Content-Type", value: "application/grpc"}, {name: "Te", value: "trailers"}} {
		h.request.fields = slices.DeleteFunc(h.request.fields, func(f field) bool { return f.name == own.name })
		h.request.fields = append(h.request.fields, own)
	}
	h.shown.fill = func() { a.describeHealth(h) }
	return h, nil
}

// healthRequest is the message that asks for a service, as gRPC frames it.
func healthRequest(service string) string {
	const fieldService = 1
	b := make([]byte, grpcPrefix, grpcPrefix+8+len(service))
	if service != "" {
		b = protowire.AppendTag(b, fieldService, protowire.BytesType)
		b = protowire.AppendString(b, service)
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-grpcPrefix))
	return string(b)
}

// callHealth asks on a connection and reads the answer.
func (a *attempt) callHealth(c *httpConn, h *healthCheck) (err error) {
	if c.h2 == nil {
		return failf(sitemon.ReasonProtocol, nil, "the server does not choose HTTP/2, which gRPC needs, in the TLS handshake (ALPN h2)")
	}
	start := time.Now()
	h.resp, err = a.roundTrip2(c, h.request) //nolint:bodyclose // Its body ends with the connection, which probeGRPC closes.
	began := time.Now()
	a.report.Phases.Processing += began.Sub(start)
	if err != nil {
		return err
	}
	kind := h.resp.Header.Get("Content-Type")
	if h.resp.StatusCode != http.StatusOK {
		a.report.StatusCode = h.resp.StatusCode
		if !ofGRPC(kind) || h.resp.Header.Get("Grpc-Status") == "" {
			return failf(sitemon.ReasonStatus, nil, "the server answered with the HTTP status %s, not as gRPC does", a.seen([]byte(h.resp.Status)))
		}
	}
	if !ofGRPC(kind) {
		return failf(sitemon.ReasonProtocol, nil, "the answer is not gRPC: its content type is %s", a.seen([]byte(kind)))
	}
	body, err := a.readBody(&answer{a, c, h.resp, began})
	if err != nil {
		return err
	}
	return h.read(a, body)
}

// ofGRPC reports whether a content type is that of gRPC, in whatever format its
// messages are.
func ofGRPC(kind string) bool {
	format, ok := strings.CutPrefix(kind, "application/grpc")
	return ok && (format == "" || format[0] == '+' || format[0] == ';')
}

// read takes what the server says out of its answer.
func (h *healthCheck) read(a *attempt, body []byte) error {
	end := h.resp.Trailer
	if len(end) == 0 && len(body) == 0 { // an answer of trailers alone
		end = h.resp.Header
	}
	code := end.Get("Grpc-Status")
	n, err := strconv.ParseUint(code, 10, 16)
	switch {
	case a.report.BodyTruncated:
		return failf(sitemon.ReasonProtocol, nil, "the answer about the health is longer than %d bytes", len(body))
	case code == "":
		return failf(sitemon.ReasonProtocol, nil, "the answer ends without a status of gRPC")
	case err != nil:
		return failf(sitemon.ReasonProtocol, nil, "the answer has a status of gRPC that is no number: %s", a.seen([]byte(code)))
	case n < uint64(len(grpcCodes)):
		h.code = grpcCodes[n]
	default:
		h.code = "code " + code
	}
	if n > 0 {
		h.message = end.Get("Grpc-Message")
		if text, err := url.PathUnescape(h.message); err == nil {
			h.message = text
		}
		return nil
	}
	if h.status, err = healthStatus(body); err != nil {
		return failf(sitemon.ReasonProtocol, err, "the answer about the health can't be read: %v", err)
	}
	return nil
}

// healthStatus reads the one message of a good answer.
func healthStatus(body []byte) (string, error) {
	const fieldStatus = 1
	switch {
	case len(body) < grpcPrefix:
		return "", errors.New("there is no message")
	case body[0] != 0:
		return "", errors.New("the message is compressed, which was not asked for")
	case uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-grpcPrefix):
		return "", errors.New("the message's length is wrong")
	}
	status := uint64(0) // what is left out is the default
	for b := body[grpcPrefix:]; len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return "", protowire.ParseError(n)
		}
		b = b[n:]
		if number == fieldStatus && kind == protowire.VarintType {
			status, n = protowire.ConsumeVarint(b)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return "", protowire.ParseError(n)
		}
		b = b[n:]
	}
	if status < uint64(len(servingStatuses)) {
		return servingStatuses[status], nil
	}
	return "status " + strconv.FormatUint(status, 10), nil
}

// metadata is what the answer carries beside its message.
func (h *healthCheck) metadata() http.Header {
	if len(h.resp.Trailer) == 0 {
		return h.resp.Header
	}
	all := h.resp.Header.Clone()
	for name, values := range h.resp.Trailer {
		all[name] = append(all[name], values...)
	}
	return all
}

// describeHealth says in words what was asked and answered.
func (a *attempt) describeHealth(h *healthCheck) {
	x := h.shown
	x.sent = map[string]string{}
	for _, f := range h.request.fields {
		x.sent[f.name] = a.headerText(f.name, []string{f.value})
	}
	if h.request.authorization != "" {
		x.sent["Authorization"] = sitemon.Redacted
	}
	if h.request.host != "" {
		x.sent["Host"] = h.request.host
	}
	if h.resp == nil {
		return
	}
	x.protocol, x.status, x.body = "gRPC", h.code, []byte(h.status)
	if h.code == "" { // it is no answer of gRPC
		x.protocol, x.status = h.resp.Proto, h.resp.Status
	}
	metadata := h.metadata()
	x.fields = make(map[string]string, len(metadata))
	for name := range maps.Keys(metadata) {
		x.fields[name] = a.headerText(name, metadata[name])
	}
}

// health judges what the server says of the service.
func (v *verdict) health(h *healthCheck) {
	ok := h.status == serving
	if v.quiet(ok) {
		return
	}
	seen, text := h.status, ""
	if h.status == "" {
		seen = h.code
		if h.message != "" {
			seen += " (" + v.attempt.beginning([]byte(h.message), false, maxSeen) + ")"
		}
		switch h.code {
		case "UNIMPLEMENTED":
			text = "; it has no health service (grpc.health.v1)"
		case "NOT_FOUND":
			text = fmt.Sprintf("; it does not know the service %q", h.service)
		}
	}
	v.note(ok, sitemon.OutcomeDown, sitemon.ReasonStatus, Check{Name: "health", Expected: serving, Seen: seen},
		fmt.Sprintf("the server answered %s, expected %s%s", seen, serving, text))
}
