package probes_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sitemon"
	"sitemon/probes"
)

// texts are what a hostile server makes its answers of.
var texts = []string{
	"a", "<", "&amp;", `"`, `\`, `\u0000`, "\x00", "\x1b[31m", "\t", " ", "\xff\xfe", "\xe2\x80", "é", "\u2028", "\u202e", "🦀", "\U0010ffff",
	"://", "@", "?token=", "&", "=", "http://a:b@c/", strings.Repeat("x", 300), strings.Repeat("\x01", 300), strings.Repeat("🦀", 300), strings.Repeat(`\`, 300),
}

// randomText joins up to n texts, without what has a meaning in headers.
func randomText(r *rand.Rand, n int, without ...string) string {
	var b strings.Builder
	for range r.IntN(n + 1) {
		b.WriteString(texts[r.IntN(len(texts))])
	}
	text := b.String()
	for _, s := range without {
		text = strings.ReplaceAll(text, s, "")
	}
	return text
}

// randomAnswer is an answer that may be anything: a redirect, a page, or no HTTP.
func randomAnswer(r *rand.Rand) string {
	var b strings.Builder
	status := []int{200, 302, 404, 500, 999}[r.IntN(5)]
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, randomText(r, 3, "\n"))
	if status == 302 {
		fmt.Fprintf(&b, "Location: /%s\r\n", url.QueryEscape(randomText(r, 5)))
	}
	for i := range r.IntN(60) {
		name := []string{"X-A", "Set-Cookie", "Link", "X-Token", "Www-Authenticate", strings.Repeat("Long-", 20)}[r.IntN(6)]
		fmt.Fprintf(&b, "%s%d: %s\r\n", name, i, randomText(r, 6, "\n"))
	}
	return b.String() + "\r\n" + randomText(r, 30)
}

// TestEvidenceAlwaysFits: whatever comes back, the evidence can be stored, sent
// and shown.
func TestEvidenceAlwaysFits(t *testing.T) {
	cuts, set := map[string]bool{}, newSet(t, probes.Options{})
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		sent := randomAnswer(r)
		site := newSite(t, "http://"+listen(t, answer(sent, nil))+"/"+url.PathEscape(randomText(r, 40)))
		for i := range r.IntN(15) {
			site.Request.Headers = append(site.Request.Headers, sitemon.Header{
				Name: fmt.Sprint("X-", i), Value: sitemon.Secret(randomText(r, 6, "\n", "\x00", "\x1b", "\x01")),
			})
			site.Expect.BodyMatch = append(site.Expect.BodyMatch, pattern(t, "never"+strings.Repeat(`\x01`, r.IntN(100))))
		}
		site.Expect.Status = []sitemon.StatusRange{{From: 201, To: 201}}
		report := set.Probe(t.Context(), site)
		if report.Outcome != sitemon.OutcomeDown {
			t.Fatalf("seed %d: %s %s", seed, report.Outcome, report.Error)
		}
		e := evidence(t, report)
		if strings.ContainsFunc(report.Evidence, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			t.Errorf("seed %d: control characters in %q", seed, report.Evidence)
		}
		for _, cut := range e.Cut {
			cuts[cut] = true
		}
	}
	for _, part := range []string{"body", "headers", "redirects"} {
		if !cuts[part] {
			t.Errorf("%s never had to be cut: %v", part, cuts)
		}
	}
}

// TestEvidenceIsCutInOrder: the body goes first, then long headers; what says most
// stays.
func TestEvidenceIsCutInOrder(t *testing.T) {
	var sent strings.Builder
	sent.WriteString("HTTP/1.1 503 Service Unavailable\r\nServer: front\r\n")
	for i := range 30 {
		fmt.Fprintf(&sent, "X-Long-%d: %s\r\n", i, strings.Repeat("x", 150))
	}
	sent.WriteString("\r\n" + strings.Repeat("body ", 300))
	r := probe(t, probes.Options{}, newSite(t, "http://"+listen(t, answer(sent.String(), nil))))
	e := evidence(t, r)
	if !slices.Equal(e.Cut, []string{"body", "headers"}) || len(e.Response.Body) < 200 || e.Response.Headers["Server"] != "front" ||
		len(e.Response.Headers) < 15 || len(e.Request.Headers) == 0 || e.Expectations[0].Seen != "503" {
		t.Errorf("got %s", r.Evidence)
	}
}

// TestEvidenceOfALongWay: what is left where all is long is the beginning of it.
func TestEvidenceOfALongWay(t *testing.T) {
	ca := newAuthority(t)
	var chain tls.Certificate
	for range 6 {
		cert := ca.server(t, func(c *x509.Certificate) {
			c.Subject.CommonName = strings.Repeat("name", 30)
			for i := range 20 {
				c.DNSNames = append(c.DNSNames, fmt.Sprint(strings.Repeat("host", 15), i, ".example"))
			}
		})
		chain.Certificate = append(chain.Certificate, cert.Certificate...)
		if chain.PrivateKey == nil {
			chain.PrivateKey = cert.PrivateKey
		}
	}
	there := "/" + strings.Repeat("far/", 120)
	addr := listenTLS(t, chain, nil, answer("HTTP/1.1 302 Found\r\nLocation: "+there+"\r\nContent-Length: 0\r\n\r\n", nil))
	site := newSite(t, "https://"+addr+"/")
	site.Request.TLS = &sitemon.TLSConfig{InsecureSkipVerify: true}
	r := probe(t, probes.Options{}, site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonRedirect, "more than 10 redirects")
	e := evidence(t, r)
	if len(e.TLS.Certificates) != 1 || len(e.TLS.Certificates[0].Names) != 5 || e.TLS.Certificates[0].NamesTotal != 22 ||
		len(e.Redirects) < 1 || e.Redirects[0].Location != there || !slices.Contains(e.Cut, "tls") || !slices.Contains(e.Cut, "redirects") {
		t.Errorf("got %s", r.Evidence)
	}
}

// TestEvidenceHidesSecrets sends a secret back in each form and at each place where
// something is cut: no part of it may be seen.
func TestEvidenceHidesSecrets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	long := strings.Builder{}
	for long.Len() < 3000 {
		fmt.Fprintf(&long, "Qz%06d/", random.IntN(1e6))
	}
	for name, secret := range map[string]string{"a short one": `Qz81"<73+Wj&29'Kk/5é`, "a long one": long.String()} {
		inJSON, _ := json.Marshal(secret)
		forms := map[string]string{
			"as it is": secret, "in JSON": string(inJSON[1 : len(inJSON)-1]), "in JSON without HTML": strings.ReplaceAll(secret, `"`, `\"`),
			"in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "in HTML": html.EscapeString(secret),
			"in other HTML": strings.ReplaceAll(html.EscapeString(secret), "&#34;", "&quot;"),
			"in small hex":  strings.NewReplacer("%3C", "%3c", "%2B", "%2b", "%2F", "%2f", "%C3%A9", "%c3%a9").Replace(url.QueryEscape(secret)),
		}
		for form, echo := range forms {
			t.Run(name+" "+form, func(t *testing.T) {
				for _, at := range []int{0, 190, 1010, 1022, 4090, 5110} {
					for _, end := range []int{0, 3, 10, len(echo) - 1} { // how much of the last one is sent
						body := strings.Repeat("-", at) + echo + "-" + echo + "+" + echo + echo[:end]
						sent := fmt.Sprintf("HTTP/1.1 500 No\r\nX-Echo: %s\r\nContent-Length: %d\r\n\r\n%s", echo, len(body)+len(echo), body)
						if at%4 == 2 { // all comes, and is cut here
							sent += echo
						}
						site := newSite(t, "http://"+listen(t, answer(sent, nil))+"/?q=${SECRET}", func(s *sitemon.Site) {
							s.Request.BodySizeLimit = int64(len(body)) // which is the end of it
							s.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "never")}
						})
						r := probe(t, probes.Options{Expander: fakeExpander{"SECRET": secret}}, site)
						evidence(t, r)
						for _, part := range []string{"Qz", "Wj", "Kk"} {
							if strings.Contains(r.Evidence+r.Error, part) {
								t.Fatalf("at %d, cut after %d: shows %q in %s", at, end, part, r.Evidence)
							}
						}
						if !strings.Contains(r.Evidence, sitemon.Redacted) {
							t.Fatalf("nothing is redacted in %s", r.Evidence)
						}
					}
				}
			})
		}
	}
}

