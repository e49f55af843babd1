package web

import (
	"slices"
	"time"
)

// What the tests need to see of the inside.

// ParseDuration is the parser of durations in requests.
var ParseDuration = parseDuration

// HubBacklog is how many events a subscriber may be behind.
const HubBacklog = hubBacklog

// MaxStreams is how many subscriptions there can be.
const MaxStreams = maxStreams

// APIRoute is a route that openapi.json describes.
type APIRoute struct {
	Method, Path string
	Params       []string // nil: any, they are ignored
}

// APIRoutes lists the routes that openapi.json describes.
func (s *Server) APIRoutes() []APIRoute {
	var all []APIRoute
	for _, rt := range slices.Concat(s.apiRoutes(), s.healthRoutes(), s.statusRoutes()) {
		all = append(all, APIRoute{rt.method, rt.path, rt.params})
	}
	return all
}

// DayText says a day's 95th percentile against that of the day a week before, each
// over so many reports.
func DayText(now time.Duration, reports int, before time.Duration, earlier int) string {
	return dayText(dayLatency{now, reports}, dayLatency{before, earlier})
}

// Kept is how many values are kept of sites.
func (s *Server) Kept() int { return s.figures.len() + s.years.len() + s.trends.len() }

func (c *siteCache[T]) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}
