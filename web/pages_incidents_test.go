package web_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/web"
)

// richEvidence has everything that evidence can have, written by a site that means
// harm.
const richEvidence = `{"reason":"status","error":"status 503, expected 200-299",` +
	`"request":{"method":"GET","url":"https://shop.example.org/login?token=<redacted>","headers":{"User-Agent":"SiteMon"}},` +
	`"redirects":[{"url":"https://shop.example.org/","status_code":302,"location":"javascript:alert(1)"}],` +
	`"response":{"protocol":"HTTP/1.1","status":"503 Service Unavailable","headers":{"X-Evil":"<img src=x onerror=alert(1)>"},"body":"<script>alert(1)</script></pre></textarea> ` + "```` @everyone ![x](https://evil.example.org/)" + `"},` +
	`"expectations":[{"name":"status","expected":"200-299","seen":"503"}],"addresses":["192.0.2.7:443"],` +
	`"phases_us":{"resolve":301,"connect":240,"tls":1911,"processing":-1,"transfer":9223372036854775807},` +
	`"tls":{"version":"TLS 1.3","cipher_suite":"TLS_AES_128_GCM_SHA256","certificates":[{"subject":"CN=<b>","issuer":"CN=CA","not_after":"2027-01-03T00:00:00Z","names":["shop.example.org"],"names_total":3}]},` +
	`"cut":["body","headers","tls"]}`

var incidentLink = regexp.MustCompile(`<tr class="is-(\w+)">\s*<td[^>]*>.*?</td>\s*<th[^>]*><a href="/incidents/(\d+)"`)

// incidentsOf are the incidents on a page as "open 42".
func incidentsOf(text string) []string {
	var found []string
	for _, m := range incidentLink.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1]+" "+m[2])
	}
	return found
}

// manyIncidents makes a store of open and resolved incidents, newest first, numbered
// down to 1.
func manyIncidents(open, resolved int) *apiStore {
	f := newAPIStore()
	going, over := f.incidents[0], f.incidents[1]
	f.incidents = nil
	for i := range open + resolved {
		one := going
		if i >= open {
			one = over
		}
		one.ID = int64(open + resolved - i)
		f.incidents = append(f.incidents, one)
	}
	return f
}

func TestIncidentsSentence(t *testing.T) {
	for _, c := range []struct {
		name        string
		open, known int
		target      string
		want        string
	}{
		{"none", 0, 0, "/incidents", "No incident is open"},
		{"none of a site", 0, 0, "/incidents?site=docs", "No incident of docs is open"},
		{"one", 1, 0, "/incidents", "1 incident is open"},
		{"one acknowledged", 1, 1, "/incidents", "1 incident is open, and acknowledged"},
		{"two", 2, 0, "/incidents?open=false", "2 incidents are open"},
		{"two of a site", 2, 0, "/incidents?site=shop%2Fcheckout", "2 incidents of shop/checkout are open"},
		{"some acknowledged", 3, 1, "/incidents", "3 incidents are open, 1 of them acknowledged"},
		{"all acknowledged", 2, 2, "/incidents", "2 incidents are open, all acknowledged"},
		{"very many", web.IncidentsShown + 1, 0, "/incidents", "More than 100 incidents are open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := manyIncidents(c.open, 1)
			for i := range c.known {
				store.incidents[i].AcknowledgedAt = testNow
			}
			text := page(t, newServer(t, store), c.target, 200)
			if got := headingOf(text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if down := strings.Contains(text, "favicon-down.svg"); down != (c.open > 0) {
				t.Errorf("the icon says down: %t", down)
			}
		})
	}
}