// TestEvidenceHidesWhatIsExchanged: cookies and credentials that a site was given
// on the way are not seen where it shows them.
func TestEvidenceHidesWhatIsExchanged(t *testing.T) {
	const page = "HTTP/1.1 500 No\r\nSet-Cookie: a=third-cookie\r\nX-Debug: third-cookie\r\n" +
		"Refresh: 1; url=//u:userinfo@h/?code=parameter\r\nContent-Location: /?sig=parameter#access_token=parameter\r\n\r\n" +
		"first-cookie second-cookie third-cookie query-token redirect-token userinfo <a href=\"https://u:linkinfo@h/?q=1&amp;session=parameter\">"
	const redirect = "HTTP/1.1 302 Found\r\nSet-Cookie: a=second-cookie\r\nLocation: /there?session_id=redirect-token\r\nContent-Length: 0\r\n\r\n"
	first := true
	addr := listen(t, func(c net.Conn) { // one connection after the other
		text := page
		if first {
			text, first = redirect, false
		}
		answer(text, nil)(c)
	})
	site := newSite(t, "http://user:userinfo@"+addr+"/?token=query-token")
	site.Request.Headers = []sitemon.Header{{Name: "Cookie", Value: "x=y; b=first-cookie"}}
	site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "never")}
	r := probe(t, probes.Options{}, site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, "<redacted> <redacted> <redacted> <redacted> <redacted> <redacted>")
	if evidence(t, r); len(r.Evidence) < 500 {
		t.Errorf("little evidence: %s", r.Evidence)
	}
	for _, part := range []string{"-cookie", "-token", "info@", "userinfo", "parameter"} {
		if strings.Contains(r.Evidence, part) || strings.Contains(r.Error, part) {
			t.Errorf("shows %q:\n%s\n%s", part, r.Error, r.Evidence)
		}
	}
}
