package sitemon_test

import (
	"errors"
	"strings"
	"testing"

	"sitemon"
)

func TestParseDNSURL(t *testing.T) {
	tests := []struct {
		url  string
		want sitemon.DNSTarget
	}{
		{"dns:example.org", sitemon.DNSTarget{Name: "example.org", Type: "A", Class: "IN"}},
		{"dns:///example.org.", sitemon.DNSTarget{Name: "example.org", Type: "A", Class: "IN"}},
		{"DNS://192.0.2.53/example.org?TYPE=mx", sitemon.DNSTarget{Server: "192.0.2.53", Name: "example.org", Type: "MX", Class: "IN"}},
		{"dns://[2001:db8::53]:5353/example.org?type=TYPE65;class=ch", sitemon.DNSTarget{Server: "2001:db8::53", Port: 5353, Name: "example.org", Type: "TYPE65", Class: "CH"}},
		{"dns://ns.example.org/.?type=NS", sitemon.DNSTarget{Server: "ns.example.org", Name: ".", Type: "NS", Class: "IN"}},
		{"dns:192.0.2.1?type=PTR", sitemon.DNSTarget{Name: "192.0.2.1", Type: "PTR", Class: "IN"}},
		{"dns:2001:db8::1?type=PTR", sitemon.DNSTarget{Name: "2001:db8::1", Type: "PTR", Class: "IN"}},
		{"dns:_443._tcp.example.org?type=TLSA&class=IN", sitemon.DNSTarget{Name: "_443._tcp.example.org", Type: "TLSA", Class: "IN"}},
		{"dns:b%C3%BCcher.example", sitemon.DNSTarget{Name: "bücher.example", Type: "A", Class: "IN"}},
	}
	for _, tt := range tests {
		if got, err := sitemon.ParseDNSURL(tt.url); err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.url, got, err, tt.want)
		}
	}
}

func TestParseDNSURLRefuses(t *testing.T) {
	label := strings.Repeat("x", 64)
	for url, want := range map[string]string{
		"dns://192.0.2.53":                      "the name to ask for is missing",
		"dns:example.org?type=":                 "unknown type of record",
		"dns:example.org?type=AXFR":             "unknown type of record",
		"dns:example.org?type=TYPE252":          "unknown type of record",
		"dns:example.org?type=TYPE0":            "unknown type of record",
		"dns:example.org?class=HS":              `the class "HS"`,
		"dns:example.org?x=y":                   `unknown parameter "x"`,
		"dns:192.0.2.1":                         "is an address, not a name",
		"dns:a..b":                              "a part of 0 characters",
		"dns:" + label + ".org":                 "a part of 64 characters",
		"dns:" + strings.Repeat("abc.", 80):     "it can have 253",
		"dns:a/b":                               "slash",
		"dns://user:secret@192.0.2.53/a":        "no user",
		"dns://192.0.2.53:0/example.org":        "port",
		"dns://192.0.2.53/a%zz":                 "invalid URL escape",
		"dns://192.0.2.53/example.org#fragment": "fragment",
	} {
		_, err := sitemon.ParseDNSURL(url)
		if !errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
	}
}

func TestRcode(t *testing.T) {
	for i, name := range sitemon.RcodeNames() {
		if got := sitemon.Rcode(i).String(); got != name {
			t.Errorf("%d is %s, want %s", i, got, name)
		}
	}
	if got := sitemon.Rcode(23).String(); got != "RCODE23" || sitemon.RcodeNameError.String() != "NXDOMAIN" {
		t.Errorf("23 is %s, RcodeNameError %s", got, sitemon.RcodeNameError)
	}
}
