package sitemon

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// readCanonical reads a message exactly as [Report.MarshalJSON] writes it: its
// keys in its order, and no space. It returns false for everything else, also
// where that is a valid report; the report is untouched then. It is there because
// encoding/json takes several times as long, and a writer reads little else.
func (r *Report) readCanonical(b []byte) bool {
	c := cursor{rest: string(b)}
	var m Report
	ok := c.skip(`{"version":1,"site":`) && c.text(&m.Site) &&
		c.skip(`,"location":`) && c.text(&m.Location) &&
		c.skip(`,"slot":`) && c.time(&m.Slot) &&
		(!c.skip(`,"started_at":`) || c.time(&m.StartedAt)) &&
		(!c.skip(`,"interval_ms":`) || c.duration(&m.Interval, time.Millisecond)) &&
		c.skip(`,"outcome":`) && c.text((*string)(&m.Outcome)) &&
		(!c.skip(`,"reason":`) || c.text((*string)(&m.Reason))) &&
		(!c.skip(`,"error":`) || c.text(&m.Error)) &&
		(!c.skip(`,"status_code":`) || c.int(&m.StatusCode)) &&
		(!c.skip(`,"duration_us":`) || c.duration(&m.Duration, time.Microsecond)) &&
		(!c.skip(`,"phases_us":{`) || c.phases(&m.Phases)) &&
		(!c.skip(`,"body_bytes":`) || c.int64(&m.BodyBytes)) &&
		(!c.skip(`,"body_truncated":true`) || c.set(&m.BodyTruncated)) &&
		(!c.skip(`,"remote_addr":`) || c.text(&m.RemoteAddr)) &&
		(!c.skip(`,"certificate_expires_at":`) || c.time(&m.CertificateExpiresAt)) &&
		(!c.skip(`,"monitor":`) || c.text(&m.Monitor)) &&
		(!c.skip(`,"generation":`) || c.int64(&m.Generation)) &&
		(!c.skip(`,"attempts":`) || c.int(&m.Attempts)) &&
		(!c.skip(`,"gap":`) || c.text(&m.Gap)) &&
		(!c.skip(`,"values":`) || c.readValues(&m.Values)) &&
		(!c.skip(`,"evidence":`) || c.evidence(&m.Evidence)) &&
		c.rest == "}" &&
		m.Site != "" && m.Location != "" && m.Outcome.Valid()
	if ok {
		*r = m
	}
	return ok
}

// cursor walks through a message. Its methods return false at what is not
// canonical; then nothing more may be read.
type cursor struct{ rest string }

// skip passes over s, if it comes next.
func (c *cursor) skip(s string) bool {
	rest, ok := strings.CutPrefix(c.rest, s)
	c.rest = rest
	return ok
}

// set sets to.
func (*cursor) set(to *bool) bool {
	*to = true
	return true
}

// quoted passes over a string of JSON and returns what stands between its
// quotation marks, and whether that is to be unescaped.
func (c *cursor) quoted() (raw string, escaped, ok bool) {
	if !c.skip(`"`) {
		return "", false, false
	}
	ascii := true
	for i := 0; i < len(c.rest); i++ {
		switch b := c.rest[i]; {
		case b == '"':
			raw, c.rest = c.rest[:i], c.rest[i+1:]
			return raw, escaped, ascii || utf8.ValidString(raw)
		case b == '\\':
			escaped = true
			i++ // also over a quotation mark
		case b < ' ':
			return "", false, false
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false, false
}

// text reads a string. What it returns does not hold on to the whole message.
func (c *cursor) text(to *string) bool {
	raw, escaped, ok := c.quoted()
	if !ok {
		return false
	}
	if escaped {
		*to, ok = unescape(raw)
		return ok
	}
	switch raw { // what nearly every report has costs no memory of its own
	case "default":
		*to = "default"
	case string(OutcomeUp):
		*to = string(OutcomeUp)
	case string(OutcomeDown):
		*to = string(OutcomeDown)
	case string(OutcomeDegraded):
		*to = string(OutcomeDegraded)
	default:
		*to = strings.Clone(raw)
	}
	return true
}

// unescape resolves the escapes of a string of JSON, but for surrogates.
func unescape(raw string) (string, bool) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch b := raw[i]; b { // quoted has seen that something follows
		case '"', '\\', '/':
			out = append(out, b)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(raw[i+1:])
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
			i += 4
		default:
			return "", false
		}
	}
	return string(out), true
}

// hex4 reads the four digits of an escape, unless they are half of a character.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for i := range 4 {
		switch b := s[i]; {
		case '0' <= b && b <= '9':
			r = r<<4 | rune(b-'0')
		case 'a' <= b && b <= 'f':
			r = r<<4 | rune(b-'a'+10)
		case 'A' <= b && b <= 'F':
			r = r<<4 | rune(b-'A'+10)
		default:
			return 0, false
		}
	}
	return r, utf8.ValidRune(r)
}

// int64 reads a number that is not negative.
func (c *cursor) int64(to *int64) bool {
	n, i := int64(0), 0
	for ; i < len(c.rest) && '0' <= c.rest[i] && c.rest[i] <= '9'; i++ {
		if i == 18 { // more may not fit
			return false
		}
		n = n*10 + int64(c.rest[i]-'0')
	}
	if i == 0 || i > 1 && c.rest[0] == '0' {
		return false
	}
	*to, c.rest = n, c.rest[i:]
	return true
}

func (c *cursor) int(to *int) bool {
	var n int64
	ok := c.int64(&n) && n <= math.MaxInt32
	*to = int(n)
	return ok
}

// duration reads a number of units.
func (c *cursor) duration(to *time.Duration, unit time.Duration) bool {
	var n int64
	ok := c.int64(&n) && n <= math.MaxInt64/int64(unit)
	*to = time.Duration(n) * unit
	return ok
}

// time reads a time in UTC.
func (c *cursor) time(to *time.Time) bool {
	raw, escaped, ok := c.quoted()
	if !ok || escaped || !strings.HasSuffix(raw, "Z") {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, raw)
	*to = t
	return err == nil
}

// phases reads the object whose brace was read already.
func (c *cursor) phases(p *Phases) bool {
	some, comma := false, false
	for i, to := range []*time.Duration{&p.Resolve, &p.Connect, &p.TLS, &p.Processing, &p.Transfer} {
		if some && !comma || !c.phase(PhaseNames[i]) {
			continue
		}
		if !c.duration(to, time.Microsecond) {
			return false
		}
		some, comma = true, c.skip(",")
	}
	return !comma && c.skip("}")
}

// phase passes over the key of a phase, if it comes next.
func (c *cursor) phase(name string) bool {
	n := len(name)
	if len(c.rest) < n+3 || c.rest[0] != '"' || c.rest[1:n+1] != name || c.rest[n+1:n+3] != `":` {
		return false
	}
	c.rest = c.rest[n+3:]
	return true
}

// evidence reads an object that can be kept. What it returns does not hold on to
// the whole message.
func (c *cursor) evidence(to *string) bool {
	depth, quoted := 0, false
	for i := 0; i < len(c.rest); i++ {
		switch b := c.rest[i]; {
		case b == '\\' && quoted:
			i++ // also over a quotation mark
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{':
			depth++
		case b == '}':
			if depth--; depth <= 0 {
				*to, c.rest = readEvidence(c.rest[:i+1]), c.rest[i+1:]
				return *to != ""
			}
		}
	}
	return false
}
