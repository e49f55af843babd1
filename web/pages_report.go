package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

// reportDetail is one report in full, or what a probe now found.
type reportDetail struct {
	At           timeView
	Status       statusView
	Reason       string
	Error        string
	Facts        []fact
	Waterfall    []waterfallRow
	Total        string // how long it took
	Expectations []expectationView
	// Changed says that the expectations are not those that the report was judged by, "".
	Changed  string
	Hops     []redirectView // requests and their answers, of a probe now
	Evidence *evidenceView  // nil: none is kept
	// NoEvidence says why there is none where one could look for it, or "".
	NoEvidence string
}

// fact is one thing that is known of a report.
type fact struct {
	Name, Value string
	Mono        bool
}

// waterfallRow is a phase as long as it took, from where it began.
type waterfallRow struct {
	Name, Start, Took string
	X, Width          int // in thousandths of the whole
}

// waterfallOf draws the phases one after the other, to the scale of all that the
// report took.
func waterfallOf(p sitemon.Phases, total time.Duration) []waterfallRow {
	var sum time.Duration
	for _, d := range p.All() {
		sum += d
	}
	if sum <= 0 {
		return nil
	}
	total = max(total, sum)
	var rows []waterfallRow
	var passed time.Duration
	for i, d := range p.All() {
		if d <= 0 {
			continue
		}
		x := int(stripWidth * passed / total)
		width := max(int(stripWidth*(passed+d)/total)-x, 4)
		start := "0 ms"
		if passed > 0 {
			start = latencyText(passed)
		}
		rows = append(rows, waterfallRow{sitemon.PhaseNames[i], start, latencyText(d), min(x, stripWidth-width), width})
		passed += d
	}
	return rows
}

// newReportDetail says all that is recorded of a report. Its evidence may be "", as
// may be that of reports that were up.
func newReportDetail(kind sitemon.Kind, r *sitemon.Report, evidence string, d *siteDefinition, now time.Time) *reportDetail {
	v := &reportDetail{
		At: newTimeView(r.Slot), Status: newStatusView(r.Outcome), Error: r.Error, Facts: reportFacts(r, now),
		Waterfall: waterfallOf(r.Phases, r.Duration), Total: latencyText(r.Duration),
	}
	if r.Reason != "" {
		v.Reason = reasonOf(kind, r.Reason)
	}
	var seen sitemon.ProbeEvidence
	switch {
	case evidence != "":
		e := newEvidenceView(sitemon.Evidence{Location: r.Location, Slot: r.Slot, Details: evidence})
		v.Evidence = &e
		_ = json.Unmarshal([]byte(evidence), &seen) // the view shows it as it is
	case r.Outcome == sitemon.OutcomeDown:
		v.NoEvidence = "Evidence is kept of an incident's first and newest failed reports."
	}
	v.Expectations, v.Changed = expectationsOf(r, &seen, d)
	return v
}

// reportFacts are what a report says beside its phases.
func reportFacts(r *sitemon.Report, now time.Time) []fact {
	var facts []fact
	add := func(name, value string, mono bool) {
		if value != "" {
			facts = append(facts, fact{name, value, mono})
		}
	}
	l := newLastReport("", *r, now)
	if r.StatusCode != 0 {
		add("Status code", fmt.Sprint(r.StatusCode), false)
	}
	add("Address", l.RemoteAddr, true)
	add("Body", l.Body, false)
	add("Certificate", l.Certificate, false)
	if r.Attempts > 1 {
		add("Attempts", fmt.Sprintf("%d, this is the last", r.Attempts), false)
	}
	if r.Slot.UnixMilli() != r.StartedAt.UnixMilli() { // else it has no slot, or began in its first millisecond
		add("Started after its slot", l.Lateness, false)
	}
	for name, n := range r.Values.All() {
		add(name, strconv.FormatFloat(n, 'g', -1, 64), true)
	}
	add("Location", r.Location, false)
	add("Monitor", r.Monitor, false)
	if r.Generation > 0 {
		add("Generation", fmt.Sprint(r.Generation), false)
	}
	if r.Gap != "" {
		add("Slots before it", "missing: "+strings.ReplaceAll(r.Gap, "_", " "), false)
	}
	return facts
}
