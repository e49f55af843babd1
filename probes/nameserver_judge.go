package probes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"sitemon"
)

// judgeDNS compares an answer with what the site expects. The body that
// expressions are matched against is its answer section.
func (a *attempt) judgeDNS(q *question, m *dns.Msg) error {
	b, x := a.buffers(), q.shown
	text := func() { // which only expressions and people read
		if x.body == nil {
			b.body, x.more = answerText(b.body[:0], m.Answer, a.site.Request.BodySizeLimit)
			x.body = b.body
		}
	}
	x.fill = func() {
		q.describe()
		text()
		x.status, x.fields = sitemon.Rcode(m.Rcode).String(), answerFields(m)
	}
	return a.conclude(func(v *verdict) {
		if e := a.site.Expect; len(e.BodyMatch)+len(e.BodyNotMatch)+len(e.Expr)+len(e.Values) > 0 || e.BodyHash != "" {
			text()
			a.report.BodyTruncated = x.more
		}
		v.rcode(q, m)
		if a.site.Expect.Authenticated {
			v.authenticated(m)
		}
		v.bodies(x.body)
		v.ans = answered{rcode: sitemon.Rcode(m.Rcode).String(), body: x.body}
	})
}

// answerText appends records as lines, at most limit bytes. There is no line break
// at the end, where $ is to match.
func answerText(dst []byte, records []dns.RR, limit int64) (text []byte, more bool) {
	for _, rr := range records {
		line := strings.ReplaceAll(rr.String(), "\t", " ")
		if len(dst) > 0 {
			line = "\n" + line
		}
		if int64(len(dst)+len(line)) > limit {
			return dst, true
		}
		dst = append(dst, line...)
	}
	return dst, false
}

// answerFields is what else an answer says.
func answerFields(m *dns.Msg) map[string]string {
	var flags []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"aa", m.Authoritative},
		{"tc", m.Truncated},
		{"rd", m.RecursionDesired},
		{"ra", m.RecursionAvailable},
		{"ad", m.AuthenticatedData},
		{"cd", m.CheckingDisabled},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	fields := map[string]string{
		"Flags":   strings.Join(flags, " "),
		"Records": fmt.Sprintf("%d answer, %d authority, %d additional", len(m.Answer), len(m.Ns), len(m.Extra)),
	}
	if text := extendedError(m); text != "" {
		fields["Extended-Error"] = text
	}
	return fields
}

// extendedError is what a server says of why it failed (RFC 8914).
func extendedError(m *dns.Msg) string {
	opt := m.IsEdns0()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		if ede, ok := o.(*dns.EDNS0_EDE); ok {
			text := dns.ExtendedErrorCodeToString[ede.InfoCode]
			if text == "" {
				text = fmt.Sprintf("code %d", ede.InfoCode)
			}
			if ede.ExtraText != "" {
				text += ": " + ede.ExtraText
			}
			return text
		}
	}
	return ""
}

// rcode judges the response code, and by default whether there is a record of the
// type that was asked for: an alias that leads nowhere is none.
func (v *verdict) rcode(q *question, m *dns.Msg) {
	asked := q.msg.Question[0].Qtype
	has := func(rr dns.RR) bool { return asked == dns.TypeANY || rr.Header().Rrtype == asked }
	code := sitemon.Rcode(m.Rcode)
	kind := dns.Type(asked).String()
	want := v.attempt.site.Expect.Rcodes
	seen := code.String()
	ok := slices.Contains(want, code)
	reason := sitemon.ReasonDNSError
	if code == sitemon.RcodeNameError {
		reason = sitemon.ReasonDNSNotFound
	}
	expected := fmt.Sprintf("NOERROR with a record of type %s", kind)
	if want == nil {
		found := slices.ContainsFunc(m.Answer, has)
		ok = code == sitemon.RcodeSuccess && found
		if code == sitemon.RcodeSuccess && !found {
			reason, seen = sitemon.ReasonDNSNotFound, fmt.Sprintf("%s without a record of type %s", seen, kind)
		}
	} else {
		names := make([]string, len(want))
		for i, w := range want {
			names[i] = w.String()
		}
		expected = strings.Join(names, ", ")
	}
	if v.quiet(ok) {
		return
	}
	if text := extendedError(m); text != "" {
		seen += " (" + text + ")"
	}
	v.note(ok, sitemon.OutcomeDown, reason, Check{Name: "rcode", Expected: expected, Seen: seen},
		fmt.Sprintf("the name server answered %s, expected %s", shorten(seen, maxSeen), expected))
}

func (v *verdict) authenticated(m *dns.Msg) {
	ok := m.AuthenticatedData
	if v.quiet(ok) {
		return
	}
	seen := map[bool]string{true: "verified", false: "not verified"}[ok]
	v.note(ok, sitemon.OutcomeDown, sitemon.ReasonDNSError, Check{Name: "authenticated", Expected: "verified by DNSSEC", Seen: seen},
		"the answer is "+seen+" by DNSSEC (flag ad), expected that it is")
}
