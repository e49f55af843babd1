package web

import "net/http"

const (
	// mostBeats is how many heartbeats an answer lists unless it is asked for fewer:
	// stores keep no more.
	mostBeats = 200
	// beatsShown is how many the page of a site lists.
	beatsShown = 20
)

type heartbeatsJSON struct {
	Heartbeats []heartbeatJSON `json:"heartbeats"`
	Running    *runningJSON    `json:"running,omitempty"`
}

// runningJSON is the run that goes on.
type runningJSON struct {
	StartedAt slotTime `json:"started_at"`
	Run       string   `json:"run,omitempty"`
}

// heartbeatJSON is one heartbeat. Who sent it is not kept.
type heartbeatJSON struct {
	ReceivedAt slotTime `json:"received_at"`
	LastAt     slotTime `json:"last_at"`
	Repeats    int      `json:"repeats"`
	Failed     bool     `json:"failed"`
	ExitCode   *int     `json:"exit_code,omitempty"`
	DurationUS int64    `json:"duration_us,omitempty"`
	Message    string   `json:"message,omitempty"`
	Run        string   `json:"run,omitempty"`
}

// getHeartbeats lists the newest heartbeats of a site.
func (s *Server) getHeartbeats(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	limit := p.limit(mostBeats)
	if p.err != nil {
		return p.err
	}
	answer := heartbeatsJSON{Heartbeats: []heartbeatJSON{}}
	st, err := s.Sites.Site(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	if s.Heartbeats != nil {
		list, err := s.Heartbeats.Heartbeats(r.Context(), st.Name, limit)
		if err != nil {
			return err
		}
		state, err := s.Heartbeats.HeartbeatState(r.Context(), st.Name)
		if err != nil {
			return err
		}
		if run := state.Run; !run.At.IsZero() {
			answer.Running = &runningJSON{slotTime(run.At), run.Name}
		}
		for _, h := range list {
			answer.Heartbeats = append(answer.Heartbeats, heartbeatJSON{
				slotTime(h.ReceivedAt), slotTime(h.LastAt), h.Repeats, h.Failed, h.ExitCode, h.Duration.Microseconds(), h.Message, h.Run,
			})
		}
	}
	return answerJSON(w, answer)
}
