package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sitemon/web/auth"
)

// handler answers a request, or returns the error that shall be the answer; it
// must not have written anything then.
type handler func(w http.ResponseWriter, r *http.Request) error

// routeClass sorts routes for metrics, and for how their errors are shown.
type routeClass string

const (
	classAPI     routeClass = "api"
	classBadge   routeClass = "badge"
	classEvents  routeClass = "events"
	classHealth  routeClass = "health"
	classBeat    routeClass = "heartbeat"
	classLogin   routeClass = "login"
	classMetrics routeClass = "metrics"
	classPage    routeClass = "page"
	classStatic  routeClass = "static"
	classStatus  routeClass = "status"
)

// route is one method of one path.
type route struct {
	method string
	path   string // as in [http.ServeMux]
	class  routeClass
	// params are the query parameters that it takes; others are refused, so that a
	// misspelt filter is not taken for none. Nil: any, they are ignored.
	params []string
	handle handler
}

// needs is the role that a route needs; "" for one that is open to everybody.
func (rt route) needs() auth.Role {
	switch {
	case rt.class == classHealth || rt.class == classStatic || rt.class == classLogin:
		return ""
	case rt.class == classBeat:
		return "" // the site's own token says whether it may
	case rt.class == classStatus || rt.class == classBadge:
		return "" // what is public is for everybody; they look themselves
	case rt.method == http.MethodGet:
		return auth.Viewer
	}
	return auth.Operator
}

// apiRoutes are the routes that openapi.json describes.
func (s *Server) apiRoutes() []route {
	const v1 = "/api/v1"
	none := []string{}
	beat := beatParams()
	return []route{
		{"GET", v1 + "/sites", classAPI, []string{"group", "tag", "status", "q", "removed", "limit", "cursor"}, s.getSites},
		{"GET", v1 + "/sites/{name}", classAPI, none, s.getSite},
		{"GET", v1 + "/sites/{name}/reports", classAPI, []string{"from", "to", "outcome", "limit", "cursor"}, s.getReports},
		{"GET", v1 + "/sites/{name}/definition", classAPI, none, s.getDefinition},
		{"POST", v1 + "/sites/{name}/probe", classAPI, none, s.postProbe},
		{"GET", v1 + "/sites/{name}/availability", classAPI, []string{"from", "to", "step", "tz", "maintenance", "histogram"}, s.getAvailability},
		{"GET", v1 + "/sites/{name}/heartbeats", classAPI, []string{"limit"}, s.getHeartbeats},
		{"GET", v1 + "/report", classAPI, []string{"month", "from", "to", "tz", "maintenance"}, s.getReport},
		{"GET", v1 + "/incidents", classAPI, []string{"site", "open", "from", "to", "limit", "cursor"}, s.getIncidents},
		{"GET", v1 + "/incidents/{id}", classAPI, none, s.getIncident},
		{"POST", v1 + "/incidents/{id}/acknowledge", classAPI, none, s.postAcknowledge},
		{"POST", v1 + "/incidents/{id}/comments", classAPI, none, s.postComment},
		{"GET", v1 + "/config", classAPI, []string{"limit"}, s.getConfig},
		{"POST", v1 + "/config/reload", classAPI, none, s.postReload},
		{"GET", v1 + "/monitors", classAPI, none, s.getMonitors},
		{"GET", v1 + "/definitions", classAPI, []string{"limit", "cursor"}, s.getDefinitions},
		{"GET", v1 + "/certificates", classAPI, []string{"q"}, s.getCertificates},
		{"GET", v1 + "/events", classEvents, []string{"site", "types"}, s.getEvents},
		{"GET", v1 + "/openapi.json", classAPI, none, s.getOpenAPI},
		{"GET", "/badge/{name}/{file}", classBadge, nil, s.getBadge},
		{"POST", "/heartbeat/{name}", classBeat, beat, s.postBeat},
		{"GET", "/heartbeat/{name}", classBeat, beat, s.postBeat},
		{"POST", "/heartbeat/{name}/start", classBeat, []string{"token", "run"}, s.postStart},
		{"GET", "/heartbeat/{name}/start", classBeat, []string{"token", "run"}, s.postStart},
		{"POST", "/heartbeat/{name}/fail", classBeat, beat, s.postFailure},
		{"GET", "/heartbeat/{name}/fail", classBeat, beat, s.postFailure},
	}
}

