package probes_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

// zone is what the name server of these tests knows.
var zone = map[string][]string{
	"example.test. A":                        {"example.test. 300 IN A 192.0.2.1", "example.test. 300 IN A 192.0.2.2"},
	"example.test. AAAA":                     {"example.test. 300 IN AAAA 2001:db8::1"},
	"example.test. MX":                       {"example.test. 300 IN MX 10 mail.example.test."},
	"example.test. NS":                       {"example.test. 300 IN NS ns1.example.test."},
	"example.test. TXT":                      {`example.test. 300 IN TXT "v=spf1 -all"`},
	"example.test. SOA":                      {"example.test. 300 IN SOA ns1.example.test. root.example.test. 2026112501 3600 600 86400 300"},
	"example.test. CAA":                      {`example.test. 300 IN CAA 0 issue "ca.example.test"`},
	"example.test. TYPE65":                   {`example.test. 300 IN HTTPS 1 . alpn="h2"`},
	"_sip._tcp.example.test. SRV":            {"_sip._tcp.example.test. 300 IN SRV 1 2 5060 sip.example.test."},
	"www.example.test. A":                    {"www.example.test. 300 IN CNAME example.test.", "example.test. 300 IN A 192.0.2.1"},
	"www.example.test. CNAME":                {"www.example.test. 300 IN CNAME example.test."},
	"dangling.example.test. A":               {"dangling.example.test. 300 IN CNAME gone.example.test."},
	"1.2.0.192.in-addr.arpa. PTR":            {"1.2.0.192.in-addr.arpa. 300 IN PTR example.test."},
	"xn--bcher-kva.example.test. A":          {"xn--bcher-kva.example.test. 300 IN A 192.0.2.3"},
	"_dmarc.xn--bcher-kva.example.test. TXT": {`_dmarc.xn--bcher-kva.example.test. 300 IN TXT "v=DMARC1; p=none"`},
	"empty.example.test. A":                  {},
}

// answerDNS is a name server for the zone. Names that begin with a response code
// get that one.
func answerDNS(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg).SetReply(r)
	q := r.Question[0]
	kind := dns.Type(q.Qtype).String()
	if q.Qtype == 65 {
		kind = "TYPE65"
	}
	records, known := zone[q.Name+" "+kind]
	label, _, _ := strings.Cut(q.Name, ".")
	code, isCode := dns.StringToRcode[strings.ToUpper(label)]
	switch {
	case isCode:
		m.Rcode = code
		if r.IsEdns0() != nil {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus, ExtraText: "signature expired"})
		}
	case label == "old": // knows no EDNS
		if r.IsEdns0() != nil {
			m.Rcode = dns.RcodeFormatError
		} else {
			records = []string{"old.example.test. 60 IN A 192.0.2.9"}
		}
	case label == "long" && w.RemoteAddr().Network() == "udp":
		m.Truncated = true
	case label == "long":
		for i := range 1000 {
			records = append(records, fmt.Sprintf("long.example.test. 60 IN A 10.0.%d.%d", i/250, i%250))
		}
	case label == "secure":
		records = []string{"secure.example.test. 60 IN A 192.0.2.9"}
		m.AuthenticatedData = r.AuthenticatedData
	case !known:
		m.Rcode = dns.RcodeNameError
	}
	m.RecursionAvailable = r.RecursionDesired
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	_ = w.WriteMsg(m)
}

// serveDNS serves UDP and TCP at one port of an address until the test ends.
func serveDNS(t testing.TB, ip string, handle dns.HandlerFunc) (addr string) {
	t.Helper()
	pc, l, err := listenBoth(ip)
	if err != nil {
		testkit.Missing(t, fmt.Sprintf("no address %s here: %v", ip, err))
	}
	start(t, &dns.Server{PacketConn: pc, Handler: handle})
	start(t, &dns.Server{Listener: l, Handler: handle})
	return pc.LocalAddr().String()
}

// listenBoth listens for UDP and TCP at one port.
func listenBoth(ip string) (pc net.PacketConn, l net.Listener, err error) {
	for range 20 { // the port has to be free for both
		if pc, err = net.ListenPacket("udp", net.JoinHostPort(ip, "0")); err != nil {
			return nil, nil, err
		}
		if l, err = net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l, nil
		}
		_ = pc.Close()
	}
	return nil, nil, err
}

