package probes_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/miekg/dns"

	"sitemon"
)

// serveBenchDNS is serveBench for the kind dns.
func serveBenchDNS() {
	pc, l, err := listenBoth("127.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = (&dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(answerDNS)}).ActivateAndServe() }()
	go func() { _ = (&dns.Server{Listener: l, Handler: dns.HandlerFunc(answerDNS)}).ActivateAndServe() }()
	fmt.Println(pc.LocalAddr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// BenchmarkKinds shows what a probe of each kind costs; what answers is another
// process, or the kernel.
func BenchmarkKinds(b *testing.B) {
	http, name := startBench(b), startBenchServer(b, "dns")
	echo := startBenchServer(b, "ws")
	once := pings(func(r *sitemon.ICMPRequest) { r.Count = 1 })
	for _, tt := range []struct {
		name, url string
		options   []option
	}{
		{"http", http, nil},
		{"http, three steps", http, []option{steps(sitemon.Step{Name: "a", Capture: []sitemon.Capture{{Name: "kind", Header: "Content-Type"}}}, sitemon.Step{Name: "b"}, sitemon.Step{Name: "c"})}},
		{"http, an expression of the body", http, []option{expects(func(e *sitemon.Expect) { e.BodyMatch = []sitemon.Pattern{pattern(b, "e")} })}},
		{"http, a condition and a value", http, []option{expects(func(e *sitemon.Expect) {
			e.Expr = []sitemon.Condition{{Expr: `status == 200 && body contains "e"`}}
			e.Values = []sitemon.ValueExpr{{Name: "bytes", Expr: "body_bytes"}}
		})}},
		{"http/3", "https://" + startBenchServer(b, "h3"), []option{http3Site, func(s *sitemon.Site) { s.Request.TLS = &sitemon.TLSConfig{InsecureSkipVerify: true} }}},
		{"tcp", "tcp" + http[len("http"):len(http)-len("/s/1")], nil},
		{"tcp, a dialogue", "tcp://" + startBenchServer(b, "mail"), []option{says(step("^220 ", "EHLO a\r"), step("^250 ", "QUIT\r"), step("^221 ", ""))}},
		{"dns by udp", "dns://" + name + "/example.test", nil},
		{"dns by tcp", "dns://" + name + "/example.test", []option{asks(func(r *sitemon.DNSRequest) { r.TCP = true })}},
		{"icmp, one request", "icmp://127.0.0.1", []option{once}},
		{"grpc", "grpc://" + startBenchServer(b, "grpc"), nil},
		{"ws", "ws://" + echo, nil},
		{"ws, a message and its echo", "ws://" + echo, []option{sendsWS("ping"), expects(func(e *sitemon.Expect) { e.BodyMatch = []sitemon.Pattern{pattern(b, "ping")} })}},
	} {
		b.Run(tt.name, func(b *testing.B) { benchKind(b, newSite(b, tt.url, tt.options...)) })
	}
}
