package probes_test

import (
	"strings"
	"testing"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

func trusts(pem string) option {
	return func(s *sitemon.Site) { s.Request.TLS = &sitemon.TLSConfig{CA: pem} }
}

func TestRedis(t *testing.T) {
	s := testkit.StartRedis(t, testkit.RedisOptions{Users: []string{"monitor on >p@ss:word/ +ping +select +info ~*", "blind on >x +ping"}})
	secure := testkit.StartRedis(t, testkit.RedisOptions{TLS: true, Settings: map[string]string{"requirepass": "s3cr3t-word"}})
	set := newSet(t, probes.Options{Expander: fakeExpander{"PW": "p@ss:word/", "WRONG": "wrong-secret"}})
	for _, tt := range []struct {
		name, url string
		options   []option
		outcome   sitemon.Outcome
		reason    sitemon.Reason
		text      string
	}{
		{name: "everybody", url: "redis://" + s.Addr, outcome: "up"},
		{name: "a database", url: "redis://" + s.Addr + "/3", outcome: "up"},
		{name: "no such database", url: "redis://" + s.Addr + "/4", outcome: "down", reason: "status", text: `the reply to SELECT is "ERR DB index is out of range", expected OK`},
		{name: "a user", url: "redis://monitor:${PW}@" + s.Addr + "/1", outcome: "up"},
		{name: "a user written out", url: "redis://monitor:p%40ss%3Aword%2F@" + s.Addr, outcome: "up"},
		{name: "a wrong password", url: "redis://monitor:${WRONG}@" + s.Addr, outcome: "down", reason: "status", text: `the reply to AUTH is "WRONGPASS`},
		{name: "a password that nobody asks for", url: "redis://:pw@" + s.Addr, outcome: "down", reason: "status", text: "AUTH"},
		{name: "what it says of itself", url: "redis://" + s.Addr, options: []option{bodyMatches(t, "(?m)^role:master$")}, outcome: "up"},
		{name: "not what it says of itself", url: "redis://" + s.Addr, options: []option{bodyMatches(t, "(?m)^role:slave$")}, outcome: "down", reason: "body", text: "# Server"},
		{name: "slow", url: "redis://" + s.Addr, options: []option{expects(func(e *sitemon.Expect) { e.Latency = 1 })}, outcome: "degraded", reason: "latency"},
		{name: "TLS", url: "rediss://:s3cr3t-word@" + secure.Addr, options: []option{trusts(secure.CAPEM)}, outcome: "up"},
		{name: "TLS, without password", url: "rediss://" + secure.Addr, options: []option{trusts(secure.CAPEM)}, outcome: "down", reason: "status", text: `the reply to PING is "NOAUTH Authentication required.", expected PONG`},
		{name: "TLS, not trusted", url: "rediss://" + secure.Addr, outcome: "down", reason: "tls_untrusted"},
		{name: "TLS, soon to end", url: "rediss://:s3cr3t-word@" + secure.Addr, options: []option{trusts(secure.CAPEM), expects(func(e *sitemon.Expect) { e.CertificateValidFor = 1000 * day })}, outcome: "degraded", reason: "certificate"},
		{name: "no TLS where it is spoken", url: "redis://" + secure.Addr, outcome: "down"},
		{name: "TLS where none is spoken", url: "rediss://" + s.Addr, options: []option{func(s *sitemon.Site) { s.Timeout = hostileTimeout }}, outcome: "down", reason: "tls_timeout"},
		{name: "nobody", url: "redis://127.0.0.1:1", outcome: "down", reason: "connect_refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, d := set.Explain(t.Context(), newSite(t, tt.url, append(tt.options, func(s *sitemon.Site) { s.Kind = sitemon.KindRedis })...))
			if tt.reason == "" {
				tt.reason = r.Reason
			}
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.Outcome == sitemon.OutcomeUp && (r.Phases.Processing <= 0 || r.BodyBytes < 7 || d.Exchange.Response.Headers["Server-Version"] == "") {
				t.Errorf("got %+v, %+v", r, d.Exchange)
			}
			for _, secret := range []string{"p@ss", "s3cr3t", "wrong-secret"} {
				if strings.Contains(r.Error+r.Evidence, secret) {
					t.Errorf("a secret is shown: %s %s", r.Error, r.Evidence)
				}
			}
		})
	}
	t.Run("frozen", func(t *testing.T) {
		s.Freeze()
		defer s.Thaw()
		r := set.Probe(deadline(t, hostileTimeout), newSite(t, "redis://"+s.Addr))
		wantReport(t, r, "down", "processing_timeout", "connected, waiting for the reply to PING")
	})
	t.Run("dead", func(t *testing.T) {
		s.Kill()
		wantReport(t, set.Probe(t.Context(), newSite(t, "redis://"+s.Addr)), "down", "connect_refused", "")
		s.Start()
		wantReport(t, set.Probe(t.Context(), newSite(t, "redis://"+s.Addr)), "up", "", "")
	})
	t.Run("a user that may not ask", func(t *testing.T) {
		wantReport(t, set.Probe(t.Context(), newSite(t, "redis://blind:x@"+s.Addr)), "up", "", "")
	})
}
