package probes_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// benchServer is set in the environment of the child process that serves the
// benchmarks, so that its work is not counted as the probes'.
const benchServer = "PROBES_BENCH_SERVER"

// benchAnswer is a page of 1 KiB.
func benchAnswer(closing bool) []byte {
	body := "site-1 is up\n" + strings.Repeat("x", 1011)
	header := ""
	if closing {
		header = "Connection: close\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s", len(body), header, body)
}

// serveBench answers requests as cheaply as it can until its input ends.
func serveBench() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addr())
	once, again := benchAnswer(true), benchAnswer(false)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					n, err := c.Read(buf) // a request arrives in one piece here
					if err != nil {
						return
					}
					if bytes.Contains(buf[:n], []byte("Connection: close")) {
						_, _ = c.Write(once)
						return
					}
					if _, err := c.Write(again); err != nil {
						return
					}
				}
			}()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startBench starts the server and returns its URL.
func startBench(b *testing.B) string {
	b.Helper()
	return "http://" + startBenchServer(b, "http") + "/s/1"
}

// startBenchServer starts the server of a kind and returns its address.
func startBenchServer(b *testing.B, kind string) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchServer+"="+kind)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// measure runs fn and reports what it costs of the processor, the kernel's work
// included.
func measure(b *testing.B, fn func() error) {
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if err := fn(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

// BenchmarkHTTP compares a probe with what http.Client needs for the same
// request: fresh connections, and kept ones.
func BenchmarkHTTP(b *testing.B) {
	target := startBench(b)
	for _, keep := range []bool{false, true} {
		name := map[bool]string{false: "fresh", true: "kept"}[keep]
		b.Run(name+"/client", func(b *testing.B) { benchClient(b, target, keep) })
		b.Run(name+"/probe", func(b *testing.B) {
			benchProbe(b, target, func(s *sitemon.Site) {
				s.Request.KeepAlive = keep
				s.Expect.BodyMatch = []sitemon.Pattern{pattern(b, "site-[0-9]+ is up")}
			})
		})
	}
}

// BenchmarkExpectations shows what judging adds to a probe.
func BenchmarkExpectations(b *testing.B) {
	target := startBench(b)
	tests := []struct {
		name   string
		expect func(*sitemon.Expect)
	}{
		{"status", func(*sitemon.Expect) {}},
		{"ten of the body", func(e *sitemon.Expect) {
			for i := range 10 {
				e.BodyNotMatch = append(e.BodyNotMatch, pattern(b, fmt.Sprintf("(?i)error-%d[0-9]", i)))
			}
		}},
		{"a failing one", func(e *sitemon.Expect) { e.BodyMatch = []sitemon.Pattern{pattern(b, "never")} }},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			benchProbe(b, target, func(s *sitemon.Site) {
				s.Request.KeepAlive = true
				tt.expect(s.Expect)
			})
		})
	}
}

func benchProbe(b *testing.B, target string, change func(*sitemon.Site)) {
	set := probes.New(probes.Options{Deny: []netip.Prefix{
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("fd00:ec2::254/128"), netip.MustParsePrefix("100.100.100.200/32"),
	}})
	defer set.Close()
	site := newSite(b, target)
	change(site)
	measure(b, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if r := set.Probe(ctx, site); r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", r.Outcome, r.Error)
		}
		return nil
	})
}

func benchClient(b *testing.B, target string, keep bool) {
	transport := &http.Transport{DisableKeepAlives: !keep, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	re := regexp.MustCompile("site-[0-9]+ is up")
	measure(b, func() error {
		resp, err := client.Get(target)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err == nil && !re.Match(body) {
			err = fmt.Errorf("unexpected body")
		}
		return err
	})
}
