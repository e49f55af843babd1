package main

import (
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// startNameServer answers every question with one address until the test ends.
func startNameServer(t *testing.T) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		if rr, err := dns.NewRR(r.Question[0].Name + " 300 IN A 192.0.2.7"); err == nil {
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.ActivateAndServe() })
	<-ready
	t.Cleanup(func() { _ = s.Shutdown(); wg.Wait() })
	return pc.LocalAddr().String()
}

// TestProbeOfKinds probes what is no web page.
func TestProbeOfKinds(t *testing.T) {
	dir, server := t.TempDir(), startNameServer(t)
	save(t, dir, "sites.yaml", "sites:\n"+
		"  - { name: good, url: \"dns://"+server+"/example.test\", regex: '192\\.0\\.2\\.7$' }\n"+
		"  - { name: bad, url: \"dns://"+server+"/example.test?type=MX\" }\n")
	runProgram(t, dir, "check").want(t, 0, "", "")
	good := runProgram(t, dir, "probe", "good")
	good.want(t, 0, "good is up", "")
	good.want(t, 0, "QUERY dns://"+server+"/example.test", "")
	good.want(t, 0, "ok    rcode: expected NOERROR with a record of type A, seen NOERROR", "")
	good.want(t, 0, "DNS/udp NOERROR", "")
	good.want(t, 0, "\nexample.test. 300 IN A 192.0.2.7\n", "")
	bad := runProgram(t, dir, "probe", "bad")
	bad.want(t, 1, "bad is down (dns_not_found): the name server answered NOERROR without a record of type MX", "")
	bad.want(t, 1, "FAIL  rcode: expected NOERROR with a record of type MX", "")
	ping := runProgram(t, dir, "probe", "icmp://127.0.0.1")
	if ping.code != 0 { // without the privilege
		ping.want(t, 1, "is unknown (internal): this monitor may not send echo requests", "")
		return
	}
	ping.want(t, 0, "ICMP 3 of 3 answered", "")
}
