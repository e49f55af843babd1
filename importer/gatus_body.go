package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// body takes a condition on the body, or on a value in it.
func (c *conditions) body(left operand, op, right string) string {
	switch {
	case c.isGRPC():
		return serving(op, right)
	case c.scheme == "dns" && left.path == nil:
		return c.matches(op, c.records(right))
	case c.greeting && left.path == nil:
		return "" // the dialogue sees to it
	case !c.isHTTP() && !c.isWS():
		return "there is no body of " + c.scheme + ":// sites"
	case left.path != nil:
		return c.jsonIs(left, op, right)
	case op == "==" || op == "!=":
		return c.matches(op, wholeBody(right))
	}
	n, ok := amount(right)
	if !ok {
		return "it is no number"
	}
	return c.add("float(trim(body)) %s %s", op, n)
}

// serving takes a condition on the health of a gRPC service, which has to be SERVING
// in any case.
func serving(op, right string) string {
	pattern, isPattern := patternOf(right)
	if list, ok := oneOf(right); ok && len(list) == 1 {
		right = list[0]
	}
	if op == "==" && (right == "SERVING" || isPattern && strings.Contains(pattern, "SERVING") && !strings.Contains(pattern, "NOT_SERVING")) {
		return ""
	}
	return "a gRPC service has to be SERVING"
}

// matches adds a regular expression for the body.
func (c *conditions) matches(op, pattern string) string {
	switch op {
	case "==":
		c.match = append(c.match, pattern)
	case "!=":
		c.notMatch = append(c.notMatch, pattern)
	default:
		return "it has no counterpart"
	}
	return ""
}

// wholeBody is a regular expression for a body that is, but for space around it, what
// the right side of a condition says.
func wholeBody(right string) string {
	if pattern, ok := patternOf(right); ok {
		if strings.Trim(pattern, "*") == "" {
			return "(?s)^.*$"
		}
		rest, begins := strings.CutPrefix(pattern, "*")
		rest, ends := strings.CutSuffix(rest, "*")
		text := glob(rest, ".")
		if !begins {
			text = `^\s*` + text
		}
		if !ends {
			text += `\s*$`
		}
		if strings.ContainsAny(rest, "*?") {
			text = "(?s)" + text
		}
		return text
	}
	text := regexp.QuoteMeta(right)
	if list, ok := oneOf(right); ok {
		text = choice(list)
	}
	return `^\s*` + text + `\s*$`
}

// records is a regular expression for a record whose value, as Gatus has it, is what
// the right side of a condition says.
func (c *conditions) records(right string) string {
	text := regexp.QuoteMeta(right)
	switch list, several := oneOf(right); {
	case several:
		text = choice(list)
	case strings.HasPrefix(right, "pat("):
		pattern, _ := patternOf(right)
		text = glob(pattern, `[^\n]`)
	case c.record == "SRV": // the target with the port behind it
		host, port, _ := strings.Cut(right, ":")
		text = regexp.QuoteMeta(port) + " " + regexp.QuoteMeta(host)
	}
	before := ""
	switch c.record {
	case "MX":
		before = `\d+ `
	case "SRV":
		before = `\d+ \d+ `
	case "TXT":
		return `(?m) IN TXT "` + text + `"$`
	}
	return fmt.Sprintf("(?m) IN %s %s%s$", c.record, before, text)
}

// numeric tells whether a text may stand for a number or a truth value of JSON.
func numeric(text string) bool {
	_, isText := literal(text).(string)
	return !isText
}

// jsonIs takes a condition on a value in a JSON body.
func (c *conditions) jsonIs(left operand, op, right string) string {
	value := jsonExpr(left.path)
	one := map[string]any{"path": gjson(left.path)}
	pattern, isPattern := patternOf(right)
	list, several := oneOf(right)
	switch {
	case op == "==" && isPattern:
		one["matches"] = "(?s)^" + glob(pattern, ".") + "$"
	case op == "==" && several:
		one["matches"] = "^" + choice(list) + "$"
	case op == "==" && numeric(right): // as a text too: there 5 and "5" are the same
		one["matches"] = "^" + regexp.QuoteMeta(right) + "$"
	case op == "==":
		one["equals"] = literal(right)
	case op == "!=" && isPattern:
		return c.add("not (string(%s) matches %s)", value, strconv.Quote("(?s)^"+glob(pattern, ".")+"$"))
	case op == "!=" && several:
		return c.add("not (string(%s) in %s)", value, quotedList(list))
	case op == "!=" && numeric(right) && literal(right) != nil:
		return c.add("not (%s in [%s, %s])", value, right, strconv.Quote(right))
	case op == "!=":
		one["not_equals"] = literal(right)
	default:
		return c.jsonOrder(left, op, right)
	}
	c.json = append(c.json, one)
	return ""
}

// jsonOrder takes a condition that wants a number to be greater or less.
func (c *conditions) jsonOrder(left operand, op, right string) string {
	n, ok := amount(right)
	if !ok {
		return "it is no number"
	}
	if op == "<=" || op == ">=" {
		return c.add("float(%s) %s %s", jsonExpr(left.path), op, n)
	}
	number, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return "it is no number"
	}
	key := map[string]string{"<": "less_than", ">": "greater_than"}[op]
	c.json = append(c.json, map[string]any{"path": gjson(left.path), key: number})
	return ""
}

// has takes a condition that wants something to be there.
func (c *conditions) has(left operand, op, right string) string {
	there := (op == "==") == (right == "true")
	switch {
	case left.name != "BODY" || op != "==" && op != "!=" || c.isGRPC() && !there:
		return "it has no counterpart"
	case c.isGRPC():
		return ""
	case !c.isHTTP() && !c.isWS():
		return "there is no body of " + c.scheme + ":// sites"
	case left.path != nil:
		c.json = append(c.json, map[string]any{"path": gjson(left.path), "exists": there})
	case there:
		c.match = append(c.match, `\S`)
	default:
		c.notMatch = append(c.notMatch, `\S`)
	}
	return ""
}

// notEmpty matches the text of a JSON value that has a length.
const notEmpty = `^[^\[{]|^[\[{]\s*[^\]}\s]`

// length takes a condition on how long something is.
func (c *conditions) length(left operand, op, right string) string {
	n, err := strconv.Atoi(right)
	switch {
	case left.name != "BODY":
		return "it has no counterpart"
	case c.scheme == "dns" && left.path == nil && err == nil && (op == ">" || op == "!=") && n == 0:
		c.match = append(c.match, fmt.Sprintf("(?m) IN %s ", c.record))
		return ""
	case !c.isHTTP() && !c.isWS():
		return "there is no body of " + c.scheme + ":// sites"
	case err != nil:
		return "it is no number"
	case left.path != nil && (op == ">" && n == 0 || op == ">=" && n == 1 || op == "!=" && n == 0):
		c.json = append(c.json, map[string]any{"path": gjson(left.path), "matches": notEmpty})
		return ""
	}
	return c.add("%s %s %d", left.expr(), op, n)
}