func start(t testing.TB, s *dns.Server) {
	ready := make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.ActivateAndServe() })
	<-ready
	t.Cleanup(func() { _ = s.Shutdown(); wg.Wait() })
}

func asks(change func(*sitemon.DNSRequest)) option {
	return func(s *sitemon.Site) {
		r := sitemon.DefaultDNSRequest()
		change(&r)
		s.Request.DNS = &r
	}
}

func bodyMatches(t testing.TB, expr string) option {
	return func(s *sitemon.Site) { s.Expect.BodyMatch = append(s.Expect.BodyMatch, pattern(t, expr)) }
}

func rcodes(codes ...sitemon.Rcode) option {
	return func(s *sitemon.Site) { s.Expect.Rcodes = codes }
}

func TestDNS(t *testing.T) {
	addr := serveDNS(t, "127.0.0.1", answerDNS)
	late := func(s *sitemon.Site) { s.Expect.Latency = time.Nanosecond }
	verified := func(s *sitemon.Site) { s.Expect.Authenticated = true }
	overTCP := asks(func(r *sitemon.DNSRequest) { r.TCP = true })
	not := func(s *sitemon.Site) { s.Expect.BodyNotMatch = []sitemon.Pattern{pattern(t, `192\.0\.2\.2`)} }
	const up, down = sitemon.OutcomeUp, sitemon.OutcomeDown
	tests := []struct {
		name, question string
		options        []option
		outcome        sitemon.Outcome
		reason         sitemon.Reason
		text           string
	}{
		{"A is the default", "example.test", []option{bodyMatches(t, `(?m)^example\.test\. 300 IN A 192\.0\.2\.2$`)}, up, "", ""},
		{"AAAA", "example.test?type=AAAA", []option{bodyMatches(t, `2001:db8::1`)}, up, "", ""},
		{"MX", "example.test?type=mx", []option{bodyMatches(t, `^example\.test\. 300 IN MX 10 mail\.example\.test\.$`)}, up, "", ""},
		{"NS", "example.test.?TYPE=NS", []option{bodyMatches(t, `ns1`)}, up, "", ""},
		{"TXT", "example.test?type=TXT", []option{bodyMatches(t, `v=spf1`)}, up, "", ""},
		{"SOA", "example.test?class=IN;type=SOA", []option{bodyMatches(t, `2026112501`)}, up, "", ""},
		{"CAA", "example.test?type=CAA", []option{bodyMatches(t, `issue`)}, up, "", ""},
		{"SRV", "_sip._tcp.example.test?type=SRV", []option{bodyMatches(t, `5060`)}, up, "", ""},
		{"a type by its number", "example.test?type=TYPE65", nil, up, "", ""},
		{"CNAME", "www.example.test?type=CNAME", nil, up, "", ""},
		{"behind an alias", "www.example.test", nil, up, "", ""},
		{"PTR of an address", "192.0.2.1?type=PTR", []option{bodyMatches(t, `PTR example\.test\.`)}, up, "", ""},
		{"a name beyond ASCII", "b%C3%BCcher.example.test", nil, up, "", ""},
		{"by TCP", "example.test", []option{overTCP}, up, "", ""},
		{"a label that is no host's, of a name beyond ASCII", "_dmarc.bücher.example.test?type=TXT", []option{bodyMatches(t, "DMARC1")}, up, "", ""},
		{"cut off by UDP", "long.example.test", []option{bodyMatches(t, `10\.0\.3\.249`)}, up, "", ""},
		{"a server without EDNS", "old.example.test", nil, up, "", ""},
		{"verified", "secure.example.test", []option{verified}, up, "", ""},
		{"an alias that leads nowhere", "dangling.example.test", nil, down, sitemon.ReasonDNSNotFound, "the name server answered NOERROR without a record of type A, expected NOERROR with a record of type A"},
		{"no record of the type", "empty.example.test", nil, down, sitemon.ReasonDNSNotFound, "NOERROR without a record of type A"},
		{"no record is good", "empty.example.test", []option{rcodes(sitemon.RcodeSuccess)}, up, "", ""},
		{"no such name", "nowhere.test", nil, down, sitemon.ReasonDNSNotFound, "the name server answered NXDOMAIN, expected NOERROR with a record of type A"},
		{"no such name is good", "nowhere.test", []option{rcodes(sitemon.RcodeNameError)}, up, "", ""},
		{"a name that is not to be", "example.test", []option{rcodes(sitemon.RcodeNameError)}, down, sitemon.ReasonDNSError, "answered NOERROR, expected NXDOMAIN"},
		{"SERVFAIL", "servfail.test", nil, down, sitemon.ReasonDNSError, "answered SERVFAIL (DNSSEC Bogus: signature expired), expected NOERROR"},
		{"REFUSED", "refused.test", nil, down, sitemon.ReasonDNSError, "answered REFUSED"},
		{"one of several codes", "refused.test", []option{rcodes(sitemon.RcodeSuccess, 5)}, up, "", ""},
		{"a wrong record", "example.test", []option{bodyMatches(t, `198\.51`)}, down, sitemon.ReasonBody, `body "example.test. 300 IN A 192.0.2.1`},
		{"an unwanted record", "example.test", []option{not}, down, sitemon.ReasonBody, "expected no match of"},
		{"not verified", "example.test", []option{verified}, down, sitemon.ReasonDNSError, "not verified by DNSSEC"},
		{"slow", "example.test", []option{late}, sitemon.OutcomeDegraded, sitemon.ReasonLatency, "expected at most 1ns"},
	}
	set := newSet(t, probes.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := set.Probe(t.Context(), newSite(t, "dns://"+addr+"/"+tt.question, tt.options...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.RemoteAddr != addr || r.BodyBytes < 12 || r.Phases.Processing <= 0 {
				t.Errorf("address %s, %d bytes, phases %+v", r.RemoteAddr, r.BodyBytes, r.Phases)
			}
		})
	}
}

