package probes_test

import (
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sitemon"
	"sitemon/probes"
)

// A write that takes its time, as on a busy machine, loses nothing of the answer.
func TestPostgresSlowWrite(t *testing.T) {
	t.Parallel()
	site := newSite(t, "postgres://monitor@"+listen(t, slowPostgres)+"/shop?sslmode=disable", runs("SELECT 7 --"+strings.Repeat("x", 32<<20)), bodyMatches(t, "^7$"))
	wantReport(t, newSet(t, probes.Options{}).Probe(deadline(t, secureTimeout), site), "up", "", "")
}

// What is said before TLS may come from anybody.
func TestPostgresErrorBeforeTLS(t *testing.T) {
	t.Parallel()
	addr := listen(t, pgSays(pgError("come and sign in at evil.example"), silent))
	for _, mode := range []string{"prefer", "require", "verify-full"} {
		r := newSet(t, probes.Options{}).Probe(t.Context(), newSite(t, "postgres://monitor@"+addr+"/shop?sslmode="+mode))
		wantReport(t, r, "down", "status", "the server answered with an error")
		if strings.Contains(r.Error+r.Evidence, "evil") {
			t.Errorf("%s: it is shown: %s %s", mode, r.Error, r.Evidence)
		}
	}
}

// wantClean looks for what must not be shown of what a service said.
func wantClean(t *testing.T, r sitemon.Report) {
	t.Helper()
	for what, text := range map[string]string{"the error": r.Error, "the evidence": r.Evidence} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "hunte…") {
			t.Errorf("%s has the secret: %s", what, text)
		}
		if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 || strings.ContainsRune(text, '\u202e') {
			t.Errorf("%s has control characters: %q", what, text)
		}
	}
	if len(r.Error) > 2000 || len(r.Evidence) > 128<<10 {
		t.Errorf("an error of %d and evidence of %d bytes", len(r.Error), len(r.Evidence))
	}
}

// serviceSite is a site of a hostile service.
func serviceSite(t *testing.T, kind, scheme, addr, tail string, options ...option) *sitemon.Site {
	t.Helper()
	return newSite(t, scheme+"://monitor:${PW}@"+addr+tail, append(options, func(s *sitemon.Site) { s.Kind = sitemon.Kind(kind) })...)
}

// serviceCases are the sites by which the peers of each kind are asked.
var serviceCases = []struct {
	kind, plain, secure, tail, secureTail string
	peers                                 []peer
}{
	{"postgres", "postgres", "postgres", "/shop?sslmode=disable", "/shop?sslmode=verify-full", postgresPeers},
	{"redis", "redis", "rediss", "", "", redisPeers},
	{"kafka", "kafka", "kafka", "", "", kafkaPeers},
}

func serviceOptions(t *testing.T, kind string, p peer, tls bool) []option {
	t.Helper()
	switch kind {
	case "redis":
		return []option{bodyMatches(t, "")}
	case "kafka":
		mechanism := "plain"
		if strings.HasPrefix(p.name, "SCRAM") {
			mechanism = "scram-sha-256"
		}
		return []option{signsIn(tls, mechanism)}
	}
	return []option{runs("SELECT 7")}
}

// TestHostileServices lets the probes of databases and brokers meet peers that do no
// good, before and after TLS has begun. It ends with nothing left over.
func TestHostileServices(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		cert := ca.server(t, nil)
		set := newSet(t, probes.Options{Roots: ca.pool(), Expander: fakeExpander{"PW": serviceSecret}})
		for _, c := range serviceCases {
			agreed := func(handle func(net.Conn)) func(net.Conn) { return handle }
			if c.kind == "postgres" {
				agreed = func(handle func(net.Conn)) func(net.Conn) { return pgStarted(writes("S", handle)) }
			}
			for _, p := range c.peers {
				t.Run(c.kind+"/"+p.name, func(t *testing.T) {
					t.Parallel()
					site := serviceSite(t, c.kind, c.plain, listen(t, p.handle), c.tail, serviceOptions(t, c.kind, p, false)...)
					r := meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
					wantClean(t, r)
				})
				if p.name == "TLS" {
					continue
				}
				t.Run(c.kind+" by TLS/"+p.name, func(t *testing.T) {
					t.Parallel()
					handle := agreed(func(conn net.Conn) {
						if tc, ok := serverHandshake(conn, cert); ok {
							p.handle(tc)
							_ = tc.Close()
						}
					})
					site := serviceSite(t, c.kind, c.secure, listen(t, handle), c.secureTail, serviceOptions(t, c.kind, p, true)...)
					r := meetHostile(t, set, site, secureTimeout, &worst, p.want, p.text)
					wantClean(t, r)
				})
			}
			for _, p := range tlsPeers {
				t.Run(c.kind+" by TLS/"+p.name, func(t *testing.T) {
					t.Parallel()
					site := serviceSite(t, c.kind, c.secure, listen(t, agreed(p.handle)), c.secureTail, serviceOptions(t, c.kind, p, true)...)
					meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
				})
			}
		}
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}

// What a service announces costs no memory until it comes.
func TestHostileServicesMemory(t *testing.T) {
	set := newSet(t, probes.Options{Expander: fakeExpander{"PW": serviceSecret}})
	for _, c := range serviceCases {
		for _, p := range c.peers {
			if !strings.Contains(p.name, "gigabyte") && !strings.Contains(p.name, "exabyte") && !strings.Contains(p.name, "list longer") && !strings.HasPrefix(p.name, "endless") {
				continue
			}
			t.Run(c.kind+"/"+p.name, func(t *testing.T) {
				site := serviceSite(t, c.kind, c.plain, listen(t, p.handle), c.tail, serviceOptions(t, c.kind, p, false)...)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				wantHostile(t, set.Probe(deadline(t, ampleTimeout), site), p.want, p.text)
				runtime.ReadMemStats(&after)
				if got := after.TotalAlloc - before.TotalAlloc; got > 24<<20 {
					t.Errorf("%d bytes allocated", got)
				}
			})
		}
	}
}

// A broker that names others, at addresses that are denied, has only its own asked.
func TestKafkaAdvertisesDeniedAddresses(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	other := listen(t, func(net.Conn) { asked.Add(1) })
	_, text, _ := net.SplitHostPort(other)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	handle := kafkaTalks(then(silent), kafkaVersions, kafkaMetadata(
		kmsg.MetadataResponseBroker{NodeID: 1, Host: "169.254.169.254", Port: 80},
		kmsg.MetadataResponseBroker{NodeID: 2, Host: "127.0.0.1", Port: int32(port)}))
	r := newSet(t, probes.Options{}).Probe(t.Context(), newSite(t, "kafka://"+listen(t, handle), bodyMatches(t, `(?m)^broker 1 169\.254\.169\.254:80$`)))
	wantReport(t, r, "up", "", "")
	if n := asked.Load(); n != 0 {
		t.Errorf("a broker that was only named was asked %d times", n)
	}
}
