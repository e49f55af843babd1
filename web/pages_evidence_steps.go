package web

import (
	"fmt"
	"strings"
	"time"

	"sitemon"
)

// stepView is one line about a step of a site that has several.
type stepView struct {
	Name, URL string
	Text      string // "status 200 after 12 ms"
	Status    statusView
}

func newStepViews(steps []sitemon.EvidenceStep) []stepView {
	var views []stepView
	for _, s := range steps {
		v := stepView{Name: s.Name, URL: s.URL, Status: statusView{"up", "Good"}}
		took := "after " + latencyText(time.Duration(s.DurationUS)*time.Microsecond)
		switch {
		case s.DurationUS <= 0:
			v.Status = statusView{"unknown", "Not reached"}
		case s.StatusCode == 0:
			v.Text = took
		default:
			v.Text = fmt.Sprintf("status %d %s", s.StatusCode, took)
		}
		switch s.Reason {
		case "":
		case sitemon.ReasonLatency, sitemon.ReasonCertificate:
			v.Status = statusView{"degraded", reasonText(s.Reason)}
		default:
			v.Status = statusView{"down", reasonText(s.Reason)}
		}
		views = append(views, v)
	}
	return views
}

// ofLastStep takes the step's name off expectations, which then are those of the
// site; false where the last step is not the one that failed, so that they were not
// judged.
func ofLastStep(seen *sitemon.ProbeEvidence) (unmet, met []sitemon.EvidenceExpectation, judged bool) {
	last := seen.Steps[len(seen.Steps)-1]
	if last.Reason == "" {
		return seen.Expectations, nil, false
	}
	plain := func(of []sitemon.EvidenceExpectation) (list []sitemon.EvidenceExpectation) {
		for _, e := range of {
			e.Name = strings.TrimPrefix(e.Name, last.Name+": ")
			list = append(list, e)
		}
		return list
	}
	return plain(seen.Expectations), plain(seen.Met), true
}