func TestDNSOverTLS(t *testing.T) {
	ca := newAuthority(t)
	serve := func(t *testing.T, change func(*testing.T) tls.Certificate) string {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{change(t)}, NextProtos: []string{"dot"}})
		if err != nil {
			t.Fatal(err)
		}
		start(t, &dns.Server{Listener: l, Handler: dns.HandlerFunc(answerDNS)})
		return l.Addr().String()
	}
	overTLS := asks(func(r *sitemon.DNSRequest) { r.OverTLS = true })
	good := serve(t, func(t *testing.T) tls.Certificate { return ca.server(t, nil) })
	other := serve(t, func(t *testing.T) tls.Certificate { return newAuthority(t).server(t, nil) })
	opts := probes.Options{Roots: ca.pool()}
	t.Run("up", func(t *testing.T) {
		r := probe(t, opts, newSite(t, "dns://"+good+"/example.test", overTLS))
		wantReport(t, r, sitemon.OutcomeUp, "", "")
		if r.Phases.TLS <= 0 || r.CertificateExpiresAt.IsZero() {
			t.Errorf("phases %+v, certificate until %s", r.Phases, r.CertificateExpiresAt)
		}
	})
	t.Run("a certificate that ends soon", func(t *testing.T) {
		soon := func(s *sitemon.Site) { s.Expect.CertificateValidFor = 1000 * 24 * time.Hour }
		r := probe(t, opts, newSite(t, "dns://"+good+"/example.test", overTLS, soon))
		wantReport(t, r, sitemon.OutcomeDegraded, sitemon.ReasonCertificate, "")
	})
	t.Run("an authority that is not trusted", func(t *testing.T) {
		r := probe(t, opts, newSite(t, "dns://"+other+"/example.test", overTLS))
		wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonTLSUntrusted, "")
	})
}

