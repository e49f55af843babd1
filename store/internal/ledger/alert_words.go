package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// namedInSummary is how many sites a summary names.
const namedInSummary = 5

// composed is what a notification says.
type composed struct {
	summary, cause string
	sites          []sitemon.NotifiedSite
	total          int
}

// compose puts into words what a group of notices says. The cause comes first, then
// the sites by their names.
func compose(m *message) composed {
	c := composed{sites: []sitemon.NotifiedSite{}}
	var flapping bool
	for _, n := range m.notices {
		c.total += n.total
		flapping = flapping || n.kind == kindDown && n.text != ""
		if s := m.site(n); s != nil {
			c.sites = append(c.sites, *s)
		}
	}
	cause := m.incidents[m.cause]
	if cause != nil {
		c.cause = cause.name
	}
	isCause := func(s sitemon.NotifiedSite) bool { return cause != nil && s.Incident == cause.id }
	if cause != nil && !m.resolved && !cause.over() && !slices.ContainsFunc(c.sites, isCause) {
		c.sites = append(c.sites, cause.notified())
		c.total++
	}
	slices.SortFunc(c.sites, func(a, b sitemon.NotifiedSite) int {
		if isCause(a) != isCause(b) {
			if isCause(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	c.summary = m.summary(&c, isCause)
	if flapping {
		c.summary += " (flapping)"
	}
	if len(c.sites) > sitemon.MaxNotifiedSites {
		c.sites = c.sites[:sitemon.MaxNotifiedSites]
	}
	return c
}

// site is what the message says of a notice's site; nil where it is about none.
func (m *message) site(n *notice) *sitemon.NotifiedSite {
	if i := m.incidents[n.incident]; i != nil {
		s := i.notified()
		return &s
	}
	if s := m.sites[n.site]; s != nil {
		c := *s
		c.Error = n.text
		return &c
	}
	return nil
}

// notified is the site of an incident as a notification tells of it.
func (i *affected) notified() sitemon.NotifiedSite {
	s := sitemon.NotifiedSite{
		Name: i.name, Group: i.group, URL: sitemon.RedactURL(i.url), Status: sitemon.StatusDown, Since: i.started,
		Reason: sitemon.Reason(i.reason), Error: i.text, Incident: i.id, StartedAt: i.started, EndedAt: i.ended,
	}
	if i.over() {
		s.Status, s.Since = cmp.Or(sitemon.Status(i.status), sitemon.StatusUnknown), i.since
	}
	return s
}

// summary is the message in one line.
func (m *message) summary(c *composed, isCause func(sitemon.NotifiedSite) bool) string {
	if len(m.notices) == 1 && (m.cause == 0 || m.resolved) {
		return m.one(m.notices[0])
	}
	sites := slices.DeleteFunc(slices.Clone(c.sites), func(s sitemon.NotifiedSite) bool { return !m.resolved && isCause(s) })
	what := several(sites, c.total-len(c.sites)+len(sites))
	switch m.kind {
	case sitemon.NotifyDown, sitemon.NotifyReminder:
		verb := "down"
		if m.kind == sitemon.NotifyReminder {
			verb = "still down"
		}
		if m.cause != 0 {
			return fmt.Sprintf("%s %s, likely cause: %s", what, verb, c.cause)
		}
		return fmt.Sprintf("%s %s: %s", what, verb, names(sites))
	case sitemon.NotifyRecovered:
		if m.cause != 0 {
			return fmt.Sprintf("%s not down any more after %s: %s", what, c.cause, names(sites))
		}
		return fmt.Sprintf("%s not down any more: %s", what, names(sites))
	case sitemon.NotifyCertificate:
		return fmt.Sprintf("certificates of %s expire soon: %s", what, names(sites))
	}
	// One text for each: those of one kind are seldom many.
	var texts []string
	for _, n := range m.notices[:min(len(m.notices), namedInSummary)] {
		texts = append(texts, n.text)
	}
	if more := len(m.notices) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// one is what a single notice says.
func (m *message) one(n *notice) string {
	i := m.incidents[n.incident]
	if i == nil {
		return n.text
	}
	lasted := spell(i.ended.Sub(i.started))
	switch {
	case n.kind == kindDown && i.over():
		return fmt.Sprintf("%s was down for %s: %s", i.name, lasted, i.why())
	case n.kind == kindDown:
		return fmt.Sprintf("%s is down: %s", i.name, i.why())
	case n.kind == kindReminder:
		return fmt.Sprintf("%s is still down since %s: %s", i.name, moment(i.started), i.why())
	case i.withdrawn:
		return fmt.Sprintf("%s was not down: reports that came late show it", i.name)
	}
	switch sitemon.IncidentEnd(i.endedBy) {
	case sitemon.EndPaused:
		return fmt.Sprintf("%s is paused, it was down for %s", i.name, lasted)
	case sitemon.EndRemoved:
		return fmt.Sprintf("%s is not watched any more, it was down for %s", i.name, lasted)
	case sitemon.EndMaintenance:
		return fmt.Sprintf("%s is in maintenance, it was down for %s", i.name, lasted)
	}
	return fmt.Sprintf("%s is up again, it was down for %s", i.name, lasted)
}

// why is the reason in words.
func (i *affected) why() string { return cmp.Or(i.text, i.reason) }

// several counts sites: "12 sites of group web".
func several(sites []sitemon.NotifiedSite, total int) string {
	if total == 1 && len(sites) == 1 {
		return sites[0].Name
	}
	what := fmt.Sprintf("%d sites", total)
	if len(sites) == 0 || sites[0].Group == "" {
		return what
	}
	if slices.ContainsFunc(sites, func(s sitemon.NotifiedSite) bool { return s.Group != sites[0].Group }) {
		return what
	}
	return what + " of group " + sites[0].Group
}

// names lists the first sites.
func names(sites []sitemon.NotifiedSite) string {
	var list []string
	for _, s := range sites[:min(len(sites), namedInSummary)] {
		list = append(list, s.Name)
	}
	if len(sites) > len(list) {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}

// moment writes a time for a person.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// spell writes a duration for a person, with at most two units.
func spell(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var parts []string
	for _, u := range units {
		if n := d / u.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, u.name))
			d -= n * u.size
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return "0s"
	}
	return strings.Join(parts, " ")
}
