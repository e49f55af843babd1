package importer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// operand is one side of a condition of Gatus.
type operand struct {
	text     string // as it stands there
	name     string // such as STATUS; "" for a text
	function string // len, has or ""
	path     []any  // into the body: names, and numbers of elements
}

// operandOf reads one side of a condition.
func operandOf(text string) operand {
	o := operand{text: text}
	inner := text
	for _, f := range []string{"len", "has"} {
		if rest, ok := strings.CutPrefix(text, f+"("); ok && strings.HasSuffix(rest, ")") {
			o.function, inner = f, strings.TrimSuffix(rest, ")")
		}
	}
	rest, opens := strings.CutPrefix(inner, "[")
	name, path, closes := strings.Cut(rest, "]")
	if !opens || !closes {
		return o
	}
	switch name = strings.ToUpper(name); name {
	case "STATUS", "IP", "RESPONSE_TIME", "DNS_RCODE", "CONNECTED", "CERTIFICATE_EXPIRATION", "DOMAIN_EXPIRATION":
		if path == "" {
			o.name = name
		}
	case "BODY":
		o.name, o.path = name, pathOf(path)
	}
	return o
}

// comparisonOf reads a condition; with ok false it is none. What is looked at stands
// on its left.
func comparisonOf(condition string) (left operand, op string, right operand, ok bool) {
	for _, op := range []string{"==", "!=", "<=", ">=", ">", "<"} { // in the order in which Gatus looks for them
		a, b, found := strings.Cut(condition, " "+op+" ")
		if !found {
			continue
		}
		left, right := operandOf(strings.TrimSpace(a)), operandOf(strings.TrimSpace(b))
		if left.name == "" && right.name != "" {
			left, right = right, left
			op = strings.NewReplacer("<", ">", ">", "<").Replace(op)
		}
		return left, op, right, true
	}
	return left, "", right, false
}

// element is a name with the numbers behind it, as in data[0][1].
var element = regexp.MustCompile(`^([^\[\]]*)((?:\[\d+\])*)$`)

// pathOf reads a path such as .data[0].id; nil where it is none.
func pathOf(path string) (parts []any) {
	if path = strings.TrimPrefix(path, "."); path == "" {
		return nil
	}
	for part := range strings.SplitSeq(path, ".") {
		m := element.FindStringSubmatch(part)
		if m == nil || part == "" {
			return []any{path} // the name of a key, at worst
		}
		if m[1] != "" {
			parts = append(parts, m[1])
		}
		for n := range strings.SplitSeq(strings.Trim(m[2], "[]"), "][") {
			if i, err := strconv.Atoi(n); err == nil {
				parts = append(parts, i)
			}
		}
	}
	return parts
}

// gjson is a path as GJSON writes it.
func gjson(path []any) string {
	var b strings.Builder
	for i, part := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		for _, c := range fmt.Sprint(part) {
			if strings.ContainsRune(`.*?|#@\!{}[]()=<>%"`, c) {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
		}
	}
	return b.String()
}

// plainName is what can stand behind a dot.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// jsonExpr is the value at a path, in an expression; nil where nothing is there.
func jsonExpr(path []any) string {
	var b strings.Builder
	b.WriteString("json")
	for i, part := range path {
		optional := "?."
		if i == 0 {
			optional = "" // of a text that is no JSON nothing can be said
		}
		switch name, isName := part.(string); {
		case isName && plainName.MatchString(name):
			if i == 0 {
				optional = "."
			}
			b.WriteString(optional + name)
		case isName:
			b.WriteString(optional + "[" + strconv.Quote(name) + "]")
		default:
			fmt.Fprintf(&b, "%s[%d]", optional, part)
		}
	}
	return b.String()
}

// expr is the operand in an expression; "" where it can't be told.
func (o operand) expr() string {
	value := ""
	switch {
	case o.name == "BODY" && o.path == nil && o.function == "len":
		return `len(type(json) == "array" ? json : trim(body))`
	case o.name == "BODY" && o.path == nil:
		value = "trim(body)"
	case o.name == "BODY":
		value = jsonExpr(o.path)
	case o.name == "STATUS":
		value = "status"
	case o.name == "IP":
		value = "ip"
	case o.name == "DNS_RCODE":
		value = "rcode"
	}
	switch {
	case o.function == "":
		return value
	case o.function == "len" && o.name == "BODY":
		return fmt.Sprintf(`len(type(%[1]s) in ["array", "map", "string"] ? %[1]s : string(%[1]s))`, value)
	}
	return ""
}

// literal is a text as the JSON value that it most likely stands for.
func literal(text string) any {
	text = strings.Trim(text, `"`)
	var v any
	if err := json.Unmarshal([]byte(text), &v); err == nil {
		switch v.(type) {
		case bool, float64, nil:
			return v
		}
	}
	return text
}

// amount is a number as conditions compare it: durations are milliseconds.
func amount(text string) (string, bool) {
	if d, err := time.ParseDuration(text); err == nil && d != 0 {
		return strconv.FormatInt(d.Milliseconds(), 10), true
	}
	_, err := strconv.ParseFloat(text, 64)
	return text, err == nil
}

// oneOf is the list of any(…).
func oneOf(text string) (list []string, ok bool) {
	inner, begins := strings.CutPrefix(text, "any(")
	inner, ends := strings.CutSuffix(inner, ")")
	if !begins || !ends {
		return nil, false
	}
	for c := range strings.SplitSeq(inner, ",") {
		list = append(list, strings.TrimSpace(c))
	}
	return list, true
}

// patternOf is the pattern of pat(…).
func patternOf(text string) (string, bool) {
	inner, begins := strings.CutPrefix(text, "pat(")
	inner, ends := strings.CutSuffix(inner, ")")
	return inner, begins && ends
}

// choice is one of several texts, as a regular expression.
func choice(list []string) string {
	quoted := make([]string, len(list))
	for i, c := range list {
		quoted[i] = regexp.QuoteMeta(c)
	}
	return "(" + strings.Join(quoted, "|") + ")"
}

// glob is a pattern with *, ? and [a-z] as a regular expression. anything is what a ?
// stands for.
func glob(pattern, anything string) string {
	var b strings.Builder
	class, backslash := false, false
	for _, c := range pattern {
		switch {
		case backslash:
			b.WriteString(regexp.QuoteMeta(string(c)))
			backslash = false
		case c == '\\':
			backslash = true
		case class:
			class = c != ']'
			b.WriteRune(c)
		case c == '[':
			class = true
			b.WriteRune(c)
		case c == '*':
			b.WriteString(anything + "*")
		case c == '?':
			b.WriteString(anything)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}
