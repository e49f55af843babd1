package probes_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/config"
	"sitemon/probes"
)

// talks makes a server of lines: it says hello, then answers each line by the first
// entry whose beginning it has. An answer "TLS" after a line break begins TLS.
func talks(cert *tls.Certificate, hello string, answers ...[2]string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, hello)
		br := bufio.NewReader(c)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			for _, a := range answers {
				if !strings.HasPrefix(line, a[0]) {
					continue
				}
				text, secure := strings.CutSuffix(a[1], "\nTLS")
				_, _ = io.WriteString(c, text)
				if secure {
					_, _ = io.WriteString(c, "\n")
					tc := tls.Server(c, serverTLS(*cert))
					if tc.Handshake() != nil {
						return
					}
					c, br = tc, bufio.NewReader(tc)
				}
				if strings.Contains(line, "QUIT") {
					return
				}
				break
			}
		}
	}
}

// smtp is a mail server that lets nobody sign in before TLS.
func smtp(cert *tls.Certificate) func(net.Conn) {
	return talks(cert, "220 mail.example.org ESMTP Postfix\r\n",
		[2]string{"EHLO", "250-mail.example.org\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 SMTPUTF8\r\n"},
		[2]string{"STARTTLS", "220 2.0.0 Ready\r\nTLS"}, [2]string{"QUIT", "221 Bye\r\n"})
}

func step(expect, send string) sitemon.DialogueStep {
	s := sitemon.DialogueStep{Send: send}
	if expect != "" {
		p, err := sitemon.CompilePattern(expect)
		if err != nil {
			panic(err)
		}
		s.Expect = &p
	}
	return s
}

func says(steps ...sitemon.DialogueStep) option {
	return func(s *sitemon.Site) { s.Request.QueryResponse = steps }
}

func TestDialogue(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.server(t, nil)
	begin := sitemon.DialogueStep{StartTLS: true}
	upgrade := []sitemon.DialogueStep{
		step("^220 ([^ ]+) ESMTP", "EHLO ${1}\r"), step("^250[ -]STARTTLS", ""), step("^250 ", "STARTTLS\r"), step("^220 ", ""), begin,
	}
	for _, tt := range []struct {
		name    string
		handle  func(net.Conn)
		steps   []sitemon.DialogueStep
		change  option
		outcome sitemon.Outcome
		reason  sitemon.Reason
		text    string
	}{
		{name: "a banner", handle: talks(nil, "SSH-2.0-OpenSSH_9.9\r\n"), steps: []sitemon.DialogueStep{step("^SSH-2.0-", "SSH-2.0-SiteMon\r")}, outcome: "up"},
		{name: "a banner without its end", handle: func(c net.Conn) { _, _ = io.WriteString(c, "hello") }, steps: []sitemon.DialogueStep{step("^hello$", "")}, outcome: "up"},
		{name: "what is captured is sent", handle: talks(nil, "PING :a$1${X}\r\n", [2]string{"PONG :a$1${X}\r\n", "welcome\n"}), steps: []sitemon.DialogueStep{step("^PING :(.+)$", "PONG :${1}\r"), step("^welcome$", "")}, outcome: "up"},
		{name: "two captures, later", handle: talks(nil, "a b\n", [2]string{"one", "c\n"}, [2]string{"b a", "ok\n"}), steps: []sitemon.DialogueStep{step("^(.) (.)$", "one"), step("", "${2} ${1}"), step("ok", "")}, outcome: "up"},
		{name: "what has its end gets no other", handle: talks(nil, "", [2]string{"GET", ""}, [2]string{"\r", "HTTP/1.0 200 OK\r\n"}), steps: []sitemon.DialogueStep{step("", "GET / HTTP/1.0\r\n\r\n"), step("200 OK", "")}, outcome: "up"},
		{name: "STARTTLS", handle: smtp(&cert), steps: append(upgrade, step("", "EHLO x\r"), step("^250 SMTPUTF8", "QUIT\r"), step("^221", "")), outcome: "up"},
		{name: "STARTTLS, a certificate that ends soon", handle: smtp(&cert), steps: upgrade, change: expects(func(e *sitemon.Expect) { e.CertificateValidFor = 200 * day }), outcome: "degraded", reason: "certificate", text: "certificate valid for 99d"},
		{name: "STARTTLS, another name", handle: smtp(&cert), steps: upgrade, change: func(s *sitemon.Site) { s.Request.TLS = &sitemon.TLSConfig{ServerName: "mail.example.org"} }, outcome: "down", reason: "tls_hostname", text: "not for mail.example.org"},
		{name: "STARTTLS, more before it", handle: talks(&cert, "220 x ESMTP\r\n", [2]string{"EHLO", "250-STARTTLS\r\n250 x\r\n"}, [2]string{"STARTTLS", "220 go\r\n250 injected\r\nTLS"}), steps: upgrade, outcome: "down", reason: "protocol", text: `more before TLS began: "250 injected`},
		{name: "something else, then closed", handle: func(c net.Conn) { _, _ = io.WriteString(c, "554 no\r\nbye\r\n") }, steps: []sitemon.DialogueStep{step("^220 ", "")}, outcome: "down", reason: "body", text: `answer "554 no\r\nbye", expected a line that matches "^220 " (the connection was closed)`},
		{name: "slow", handle: talks(nil, "220 x\r\n"), steps: []sitemon.DialogueStep{step("^220 ", "")}, change: expects(func(e *sitemon.Expect) { e.Latency = 1 }), outcome: "degraded", reason: "latency"},
		{name: "TLS refused", handle: talks(nil, "220 x ESMTP\r\n", [2]string{"EHLO", "250-STARTTLS\r\n250 x\r\n"}, [2]string{"STARTTLS", "454 no TLS\r\n"}, [2]string{"\x16", ""}), steps: append(upgrade[:3:3], begin), outcome: "down", reason: "tls_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, "tcp://"+listen(t, tt.handle), says(tt.steps...))
			if tt.change != nil {
				tt.change(site)
			}
			r := probe(t, probes.Options{Roots: ca.pool()}, site)
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
		})
	}
}

