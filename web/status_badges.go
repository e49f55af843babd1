package web

import (
	"sitemon"
	"sitemon/availability"
)

// badgeKey is a badge of a site.
type badgeKey struct{ site, file string }

// badgeDays is over how many days a badge says the uptime.
const badgeDays = 30

// keepBadge remembers a badge as it was drawn, for when the database is away; only
// those of sites on public pages.
func (p *statusPages) keepBadge(key badgeKey, b badge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.public[key.site] {
		p.badges[key] = b
	}
}

// oldBadge returns a badge as it was drawn last, or as the page of before has it. It
// is false where nothing is known.
func (p *statusPages) oldBadge(key badgeKey) (badge, bool) {
	_, _, _ = p.state() // reads the file
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.public[key.site] {
		return badge{}, false
	}
	if b, ok := p.badges[key]; ok {
		return b, true
	}
	for _, m := range p.pages {
		for i := range m.Components {
			if c := &m.Components[i]; c.Name == key.site {
				return c.badge(key.file), true
			}
		}
	}
	return badge{}, false
}

// badge draws a component's badge from what the page says of it.
func (c *statusComponent) badge(file string) badge {
	switch file {
	case "status.svg":
		return newStatusBadge(c.Status)
	case "uptime.svg":
		var sum availability.Sum
		for _, d := range c.Days[max(0, len(c.Days)-badgeDays):] {
			sum.Merge(availability.Sum{Up: seconds(d.Up), Degraded: seconds(d.Degraded), Down: seconds(d.Down)})
		}
		return newUptimeBadge(sum.Figure(sum.Width()).Availability)
	}
	return badge{"latency 24h", string(sitemon.StatusUnknown), colorNeutral}
}