// healthRoutes are the routes that openapi.json describes too, and that every
// process has.
func (s *Server) healthRoutes() []route {
	return []route{
		{"GET", "/healthz", classHealth, nil, s.getHealth},
		{"GET", "/readyz", classHealth, nil, s.getReady},
	}
}

// routes returns the handler of everything: all routes behind all checks.
func (s *Server) routes() http.Handler {
	all := s.healthRoutes()
	if !s.HealthOnly {
		all = slices.Concat(all, s.apiRoutes(), s.pageRoutes(), s.loginRoutes(), s.statusRoutes())
	}
	if s.Gatherer != nil {
		h := promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true})
		all = append(all, route{"GET", "/metrics", classMetrics, nil, plain(h)})
	}
	paths := map[string][]route{}
	for _, rt := range all {
		paths[rt.path] = append(paths[rt.path], rt)
	}
	mux := http.NewServeMux()
	for path, rs := range paths {
		mux.Handle(path, s.methods(rs))
	}
	pages := classPage
	if s.HealthOnly {
		pages = classAPI // errors as JSON: there is nothing to make a page of
	}
	for path, class := range map[string]routeClass{"/": pages, "/api/": classAPI, "/badge/": classBadge, "/heartbeat/": classBeat, "/status/": classPage} {
		if paths[path] == nil {
			mux.Handle(path, s.serve(class, func(http.ResponseWriter, *http.Request) error { return errNoRoute }))
		}
	}
	return s.guard(compress(mux))
}

// plain makes a handler of one that never fails.
func plain(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// methods serves the routes of one path, which differ in their methods. GET
// answers HEAD too.
func (s *Server) methods(rs []route) http.Handler {
	byMethod := map[string]http.Handler{}
	var allow []string
	for _, rt := range rs {
		h := s.serve(rt.class, s.admitted(rt))
		byMethod[rt.method] = h
		allow = append(allow, rt.method)
		if rt.method == http.MethodGet {
			byMethod[http.MethodHead] = h
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	refuse := s.serve(rs[0].class, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allowed)
		return problemf(http.StatusMethodNotAllowed, "%s is not possible here; possible: %s", r.Method, allowed)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := byMethod[r.Method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		refuse.ServeHTTP(w, r)
	})
}

// checked is the route's handler behind the check of its query parameters.
func (rt route) checked() handler {
	if rt.params == nil {
		return rt.handle
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := checkParams(r.URL.RawQuery, rt.params); err != nil {
			return err
		}
		return rt.handle(w, r)
	}
}

// serve runs a handler, makes its error or its panic an answer, and counts it.
func (s *Server) serve(class routeClass, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				s.panicked(rec, r, class, v)
			}
			s.metrics.observe(class, rec.status(), s.Now().Sub(start))
		}()
		r.Body = http.MaxBytesReader(rec, r.Body, maxBodyBytes)
		if err := h(rec, r); err != nil {
			s.fail(rec, r, class, err)
		}
	})
}

// panicked answers for a handler that panicked: the process goes on.
func (s *Server) panicked(rec *recorder, r *http.Request, class routeClass, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v) // net/http's own way to cut a connection
	}
	s.log.Error("handler panicked", "path", r.URL.Path, "err", v, "stack", stack())
	if rec.code != 0 {
		panic(http.ErrAbortHandler) // half an answer is under way: cut it off
	}
	s.answerProblem(rec, r, class, problem{Status: http.StatusInternalServerError, Detail: internalDetail})
}

// recorder remembers the status code of an answer.
type recorder struct {
	http.ResponseWriter
	code int // 0: nothing written yet
}

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) status() int {
	if r.code == 0 {
		return http.StatusOK
	}
	return r.code
}
