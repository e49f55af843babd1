package history

import (
	"strings"

	"sitemon"
)

// Match selects of the sites that a store found, in their order, those that have a
// query's text, up to its limit: databases do not agree on what letter case is.
// The function it returns is to be called once for each.
func Match(q sitemon.SiteQuery) func(*sitemon.SiteState) bool {
	text := strings.ToLower(q.Text)
	kept := 0
	return func(s *sitemon.SiteState) bool {
		if q.Limit > 0 && kept >= q.Limit {
			return false
		}
		has := text == "" || strings.Contains(strings.ToLower(s.Name), text) ||
			strings.Contains(strings.ToLower(s.URL), text) || strings.Contains(strings.ToLower(s.Group), text)
		if has {
			kept++
		}
		return has
	}
}
