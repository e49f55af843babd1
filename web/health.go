package web

import (
	"net/http"
	"strconv"
)

// getHealth says that the process lives.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) error {
	return answerJSON(w, healthJSON{Status: "ok", Version: s.Version})
}

type healthJSON struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// getReady lists what is missing for the process to do its work.
func (s *Server) getReady(w http.ResponseWriter, r *http.Request) error {
	missing := []string{}
	if s.Ready != nil {
		missing = append(missing, s.Ready(r.Context())...)
	}
	status := http.StatusOK
	if len(missing) > 0 {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, "application/json", missing)
	return nil
}

// getOpenAPI shows the description of the API.
func (s *Server) getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(openAPI)))
	_, _ = w.Write(openAPI) // the client may be gone; there is nobody to tell
	return nil
}
