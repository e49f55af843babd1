package importer

import "strings"

// shortToken is the length under which SiteMon refuses the token of a heartbeat.
const shortToken = 16

// seldom is how often a heartbeat is expected where the other monitor expected none
// at any time: a sites file has to say something.
const seldom = "366d"

// kumaPush makes a monitor of the type push a site that calls us.
func (r *Result) kumaPush(s *Site, name string, m mapping, interval float64) {
	token := m.text("pushToken")
	s.set("heartbeat", []Key{{"token", token}, {"every", seconds(interval)}})
	r.callers(name, token, "/api/push/…", "exit_code=1 stands for status=down, message for msg, duration for ping")
}

// gatusExternal makes an external endpoint a site that calls us.
func (r *Result) gatusExternal(m mapping, channels map[string]mapping) {
	name, group, token := m.text("name"), m.text("group"), m.text("token")
	s := Site{Comment: "from external endpoint " + strings.TrimPrefix(group+"/"+name, "/")}
	s.set("url", "heartbeat://")
	s.set("group", group)
	if !m.flag("enabled", true) {
		s.set("enabled", false)
	}
	every := seldom
	beat := m.sub("heartbeat")
	if d, ok := duration(beat.text("interval")); ok && d > 0 {
		every = span(d)
	} else {
		r.lose(name, "results are expected at no time there, and here every %s; write how often they come to heartbeat.every", seldom)
	}
	s.set("heartbeat", []Key{{"token", token}, {"every", every}})
	r.callers(name, token, "/api/v1/endpoints/…/external", "exit_code=1 stands for success=false, message for error, duration for duration")
	r.gatusAlerts(&s, name, m.list("alerts"), channels)
	r.leftover(name, beat, "of heartbeat is not carried over")
	r.leftover(name, m, "is not carried over")
	r.add(s, name, strings.TrimSpace(group+" "+name))
}

// callers says what has to be changed where the heartbeats come from.
func (r *Result) callers(name, token, theirs, parameters string) {
	r.lose(name, "the address that it is told at, %s: let the sender call /heartbeat/ and the site's name, with its token (%s)", theirs, parameters)
	if !strings.Contains(token, "${") && len(token) < shortToken {
		r.lose(name, "its token, which has fewer than %d characters and is refused; write a longer one", shortToken)
	}
}