func TestDialogueByTLS(t *testing.T) {
	ca := newAuthority(t)
	addr := listenTLS(t, ca.server(t, nil), nil, talks(nil, "+OK ready\r\n", [2]string{"QUIT", "+OK bye\r\n"}))
	site := newSite(t, "tls://"+addr, says(step(`^\+OK`, "QUIT\r"), step(`^\+OK bye`, "")))
	r := probe(t, probes.Options{Roots: ca.pool()}, site)
	wantReport(t, r, "up", "", "")
	if r.Phases.TLS <= 0 || r.Phases.Processing <= 0 || r.BodyBytes != 20 || r.CertificateExpiresAt.IsZero() {
		t.Errorf("got %+v", r)
	}
}

// Secrets that are sent are seen nowhere, also where the other side repeats them.
func TestDialogueKeepsSecrets(t *testing.T) {
	echo := talks(nil, "hi\r\n", [2]string{"PASS", "-ERR wrong password s3cr3t-value, not literal-one\r\n"}, [2]string{"X", "-ERR I know s3cr3t-value\r\n"})
	site := newSite(t, "tcp://"+listen(t, echo), says(step("hi", "PASS literal-one\r"), step("", "X ${SECRET}"), step("", "AUTH LOGIN\r"), step("", "bGl0ZXJhbC10d28=\r"), step("never", "")))
	site.References = true
	set := newSet(t, probes.Options{Expander: fakeExpander{"SECRET": "s3cr3t-value"}})
	var d probes.Detail
	r := patiently(hostileTimeout, func(timeout time.Duration) (r sitemon.Report) {
		site.Timeout = timeout
		r, d = set.Explain(t.Context(), site)
		return r
	}, func(r sitemon.Report) bool { return r.Reason == sitemon.ReasonBody })
	wantReport(t, r, "down", "body", "I know <redacted>")
	shown, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{r.Error, r.Evidence, string(shown)} {
		if strings.Contains(text, "s3cr3t") || strings.Contains(text, "literal-one") || strings.Contains(text, "bGl0ZXJhbC10d28") {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	if !strings.Contains(r.Evidence, "wrong password <redacted>") || !strings.Contains(r.Evidence, `"Sent":"PASS <redacted>\\nX <redacted>\\nAUTH <redacted>\\n<redacted>"`) {
		t.Error(r.Evidence)
	}
	site.Request.QueryResponse = []sitemon.DialogueStep{step("", "${GONE}")}
	wantReport(t, set.Probe(t.Context(), site), "unknown", "internal", "the variable GONE is not set")
}

// docsSites are the sites of a section of docs/kinds.md, by their names.
func docsSites(t *testing.T, section string) map[string]sitemon.Site {
	t.Helper()
	text, err := os.ReadFile("../docs/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text2, ok := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n## "+section)
	_, text2, fenced := strings.Cut(text2, "```yaml\n")
	block, _, _ := strings.Cut(text2, "```")
	doc, _, err := config.Parse([]config.File{{Name: "kinds.md", Content: []byte(block)}}, config.ParseOptions{})
	if err != nil || !ok || !fenced {
		t.Fatalf("section %q: %v", section, err)
	}
	sites := map[string]sitemon.Site{}
	for _, s := range doc.Sites {
		sites[s.Name] = s
	}
	return sites
}

// The examples of the documentation talk with servers of their kind.
func TestDocumentedDialogues(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.server(t, nil)
	set := newSet(t, probes.Options{Roots: ca.pool(), Expander: fakeExpander{"IMAP_PASSWORD:-": "example"}})
	servers := map[string]func(net.Conn){
		"port": silent,
		"ssh":  talks(nil, "SSH-2.0-OpenSSH_9.9\r\n"),
		"mail": smtp(&cert),
		"mailboxes": talks(&cert, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", [2]string{"a STARTTLS", "a OK begin\r\nTLS"},
			[2]string{"b LOGIN monitor example\r\n", "* CAPABILITY IMAP4rev1\r\nb OK signed in\r\n"}),
		"post office": talks(nil, "+OK ready\r\n", [2]string{"QUIT", "+OK\r\n"}),
		"cache":       talks(nil, "", [2]string{"PING", "+PONG\r\n"}),
		"chat": talks(nil, "NOTICE * :looking up\r\n", [2]string{"NICK", ""}, [2]string{"USER", "PING :4711\r\n"},
			[2]string{"PONG :4711\r\n", ":irc 001 monitor :welcome\r\n"}),
	}
	sites := docsSites(t, "tcp and tls")
	for name, handle := range servers {
		t.Run(name, func(t *testing.T) {
			site, ok := sites[name]
			if !ok {
				t.Fatal("the documentation has no such site")
			}
			scheme, _, _ := strings.Cut(site.URL, "://")
			addr := listen(t, handle)
			if scheme == "tls" {
				addr = listenTLS(t, cert, nil, handle)
			}
			site.URL = scheme + "://" + addr
			wantReport(t, set.Probe(deadline(t, 10*time.Second), &site), "up", "", "")
		})
	}
	if len(sites) != len(servers) {
		t.Errorf("%d sites are documented, %d are probed", len(sites), len(servers))
	}
}
