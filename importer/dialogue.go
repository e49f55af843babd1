package importer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// smtpDialogue begins TLS with a mail server.
func smtpDialogue() []any {
	return []any{
		map[string]any{"expect": "^220 ", "send": "EHLO localhost\r"},
		map[string]any{"expect": "^250[ -]STARTTLS", "send": "STARTTLS\r"},
		map[string]any{"expect": "^220 ", "starttls": true},
	}
}

// blackboxDialogue carries what is said on a connection over.
func (r *Result) blackboxDialogue(s *Site, target string, steps []any) {
	var ours []any
	for _, one := range steps {
		m := asMapping(one)
		step := map[string]any{}
		expect := m.text("expect")
		if expect != "" {
			step["expect"] = expect
		}
		if send := m.text("send"); send != "" {
			step["send"] = blackboxLine(send, expect)
		}
		if m.flag("starttls", false) {
			step["starttls"] = true
		}
		r.leftover(target, m, "of its query_response is not carried over")
		if len(step) > 0 {
			ours = append(ours, step)
		}
	}
	s.set("query_response", ours)
}

// blackboxLine is a line to send as a sites file has it. In blackbox_exporter $1, ${1}
// and ${name} stand for what the expect of the same entry has captured.
func blackboxLine(text, expect string) string {
	var b strings.Builder
	plain := func(s string) { b.WriteString(strings.ReplaceAll(s, "${", "$${")) }
	if expect == "" {
		plain(text)
	} else {
		var names []string
		if re, err := regexp.Compile(expect); err == nil {
			names = re.SubexpNames()
		}
		expandLine(text, plain, func(name string) {
			i, err := strconv.Atoi(name)
			if err != nil {
				i = slices.Index(names, name)
			}
			if i >= 0 && i < len(names) { // else it stands for nothing there
				b.WriteString("${" + strconv.Itoa(i) + "}")
			}
		})
	}
	if strings.HasSuffix(text, "\n") { // where it is followed by another one
		b.WriteByte('\n')
	}
	return b.String()
}

// expandLine takes a template of Go's package regexp apart.
func expandLine(text string, plain, group func(string)) {
	for {
		before, rest, ok := strings.Cut(text, "$")
		plain(before)
		if !ok {
			return
		}
		if after, dollar := strings.CutPrefix(rest, "$"); dollar {
			if strings.HasPrefix(after, "{") { // a literal ${ that the next piece would divide
				plain("${")
				after = after[1:]
			} else {
				plain("$")
			}
			text = after
			continue
		}
		name, braces := rest, strings.HasPrefix(rest, "{")
		if braces {
			name = rest[1:]
		}
		end := strings.IndexFunc(name, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' })
		if end < 0 {
			end = len(name)
		}
		switch {
		case end == 0 || braces && !strings.HasPrefix(name[end:], "}"): // no template
			if braces {
				plain("${")
				text = name
			} else {
				plain("$")
				text = rest
			}
			continue
		case braces:
			text = name[end+1:]
		default:
			text = name[end:]
		}
		group(name[:end])
	}
}
