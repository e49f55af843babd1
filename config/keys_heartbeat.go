package config

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
	"sitemon/heartbeat"
)

const (
	// maxBeatInterval is the longest interval of a site that calls us: what a column of
	// reports holds, in whole days.
	maxBeatInterval = 24 * 24 * time.Hour
	maxEvery        = 366 * 24 * time.Hour
	maxGrace        = 31 * 24 * time.Hour
	defaultGrace    = time.Minute
	// shortToken is the length under which a token that is written out is warned of:
	// it is all that keeps others from sending heartbeats.
	shortToken = 16
	// groupExpected is shared by the keys that say when a heartbeat is expected.
	groupExpected = "expected"
)

// beatAt is where keys of a heartbeat are written.
type beatAt struct{ schedule, timezone *yaml.Node }

func kindsHeartbeat() []sitemon.Kind { return []sitemon.Kind{sitemon.KindHeartbeat} }

// heartbeatKey says when a site has to call us, and how it shows that it is the one.
func heartbeatKey() key[draft] {
	return request(keyInfo{
		name: "heartbeat", value: typeMapping(heartbeatObject.info), kinds: kindsHeartbeat(), example: `{ token: "${BACKUP_TOKEN}", every: 24h, grace: 1h }`,
		doc: "When the site has to call us, and with which token, see [kinds.md](kinds.md#heartbeat).",
	}, func(w *walker, f field, d *draft) {
		d.request.Heartbeat = &sitemon.HeartbeatRequest{Grace: defaultGrace}
		heartbeatObject.read(w, f, d.request.Heartbeat)
	})
}

var heartbeatObject = newHeartbeatObject()

func newHeartbeatObject() *object[sitemon.HeartbeatRequest] {
	o := newObject("heartbeat", []key[sitemon.HeartbeatRequest]{
		textKey(keyInfo{
			name: "token", must: true, example: `"${BACKUP_TOKEN}"`,
			doc: "What a heartbeat has to bring. The process that serves the page expands it, from its own environment.",
		}, (*walker).beatToken, func(r *sitemon.HeartbeatRequest) *sitemon.Secret { return &r.Token }),
		{
			keyInfo: keyInfo{
				name: "every", value: typeDuration, def: "the interval", example: "24h", oneOf: groupExpected,
				doc: "The time from one heartbeat to the next, from 1s to 366d. The `interval` is how often is looked whether one is missing.",
			},
			read: func(w *walker, f field, r *sitemon.HeartbeatRequest) {
				r.Every, _ = w.duration("every", f.value, minInterval, maxEvery)
			},
		},
		{
			keyInfo: keyInfo{
				name: "grace", value: typeDuration, def: "1m", example: "1h",
				doc: "How much later than expected a heartbeat may come, and how long a run may take that says when it begins; up to 31d.",
			},
			read: func(w *walker, f field, r *sitemon.HeartbeatRequest) {
				r.Grace, _ = w.duration("grace", f.value, 0, maxGrace)
			},
		},
		{
			keyInfo: keyInfo{
				name: "schedule", value: typeText, example: `"30 3 * * 1-5"`, oneOf: groupExpected,
				doc: "When heartbeats are expected, as a cron expression: minute, hour, day of the month, month, day of the week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
			},
			read: func(w *walker, f field, r *sitemon.HeartbeatRequest) {
				w.draft.beat.schedule = f.value
				r.Schedule = w.plainLine("schedule", f.value)
			},
		},
		{
			keyInfo: keyInfo{
				name: "timezone", value: typeText, def: "UTC", example: "Europe/Berlin",
				doc: "The time zone of the schedule.",
			},
			read: func(w *walker, f field, r *sitemon.HeartbeatRequest) {
				w.draft.beat.timezone = f.value
				r.Timezone = w.plainLine("timezone", f.value)
			},
		},
	}, nil)
	o.aliases = map[string]string{
		"secret": "token", "key": "token", "pushtoken": "token", "credentials": "token", "password": "token",
		"period": "every", "interval": "every", "timeout": "every", "frequency": "every", "cron": "schedule", "crontab": "schedule",
		"graceperiod": "grace", "tolerance": "grace", "margin": "grace", "tz": "timezone", "zone": "timezone",
	}
	return o
}

// plainLine reads a text of one line that has to say something.
func (w *walker) plainLine(name string, n *yaml.Node) string {
	s, ok := w.line(name, n)
	w.out = appendJSON(w.out, s)
	if ok && s == "" {
		w.fail(n, "%s is empty", name)
	}
	return s
}

// beatToken reads a token. Like a channel, it is expanded elsewhere than here.
func (w *walker) beatToken(name string, n *yaml.Node) string {
	w.sending, w.without = true, "a process that serves the page without it refuses the heartbeats"
	defer func() { w.sending, w.without = false, "" }()
	s := w.credential(name, n)
	switch {
	case isBlank(n):
		w.fail(n, "token is empty; it is what shows that a heartbeat is the site's own")
	case s != "" && !strings.Contains(s, "${") && len(s) < shortToken:
		w.warn(n, "token has %d characters and will be refused; take %d or more", len(s), shortToken)
	}
	return s
}

// calling notes what is wrong with a site that calls us.
func (w *walker) calling(n *yaml.Node, d *draft) {
	if w.kind != sitemon.KindHeartbeat {
		return
	}
	r := d.request.Heartbeat
	if r == nil {
		w.fail(n, "heartbeat is missing; write `heartbeat: { token: \"${NAME}\" }`")
		return
	}
	if r.Schedule == "" {
		if r.Timezone != "" {
			w.fail(d.beat.timezone, "timezone is that of a schedule, and there is none")
		}
		return
	}
	if _, err := heartbeat.NewRule(r, d.site.Interval); err != nil {
		at := d.beat.schedule
		if strings.Contains(err.Error(), "time zone") && d.beat.timezone != nil {
			at = d.beat.timezone
		}
		w.fail(at, "%s", strings.TrimPrefix(err.Error(), sitemon.ErrInvalid.Error()+": "))
	}
}

// beatFault says what an address has beside its scheme, or "".
func beatFault(address string) string {
	if _, rest, _ := strings.Cut(address, "://"); rest != "" {
		return "url: heartbeat:// takes nothing more, as the site calls us, at /heartbeat/ and its name"
	}
	return ""
}
