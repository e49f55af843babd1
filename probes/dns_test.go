package probes_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

// nameServer answers over UDP on loopback what answer makes of each question;
// nil is no answer.
func nameServer(t *testing.T, answer func(q dnsmessage.Question, m *dnsmessage.Message) []byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if out := answer(m.Questions[0], &m); out != nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// records answers with addresses of a name.
func records(addrs ...string) func(dnsmessage.Question, *dnsmessage.Message) []byte {
	return func(q dnsmessage.Question, m *dnsmessage.Message) []byte {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		for _, a := range addrs {
			addr := netip.MustParseAddr(a)
			switch {
			case addr.Is4() && q.Type == dnsmessage.TypeA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}})
			case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
			}
		}
		out, _ := m.Pack()
		return out
	}
}

func code(c dnsmessage.RCode) func(dnsmessage.Question, *dnsmessage.Message) []byte {
	return func(_ dnsmessage.Question, m *dnsmessage.Message) []byte {
		m.RCode = c
		out, _ := m.Pack()
		return out
	}
}

func TestNameServers(t *testing.T) {
	many := make([]string, 60)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{127, 9, 9, byte(i)}).String()
	}
	tests := []struct {
		name   string
		answer func(dnsmessage.Question, *dnsmessage.Message) []byte
		reason sitemon.Reason
		want   string
	}{
		{"an address", records("127.0.0.1"), "", ""},
		{"no such name", code(dnsmessage.RCodeNameError), sitemon.ReasonDNSNotFound, "the name site.example.org does not exist or has no address"},
		{"no address", records(), sitemon.ReasonDNSNotFound, "has no address"},
		{"a failing server", code(dnsmessage.RCodeServerFailure), sitemon.ReasonDNSError, "looking up site.example.org: server misbehaving"},
		{"a refusing server", code(dnsmessage.RCodeRefused), sitemon.ReasonDNSError, "server misbehaving"},
		{"no answer", func(dnsmessage.Question, *dnsmessage.Message) []byte { return nil }, sitemon.ReasonDNSTimeout, "no answer within 400ms (looking up site.example.org)"},
		{"garbage", func(dnsmessage.Question, *dnsmessage.Message) []byte { return []byte("garbage") }, sitemon.ReasonDNSTimeout, "no answer within 400ms"},
		{"addresses that refuse", records("127.0.0.2", "127.0.0.3"), sitemon.ReasonConnectRefused, "connection refused by 127.0.0.2"},
		{"very many addresses that refuse", records(many...), sitemon.ReasonConnectRefused, "connection refused by 127.9.9."},
		{"one address that answers", records("127.0.0.2", "127.0.0.1", "127.0.0.3"), "", ""},
		{"an address that is denied", records("127.6.6.6"), sitemon.ReasonBlocked, "address 127.6.6.6 is not allowed"},
		{"one address that is denied", records("127.6.6.6", "127.0.0.1"), "", ""},
	}
	_, port, _ := net.SplitHostPort(listen(t, answer(okHead+"Content-Length: 2\r\n\r\nok", nil)))
	for _, tt := range tests {
		for _, scheme := range []string{"http", "tcp", "https", "tls"} {
			if tt.reason == "" && (scheme == "https" || scheme == "tls") {
				continue
			}
			t.Run(scheme+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				set := newSet(t, probes.Options{Resolver: nameServer(t, tt.answer), Deny: []netip.Prefix{netip.MustParsePrefix("127.6.6.0/24")}})
				site := newSite(t, scheme+"://site.example.org:"+port)
				site.Timeout = hostileTimeout
				if tt.reason != sitemon.ReasonDNSTimeout {
					site.Timeout = ampleTimeout
				}
				r := set.Probe(deadline(t, site.Timeout), site)
				wantHostile(t, r, tt.reason, tt.want)
				if r.Phases.Resolve <= 0 {
					t.Errorf("phases %+v", r.Phases)
				}
			})
		}
	}
}

func TestPreferredIPProtocol(t *testing.T) {
	addr := listen(t, func(net.Conn) {})
	_, port, _ := net.SplitHostPort(addr)
	l6, err := net.Listen("tcp", net.JoinHostPort("::1", port))
	if err != nil {
		testkit.Missing(t, "IPv6 on loopback: "+err.Error())
	}
	serveOn(t, l6, func(net.Conn) {})
	tests := []struct {
		name, host, prefer string
		fallback           bool
		want               string // the address connected to; "" for none
	}{
		{"both, IPv6 first as the resolver has it", "both.example.org", "", true, "::1"},
		{"IPv4", "both.example.org", "ip4", false, "127.0.0.1"},
		{"IPv6", "both.example.org", "ip6", false, "::1"},
		{"IPv6, but there is IPv4 only", "four.example.org", "ip6", true, "127.0.0.1"},
		{"IPv6, but there is IPv4 only and no fallback", "four.example.org", "ip6", false, ""},
		{"IPv4, but there is IPv6 only", "six.example.org", "ip4", true, "::1"},
		{"localhost", "localhost", "", true, "127.0.0.1"},
		{"localhost by IPv6", "localhost", "ip6", false, "::1"},
		{"an address of the other family", "127.0.0.1", "ip6", true, "127.0.0.1"},
		{"an address of the other family and no fallback", "127.0.0.1", "ip6", false, ""},
	}
	resolver := nameServer(t, func(q dnsmessage.Question, m *dnsmessage.Message) []byte {
		return map[string]func(dnsmessage.Question, *dnsmessage.Message) []byte{
			"both.example.org.": records("::1", "127.0.0.1"), "four.example.org.": records("127.0.0.1"), "six.example.org.": records("::1"),
		}[q.Name.String()](q, m)
	})
	set := newSet(t, probes.Options{Resolver: resolver})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, "tcp://"+net.JoinHostPort(tt.host, port))
			site.Request.PreferredIPProtocol, site.Request.IPProtocolFallback = tt.prefer, tt.fallback
			r := set.Probe(t.Context(), site)
			if tt.want == "" {
				wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonDNSNotFound, "no IPv6 address")
				return
			}
			wantReport(t, r, sitemon.OutcomeUp, "", "")
			if want := net.JoinHostPort(tt.want, port); r.RemoteAddr != want {
				t.Errorf("connected to %s, want %s", r.RemoteAddr, want)
			}
		})
	}
}
