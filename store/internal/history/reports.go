package history

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

const (
	// DefaultReports is how many reports a page has unless the query says.
	DefaultReports = 100
	// maxMS is the last slot that a cursor can name, in milliseconds since 1970: in
	// 2109.
	maxMS = 1<<42 - 1
)

// Listed is a report with the number of its location.
type Listed struct {
	Location int64
	Report   *sitemon.Report
}

// Page is a query for a page of reports, newest first; those of one slot by their
// locations, descending.
type Page struct {
	// Limit is how many reports of each location to read: one more than the page
	// has, which tells whether there is a next one.
	Limit int
	// from and to bound the slots; atSlot and atLocation are those of the last
	// report of the page before. All but atLocation are in ms since 1970.
	from, to, atSlot, atLocation int64
}

// NewPage returns the page that a query asks for. The error wraps
// [sitemon.ErrInvalid]: the cursor is none.
func NewPage(q sitemon.ReportQuery) (p Page, err error) {
	p = Page{Limit: DefaultReports + 1, to: maxMS + 1, atSlot: maxMS + 1}
	if q.Limit > 0 {
		p.Limit = q.Limit + 1
	}
	if !q.From.IsZero() {
		p.from = max(0, CeilMilli(q.From))
	}
	if !q.To.IsZero() {
		p.to = min(p.to, CeilMilli(q.To))
	}
	if q.Before != "" {
		p.atSlot, p.atLocation, err = parseCursor(q.Before)
	}
	return p, err
}

// Slots returns the bounds, in ms since 1970, of the slots that the page may have
// of a location: from the first one up to, not including, the last one.
func (p Page) Slots(location int64) (from, to int64) {
	to = p.atSlot
	if location < p.atLocation {
		to++
	}
	return p.from, min(p.to, to)
}

// Reports makes the page of the reports read of all locations, and the cursor of
// the next one; "" on the last one.
func (p Page) Reports(all []Listed) (reports []sitemon.Report, next string) {
	slices.SortFunc(all, func(a, b Listed) int {
		return cmp.Or(b.Report.Slot.Compare(a.Report.Slot), cmp.Compare(b.Location, a.Location))
	})
	if n := p.Limit - 1; len(all) > n {
		all = all[:n]
		next = cursorOf(all[n-1])
	}
	reports = make([]sitemon.Report, len(all))
	for i, l := range all {
		reports[i] = *l.Report
	}
	return reports, next
}

// cursorOf names a place in the order of slots: slot, then location, descending.
func cursorOf(l Listed) string {
	return strconv.FormatInt(l.Report.Slot.UnixMilli(), 36) + "." + strconv.FormatInt(l.Location, 36)
}

func parseCursor(s string) (slotMS, location int64, err error) {
	a, b, _ := strings.Cut(s, ".")
	if slotMS, err = strconv.ParseInt(a, 36, 64); err == nil {
		location, err = strconv.ParseInt(b, 36, 64)
	}
	if err != nil || slotMS < 0 || slotMS > maxMS {
		return 0, 0, fmt.Errorf("%w: cursor %q", sitemon.ErrInvalid, s)
	}
	return slotMS, location, nil
}

// CeilMilli is the first whole millisecond since 1970 that is not before t.
func CeilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// OutcomeNumber is what site_reports.outcome has for an outcome.
func OutcomeNumber(o sitemon.Outcome) int {
	if i := slices.Index(sitemon.Outcomes, o); i >= 0 {
		return i
	}
	return len(sitemon.Outcomes) - 1
}

// WhereOutcome is the condition of SQL that a report's column has an outcome. For all
// but up it says what the index of reports that are not up is for, in its own words,
// since SQLite concludes nothing.
func WhereOutcome(column string, o sitemon.Outcome) string {
	where := fmt.Sprintf("%s = %d", column, OutcomeNumber(o))
	if o != sitemon.OutcomeUp {
		where += fmt.Sprintf(" AND %s <> %d", column, OutcomeNumber(sitemon.OutcomeUp))
	}
	return where
}

// OutcomeOf is the inverse of [OutcomeNumber].
func OutcomeOf[N int16 | int64](n N) sitemon.Outcome {
	if n < 0 || int(n) >= len(sitemon.Outcomes) {
		return sitemon.OutcomeUnknown
	}
	return sitemon.Outcomes[n]
}
