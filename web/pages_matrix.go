package web

import (
	"slices"
	"strings"

	"sitemon"
)

// matrixLeast is from how many sites on the matrix shows more than the list does at
// a glance.
const matrixLeast = 13

// matrix is a cell for each site, for a script to draw. The list says the same.
type matrix struct {
	// Statuses are the names of statuses, of which Cells holds the places.
	Statuses []sitemon.Status `json:"statuses"`
	Groups   []matrixGroup    `json:"groups"`
	// Why are the reasons of the sites that need somebody, by name; Reasons says all
	// reasons in words, so that later ones can be said too.
	Why     map[string]sitemon.Reason `json:"why"`
	Reasons map[sitemon.Reason]string `json:"reasons"`
	// Calling are the sites that call us, of which Beats says some reasons otherwise.
	Calling []string                  `json:"calling,omitempty"`
	Beats   map[sitemon.Reason]string `json:"beats,omitempty"`
}

// matrixGroup is the cells of a group. It keeps its place, and so do its cells, so
// that a change of colour is seen where one knows the site to be.
type matrixGroup struct {
	Title string   `json:"title"`
	Sites []string `json:"sites"` // by name
	Cells string   `json:"cells"` // a digit for each site: the place of its status
}

// newMatrix makes the matrix of the sites that the filter selects, statuses aside.
func newMatrix(all []sitemon.SiteState, f siteFilter) *matrix {
	m := &matrix{Statuses: sitemon.Statuses, Why: map[string]sitemon.Reason{}, Reasons: reasonWords}
	if len(all) < matrixLeast {
		return nil
	}
	places := map[string]int{}
	cells := map[string]*strings.Builder{}
	for i := range all {
		st := &all[i]
		if !f.matches(st) {
			continue
		}
		at, ok := places[st.Group]
		if !ok {
			at = len(m.Groups)
			places[st.Group], cells[st.Group] = at, &strings.Builder{}
			m.Groups = append(m.Groups, matrixGroup{Title: st.Group})
		}
		m.Groups[at].Sites = append(m.Groups[at].Sites, st.Name)
		if st.Reason != "" && needsWords(st.Status) {
			m.Why[st.Name] = st.Reason
		}
		if st.Kind == sitemon.KindHeartbeat {
			m.Calling, m.Beats = append(m.Calling, st.Name), beatWords
		}
		cells[st.Group].WriteByte('0' + byte(rank(st.Status)))
	}
	for i := range m.Groups {
		m.Groups[i].Cells = cells[m.Groups[i].Title].String()
	}
	slices.SortFunc(m.Groups, func(a, b matrixGroup) int {
		if (a.Title == "") != (b.Title == "") {
			return strings.Compare(b.Title, a.Title) // those without a group last
		}
		return strings.Compare(a.Title, b.Title)
	})
	return m
}