func TestIncidentsFilters(t *testing.T) {
	store := newAPIStore()
	withdrawn := store.incidents[1]
	withdrawn.ID, withdrawn.Withdrawn = 40, true
	store.incidents = append([]sitemon.Incident{store.incidents[1], store.incidents[0]}, withdrawn)
	s := newServer(t, store)
	for _, c := range []struct {
		target string
		want   []string
	}{
		{"/incidents", []string{"open 42", "resolved 41"}},
		{"/incidents?open=true", []string{"open 42"}},
		{"/incidents?open=false", []string{"resolved 41"}},
		{"/incidents?site=docs", []string{"resolved 41"}},
		{"/incidents?site=docs&open=true", nil},
		{"/incidents?open=&site=", []string{"open 42", "resolved 41"}},
	} {
		t.Run(c.target, func(t *testing.T) {
			if got := incidentsOf(page(t, s, c.target, 200)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	text := page(t, s, "/incidents?site=docs&open=true", 200)
	for _, want := range []string{
		`No incident is open, of docs`, `href="/incidents?site=docs"`, `href="/incidents?open=false&amp;site=docs"`, `name="open" value="true"`,
		`name="site" value="docs"`, `data-events="/api/v1/events?types=incident,config,notices&amp;site=docs"`, `<option>new</option>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	row := words(page(t, s, "/incidents?open=false", 200))
	if want := "Connecting timed out because of shop/checkout no connection within 10s default 2026-11-24 07:59:37 UTC 1 h"; !strings.Contains(row, want) {
		t.Errorf("the row does not say %q; the page says\n%s", want, row)
	}
}

// All of them are on the pages that lead on from one to the next, none twice.
func TestIncidentsAreShownInPages(t *testing.T) {
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`)
	for _, c := range []struct {
		target         string
		open, resolved int
		pages, want    int
	}{
		{"/incidents", 3, 2*web.IncidentsShown + 1, 3, 2*web.IncidentsShown + 4},
		{"/incidents?open=true", web.IncidentsShown + 1, 5, 2, web.IncidentsShown + 1},
		{"/incidents?open=false&site=docs", 5, web.IncidentsShown + 1, 2, web.IncidentsShown + 1},
		{"/incidents", web.IncidentsShown + 1, 5, 1, web.IncidentsShown + 5},
	} {
		t.Run(c.target, func(t *testing.T) {
			s := newServer(t, manyIncidents(c.open, c.resolved))
			var all []string
			pages := 0
			for target := c.target; target != ""; pages++ {
				text := page(t, s, target, 200)
				all = append(all, incidentsOf(text)...)
				if back := strings.Contains(text, `rel="first"`); back != (pages > 0) {
					t.Errorf("page %d leads to the newest: %t", pages, back)
				}
				target = ""
				if m := next.FindStringSubmatch(text); m != nil {
					target = html.UnescapeString(m[1])
				}
			}
			got := len(all)
			slices.Sort(all)
			if n := len(slices.Compact(all)); n != got || n != c.want || pages != c.pages {
				t.Errorf("got %d incidents (%d different) on %d pages, want %d on %d", got, n, pages, c.want, c.pages)
			}
		})
	}
	if text := page(t, newServer(t, manyIncidents(web.IncidentsShown+1, 1)), "/incidents", 200); !strings.Contains(text, `<a href="/incidents?open=true">All open`) {
		t.Error("open incidents that are left out are not led to")
	}
}

func TestIncidentPage(t *testing.T) {
	store := newAPIStore()
	store.incidents[0].Evidence[0].Details = richEvidence
	newest := store.incidents[0].Evidence[0]
	newest.Slot, newest.Details = newest.Slot.Add(time.Minute), `[1]`
	store.incidents[0].Evidence = append([]sitemon.Evidence{newest}, store.incidents[0].Evidence...)
	text := words(page(t, newServer(t, store), "/incidents/42", 200))
	for _, want := range []string{
		"shop/checkout has been down for 22 s : status 503, expected 200-299", "Status Open Started 2026-11-24 09:59:37 UTC",
		"Location default Reports 1 failed report", "First failed report default 2026-11-24 09:59:37 UTC status 503, expected 200-299",
		"The site is down 2026-11-24 09:59:37 UTC", "Nobody has acknowledged it yet.", "Unexpected status code : status 503", "Expectation Expected Seen status 200-299 503",
		"resolve 0.3 ms connect 0.2 ms tls 1.9 ms Request", "GET https://shop.example.org/login?token=<redacted> User-Agent SiteMon",
		"HTTP/1.1 503 Service Unavailable X-Evil <img src=x onerror=alert(1)> <script>alert(1)</script></pre></textarea>",
		"https://shop.example.org/ 302 Found to javascript:alert(1)", "Addresses tried 192.0.2.7:443", "TLS 1.3, TLS_AES_128_GCM_SHA256",
		"CN=<b> for shop.example.org and 2 more issued by CN=CA , until 2027-01-03 00:00:00 UTC", "Shortened to fit: body, headers and tls.",
		"Newest failed report default 2026-11-24 10:00:37 UTC [1]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it says\n%s", text)
	}
}

func TestIncidentHeadlines(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*sitemon.Incident)
		want string
	}{
		{"recovered", func(*sitemon.Incident) {}, "docs was down for 1 h: no connection within 10s"},
		{"in minutes", func(i *sitemon.Incident) { i.EndedAt = i.StartedAt.Add(12*time.Minute + 4*time.Second) }, "docs was down for 12 min 4 s: no connection within 10s"},
		{"paused", func(i *sitemon.Incident) { i.End = sitemon.EndPaused }, "docs was down for 1 h, until it was paused: no connection within 10s"},
		{"removed", func(i *sitemon.Incident) { i.End = sitemon.EndRemoved }, "docs was down for 1 h, until it was removed: no connection within 10s"},
		{"maintenance", func(i *sitemon.Incident) { i.End = sitemon.EndMaintenance }, "docs was down for 1 h, until a maintenance began: no connection within 10s"},
		{"withdrawn", func(i *sitemon.Incident) { i.Withdrawn = true }, "docs was not down after all: late reports show that it did not take place"},
		{"without an error", func(i *sitemon.Incident) { i.Error = "" }, "docs was down for 1 h: connecting timed out"},
		{"a long error", func(i *sitemon.Incident) { i.Error = strings.Repeat("é", 500) }, "docs was down for 1 h: " + strings.Repeat("é", 119) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			c.edit(&store.incidents[1])
			s := newServer(t, store)
			if got := headingOf(page(t, s, "/incidents/41", 200)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			first, _, _ := strings.Cut(body(ask(s, "GET", "/incidents/41.md")), "\n")
			if want := "# Incident 41: `" + c.want + "`"; first != want {
				t.Errorf("as Markdown: got %q, want %q", first, want)
			}
		})
	}
}

func TestTimelineWords(t *testing.T) {
	store := newAPIStore()
	var timeline []sitemon.IncidentEvent
	for i, e := range []sitemon.IncidentEvent{
		{Kind: sitemon.EventFailed, Location: "berlin", Text: "connection refused"},
		{Kind: sitemon.EventAlert, Text: "docs is down was told to ops"},
		{Kind: sitemon.EventAcknowledged, By: "ann"},
		{Kind: sitemon.EventComment, By: "ann", Text: "one\ntwo"},
		{Kind: sitemon.EventReload, Text: "the site was changed: interval"},
		{Kind: sitemon.EventParent, Text: "router is down, on which it depends"},
		{Kind: sitemon.EventRecovered, Location: "berlin"},
		{Kind: sitemon.EventEnded, Text: "the site recovered"},
		{Kind: sitemon.EventWithdrawn, Text: "late reports show that it did not take place"},
		{Kind: "moved", Text: "elsewhere"},
	} {
		e.At = testNow.Add(time.Duration(i) * time.Second)
		timeline = append(timeline, e)
	}
	store.incidents[1].Timeline = timeline
	s := newServer(t, store)
	text := words(page(t, s, "/incidents/41?parts=timeline", 200))
	want := "First failed report berlin 2026-11-24 10:00:00 UTC connection refused " +
		"Alert 2026-11-24 10:00:01 UTC docs is down was told to ops " +
		"Acknowledged by ann 2026-11-24 10:00:02 UTC " +
		"Comment by ann 2026-11-24 10:00:03 UTC one two " +
		"Reload 2026-11-24 10:00:04 UTC the site was changed: interval " +
		"Dependency 2026-11-24 10:00:05 UTC router is down, on which it depends " +
		"First good report berlin 2026-11-24 10:00:06 UTC " +
		"The site recovered 2026-11-24 10:00:07 UTC " +
		"Withdrawn 2026-11-24 10:00:08 UTC late reports show that it did not take place " +
		"Note 2026-11-24 10:00:09 UTC moved elsewhere"
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	md := body(ask(s, "GET", "/incidents/41.md"))
	for _, want := range []string{
		"- 2026-11-24 10:00:00 UTC: First failed report from `berlin`: `connection refused`\n", "- 2026-11-24 10:00:02 UTC: Acknowledged by `ann`\n",
		"- 2026-11-24 10:00:03 UTC: Comment by `ann`: `one two`\n", "- Depends on: `shop/checkout`\n", "- Acknowledged: 2026-11-24 08:19:37 UTC `ann`\n",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the Markdown does not say %q; it says\n%s", want, md)
		}
	}
}

