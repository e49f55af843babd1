package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// conditions turn those of an endpoint of Gatus into expectations.
type conditions struct {
	expectations

	scheme   string // of the address
	tls      bool   // the connection has a certificate
	record   string // the type of DNS records that is asked for
	greeting bool   // what comes on a connection is looked at by its dialogue

	good     *codes // nil: no condition on the status
	inverted bool   // good is what does not answer
	notes    []string
}

// gatusConditions takes the conditions of an endpoint. inverted tells that it is good
// where nobody answers.
func (r *Result) gatusConditions(where string, all []string, c *conditions) (inverted bool) {
	for _, text := range all {
		if why := c.take(text); why != "" {
			r.lose(where, "the condition %s: %s", text, why)
		}
	}
	for _, note := range c.notes {
		r.lose(where, "%s", note)
	}
	if c.latency != "" {
		r.lose("all sites", "a slow answer makes a site degraded here, not down (expect.latency)")
	}
	if c.validFor != "" {
		r.lose("all sites", "a certificate that ends soon makes a site degraded here, not down (expect.certificate_valid_for)")
	}
	c.settle(len(all) > 0)
	return c.inverted
}

// settle says what is good where no condition does.
func (c *conditions) settle(some bool) {
	switch {
	case c.isHTTP():
		if c.good == nil {
			c.good = codesWhere(func(int) bool { return some }) // there every status is good
		}
		if c.status = c.good.ranges(); c.status == nil && some {
			c.notes = append(c.notes, "no status is good by its conditions")
		}
	case c.scheme == "dns" && c.rcodes == nil && c.match == nil:
		c.rcodes = []string{"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"} // there every answer is
	}
}

func (c *conditions) isHTTP() bool { return c.scheme == "http" || c.scheme == "https" }
func (c *conditions) isWS() bool   { return c.scheme == "ws" || c.scheme == "wss" }
func (c *conditions) isGRPC() bool { return c.scheme == "grpc" || c.scheme == "grpcs" }

// take takes a condition; it returns why it can't be taken, or "".
func (c *conditions) take(condition string) string {
	text := strings.ReplaceAll(condition, "$${", "\x00")
	if strings.Contains(text, "${") {
		return "it has a variable, and expectations have none"
	}
	left, op, right, ok := comparisonOf(strings.ReplaceAll(text, "\x00", "${"))
	switch {
	case !ok:
		return "it is no comparison"
	case left.name == "":
		return "it looks at nothing of the answer"
	case right.name != "":
		return c.compare(left, op, right)
	case left.function == "has":
		return c.has(left, op, right.text)
	case left.function == "len":
		return c.length(left, op, right.text)
	}
	return c.value(left, op, right.text)
}

// value takes a condition on a value.
func (c *conditions) value(left operand, op, right string) string {
	switch left.name {
	case "STATUS":
		return c.statusIs(op, right)
	case "CONNECTED":
		if up := (op == "==") == (right == "true"); !up {
			c.inverted = true
		}
		return ""
	case "RESPONSE_TIME":
		return c.responseTime(op, right)
	case "CERTIFICATE_EXPIRATION":
		return c.certificate(op, right)
	case "DNS_RCODE":
		return c.rcodeIs(op, right)
	case "IP":
		return c.textIs("ip", op, right)
	case "DOMAIN_EXPIRATION":
		return "nobody looks when a domain ends"
	}
	return c.body(left, op, right)
}

// add adds an expression, which can always be taken.
func (c *conditions) add(format string, args ...any) string {
	c.expr = append(c.expr, fmt.Sprintf(format, args...))
	return ""
}

// compare takes a condition that compares two values of the answer.
func (c *conditions) compare(left operand, op string, right operand) string {
	a, b := left.expr(), right.expr()
	if a == "" || b == "" || left.name == "BODY" && !c.isHTTP() && !c.isWS() || right.name == "BODY" && !c.isHTTP() && !c.isWS() {
		return "it compares two values that expressions don't have"
	}
	if op != "==" && op != "!=" {
		a, b = "float("+a+")", "float("+b+")"
	}
	return c.add("%s %s %s", a, op, b)
}

// textIs takes a condition on a text that expressions have.
func (c *conditions) textIs(name, op, right string) string {
	condition := fmt.Sprintf("%s == %s", name, strconv.Quote(right))
	if pattern, ok := patternOf(right); ok {
		condition = fmt.Sprintf("%s matches %s", name, strconv.Quote("^"+glob(pattern, ".")+"$"))
	} else if list, ok := oneOf(right); ok {
		condition = fmt.Sprintf("%s in %s", name, quotedList(list))
	}
	switch op {
	case "==":
		return c.add("%s", condition)
	case "!=":
		return c.add("not (%s)", condition)
	}
	return "it has no counterpart"
}

func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (c *conditions) statusIs(op, right string) string {
	if c.greeting && op == "==" && right == "0" {
		return "" // of SSH: a server answers
	}
	if !c.isHTTP() {
		return "there is no status of " + c.scheme + ":// sites"
	}
	var good *codes
	if pattern, ok := patternOf(right); ok {
		re, err := regexp.Compile("^" + glob(pattern, ".") + "$")
		if err != nil {
			return "its pattern is none"
		}
		good = codesWhere(func(code int) bool { return re.MatchString(strconv.Itoa(code)) == (op == "==") })
	} else if list, ok := oneOf(right); ok {
		re := regexp.MustCompile("^" + choice(list) + "$")
		good = codesWhere(func(code int) bool { return re.MatchString(strconv.Itoa(code)) == (op == "==") })
	} else {
		n, err := strconv.Atoi(right)
		if err != nil {
			return "it is no number"
		}
		good = codesWhere(func(code int) bool {
			switch op {
			case "==":
				return code == n
			case "!=":
				return code != n
			case "<":
				return code < n
			case "<=":
				return code <= n
			case ">":
				return code > n
			}
			return code >= n
		})
	}
	if c.good == nil {
		c.good = good
	}
	c.good.and(good)
	return ""
}

func (c *conditions) responseTime(op, right string) string {
	d := gatusLatency(right)
	if d == "" {
		return "it is no time"
	}
	if op == "<" || op == "<=" {
		c.latency = lesser(c.latency, d)
		return ""
	}
	return c.add(`latency %s duration("%s")`, op, d)
}

func (c *conditions) certificate(op, right string) string {
	d, ok := duration(right)
	switch {
	case !c.tls:
		return "there is no certificate of " + c.scheme + ":// sites"
	case !ok || d <= 0:
		return "it is no duration"
	case op == ">" || op == ">=":
		if old, _ := duration(c.validFor); d > old {
			c.validFor = span(d)
		}
		return ""
	}
	return c.add(`certificate.valid_for %s duration("%s")`, op, span(d))
}

func (c *conditions) rcodeIs(op, right string) string {
	list, several := oneOf(right)
	switch {
	case c.scheme != "dns":
		return "it is for DNS alone"
	case op == "==" && several:
		c.rcodes = list
	case op == "==":
		c.rcodes = []string{right}
	default:
		return "it has no counterpart; write the codes that are good to expect.rcode"
	}
	return ""
}

// gatusLatency reads a response time in milliseconds.
func gatusLatency(text string) string {
	if d, ok := duration(text); ok {
		return span(d)
	}
	if d, ok := duration(text + "ms"); ok {
		return span(d)
	}
	return ""
}

// lesser is the shorter of two durations, of which the first may be none.
func lesser(a, b string) string {
	x, _ := duration(a)
	if y, _ := duration(b); a == "" || y < x {
		return b
	}
	return a
}
