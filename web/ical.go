package web

import (
	"strings"
	"time"
	"unicode/utf8"
)

// icalendar writes a calendar as RFC 5545 has it: lines of at most 75 octets that end
// in CRLF, texts escaped, times in UTC.
type icalendar struct{ b strings.Builder }

// icalEvent is an event of a calendar.
type icalEvent struct {
	uid        string // the same whenever the event is written
	stamp      time.Time
	start, end time.Time
	summary    string
	text       string // "": none
	url        string // "": none
	alarm      time.Duration
}

func newICalendar(name string) *icalendar {
	c := &icalendar{}
	c.line("BEGIN", "VCALENDAR")
	c.line("VERSION", "2.0")
	c.line("PRODID", "-//SiteMon//SiteMon//EN")
	c.line("CALSCALE", "GREGORIAN")
	c.line("X-WR-CALNAME", icalText(name))
	return c
}

// add writes an event.
func (c *icalendar) add(e icalEvent) {
	const form = "20060102T150405Z"
	c.line("BEGIN", "VEVENT")
	c.line("UID", icalText(e.uid))
	c.line("DTSTAMP", e.stamp.UTC().Format(form))
	c.line("DTSTART", e.start.UTC().Format(form))
	c.line("DTEND", e.end.UTC().Format(form))
	c.line("SUMMARY", icalText(e.summary))
	if e.text != "" {
		c.line("DESCRIPTION", icalText(e.text))
	}
	if e.url != "" {
		c.line("URL", e.url)
	}
	if e.alarm > 0 {
		c.line("BEGIN", "VALARM")
		c.line("ACTION", "DISPLAY")
		c.line("DESCRIPTION", icalText(e.summary))
		c.line("TRIGGER", "-PT"+strings.ToUpper(e.alarm.Truncate(time.Second).String()))
		c.line("END", "VALARM")
	}
	c.line("END", "VEVENT")
}

// text ends the calendar and returns it.
func (c *icalendar) text() string {
	c.line("END", "VCALENDAR")
	return c.b.String()
}

// line writes a line, folded between characters.
func (c *icalendar) line(name, value string) {
	const most = 75
	rest, room := name+":"+value, most
	for len(rest) > room {
		cut := room
		for !utf8.RuneStart(rest[cut]) {
			cut--
		}
		c.b.WriteString(rest[:cut] + "\r\n ")
		rest, room = rest[cut:], most-1
	}
	c.b.WriteString(rest + "\r\n")
}

// icalText is a text as a value; what no text may hold is a space.
func icalText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
