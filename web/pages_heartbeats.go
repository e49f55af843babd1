package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sitemon"
	"sitemon/web/auth"
)

// beatsView is what a site's page says of its heartbeats.
type beatsView struct {
	Expected string    // "every 24 h, with 1 h of grace", "" where it is not known here
	Next     *timeView // by when one has to come, nil where that is not known
	Running  *ageView  // since when a run goes on, nil where none has said so
	Overdue  bool      // that has passed
	Fault    bool      // none can be accepted
	URL      string    // where they are sent
	Rows     []beatRow
}

// beatRow is one heartbeat.
type beatRow struct {
	At       timeView
	Status   statusView
	ExitCode string // "–" where it was not reported
	Duration string
	Message  string
	Repeats  int
}

// fillBeats fills in the heartbeats of a site that sends any.
func (s *Server) fillBeats(ctx context.Context, d *sitePage, st sitemon.SiteState, r *http.Request, parts partSet) error {
	if st.Kind != sitemon.KindHeartbeat || s.Heartbeats == nil {
		return nil
	}
	v := &beatsView{URL: beatURL(r, st.Name)}
	d.Beats, d.Target = v, v.URL
	var caller Caller
	known := false
	if s.Callers != nil {
		caller, known = s.Callers.Find(st.Name)
	}
	if known && caller.Request != nil {
		v.Expected, v.Fault = expectedText(caller.Request, st), caller.Fault != ""
		d.Rhythm = "heartbeat, expected " + v.Expected + "; looked at every " + spanText(st.Interval)
	}
	if !parts.has("heartbeats") {
		return nil
	}
	list, err := s.Heartbeats.Heartbeats(ctx, st.Name, beatsShown)
	if err != nil {
		return err
	}
	for _, h := range list {
		v.Rows = append(v.Rows, newBeatRow(h))
	}
	state, err := s.Heartbeats.HeartbeatState(ctx, st.Name)
	if err != nil {
		return err
	}
	v.Running = newAgeView(state.Run.At, s.Now())
	if !known || caller.Fault != "" {
		return nil
	}
	if next := caller.Rule.Next(state); !next.IsZero() {
		at := newTimeView(next)
		v.Next, v.Overdue = &at, s.Now().After(next)
	}
	return nil
}

// expectedText says when heartbeats are expected: "every 24 h, with 1 h of grace".
func expectedText(r *sitemon.HeartbeatRequest, st sitemon.SiteState) string {
	text := "every " + spanText(cmp.Or(r.Every, st.Interval))
	if r.Schedule != "" {
		text = "at " + r.Schedule + " (" + cmp.Or(r.Timezone, "UTC") + ")"
	}
	if r.Grace > 0 {
		text += ", with " + spanText(r.Grace) + " of grace"
	}
	return text
}

// beatURL is where a site sends its heartbeats, under the name by which the page was
// asked for, fit to stand between double quotes in a shell.
func beatURL(r *http.Request, name string) string {
	scheme := "http"
	if auth.Secure(r) {
		scheme = "https"
	}
	host := strings.Map(func(c rune) rune {
		if strings.ContainsRune("$`\"\\ ", c) {
			return -1
		}
		return c
	}, r.Host)
	return scheme + "://" + host + "/heartbeat/" + strings.ReplaceAll(url.PathEscape(name), "$", "%24")
}

// runText is how long a run took: "–", "1.20 s", "1 min 30 s", "2 h 5 min".
func runText(d time.Duration) string {
	switch {
	case d < time.Minute:
		return latencyText(d)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return ageText(d, true)
}

func newBeatRow(h sitemon.Heartbeat) beatRow {
	row := beatRow{
		At: newTimeView(h.ReceivedAt), Status: statusView{string(sitemon.StatusUp), "Success"}, ExitCode: "–",
		Duration: runText(h.Duration), Message: h.Message, Repeats: h.Repeats,
	}
	if h.Failed {
		row.Status = statusView{string(sitemon.StatusDown), "Failure"}
	}
	if h.ExitCode != nil {
		row.ExitCode = strconv.Itoa(*h.ExitCode)
	}
	return row
}
