package web

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

const (
	// certificateSoon is from when on a certificate is shown as one that ends soon.
	certificateSoon = 30 * day
	// certificateAlarm is how long before its end a calendar rings.
	certificateAlarm = 7 * day
)

// certificatesPage is the page of all certificates.
type certificatesPage struct {
	layout
	Text  string // what is searched for
	Rows  []certificateRow
	Found string
	Any   bool
	Soon  string // "2 of 40 certificates end within 30 days"
}

// certificateRow is a certificate in the list.
type certificateRow struct {
	Site, URL, Group, Target string
	Ends                     timeView
	Left                     string // "in 41 d", "3 d ago"
	Status                   statusView
}

// certificate is the end of a site's certificate, as its newest report has it.
type certificate struct {
	site sitemon.SiteState
	ends time.Time
}

// newCertificateCache keeps the ends of certificates, which hardly ever change; the
// zero time: there is none.
func newCertificateCache(sites Sites, now func() time.Time) *siteCache[time.Time] {
	return newSiteCache(trendAge, now, nil, func(ctx context.Context, names []string) (map[string]time.Time, error) {
		whole, err := sites.Sites(ctx, sitemon.SiteQuery{Names: names})
		ends := make(map[string]time.Time, len(whole))
		for i := range whole {
			ends[whole[i].Name] = time.Time{}
			if r := whole[i].LastReport; r != nil {
				ends[whole[i].Name] = r.CertificateExpiresAt
			}
		}
		return ends, err
	})
}

// certificates lists those of the sites whose name, address or group holds a text,
// the one that ends first in front.
func (s *Server) certificates(ctx context.Context, text string) ([]certificate, error) {
	all, err := s.Sites.Sites(ctx, sitemon.SiteQuery{Brief: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range all {
		if all[i].Enabled {
			names = append(names, all[i].Name)
		}
	}
	ends, err := s.expiries.of(ctx, names)
	if err != nil {
		return nil, err
	}
	var found []certificate
	for i := range all {
		if at := ends[all[i].Name]; !at.IsZero() && (siteFilter{Text: text}).matches(&all[i]) {
			found = append(found, certificate{all[i], at})
		}
	}
	slices.SortStableFunc(found, func(a, b certificate) int { return a.ends.Compare(b.ends) })
	return found, nil
}

// certificatesPage lists all certificates.
func (s *Server) certificatesPage(w http.ResponseWriter, r *http.Request) error {
	d := certificatesPage{Text: strings.TrimSpace(r.URL.Query().Get("q"))}
	d.layout = s.layoutOf(r, "certificates", "Certificates", "certificates")
	d.Poll = 60
	found, err := s.certificates(r.Context(), d.Text)
	if err != nil {
		return err
	}
	now, soon := s.Now(), 0
	for _, c := range found {
		row := certificateRow{
			Site: c.site.Name, URL: siteURL(c.site.Name), Group: c.site.Group, Target: sitemon.RedactURL(c.site.URL), Ends: newTimeView(c.ends),
			Left: "in " + ageText(c.ends.Sub(now), false), Status: statusView{"up", "Good"},
		}
		switch left := c.ends.Sub(now); {
		case left <= 0:
			row.Left, row.Status = ageText(-left, false)+" ago", statusView{"down", "Ended"}
			soon++
		case left < certificateSoon:
			row.Status = statusView{"degraded", "Ends soon"}
			soon++
		}
		d.Rows = append(d.Rows, row)
	}
	d.Any, d.Found = d.Text != "" || len(found) > 0, plural(len(found), "certificate")+" found"
	d.Soon = plural(len(found), "certificate") + ", none ends within 30 days"
	if soon > 0 {
		d.Soon = fmt.Sprintf("%d of %s ended or end within 30 days", soon, plural(len(found), "certificate"))
	}
	return s.render(w, http.StatusOK, "certificates", partsOf(r), d)
}

// certificatesCalendar answers with the ends of all certificates as a calendar.
func (s *Server) certificatesCalendar(w http.ResponseWriter, r *http.Request) error {
	found, err := s.certificates(r.Context(), "")
	if err != nil {
		return err
	}
	c := newICalendar("Certificates")
	for _, one := range found {
		c.add(icalEvent{
			uid: fmt.Sprintf("certificate-%s-%d@sitemon", one.site.Name, one.ends.Unix()), stamp: one.ends.Add(-certificateSoon), start: one.ends, end: one.ends.Add(time.Hour),
			summary: "The certificate of " + one.site.Name + " ends", text: sitemon.RedactURL(one.site.URL), url: base(r) + siteURL(one.site.Name), alarm: certificateAlarm,
		})
	}
	return answerFeed(w, r, false, "text/calendar; charset=utf-8", []byte(c.text()))
}

// certificatesTable answers with all certificates as CSV.
func (s *Server) certificatesTable(w http.ResponseWriter, r *http.Request) error {
	found, err := s.certificates(r.Context(), "")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	_ = out.Write([]string{"site", "group", "url", "ends_at", "days_left"}) // a buffer takes everything
	for _, c := range found {
		days := int(c.ends.Sub(s.Now()).Hours() / 24)
		_ = out.Write([]string{
			sitemon.SpreadsheetText(c.site.Name), sitemon.SpreadsheetText(c.site.Group), sitemon.SpreadsheetText(sitemon.RedactURL(c.site.URL)),
			c.ends.UTC().Format(time.RFC3339), strconv.Itoa(days),
		})
	}
	out.Flush()
	w.Header().Set("Content-Disposition", `attachment; filename="certificates.csv"`)
	return answerFeed(w, r, false, "text/csv; charset=utf-8", b.Bytes())
}

// getCertificates answers with all certificates.
func (s *Server) getCertificates(w http.ResponseWriter, r *http.Request) error {
	found, err := s.certificates(r.Context(), strings.TrimSpace(r.URL.Query().Get("q")))
	if err != nil {
		return err
	}
	answer := certificatesJSON{Certificates: make([]certificateJSON, len(found))}
	for i, c := range found {
		answer.Certificates[i] = certificateJSON{c.site.Name, c.site.Group, sitemon.RedactURL(c.site.URL), c.ends.UTC(), int64(c.ends.Sub(s.Now()).Seconds())}
	}
	return answerJSON(w, answer)
}

type certificatesJSON struct {
	Certificates []certificateJSON `json:"certificates"`
}

type certificateJSON struct {
	Site   string    `json:"site"`
	Group  string    `json:"group"`
	URL    string    `json:"url"`
	EndsAt time.Time `json:"ends_at"`
	LeftS  int64     `json:"left_s"`
}
