package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// scalar returns the text of a single value, and false with a fault noted if
// there is none.
func (w *walker) scalar(name string, n *yaml.Node) (string, bool) {
	v := deref(n)
	switch {
	case v.Kind != yaml.ScalarNode:
		w.fail(n, "%s must be a single value, not %s", name, describe(v))
	case v.Tag == "!!null":
		w.fail(n, "%s has no value; leave the key out, or write one", name)
	case !plainTag(v.Tag):
		w.fail(n, "%s: the tag %s means nothing here, take it out", name, v.Tag)
	default:
		return v.Value, true
	}
	return "", false
}

func plainTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return true
	}
	return false
}

// isBlank reports whether an empty text is written out.
func isBlank(n *yaml.Node) bool {
	v := deref(n)
	return v.Kind == yaml.ScalarNode && v.Tag != "!!null" && v.Value == ""
}

// text reads a text without references.
func (w *walker) text(name string, n *yaml.Node) (string, bool) {
	s, ok := w.scalar(name, n)
	if ok && strings.Contains(s, "${") {
		w.fail(n, "%s can't hold ${…}; references stand in requests, addresses and credentials only", name)
		return "", false
	}
	return s, ok
}

// line reads a text without references that has no control characters.
func (w *walker) line(name string, n *yaml.Node) (string, bool) {
	s, ok := w.text(name, n)
	if ok && !printable(s) {
		w.fail(n, "%s has characters that can't be shown, such as a line break", name)
		return "", false
	}
	return s, ok
}

// boolean reads true or false.
func (w *walker) boolean(name string, n *yaml.Node) bool {
	s, ok := w.text(name, n)
	if !ok {
		return false
	}
	b, v := false, deref(n)
	switch strings.ToLower(s) {
	case "true":
		b = true
	case "false":
	case "yes", "on", "y", "1":
		w.fail(n, "%s must be true or false; write true instead of %s", name, s)
	case "no", "off", "n", "0":
		w.fail(n, "%s must be true or false; write false instead of %s", name, s)
	default:
		w.fail(n, "%s must be true or false, not %s", name, describe(v))
	}
	if v.Tag == "!!str" && (b || strings.EqualFold(s, "false")) {
		w.fail(n, "%s must be true or false, not a text; take out the quotes", name)
	}
	w.out = strconv.AppendBool(w.out, b)
	return b
}

// integer reads a whole number between least and most.
func (w *walker) integer(name string, n *yaml.Node, least, most int) int {
	s, ok := w.text(name, n)
	if !ok {
		return least
	}
	v := deref(n)
	i, err := strconv.Atoi(s)
	switch {
	case v.Tag == "!!str" && err == nil:
		w.fail(n, "%s must be a number, not a text; take out the quotes", name)
	case v.Tag != "!!int" || err != nil || s[0] == '+' || len(s) > 1 && s[0] == '0':
		w.fail(n, "%s must be a whole number, not %s", name, describe(v))
	case i < least || i > most:
		w.fail(n, "%s must be between %d and %d, not %d", name, least, most, i)
	}
	w.out = strconv.AppendInt(w.out, int64(i), 10)
	return i
}

// duration reads a duration between least and most.
func (w *walker) duration(name string, n *yaml.Node, least, most time.Duration) (time.Duration, bool) {
	s, ok := w.text(name, n)
	if !ok {
		return 0, false
	}
	d, err := sumDuration(s)
	switch {
	case err != nil:
		w.fail(n, "%s: %s %v", name, shown(s), err)
	case d < least:
		w.fail(n, "%s must be at least %s, not %s", name, FormatDuration(least), s)
	case d > most:
		w.fail(n, "%s must be at most %s, not %s", name, FormatDuration(most), s)
	}
	w.out = append(appendDuration(append(w.out, '"'), d), '"')
	return d, err == nil && d >= least && d <= most
}

// shown quotes a text unless it is a number.
func shown(s string) string {
	if isNumber(s) {
		return s
	}
	return quote(s)
}

