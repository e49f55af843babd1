package alerts

import (
	"fmt"
	"strings"
	"time"

	"sitemon"
)

// titles begin the title of each kind of notification.
var titles = map[sitemon.NotificationKind]string{
	sitemon.NotifyDown:          "Down",
	sitemon.NotifyRecovered:     "Recovered",
	sitemon.NotifyReminder:      "Still down",
	sitemon.NotifyMonitorSilent: "Monitor silent",
	sitemon.NotifyMonitorBack:   "Monitor back",
	sitemon.NotifyCertificate:   "Certificate",
	sitemon.NotifySLO:           "Availability",
	sitemon.NotifyLatency:       "Latency",
	sitemon.NotifyTest:          "Test",
}

// maxTitle is how many characters of a title services show.
const maxTitle = 120

// Title is the first line of a notification, for a person.
func Title(n sitemon.Notification) string {
	title := titles[n.Kind]
	if n.Summary != "" {
		title += ": " + n.Summary
	}
	return cut(oneLine(title), maxTitle)
}

// Text is what a notification says below its title: each site that it names on a
// line of its own, and the cause.
func Text(n sitemon.Notification) string {
	var b strings.Builder
	if n.Cause != "" {
		fmt.Fprintf(&b, "Likely cause: %s\n", oneLine(n.Cause))
	}
	for _, s := range n.Sites {
		b.WriteString(oneLine(s.Name))
		if s.Group != "" {
			fmt.Fprintf(&b, " (%s)", oneLine(s.Group))
		}
		if s.Status != "" {
			fmt.Fprintf(&b, " is %s", s.Status)
		}
		if !s.Since.IsZero() {
			fmt.Fprintf(&b, " since %s UTC", s.Since.UTC().Format(time.DateTime))
		}
		if s.Error != "" {
			b.WriteString(": " + cut(oneLine(s.Error), 300))
		} else if s.Reason != "" {
			b.WriteString(": " + string(s.Reason))
		}
		if s.URL != "" {
			b.WriteString("\n  " + s.URL)
		}
		b.WriteByte('\n')
	}
	if more := n.Total - len(n.Sites); more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	if b.Len() == 0 {
		b.WriteString(oneLine(n.Summary))
	}
	return strings.TrimRight(b.String(), "\n")
}

// oneLine takes out what could make a text of a site look like lines of ours.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }), " ")
}

func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
