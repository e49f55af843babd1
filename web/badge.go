package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sitemon"
	"sitemon/availability"
	"sitemon/web/auth"
)

// badgeTime is how long reading what a badge says may take.
const badgeTime = 3 * time.Second

// The colours of badges: good, so-so, bad, and nothing to say.
const (
	colorGood    = "#2f8132"
	colorFair    = "#a86500"
	colorBad     = "#c93434"
	colorNeutral = "#667085"
	colorPaused  = "#3b6fb6"
)

// getBadge draws a site's status, its uptime over 30 days or its mean latency
// over a day, for a README or a dashboard.
func (s *Server) getBadge(w http.ResponseWriter, r *http.Request) error {
	draw, ok := map[string]func(*http.Request, sitemon.SiteState) (badge, error){
		"status.svg": s.statusBadge, "uptime.svg": s.uptimeBadge, "latency.svg": s.latencyBadge,
	}[r.PathValue("file")]
	if !ok {
		return problemf(http.StatusNotFound, "there is no such badge; possible: status.svg, uptime.svg, latency.svg")
	}
	name := r.PathValue("name")
	public := s.Auth == nil || s.status.isPublic(r.Context(), name)
	if !public && !s.principal(r).Role.Allows(auth.Viewer) {
		return errNoRoute // and does not tell whether there is such a site
	}
	key := badgeKey{name, r.PathValue("file")}
	b, err := s.drawBadge(r, name, draw)
	switch {
	case err == nil:
		s.status.keepBadge(key, b)
	case errors.Is(err, sitemon.ErrNotFound):
		return err
	default: // the database is away
		old, ok := s.status.oldBadge(key)
		if !ok {
			return err
		}
		b = old
	}
	svg := b.svg()
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Length", strconv.Itoa(len(svg)))
	h.Set("Cache-Control", cacheFor(public, "max-age=60"))
	_, _ = w.Write([]byte(svg)) // the client may be gone; there is nobody to tell
	return nil
}

// drawBadge reads what a badge says; a database that hangs is not waited for.
func (s *Server) drawBadge(r *http.Request, name string, draw func(*http.Request, sitemon.SiteState) (badge, error)) (badge, error) {
	ctx, cancel := context.WithTimeout(r.Context(), badgeTime)
	defer cancel()
	st, err := s.Sites.Site(ctx, name)
	if err != nil {
		return badge{}, err
	}
	return draw(r.WithContext(ctx), st)
}

func (s *Server) statusBadge(_ *http.Request, st sitemon.SiteState) (badge, error) {
	return newStatusBadge(st.Status), nil
}

func newStatusBadge(st sitemon.Status) badge {
	colors := map[sitemon.Status]string{
		sitemon.StatusUp: colorGood, sitemon.StatusDegraded: colorFair, sitemon.StatusDown: colorBad,
		sitemon.StatusMaintenance: colorPaused, sitemon.StatusPaused: colorPaused,
	}
	color, ok := colors[st]
	if !ok { // nor is it a text to write into an image
		st, color = sitemon.StatusUnknown, colorNeutral
	}
	return badge{"status", string(st), color}
}

func (s *Server) uptimeBadge(r *http.Request, st sitemon.SiteState) (badge, error) {
	figures, err := s.figures.of(r.Context(), []string{st.Name})
	if err != nil {
		return badge{}, err
	}
	const month = 2 // its place in figureWindows
	if f := figures[st.Name]; len(f) > month {
		return newUptimeBadge(f[month].Availability), nil
	}
	return newUptimeBadge(nil), nil
}

// newUptimeBadge says an availability over 30 days; nil: nothing is known.
func newUptimeBadge(a *float64) badge {
	switch {
	case a == nil:
		return badge{"uptime 30d", "unknown", colorNeutral}
	case *a >= 0.999:
		return badge{"uptime 30d", percent(*a), colorGood}
	case *a >= 0.99:
		return badge{"uptime 30d", percent(*a), colorFair}
	}
	return badge{"uptime 30d", percent(*a), colorBad}
}

// percent writes a ratio with two decimals, rounded down: 100% means always.
func percent(ratio float64) string {
	// The small addend undoes what a float is short of its decimal form.
	hundredths := math.Floor(ratio*10000 + 1e-7)
	return strconv.FormatFloat(hundredths/100, 'f', -1, 64) + "%"
}

func (s *Server) latencyBadge(r *http.Request, st sitemon.SiteState) (badge, error) {
	now := s.Now()
	result, err := s.History.Availability(r.Context(), availability.Query{
		Site: st.Name, From: now.Add(-day), To: now, Step: day,
	})
	if err != nil {
		return badge{}, err
	}
	var sum time.Duration
	var n int
	for _, bucket := range result.Buckets {
		if bucket.Latency != nil {
			sum += bucket.Latency.Mean * time.Duration(bucket.Reports)
			n += bucket.Reports
		}
	}
	if n == 0 {
		return badge{"latency 24h", "unknown", colorNeutral}, nil
	}
	mean := sum / time.Duration(n)
	text := strconv.FormatInt(mean.Milliseconds(), 10) + " ms"
	if mean < 10*time.Millisecond {
		text = strconv.FormatFloat(float64(mean.Microseconds())/1000, 'f', 1, 64) + " ms"
	}
	return badge{"latency 24h", text, colorPaused}, nil
}

// badge is a label and a value beside each other.
type badge struct{ label, value, color string }

// svg draws the badge, 20 pixels high. The texts are stretched to the widths
// that are reckoned for them, so that they fit in whatever font there is.
func (b badge) svg() string {
	const height, margin = 20, 6
	left, right := textWidth(b.label), textWidth(b.value)
	split := left + 2*margin
	width := split + right + 2*margin
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" aria-label="%s: %s">`,
		width, height, escapeXML(b.label), escapeXML(b.value))
	fmt.Fprintf(&out, `<title>%s: %s</title>`, escapeXML(b.label), escapeXML(b.value))
	fmt.Fprintf(&out, `<clipPath id="r"><rect width="%d" height="%d" rx="3"/></clipPath><g clip-path="url(#r)">`, width, height)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#444c56"/>`, split, height)
	fmt.Fprintf(&out, `<rect x="%d" width="%d" height="%d" fill="%s"/></g>`, split, width-split, height, b.color)
	out.WriteString(`<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">`)
	fmt.Fprintf(&out, `<text x="%d" y="14" textLength="%d">%s</text>`, margin, left, escapeXML(b.label))
	fmt.Fprintf(&out, `<text x="%d" y="14" textLength="%d">%s</text></g></svg>`, split+margin, right, escapeXML(b.value))
	return out.String()
}

// textWidth reckons the width in pixels of a text in 11 px Verdana.
func textWidth(text string) int {
	width := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("il.,:' |", r):
			width += 3.9
		case strings.ContainsRune("mwMW%", r):
			width += 10.8
		case r < utf8.RuneSelf:
			width += 6.9
		default:
			width += 9
		}
	}
	return int(math.Ceil(width))
}

func escapeXML(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}
