package web_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// reportLink is a link that opens or closes a report, and whether it is open.
var reportLink = regexp.MustCompile(`<th scope="row"><a href="([^"]*)" data-reports aria-expanded="(true|false)">`)

// wantOn fails where a text is missing, or one that begins with ! is there.
func wantOn(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if not, ok := strings.CutPrefix(want, "!"); ok {
			if strings.Contains(text, not) {
				t.Errorf("it says %s", not)
			}
		} else if !strings.Contains(text, want) {
			t.Errorf("it does not say %s", want)
		}
	}
}

// TestReportsOpen: a report opens in its row by its link, with phases, expectations and
// evidence, and closes by the same link.
func TestReportsOpen(t *testing.T) {
	store := newAPIStore()
	store.incidents[0].Evidence[0].Details = richEvidence
	s := newServer(t, store)
	text := page(t, s, "/sites/shop%2Fcheckout?range=7d", 200)
	links := reportLink.FindAllStringSubmatch(text, -1)
	if len(links) != 2 || links[0][2] != "false" {
		t.Fatalf("got the links %q, want one for each of 2 reports", links)
	}
	href := html.UnescapeString(links[0][1])
	if want := "/sites/shop%2Fcheckout?location=default&range=7d&report=2026-11-24T09%3A59%3A37.250Z#reports"; href != want {
		t.Errorf("the first report opens by %s, want %s", href, want)
	}
	target, _, _ := strings.Cut(href, "#")
	text = page(t, s, target+"&parts=reports", 200)
	links = reportLink.FindAllStringSubmatch(text, -1)
	if links[0][2] != "true" || links[1][2] != "false" || links[0][1] != "/sites/shop%2Fcheckout?range=7d#reports" {
		t.Errorf("got the links %q, want the first open, which closes", links)
	}
	wantOn(t, text,
		`<th scope="row"><span class="swatch fill-tls"></span>tls</th>`, `>0.5 ms</td><td class="num">1.9 ms<`, // from, took
		`<bdi>status</bdi></th><td class="mono"><bdi>200-299, 304</bdi></td><td class="mono"><bdi>503</bdi>`,
		`<h3>Evidence</h3>`, `&lt;`, `!<script>alert`,
	)
}

// TestReportDeepLink: a report that is on another page of the list is shown above it,
// and one that is not there says so.
func TestReportDeepLink(t *testing.T) {
	s := newServer(t, newAPIStore())
	for _, c := range []struct {
		name, query string
		status      int
		want        []string
	}{
		{"under a filter", "outcome=down&report=2026-11-24T09:59:07.250Z", 200, []string{"report of <time", "Up</span>", `href="/sites/shop%2Fcheckout?outcome=down#reports" data-reports>Close`}},
		{"gone", "report=2026-11-24T09:00:00Z", 200, []string{"There is no report of this slot."}},
		{"of another location", "report=2026-11-24T09:59:37.250Z&location=eu", 200, []string{"There is no report of this slot."}},
		{"without evidence", "report=2026-11-24T09:59:37.250Z", 200, []string{"GET"}},
		{"no time", "report=yesterday", 400, []string{"yesterday"}},
		{"no outcome", "outcome=bad", 400, []string{"outcome"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantOn(t, page(t, s, "/sites/shop%2Fcheckout?"+c.query, c.status), c.want...)
		})
	}
}

// TestReportFilters: outcomes and pages are links that keep the rest of the address.
func TestReportFilters(t *testing.T) {
	store := newAPIStore()
	for i := range 60 {
		r := store.reports[1]
		r.Slot = r.Slot.Add(-time.Duration(i+1) * time.Minute)
		store.reports = append(store.reports, r)
	}
	s := newServer(t, store)
	text := page(t, s, "/sites/shop%2Fcheckout?range=7d&outcome=up&parts=reports", 200)
	wantOn(t, text, `?outcome=down&amp;range=7d#reports" data-reports>`, `?outcome=up&amp;range=7d#reports" data-reports aria-current="true"`,
		`?before=second&amp;outcome=up&amp;range=7d#reports" data-reports>Older`, "!503")
	text = page(t, s, "/sites/shop%2Fcheckout?before=second&outcome=up&parts=reports", 200)
	wantOn(t, text, "Older reports</h2>", `href="/sites/shop%2Fcheckout?outcome=up#reports" data-reports>Newest`, "data-old")
}

// TestReportExpectations: each expectation has a verdict, as far as a report tells.
func TestReportExpectations(t *testing.T) {
	for _, c := range []struct {
		name     string
		edit     func(*sitemon.Report)
		evidence string
		want     []string
	}{
		{"up", func(r *sitemon.Report) {
			r.Outcome, r.Reason, r.Error, r.StatusCode = sitemon.OutcomeUp, "", "", 204
			r.Values = `{"queue":7.5}`
		}, "", []string{
			`<dt><bdi>queue</bdi></dt><dd class="mono"><bdi>7.5</bdi>`, `latency</bdi></th><td class="mono"><bdi>2s</bdi></td><td class="mono"><bdi>18 ms</bdi></td><td class="nowrap"><span class="status up">`,
			`<bdi>204</bdi></td><td class="nowrap"><span class="status up">`,
		}},
		{"down by its status", func(*sitemon.Report) {}, "", []string{`<bdi>503</bdi></td><td class="nowrap"><span class="status down">`, "Not judged"}},
		{"down, all judged", func(*sitemon.Report) {}, `{"expectations":[{"name":"status","expected":"200-299, 304","seen":"503"}]}`, []string{
			`<bdi>503</bdi></td><td class="nowrap"><span class="status down">`, "!Not judged",
		}},
		{"down by something without a key", func(*sitemon.Report) {}, `{"expectations":[{"name":"queue","expected":"queue < 5","seen":"7"}]}`, []string{
			"Not judged", `<bdi>queue &lt; 5</bdi></td><td class="mono"><bdi>7</bdi></td><td class="nowrap"><span class="status down">`,
		}},
		{"not reached", func(r *sitemon.Report) { r.Reason, r.StatusCode = sitemon.ReasonConnectRefused, 0 }, "", []string{"Not judged", "!Not met"}},
		{"degraded", func(r *sitemon.Report) {
			r.Outcome, r.Reason, r.StatusCode, r.Duration = sitemon.OutcomeDegraded, sitemon.ReasonLatency, 200, 3*time.Second
		}, "", []string{`<bdi>3.00 s</bdi></td><td class="nowrap"><span class="status degraded">`, `<bdi>200</bdi></td><td class="nowrap"><span class="status up">`}},
		{"by an older definition", func(r *sitemon.Report) { r.Generation = 16 }, "", []string{"The definition has changed since, with generation 17.", "!Not judged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			c.edit(&store.reports[0])
			store.incidents[0].Evidence[0].Details = c.evidence
			text := page(t, newServer(t, store), "/sites/shop%2Fcheckout?report=2026-11-24T09:59:37.250Z&parts=reports", 200)
			wantOn(t, text, c.want...)
		})
	}
}
