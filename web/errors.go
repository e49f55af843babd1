package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"

	"sitemon"
)

// problem is an answer that is an error, as RFC 9457 has it. Its type is
// always about:blank: the status code says what kind of error it is.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Parameter is the query parameter that is bad.
	Parameter string `json:"parameter,omitempty"`
	// Errors are the faults of a sites file that was refused.
	Errors []sitemon.Problem `json:"errors,omitempty"`
}

// Error returns the detail.
func (p problem) Error() string { return p.Detail }

func problemf(status int, format string, args ...any) problem {
	return problem{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// badParameter is the error of a query parameter, which it names.
func badParameter(name, format string, args ...any) problem {
	p := problemf(http.StatusBadRequest, "%s: %s", name, fmt.Sprintf(format, args...))
	p.Parameter = name
	return p
}

// bodyError is the answer to a body that could not be read.
func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return problemf(http.StatusBadRequest, "the body of the request could not be read")
}

var errNoRoute = problem{Status: http.StatusNotFound, Detail: "there is nothing at this address"}

const internalDetail = "the request could not be answered; the log says why"

// statusClientGone is nginx's number for a client that left before the answer;
// nobody sees it but the metrics.
const statusClientGone = 499

// toProblem is the one place that makes an error a status code. Texts of errors
// that were not written for users stay inside; logged says that they are.
func toProblem(err error) (p problem, logged bool) {
	if p, ok := errors.AsType[problem](err); ok {
		return p, false
	}
	if ps, ok := errors.AsType[sitemon.Problems](err); ok {
		return problem{Status: http.StatusUnprocessableEntity, Detail: "the sites file has faults; what ran before goes on", Errors: ps}, false
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problemf(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", e.Limit), false
	}
	switch {
	case errors.Is(err, sitemon.ErrNotFound):
		return problem{Status: http.StatusNotFound, Detail: "there is no such site"}, false
	case errors.Is(err, sitemon.ErrInvalid):
		return problem{Status: http.StatusBadRequest, Detail: err.Error()}, false
	case errors.Is(err, context.Canceled):
		return problem{Status: statusClientGone, Detail: "the client left"}, false
	case errors.Is(err, context.DeadlineExceeded):
		return problem{Status: http.StatusServiceUnavailable, Detail: "the store took too long to answer"}, true
	}
	return problem{Status: http.StatusInternalServerError, Detail: internalDetail}, true
}

// fail answers with an error.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, class routeClass, err error) {
	p, logged := toProblem(err)
	if logged {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	s.answerProblem(w, r, class, p)
}

// answerProblem writes the problem in the form that the route's clients read.
func (s *Server) answerProblem(w http.ResponseWriter, r *http.Request, class routeClass, p problem) {
	p.Type = "about:blank"
	p.Title = http.StatusText(p.Status)
	if p.Status == statusClientGone {
		p.Title = "Client Closed Request"
	}
	if class == classPage || class == classLogin || class == classStatus {
		s.pageError(w, r, p)
		return
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

// answerJSON writes v as the answer.
func answerJSON(w http.ResponseWriter, v any) error {
	writeJSON(w, http.StatusOK, "application/json", v)
	return nil
}

// writeJSON encodes v completely before anything of it is sent.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Errorf("encode an answer: %w", err)) // answered and logged by serve
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone; there is nobody to tell
}

func stack() string { return string(debug.Stack()) }
