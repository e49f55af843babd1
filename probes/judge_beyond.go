package probes

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sitemon"
	"sitemon/expression"
)

// answered is what a kind of probe tells expressions of its answer.
type answered struct {
	proto  string
	status int
	header http.Header
	body   []byte
	json   []byte // nil: none of the kind's answers has JSON
	rcode  string
}

// programs keep the compiled expressions of all sites.
type programs struct{ conditions, numbers memo[*expression.Program] }

func (p *programs) condition(text string) (*expression.Program, error) {
	return p.conditions.value(text, 0, func() (*expression.Program, error) { return expression.Condition(text) })
}

func (p *programs) number(text string) (*expression.Program, error) {
	return p.numbers.value(text, 0, func() (*expression.Program, error) { return expression.Number(text) })
}

// beyond judges what is expected beyond texts: TLS, the body as a whole and
// conditions; and reads off the values that reports carry.
func (v *verdict) beyond() {
	a := v.attempt
	e := a.site.Expect
	v.tls(e)
	if e.BodyHash != "" && e.BodyHash != stable {
		seen := hashOf(sha256.Sum256(v.ans.body))
		v.fact("body_hash", seen == e.BodyHash, sitemon.ReasonBody, e.BodyHash, seen)
	}
	if len(e.Expr)+len(e.Values) > 0 {
		env := v.environment()
		v.values(env)
		if a.flow != nil {
			a.flow.ownTime(env, a.report.Phases)
		}
		v.conditions(env, false) // what makes a site down is judged before what degrades it
		v.conditions(env, true)
	}
	if e.BodyHash == stable {
		v.stableBody(v.ans.body)
	}
	if len(v.numbers) > 0 {
		for name, n := range a.report.Values.All() { // of steps before this one
			if _, newer := v.numbers[name]; !newer {
				v.numbers[name] = n
			}
		}
		a.report.Values = sitemon.NewValues(v.numbers)
	}
}

// capture notes what a group with a name matched, where it is a number.
func (v *verdict) capture(name string, text []byte) {
	const longest = 64
	s := strings.TrimSpace(string(text[:min(len(text), longest)]))
	if n, err := strconv.ParseFloat(s, 64); err == nil && len(text) <= longest && !v.attempt.secretNumber(n) {
		v.value(name, n)
	}
}

// secretNumber reports whether a number is a secret of the probe that came back.
// Short ones are everywhere.
func (a *attempt) secretNumber(n float64) bool {
	return slices.ContainsFunc(a.secrets, func(s string) bool {
		secret, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return err == nil && len(s) >= wordLength && secret == n
	})
}

func (v *verdict) value(name string, n float64) {
	if v.numbers == nil {
		v.numbers = map[string]float64{}
	}
	v.numbers[name] = n
}

// reads are the names that the site's expressions read.
func (v *verdict) reads() (names []string) {
	e, set := v.attempt.site.Expect, v.attempt.set
	for _, want := range e.Expr {
		if p, err := set.programs.condition(want.Expr); err == nil {
			names = append(names, p.Uses()...)
		}
	}
	for _, want := range e.Values {
		if p, err := set.programs.number(want.Expr); err == nil {
			names = append(names, p.Uses()...)
		}
	}
	return names
}