// TestDNSServers is about whom is asked.
func TestDNSServers(t *testing.T) {
	addr := serveDNS(t, "127.0.0.1", answerDNS)
	_, port, _ := net.SplitHostPort(addr)
	six := serveDNS(t, "::1", answerDNS)
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.1\noptions timeout:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	only6 := func(s *sitemon.Site) { s.Request.PreferredIPProtocol, s.Request.IPProtocolFallback = "ip6", false }
	tests := []struct {
		name, url string
		opts      probes.Options
		options   []option
		outcome   sitemon.Outcome
		reason    sitemon.Reason
		text      string
	}{
		{"IPv6", "dns://" + six + "/example.test", probes.Options{}, nil, sitemon.OutcomeUp, "", ""},
		{"a name with both families, one of which answers", "dns://localhost:" + port + "/example.test", probes.Options{}, nil, sitemon.OutcomeUp, "", ""},
		{"only IPv6 of an IPv4 address", "dns://" + addr + "/example.test", probes.Options{}, []option{only6}, sitemon.OutcomeDown, sitemon.ReasonDNSNotFound, "no IPv6 address"},
		{"a forbidden server", "dns://" + addr + "/example.test", probes.Options{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil, sitemon.OutcomeUnknown, sitemon.ReasonBlocked, "127.0.0.1 is not allowed"},
		{"a forbidden server of the system", "dns:example.test", probes.Options{ResolvConf: conf, Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil, sitemon.OutcomeUnknown, sitemon.ReasonBlocked, ""},
		{"no server of the system", "dns:example.test", probes.Options{ResolvConf: conf + ".none"}, nil, sitemon.OutcomeUnknown, sitemon.ReasonInternal, "name one"},
		{"nobody there", "dns://127.0.0.1:1/example.test", probes.Options{}, nil, sitemon.OutcomeDown, sitemon.ReasonConnectRefused, "connection refused by 127.0.0.1:1"},
		{"nobody there by TCP", "dns://127.0.0.1:1/example.test", probes.Options{}, []option{asks(func(r *sitemon.DNSRequest) { r.TCP = true })}, sitemon.OutcomeDown, sitemon.ReasonConnectRefused, ""},
		{"an expanded name", "dns://" + addr + "/${NAME}.test", probes.Options{Expander: fakeExpander{"NAME": "secretive"}}, nil, sitemon.OutcomeDown, sitemon.ReasonDNSNotFound, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, strings.Replace(tt.url, "dns:example", "dns:///example", 1), tt.options...)
			site.URL, site.Kind = tt.url, sitemon.KindDNS
			r := probe(t, tt.opts, site)
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if strings.Contains(r.Error+r.Evidence, "secretive") {
				t.Errorf("an expanded value is shown: %s %s", r.Error, r.Evidence)
			}
		})
	}
}

// TestDNSIsAskedAgain loses the first datagrams.
func TestDNSIsAskedAgain(t *testing.T) {
	var asked atomic.Int32
	addr := serveDNS(t, "127.0.0.1", func(w dns.ResponseWriter, r *dns.Msg) {
		if asked.Add(1) > 2 {
			answerDNS(w, r)
		}
	})
	site := newSite(t, "dns://"+addr+"/example.test")
	site.Timeout = 900 * time.Millisecond
	wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeUp, "", "")
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
}

func TestDNSEvidence(t *testing.T) {
	addr := serveDNS(t, "127.0.0.1", answerDNS)
	set := newSet(t, probes.Options{})
	r, d := set.Explain(t.Context(), newSite(t, "dns://"+addr+"/example.test?type=MX", bodyMatches(t, "never")))
	var e sitemon.ProbeEvidence
	if err := json.Unmarshal([]byte(r.Evidence), &e); err != nil {
		t.Fatal(err, r.Evidence)
	}
	if e.Request == nil || e.Request.Headers["Question"] != "example.test. IN MX" || e.Request.URL != "dns://"+addr+"/example.test?type=MX" {
		t.Errorf("request %+v", e.Request)
	}
	if e.Response == nil || e.Response.Status != "NOERROR" || e.Response.Protocol != "DNS/udp" ||
		e.Response.Headers["Flags"] != "rd ra" || e.Response.Body != "example.test. 300 IN MX 10 mail.example.test." {
		t.Errorf("response %+v", e.Response)
	}
	if d.Exchange == nil || d.Exchange.Response == nil || d.Exchange.Response.Body != e.Response.Body || len(d.Checks) != 2 {
		t.Errorf("detail %+v", d)
	}
}
