package web

import (
	"fmt"
	"strings"
)

// incidentMarkdown is an incident for a ticket or a chat. What sites and people have
// written is in code spans and fenced blocks, where it links to nothing, shows no
// pictures and mentions nobody.
func incidentMarkdown(d *incidentPage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Incident %d: %s\n\n", d.ID, codeSpan(d.Headline.whole()))
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "- %s: %s\n", name, value)
		}
	}
	f := &d.Facts
	fact("Site", codeSpan(d.Site))
	fact("Group", codeSpan(d.Group))
	fact("Status", d.Status.Word)
	fact("Started", f.Started.Clock)
	fact("Confirmed", f.Confirmed.Clock)
	fact("Ended", f.Ended.Clock)
	fact("Reason", f.Reason)
	fact("Error", codeSpan(f.Error))
	fact("Locations", codeSpan(strings.Join(f.Locations, ", ")))
	fact("Reports", f.Reports)
	fact("Depends on", codeSpan(f.Parent))
	if a := f.Acknowledged; a != nil {
		fact("Acknowledged", strings.TrimSpace(a.At.Clock+" "+codeSpan(a.By)))
	}
	if len(d.Timeline) > 0 {
		b.WriteString("\n## Timeline\n\n")
	}
	for _, e := range d.Timeline {
		fmt.Fprintf(&b, "- %s: %s", e.At.Clock, e.Text)
		for _, part := range []struct{ word, text string }{{" from ", e.Location}, {" by ", e.By}, {": ", e.Said}} {
			if part.text != "" {
				b.WriteString(part.word + codeSpan(part.text))
			}
		}
		b.WriteString("\n")
	}
	for _, g := range d.Evidence {
		for i := range g.List {
			evidenceMarkdown(&b, g.Location, &g.List[i])
		}
	}
	return b.String()
}

func evidenceMarkdown(b *strings.Builder, location string, v *evidenceView) {
	fmt.Fprintf(b, "\n## %s from %s, %s\n\n", v.Title, codeSpan(location), v.At.Clock)
	var text strings.Builder
	if v.Raw != "" {
		text.WriteString(v.Raw + "\n")
	}
	for i, s := range v.Steps {
		fmt.Fprintf(&text, "step %d, %s: %s %s\n", i+1, s.Name, s.Status.Word, s.Text)
	}
	for _, r := range v.Redirects {
		fmt.Fprintf(&text, "%s: %s to %s\n", r.URL, r.Status, r.Location)
	}
	for _, m := range []*messageView{v.Request, v.Response} {
		if m == nil {
			continue
		}
		text.WriteString(m.Line + "\n")
		for _, h := range m.Headers {
			fmt.Fprintf(&text, "%s: %s\n", h.Name, h.Value)
		}
		if m.Body != "" {
			text.WriteString("\n" + m.Body + "\n")
		}
		text.WriteString("\n")
	}
	for _, e := range v.Expectations {
		fmt.Fprintf(&text, "%s: expected %s, seen %s\n", e.Name, e.Expected, e.Seen)
	}
	if len(v.Addresses) > 0 {
		text.WriteString("addresses: " + strings.Join(v.Addresses, ", ") + "\n")
	}
	if v.Strip.Title != "" {
		text.WriteString("phases: " + v.Strip.Title + "\n")
	}
	if v.TLS != "" {
		text.WriteString("tls: " + v.TLS + "\n")
	}
	for _, c := range v.Certificates {
		fmt.Fprintf(&text, "certificate: %s, issued by %s, until %s, for %s\n", c.Subject, c.Issuer, c.Ends.Clock, c.Names)
	}
	if v.Cut != "" {
		text.WriteString("shortened: " + v.Cut + "\n")
	}
	b.WriteString(fenced(strings.TrimRight(text.String(), "\n")))
}

// codeSpan is a text as code within a line, "" for none.
func codeSpan(s string) string {
	s = oneLine(s)
	if s == "" {
		return ""
	}
	marks := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return marks + s + marks
}

// fenced is a text as a block of code, which nothing in it can end.
func fenced(s string) string {
	marks := strings.Repeat("`", max(longestRun(s)+1, 3))
	return marks + "text\n" + s + "\n" + marks + "\n"
}

// longestRun is how many backquotes stand side by side at most.
func longestRun(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