// environment is what expressions can read. What costs as much as the answer is long
// is only made where it is read.
func (v *verdict) environment() *expression.Environment {
	a, r, reads := v.attempt, &v.attempt.report, v.reads()
	env := &expression.Environment{
		Status: v.ans.status, Proto: v.ans.proto, BodyBytes: r.BodyBytes, BodyTruncated: r.BodyTruncated,
		Rcode: v.ans.rcode, Latency: r.Duration, RemoteAddr: r.RemoteAddr, Headers: map[string]string{}, Values: map[string]float64{},
		Phases: expression.Phases(r.Phases),
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		env.IP = host
	}
	for name, values := range v.ans.header {
		env.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	maps.Insert(env.Values, a.report.Values.All()) // of steps before this one
	maps.Copy(env.Values, v.numbers)
	if slices.Contains(reads, "body") {
		env.Body = string(v.ans.body)
	}
	if slices.Contains(reads, "json") && json.Unmarshal(v.ans.json, &env.JSON) != nil {
		env.JSON = nil // no JSON: expressions say what they miss
	}
	if state := a.trail().state(); len(state.PeerCertificates) > 0 {
		env.TLS = expression.TLS{Version: tls.VersionName(state.Version), CipherSuite: tls.CipherSuiteName(state.CipherSuite)}
		env.Certificate = certificateOf(state.PeerCertificates[0], r.CertificateExpiresAt)
	}
	return env
}

func certificateOf(c *x509.Certificate, expires time.Time) expression.Certificate {
	sum := sha256.Sum256(c.Raw)
	return expression.Certificate{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: certificateNames(c), Serial: c.SerialNumber.Text(16),
		Fingerprint: hex.EncodeToString(sum[:]), NotBefore: c.NotBefore, NotAfter: c.NotAfter, ValidFor: time.Until(expires),
	}
}

// values runs the expressions of numbers. What is none in this answer is left out.
func (v *verdict) values(env *expression.Environment) {
	a := v.attempt
	for _, want := range a.site.Expect.Values {
		p, err := a.set.programs.number(want.Expr)
		if err != nil {
			v.unusable(want.Expr, err)
			continue
		}
		n, err := p.Value(a.ctx, env)
		switch {
		case expression.Late(err):
			v.tooLate(want.Expr)
		case err == nil && !a.secretNumber(n):
			v.value(want.Name, n)
		}
	}
	maps.Copy(env.Values, v.numbers)
}

// conditions judges those that degrade a report, or those that do not.
func (v *verdict) conditions(env *expression.Environment, degrades bool) {
	a := v.attempt
	for _, want := range a.site.Expect.Expr {
		if want.Degrades != degrades {
			continue
		}
		p, err := a.set.programs.condition(want.Expr)
		if err != nil {
			v.unusable(want.Expr, err)
			continue
		}
		ok, err := p.Holds(a.ctx, env)
		if expression.Late(err) {
			v.tooLate(want.Expr)
			continue
		}
		if v.quiet(ok) {
			continue
		}
		bad := sitemon.OutcomeDown
		if degrades {
			bad = sitemon.OutcomeDegraded
		}
		seen := v.explained(p, env, err)
		v.note(ok, bad, reasonOf(p), Check{Name: "expr", Expected: want.Expr, Seen: seen},
			fmt.Sprintf("%s does not hold: %s", want.Expr, seen))
	}
}

// explained says why a condition does not hold.
func (v *verdict) explained(p *expression.Program, env *expression.Environment, err error) string {
	if slices.Contains(p.Uses(), "json") && env.JSON == nil && v.ans.json != nil && string(bytes.TrimSpace(v.ans.json)) != "null" {
		if v.attempt.report.BodyTruncated {
			return fmt.Sprintf("the body goes on after %d bytes (body_size_limit), and is no JSON so", len(v.ans.json))
		}
		return "the body is no JSON"
	}
	if err != nil {
		return shorten(visible(v.attempt.redact(err.Error())), maxSeen)
	}
	for name, values := range v.ans.header {
		if sitemon.CredentialName(name) {
			for _, value := range values {
				v.attempt.hide(value)
			}
		}
	}
	var parts []string
	for _, s := range p.Seen(v.attempt.ctx, env) {
		parts = append(parts, s.Text+" is "+v.attempt.beginning([]byte(s.Value), false, maxSeen))
	}
	if len(parts) == 0 {
		return "false"
	}
	return shorten(visible(strings.Join(parts, ", ")), 2*maxSeen)
}

// reasonOf is the reason of a condition that does not hold, by the first of these
// that it reads.
func reasonOf(p *expression.Program) sitemon.Reason {
	for _, r := range []struct {
		name   string
		reason sitemon.Reason
	}{
		{"json", sitemon.ReasonJSON},
		{"body", sitemon.ReasonBody},
		{"headers", sitemon.ReasonHeader},
		{"status", sitemon.ReasonStatus},
		{"rcode", sitemon.ReasonDNSError},
		{"certificate", sitemon.ReasonCertificate},
		{"tls", sitemon.ReasonTLSError},
		{"latency", sitemon.ReasonLatency},
		{"phases", sitemon.ReasonLatency},
		{"proto", sitemon.ReasonProtocol},
	} {
		if slices.Contains(p.Uses(), r.name) {
			return r.reason
		}
	}
	return sitemon.ReasonBody
}

func (v *verdict) unusable(text string, err error) {
	if v.late == nil { // config has compiled it before
		v.late = failf(sitemon.ReasonInternal, err, "the expression %q can't be used: %v", text, err)
	}
}

func (v *verdict) tooLate(text string) {
	if v.late == nil {
		v.late = failf(sitemon.ReasonMonitorOverloaded, v.attempt.ctx.Err(), "the expression %q could not be run in time", text)
	}
}

// tls judges the connection and the server's own certificate.
func (v *verdict) tls(e *sitemon.Expect) {
	if e.TLSMinVersion == 0 && e.TLSIssuer == nil && len(e.TLSNames) == 0 {
		return
	}
	state := v.attempt.trail().state()
	version, issuer, names := "no TLS", "no certificate", "no certificate"
	var own *x509.Certificate
	if len(state.PeerCertificates) > 0 {
		own = state.PeerCertificates[0]
		version, issuer, names = tls.VersionName(state.Version), own.Issuer.String(), namesOf(own)
	}
	if e.TLSMinVersion != 0 {
		v.fact("tls min_version", own != nil && state.Version >= e.TLSMinVersion, sitemon.ReasonTLSError, "at least "+tls.VersionName(e.TLSMinVersion), version)
	}
	if e.TLSIssuer != nil {
		ok := own != nil && v.match(*e.TLSIssuer, []byte(issuer))
		v.fact("tls issuer", ok, sitemon.ReasonCertificate, "to match "+strconv.Quote(e.TLSIssuer.String()), issuer)
	}
	for _, name := range e.TLSNames {
		v.fact("tls names", own != nil && own.VerifyHostname(name) == nil, sitemon.ReasonCertificate, name, names)
	}
}

// fact notes an expectation of one thing; without it the site is down.
func (v *verdict) fact(name string, ok bool, reason sitemon.Reason, expected, seen string) {
	if v.quiet(ok) {
		return
	}
	seen = shorten(visible(seen), maxSeen)
	v.note(ok, sitemon.OutcomeDown, reason, Check{Name: name, Expected: expected, Seen: seen}, fmt.Sprintf("%s: %s, expected %s", name, seen, expected))
}

// stable stands in the place of a hash that the body has to have.
const stable = "stable"

func hashOf(sum [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

// stableBody compares the body with what it was in the good report before.
func (v *verdict) stableBody(body []byte) {
	a := v.attempt
	if v.outcome == sitemon.OutcomeDown || v.late != nil {
		return // the page of an error is no new content
	}
	sum := sha256.Sum256(body)
	before, known := a.set.hashes.last(a.site)
	a.body = &sum
	if ok := !known || before == sum; !v.quiet(ok) {
		expected := "as before"
		if known {
			expected = hashOf(before)
		}
		v.note(ok, sitemon.OutcomeDegraded, sitemon.ReasonBody, Check{Name: "body_hash", Expected: expected, Seen: hashOf(sum)},
			"the body is another one than before")
	}
}

// hashesKept is how long a body is remembered that nobody probes any more; the
// longest interval is a day.
const hashesKept = 49 * time.Hour

// bodyHashes remember the bodies of sites whose body is to be stable. A process that
// begins remembers none.
type bodyHashes struct {
	mu    sync.Mutex
	of    map[string]bodyHash
	swept time.Time
}

type bodyHash struct {
	sum  [sha256.Size]byte
	url  string // another address has another body
	seen time.Time
}

// last returns the body that a site had.
func (h *bodyHashes) last(site *sitemon.Site) (before [sha256.Size]byte, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, known := h.of[site.Name]
	return b.sum, known && b.url == site.URL
}

// keep notes the body of a good report.
func (h *bodyHashes) keep(site *sitemon.Site, sum [sha256.Size]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.of == nil {
		h.of = map[string]bodyHash{}
	}
	h.of[site.Name] = bodyHash{sum, site.URL, now}
	if now.Sub(h.swept) > hashesKept {
		h.swept = now
		maps.DeleteFunc(h.of, func(_ string, b bodyHash) bool { return now.Sub(b.seen) > hashesKept })
	}
}
