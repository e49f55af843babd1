package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// reasonWords are the reasons as a person would say them. A reason that is not
// here is shown as it is, with spaces.
var reasonWords = map[sitemon.Reason]string{
	sitemon.ReasonDNSNotFound:       "Name not found",
	sitemon.ReasonDNSTimeout:        "Name lookup timed out",
	sitemon.ReasonDNSError:          "Name lookup failed",
	sitemon.ReasonConnectRefused:    "Connection refused",
	sitemon.ReasonConnectTimeout:    "Connecting timed out",
	sitemon.ReasonConnectError:      "Connecting failed",
	sitemon.ReasonTLSExpired:        "Certificate expired",
	sitemon.ReasonTLSHostname:       "Certificate is for another name",
	sitemon.ReasonTLSUntrusted:      "Certificate not trusted",
	sitemon.ReasonTLSTimeout:        "TLS handshake timed out",
	sitemon.ReasonTLSError:          "TLS handshake failed",
	sitemon.ReasonSendError:         "Request could not be sent",
	sitemon.ReasonProcessingTimeout: "No answer in time",
	sitemon.ReasonTransferTimeout:   "Answer not complete in time",
	sitemon.ReasonTransferError:     "Answer broke off",
	sitemon.ReasonRedirect:          "Bad redirect",
	sitemon.ReasonProtocol:          "Not a valid answer",
	sitemon.ReasonStatus:            "Unexpected status code",
	sitemon.ReasonHeader:            "Unexpected header",
	sitemon.ReasonBody:              "Unexpected content",
	sitemon.ReasonJSON:              "Unexpected JSON value",
	sitemon.ReasonLatency:           "Too slow",
	sitemon.ReasonCertificate:       "Certificate ends soon",
	sitemon.ReasonBlocked:           "Address not allowed",
	sitemon.ReasonMonitorOffline:    "Monitor is offline",
	sitemon.ReasonMonitorOverloaded: "Monitor is overloaded",
	sitemon.ReasonMonitorStopped:    "Monitor was stopped",
	sitemon.ReasonInternal:          "Error in the monitor",
}

func reasonText(r sitemon.Reason) string {
	if w, ok := reasonWords[r]; ok {
		return w
	}
	return strings.ReplaceAll(string(r), "_", " ")
}

// statusView is a status (or an outcome) as shown: its class and icon have its
// name, its word stands beside them.
type statusView struct{ Name, Word string }

func newStatusView[S ~string](s S) statusView {
	return statusView{string(s), strings.ToUpper(string(s)[:1]) + string(s)[1:]}
}

// predicate is a status as a sentence says it of sites: "3 sites in maintenance".
func predicate(st sitemon.Status) string {
	if st == sitemon.StatusMaintenance {
		return "in maintenance"
	}
	return string(st)
}

// timeView is a moment. Scripts show it in the reader's time zone.
type timeView struct {
	Machine string // RFC 3339
	Clock   string // "2006-01-02 15:04:05 UTC"
}

func newTimeView(t time.Time) timeView {
	if t.IsZero() {
		return timeView{}
	}
	t = t.UTC()
	return timeView{t.Format(sitemon.SlotFormat), t.Format("2006-01-02 15:04:05 UTC")}
}

// ageView is a moment and how long ago it was.
type ageView struct {
	timeView
	Short string // "12 d"
	Long  string // "12 d 4 h"
}

// newAgeView returns nil for the zero time.
func newAgeView(t, now time.Time) *ageView {
	if t.IsZero() {
		return nil
	}
	return &ageView{newTimeView(t), ageText(now.Sub(t), false), ageText(now.Sub(t), true)}
}

// ageText is a duration in its largest unit, or in its two largest. times.js says
// the same in the browser.
func ageText(d time.Duration, long bool) string {
	units := []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.size, u.name)
		if next := i + 1; long && i < 2 && d%u.size >= units[next].size {
			text += fmt.Sprintf(" %d %s", d%u.size/units[next].size, units[next].name)
		}
		return text
	}
	return "0 s"
}

// latencyText is a latency as sites.js shows it too; "–" where there is none.
func latencyText(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// percentText is a ratio in percent. It is rounded down, so that only what was
// always up shows as 100 %.
func percentText(ratio float64, decimals int) string {
	if ratio >= 1 {
		return "100 %"
	}
	scale := math.Pow10(decimals)
	return fmt.Sprintf("%.*f %%", decimals, math.Floor(ratio*100*scale+1e-9)/scale)
}

// shareView is an availability beside its coverage.
type shareView struct {
	Window   string // "24 h"
	Text     string // "99.98 %", or "–" where nothing is known
	Coverage string // "34 % known"
	Partly   bool   // a part of the window is known that is worth a word
}

func newShareView(window string, f availability.Figure) shareView {
	v := shareView{Window: window, Text: "–", Partly: f.Coverage > 0 && f.Coverage < 0.995}
	if f.Availability != nil {
		v.Text = percentText(*f.Availability, 2)
	}
	switch {
	case f.Coverage <= 0:
		v.Coverage = "nothing known"
	case f.Coverage < 0.001:
		v.Coverage = "< 0.1 % known"
	case f.Coverage < 0.01:
		v.Coverage = percentText(f.Coverage, 1) + " known"
	default:
		v.Coverage = percentText(f.Coverage, 0) + " known"
	}
	return v
}

// figureNames are the windows of [siteWindows] as shown.
var figureNames = []string{"24 h", "7 d", "30 d", "90 d", "1 y"}

// shareViews are the first n windows' figures; a site without figures has "–".
func shareViews(figures []availability.Figure, n int) []shareView {
	views := make([]shareView, n)
	for i := range views {
		var f availability.Figure
		if i < len(figures) {
			f = figures[i]
		}
		views[i] = newShareView(figureNames[i], f)
	}
	return views
}

// plural is "1 site" or "3 sites".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