// choice reads one of a few words.
func (w *walker) choice(name string, n *yaml.Node, words ...string) int {
	s, ok := w.text(name, n)
	w.out = appendJSON(w.out, s)
	if !ok {
		return -1
	}
	for i, word := range words {
		if s == word {
			return i
		}
	}
	if c := closest(s, words); c != "" {
		w.fail(n, "%s: %s is unknown, did you mean %s?", name, quote(s), c)
	} else {
		w.fail(n, "%s must be one of %s, not %s", name, strings.Join(words, ", "), quote(s))
	}
	return -1
}

// pattern reads a regular expression.
func (w *walker) pattern(name string, n *yaml.Node) (sitemon.Pattern, bool) {
	s, ok := w.scalar(name, n)
	w.out = appendJSON(w.out, s)
	if !ok {
		return sitemon.Pattern{}, false
	}
	p, seen := w.patterns[s]
	if !seen {
		var err error
		if p, err = sitemon.CompilePattern(s); err != nil {
			w.fail(n, "%s: %s", name, patternFault(s, err))
			return p, false
		}
		w.patterns[s] = p
	}
	if looksReferring(s) {
		w.warn(n, "%s: ${…} is not expanded in regular expressions", name)
	}
	return p, true
}

// patternFault says what is wrong with a regular expression, and what to do
// where it comes from another dialect.
func patternFault(expr string, err error) string {
	_, message, _ := strings.Cut(err.Error(), "error parsing regexp: ")
	message = "the regular expression has an error: " + message
	switch {
	case strings.Contains(expr, "(?=") || strings.Contains(expr, "(?!") ||
		strings.Contains(expr, "(?<=") || strings.Contains(expr, "(?<!"):
		return message + " (RE2 has no lookaround; use match and not_match under expect.body instead)"
	case strings.Contains(message, "invalid escape sequence") && strings.ContainsAny(expr, "123456789"):
		return message + " (RE2 has no backreferences)"
	case strings.Contains(message, "missing argument to repetition operator: `*`"):
		return message + " (write .* for any text)"
	}
	return message
}

// items calls each for every entry of a list; a single value stands for a list
// of one. It writes the canonical JSON of the list around what each writes.
func (w *walker) items(name string, n *yaml.Node, each func(n *yaml.Node)) {
	v := deref(n)
	w.out = append(w.out, '[')
	if v.Kind != yaml.SequenceNode {
		each(n)
	} else {
		if len(v.Content) == 0 {
			w.fail(n, "%s is an empty list; leave the key out, or write an entry", name)
		}
		for i, item := range v.Content {
			if !w.step(item, 1) {
				break
			}
			if i > 0 {
				w.out = append(w.out, ',')
			}
			each(item)
		}
	}
	w.out = append(w.out, ']')
}

// sizeForm is a number of bytes, with a unit if it is not alone.
var sizeForm = regexp.MustCompile(`^([0-9]+) ?(B|[kK]B|MB|KiB|MiB)$`)

// sizeUnits are the units of a size in bytes.
var sizeUnits = map[string]int64{"B": 1, "kB": 1000, "KB": 1000, "MB": 1000 * 1000, "KiB": 1 << 10, "MiB": 1 << 20}

// size reads a number of bytes.
func (w *walker) size(name string, n *yaml.Node) int64 {
	s, ok := w.text(name, n)
	if !ok {
		return 0
	}
	digits, factor := s, int64(1)
	if m := sizeForm.FindStringSubmatch(s); m != nil {
		digits, factor = m[1], sizeUnits[m[2]]
	} else if deref(n).Tag != "!!int" || !allDigits(s) {
		w.fail(n, "%s must be a size such as 512KiB or 1MiB (units: B, KB, MB, KiB, MiB), not %s", name, describe(deref(n)))
		return 0
	}
	i, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || i > maxBodySizeLimit/factor || i == 0 {
		w.fail(n, "%s must be between 1B and 64MiB, not %s", name, s)
		return 0
	}
	w.out = strconv.AppendInt(w.out, i*factor, 10)
	return i * factor
}
