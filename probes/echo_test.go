package probes_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

func pings(change func(*sitemon.ICMPRequest)) option {
	return func(s *sitemon.Site) {
		r := sitemon.DefaultICMPRequest()
		r.Interval = 10 * time.Millisecond
		change(&r)
		s.Request.ICMP = &r
	}
}

func atMostLost(percent float64) option {
	return func(s *sitemon.Site) { s.Expect.MaxLoss = &percent }
}

// mayPing skips a test where this process may not send echo requests.
func mayPing(t *testing.T) {
	t.Helper()
	if r := probe(t, probes.Options{}, newSite(t, "icmp://127.0.0.1")); r.Reason == sitemon.ReasonInternal {
		testkit.Missing(t, r.Error)
	}
}

// TestICMP asks the kernel of this machine.
func TestICMP(t *testing.T) {
	mayPing(t)
	only4 := func(s *sitemon.Site) { s.Request.PreferredIPProtocol, s.Request.IPProtocolFallback = "ip4", false }
	prefer6 := func(s *sitemon.Site) { s.Request.PreferredIPProtocol = "ip6" }
	slow := func(s *sitemon.Site) { s.Expect.Latency = time.Nanosecond }
	none := pings(func(r *sitemon.ICMPRequest) { r.PayloadSize = 0 })
	large := pings(func(r *sitemon.ICMPRequest) { r.PayloadSize, r.Count = 65507, 1 })
	tests := []struct {
		name, url string
		options   []option
		outcome   sitemon.Outcome
		reason    sitemon.Reason
		text      string
		addr      string
	}{
		{"IPv4", "icmp://127.0.0.1", nil, sitemon.OutcomeUp, "", "", "127.0.0.1"},
		{"IPv6", "icmp://[::1]", nil, sitemon.OutcomeUp, "", "", "::1"},
		{"IPv4 written as IPv6", "icmp://[::ffff:127.0.0.1]", nil, sitemon.OutcomeUp, "", "", "127.0.0.1"},
		{"a name", "icmp://localhost", nil, sitemon.OutcomeUp, "", "", "127.0.0.1"},
		{"a name by IPv6", "icmp://localhost", []option{prefer6}, sitemon.OutcomeUp, "", "", "::1"},
		{"no address of the family", "icmp://[::1]", []option{only4}, sitemon.OutcomeDown, sitemon.ReasonDNSNotFound, "no IPv4 address", ""},
		{"no payload", "icmp://127.0.0.1", []option{none, atMostLost(0)}, sitemon.OutcomeUp, "", "", "127.0.0.1"},
		{"the largest payload", "icmp://127.0.0.1", []option{large}, sitemon.OutcomeUp, "", "", "127.0.0.1"},
		{"few hops", "icmp://127.0.0.1", []option{pings(func(r *sitemon.ICMPRequest) { r.TTL = 1 })}, sitemon.OutcomeUp, "", "", "127.0.0.1"},
		{"few hops by IPv6", "icmp://[::1]", []option{pings(func(r *sitemon.ICMPRequest) { r.TTL = 1 })}, sitemon.OutcomeUp, "", "", "::1"},
		{"slow", "icmp://127.0.0.1", []option{slow}, sitemon.OutcomeDegraded, sitemon.ReasonLatency, "expected at most 1ns", "127.0.0.1"},
	}
	set := newSet(t, probes.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := set.Probe(t.Context(), newSite(t, tt.url, tt.options...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.RemoteAddr != tt.addr {
				t.Errorf("address %q, want %q", r.RemoteAddr, tt.addr)
			}
			if tt.outcome == sitemon.OutcomeUp && (r.Phases.Processing <= 0 || r.Duration != r.Phases.Resolve+r.Phases.Processing) {
				t.Errorf("duration %s, phases %+v", r.Duration, r.Phases)
			}
		})
	}
	t.Run("forbidden", func(t *testing.T) {
		opts := probes.Options{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		wantReport(t, probe(t, opts, newSite(t, "icmp://127.0.0.1")), sitemon.OutcomeUnknown, sitemon.ReasonBlocked, "127.0.0.1 is not allowed")
	})
}

func TestICMPEvidence(t *testing.T) {
	mayPing(t)
	opts := probes.Options{Expander: fakeExpander{"HOST": "localhost"}}
	site := newSite(t, "icmp://${HOST}")
	site.Expect.Latency = time.Nanosecond
	r, d := newSet(t, opts).Explain(t.Context(), site)
	var e sitemon.ProbeEvidence
	if err := json.Unmarshal([]byte(r.Evidence), &e); err != nil {
		t.Fatal(err, r.Evidence)
	}
	if e.Request == nil || e.Request.Method != "ECHO" || e.Request.URL != "icmp://<redacted>" || e.Request.Headers["Count"] != "3" {
		t.Errorf("request %+v", e.Request)
	}
	if e.Response == nil || e.Response.Status != "3 of 3 answered" || !strings.HasPrefix(e.Response.Headers["Round-Trip"], "least ") {
		t.Errorf("response %+v", e.Response)
	}
	if d.Exchange == nil || d.Exchange.Response.Protocol != "ICMP" {
		t.Errorf("detail %+v", d.Exchange)
	}
}