// What a site writes is text: on the page, and in the Markdown.
func TestIncidentPagesEscape(t *testing.T) {
	store := newAPIStore()
	evil := "<script>alert(1)</script> ` [x](https://evil.example.org/) @everyone\n# not a title"
	i := &store.incidents[0]
	i.Error, i.AcknowledgedBy, i.AcknowledgedAt, i.Parent, i.Group = evil, evil, testNow, evil, evil
	i.Locations = []string{evil}
	i.Evidence[0].Details = richEvidence
	i.Evidence = append(i.Evidence, sitemon.Evidence{Location: evil, Details: "<script>alert(2)</script>"})
	for _, kind := range []sitemon.IncidentEventKind{sitemon.EventFailed, sitemon.EventComment, sitemon.EventAlert, "<script>"} {
		i.Timeline = append(i.Timeline, sitemon.IncidentEvent{Kind: kind, Location: evil, By: evil, Text: evil})
	}
	s := newServer(t, store)
	for _, target := range []string{"/incidents", "/incidents/42", "/sites/shop%2Fcheckout", "/incidents?site=" + url.QueryEscape(evil)} {
		text := page(t, s, target, 200)
		for _, bad := range []string{"<script>alert", "<img src=x", "</pre></textarea>", `href="javascript`, "ZgotmplZ", "<b>\"", "CN=<b>"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", target, bad)
			}
		}
	}
	w := ask(s, "GET", "/incidents/42.md")
	if got := w.Header().Get("Content-Type"); w.Code != 200 || got != "text/plain; charset=utf-8" {
		t.Fatalf("got status %d, type %q", w.Code, got)
	}
	md := body(w)
	if !strings.Contains(md, "\n`````text\n") || !strings.HasSuffix(md, "\n`````") {
		t.Errorf("no fence is longer than what it holds:\n%s", md)
	}
	code := regexp.MustCompile("(?s)\n`````text\n.*?\n`````|\n```text\n.*?\n```|``[^`].*?[^`]``|`[^`]+`")
	if rest := code.ReplaceAllString(md, ""); strings.Contains(rest, "evil") || strings.Contains(rest, "@everyone") || strings.Contains(rest, "# not") {
		t.Errorf("outside of code the Markdown holds\n%s", rest)
	}
}

