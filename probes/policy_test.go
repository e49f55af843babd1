package probes_test

import (
	"net"
	"net/netip"
	"testing"

	"sitemon"
	"sitemon/probes"
)

func prefixes(texts ...string) (ps []netip.Prefix) {
	for _, s := range texts {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

func TestAddressPolicy(t *testing.T) {
	standard := prefixes("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
	tests := []struct {
		name    string
		host    string
		deny    []netip.Prefix
		allow   []netip.Prefix
		blocked bool
	}{
		{"metadata", "169.254.169.254", standard, nil, true},
		{"metadata of another cloud", "100.100.100.200", standard, nil, true},
		{"metadata by IPv6", "[fd00:ec2::254]", standard, nil, true},
		{"link-local", "[fe80::1]", standard, nil, true},
		{"link-local with a zone", "[fe80::1%25lo]", standard, nil, true},
		{"IPv4-mapped", "[::ffff:169.254.169.254]", standard, nil, true},
		{"NAT64", "[64:ff9b::a9fe:a9fe]", standard, nil, true},
		{"loopback", "127.0.0.1", standard, nil, false},
		{"loopback, denied", "127.0.0.1", prefixes("127.0.0.0/8"), nil, true},
		{"loopback by name, denied", "localhost", prefixes("127.0.0.0/8", "::1/128"), nil, true},
		{"allowed by name", "127.0.0.1", prefixes("127.0.0.0/8"), prefixes("127.0.0.1/32"), false},
		{"a neighbour is allowed", "127.0.0.1", prefixes("127.0.0.0/8"), prefixes("127.0.0.2/32"), true},
		{"IPv4-mapped and allowed", "[::ffff:127.0.0.1]", prefixes("127.0.0.0/8"), prefixes("127.0.0.1/32"), false},
	}
	_, port, _ := net.SplitHostPort(listen(t, func(net.Conn) {}))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, probes.Options{Deny: tt.deny, Allow: tt.allow}, newSite(t, "tcp://"+tt.host+":"+port))
			if !tt.blocked {
				wantReport(t, r, sitemon.OutcomeUp, "", "")
				return
			}
			wantReport(t, r, sitemon.OutcomeUnknown, sitemon.ReasonBlocked, "is not allowed by the address policy (probes.deny)")
			if r.RemoteAddr == "" {
				t.Error("the address that was tried is not told")
			}
		})
	}
}
