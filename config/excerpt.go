package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"sitemon"
)

const (
	// excerptLength is how much of a line an excerpt has at most, in characters, and
	// excerptBefore how much of that before the position.
	excerptLength = 160
	excerptBefore = 60
)

// excerptKeys are the keys whose values an excerpt shows. What stands behind any
// other may be a credential and is hidden, unless it can be none.
var excerptKeys = words("name url group tags enabled interval timeout failure_threshold success_threshold quorum retries retry_interval depends_on slo target window " +
	"locations expect status latency certificate_valid_for match not_match json path less_than greater_than exists regex method title start duration timezone rrule " +
	"groups sites public max_redirects follow_redirects preferred_ip_protocol ip_protocol_fallback body_size_limit enable_http2 keep_alive to severity send_resolved " +
	"reminder_interval group_wait")

// excerptParents are the keys within which others may be shown.
var excerptParents = words("sites defaults expect slo alerts maintenance status_pages")

func words(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

var (
	// keyAt finds a key, and what leads to its value.
	keyAt = regexp.MustCompile(`(?:^|[\s,{\[])("[^"]*"\s*:\s*|'[^']*'\s*:\s*|[\w.-]+\s*:(?:\s+|$))`)
	// brackets matches what holds values and is none.
	brackets = regexp.MustCompile(`^(?:[\s,{}\[\]|>-]|"?\$\{\w+\}"?)*$`)
	// harmless matches what is no credential by its look: numbers, durations, switches.
	harmless = regexp.MustCompile(`^(?:[\s,{}\[\]|>-]|\d[\d.]{0,7}(?:ms|us|µs|[smhdw%])?\b|true\b|false\b|yes\b|no\b|null\b|~|"?\$\{\w+\}"?)*$`)
	// addressIn finds addresses, which may have credentials in them.
	addressIn = regexp.MustCompile(`[\w+.-]+://[^\s"']+`)
)

// AddExcerpts gives each problem with a position in the files the line that it is
// in, without what may be a credential.
func AddExcerpts(problems []sitemon.Problem, files []File) {
	for _, f := range files {
		var lines [][]byte
		for i := range problems {
			p := &problems[i]
			if p.File != f.Name || p.Line == 0 {
				continue
			}
			if lines == nil {
				lines = bytes.Split(bytes.TrimPrefix(f.Content, []byte("\ufeff")), []byte("\n"))
			}
			if p.Line <= len(lines) {
				p.Excerpt, p.Caret = excerpt(lines[:p.Line], p.Column)
			}
		}
	}
}

// excerpt is the last of the lines as everybody may see it, and where its column is
// in that.
func excerpt(lines [][]byte, column int) (text string, caret int) {
	line := strings.ReplaceAll(strings.TrimRight(strings.ToValidUTF8(string(lines[len(lines)-1]), "�"), " \t\r"), "\t", " ")
	var b strings.Builder
	caret = column
	taken := 0 // of the line, in bytes
	for _, cut := range hiddenParts(line, openParents(lines)) {
		b.WriteString(line[taken:cut.from])
		from := len([]rune(line[:cut.from])) + 1
		size := len([]rune(line[cut.from:cut.to]))
		switch {
		case column >= from+size:
			caret += len(cut.shown) - size
		case column >= from:
			caret -= column - from
		}
		b.WriteString(cut.shown)
		taken = cut.to
	}
	b.WriteString(line[taken:])
	shown := []rune(b.String())
	if len(shown) > excerptLength {
		from := min(max(0, caret-1-excerptBefore), len(shown)-excerptLength)
		shown, caret = shown[from:from+excerptLength], caret-from
	}
	return string(shown), min(max(1, caret), len(shown)+1)
}

// hiddenPart is a part of a line with what is shown in its place: less than 128
// plain characters.
type hiddenPart struct {
	from, to int
	shown    string
}

// hiddenParts finds what of a line is not to be seen; open: its values may be, as far
// as its own keys allow it.
func hiddenParts(line string, open bool) []hiddenPart {
	var parts []hiddenPart
	end := len(line)
	if i := comment(line); i >= 0 {
		end = i
		parts = append(parts, hiddenPart{from: i, to: len(line)})
	}
	found := hiddenValues(line[:end], open)
	for _, a := range addressIn.FindAllStringIndex(line[:end], -1) {
		if shown := sitemon.RedactURL(line[a[0]:a[1]]); shown != line[a[0]:a[1]] && !within(found, a[0]) {
			found = append(found, hiddenPart{a[0], a[1], shown})
		}
	}
	slices.SortFunc(found, func(a, b hiddenPart) int { return a.from - b.from })
	return append(found, parts...)
}

// hiddenValues finds the values of a line that are not to be seen.
func hiddenValues(line string, open bool) (found []hiddenPart) {
	hide := func(from, to int, shown *regexp.Regexp) {
		value := line[from:to]
		from += len(value) - len(strings.TrimLeft(value, " "))
		to -= len(value) - len(strings.TrimRight(value, " "))
		if from < to && !shown.MatchString(line[from:to]) {
			found = append(found, hiddenPart{from, to, sitemon.Redacted})
		}
	}
	keys := keyAt.FindAllStringSubmatchIndex(line, -1)
	if len(keys) == 0 {
		if !open || strings.Contains(addressIn.ReplaceAllString(line, ""), ":") {
			hide(len(line)-len(strings.TrimLeft(line, " -")), len(line), brackets)
		}
		return found
	}
	strict := !open // within what may hold credentials, a number may be one
	for i, k := range keys {
		to := len(line)
		if i+1 < len(keys) {
			to = keys[i+1][2]
		}
		name := strings.Trim(keyName(line[k[2]:k[3]]), `"'`)
		switch {
		case strict || sitemon.CredentialName(name):
			hide(k[3], to, brackets)
			strict = true
		case !excerptKeys[name] && !excerptParents[name]:
			hide(k[3], to, harmless)
			strict = true
		}
	}
	return found
}

// keyName is a key without what leads to its value.
func keyName(match string) string { return strings.TrimRight(match, " :") }

// within reports whether a position is in one of the parts.
func within(parts []hiddenPart, at int) bool {
	for _, p := range parts {
		if at >= p.from && at < p.to {
			return true
		}
	}
	return false
}

// comment returns where the comment of a line begins, -1 where there is none.
func comment(line string) int {
	var quote rune
	before := ' '
	for i, r := range line {
		switch {
		case quote == 0 && (r == '"' || r == '\'') && strings.ContainsRune(" [{,:", before):
			quote = r
		case r == quote:
			quote = 0
		case quote == 0 && r == '#' && before == ' ':
			return i
		}
		before = r
	}
	return -1
}

// openParents reports whether the last of the lines is within keys that hold no
// credentials. It goes by the indentation alone, as the file may be no YAML.
func openParents(lines [][]byte) bool {
	indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " -")) }
	last := string(lines[len(lines)-1])
	depth := indent(last)
	inside := ""
	for i := len(lines) - 2; i >= 0 && depth > 0; i-- {
		line := strings.TrimRight(string(lines[i]), " \t\r")
		at := indent(line)
		key := keyAt.FindStringSubmatch(line)
		if strings.TrimSpace(line) == "" || at >= depth || key == nil || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		name := strings.Trim(keyName(key[1]), `"'`)
		depth = at
		switch {
		case inside == "body" && name != "expect":
			return false
		case name == "body", strings.HasPrefix(name, "x-"), excerptParents[name], excerptKeys[name] && inside == "":
			inside = name
		default:
			return false
		}
	}
	return inside != "body"
}