func TestIncidentForms(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, target string
		headers      []string
		status       int
		want         string // where it leads to, or what the page of the error says
		last         string // in the timeline
	}{
		{"acknowledge", "/incidents/42/acknowledge", []string{form, "Body: by=+ann+"}, 303, "/incidents/42", "acknowledged ann "},
		{"acknowledge, without a name", "/incidents/42/acknowledge", nil, 303, "/incidents/42", "acknowledged  "},
		{"acknowledge with a comment", "/incidents/42/acknowledge", []string{form, "Body: by=ann&text=I+see"}, 303, "/incidents/42", "comment ann I see"},
		{"comment", "/incidents/42/comments", []string{form, "Body: by=ann&text=one%0D%0Atwo"}, 303, "/incidents/42#timeline", "comment ann one\ntwo"},
		{"empty", "/incidents/42/comments", []string{form, "Body: by=ann&text=+"}, 400, "the comment has no text", ""},
		{"too long", "/incidents/42/comments", []string{form, "Body: text=" + strings.Repeat("x", 4001)}, 400, "text has more than 4000 characters", ""},
		{"a long name", "/incidents/42/acknowledge", []string{form, "Body: by=" + strings.Repeat("x", 201)}, 400, "by has more than 200 characters", ""},
		{"no UTF-8", "/incidents/42/comments", []string{form, "Body: text=%ff"}, 400, "not in UTF-8", ""},
		{"NUL", "/incidents/42/comments", []string{form, "Body: text=%00"}, 400, "NUL", ""},
		{"can't be read", "/incidents/42/comments", []string{form, "Body: text=%zz"}, 400, "could not be read", ""},
		{"no such incident", "/incidents/9/comments", []string{form, "Body: text=x"}, 404, "there is no such incident", ""},
		{"no number", "/incidents/x/acknowledge", nil, 404, "there is no such incident", ""},
		{"from a page of another origin", "/incidents/42/acknowledge", []string{"Origin: https://evil.example.org"}, 403, "another origin", ""},
		{"from a page of another origin, says the browser", "/incidents/42/comments", []string{form, "Sec-Fetch-Site: cross-site", "Body: text=x"}, 403, "another origin", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			hub := web.NewHub()
			sub, _ := hub.Subscribe()
			defer sub.Close()
			before := len(store.incidents[0].Timeline)
			w := ask(newServer(t, store, func(o *web.Options) { o.Hub = hub }), "POST", c.target, c.headers...)
			wantStatus(t, w, c.status)
			if got := w.Header().Get("Location"); c.status == 303 && got != c.want {
				t.Errorf("it leads to %q, want %q", got, c.want)
			} else if c.status != 303 && !strings.Contains(body(w), c.want) {
				t.Errorf("the answer does not say %q", c.want)
			}
			timeline, last := store.incidents[0].Timeline, ""
			if len(timeline) > before {
				e := timeline[len(timeline)-1]
				last = fmt.Sprintf("%s %s %s", e.Kind, e.By, e.Text)
				if events, err := sub.Next(t.Context(), nil); err != nil || events[0].Name != "incident" {
					t.Errorf("got the events %v (%v), want one of the incident", events, err)
				}
			}
			if last != c.last {
				t.Errorf("the timeline ends with %q, want %q", last, c.last)
			}
		})
	}
}

func TestIncidentPageErrors(t *testing.T) {
	s := newServer(t, newAPIStore())
	for target, want := range map[string]string{
		"/incidents/9": "404 Not Found there is no such incident", "/incidents/9.md": "404 Not Found there is no such incident",
		"/incidents/.md": "404 Not Found there is no such incident", "/incidents/x": "404 Not Found there is no such incident",
		"/incidents/42/": "404 Not Found there is nothing", "/incidents?open=maybe": `400 Bad Request open: "maybe" is neither true nor false`,
		"/incidents?cursor=x": `400 Bad Request cursor: "x" is not one that a page leads to`, "/incidents?open=true&cursor=x": "400 Bad Request cursor",
		"/incidents?site=%00": "400 Bad Request site: holds a NUL", "/incidents/42?parts=layout": "400 Bad Request parts",
	} {
		w := ask(s, "GET", target)
		if text := words(body(w)); !strings.Contains(text, want) {
			t.Errorf("%s: status %d, %s; want %q", target, w.Code, text, want)
		}
	}
}

func TestSitePageShowsIncidentsAndLocations(t *testing.T) {
	store := manyIncidents(2, 12)
	site := &store.sites[0]
	text := words(page(t, newServer(t, store), "/sites/docs?parts=incidents,locations", 200))
	if got := strings.Count(text, "Resolved Connecting timed out no connection within 10s default 1 h"); got != 10 || !strings.Contains(text, "Incidents All of docs") {
		t.Errorf("got %d incidents, want the newest 10; the page says\n%s", got, text)
	}
	if text := page(t, newServer(t, store), "/sites/docs?parts=locations", 200); !strings.Contains(text, `"locations-title" hidden>`) {
		t.Error("one location alone is listed")
	}
	site.Locations = append(site.Locations, sitemon.LocationState{Location: "berlin", Status: sitemon.StatusDown, Since: testNow.Add(-time.Hour), Reason: sitemon.ReasonDNSNotFound, Error: "no such host", LastSlot: testNow.Add(-time.Minute)})
	text = words(page(t, newServer(t, store), "/sites/docs?parts=locations", 200))
	if want := "default Up 1 h 52 s ago berlin Down Name not found no such host 1 h 1 min ago"; !strings.Contains(text, want) {
		t.Errorf("the page does not say %q; it says\n%s", want, text)
	}
	if text := words(page(t, newServer(t, newAPIStore()), "/sites/new?parts=incidents", 200)); text != "Incidents No incident yet" {
		t.Errorf("without incidents the page says %q", text)
	}
}

func TestSitesPageLeadsToOpenIncidents(t *testing.T) {
	for open, want := range map[int]string{0: "", 1: "1 open incident", 20: "20 open incidents", 21: "More than 20 open incidents"} {
		text := page(t, newServer(t, manyIncidents(open, 3)), "/?parts=summary", 200)
		link := regexp.MustCompile(`<a href="/incidents\?open=true">([^<]*)</a>`).FindStringSubmatch(text)
		if got := strings.Join(link[min(len(link), 1):], ""); got != want {
			t.Errorf("%d open: got %q, want %q", open, got, want)
		}
	}
}
