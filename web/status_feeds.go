package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sitemon/web/auth"
)

// answerFeed sends a feed, or says that it has not changed. What is not for everybody
// is not to be kept by anything in between.
func answerFeed(w http.ResponseWriter, r *http.Request, public bool, contentType string, body []byte) error {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", cacheFor(public, "max-age=30"))
	if match := r.Header.Get("If-None-Match"); match == "*" || strings.Contains(match, tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone; there is nobody to tell
	return nil
}

// cacheFor is how long something may be kept, and by whom.
func cacheFor(public bool, age string) string {
	if public {
		return age
	}
	return "private, " + age
}

// base is the address of this server as the client wrote it.
func base(r *http.Request) string {
	if auth.Secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// entry is an entry of a feed: an incident or a maintenance.
type entry struct {
	id, title, text string
	at, changed     time.Time
}

// urn names a page, or what it tells of, in whatever way it was reached.
func (m *statusModel) urn(id string) string {
	return strings.TrimSuffix("urn:sitemon:status:"+m.Path+":"+id, ":")
}

// id is what an incident is called in pages and feeds.
func (i *statusIncident) id() string { return fmt.Sprintf("incident-%d", i.ID) }

// id is what an occurrence of a maintenance is called in pages and feeds.
func (p *statusMaintenance) id() string {
	return fmt.Sprintf("maintenance-%d-%08x", p.Start.Unix(), crc32.ChecksumIEEE([]byte(p.Title)))
}

// announced is when a maintenance comes into sight, the same for ever.
func (p *statusMaintenance) announced() time.Time { return p.Start.Add(-statusPlanDays * day) }

// entries are the newest first.
func (m *statusModel) entries() []entry {
	all := make([]entry, 0, len(m.Maintenance)+len(m.Incidents))
	for _, p := range m.Maintenance {
		all = append(all, entry{
			id: p.id(), title: "Maintenance: " + isolated(p.Title),
			text: fmt.Sprintf("%s, from %s to %s: %s", isolated(p.Title), m.clock(p.Start), m.clock(p.End), isolatedList(p.Components)), at: p.announced(), changed: p.announced(),
		})
	}
	for _, i := range m.Incidents {
		e := entry{id: i.id(), title: isolated(i.Component) + " is down", at: i.StartedAt, changed: i.StartedAt}
		e.text = fmt.Sprintf("%s: down since %s.", i.Reason, m.clock(i.StartedAt))
		if i.EndedAt != nil {
			e.title, e.changed = isolated(i.Component)+" was down", *i.EndedAt
			e.text = fmt.Sprintf("%s: down from %s to %s, for %s.", i.Reason, m.clock(i.StartedAt), m.clock(*i.EndedAt), ageText(i.EndedAt.Sub(i.StartedAt), true))
		}
		all = append(all, e)
	}
	return all
}

// clock is a moment in the page's time zone.
func (m *statusModel) clock(t time.Time) string { return t.In(m.zone()).Format("2006-01-02 15:04 MST") }

// atomFeed is a feed as RFC 4287 has it.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Links   []atomLink  `xml:"link"`
	Author  string      `xml:"author>name"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Published string   `xml:"published"`
	Updated   string   `xml:"updated"`
	Link      atomLink `xml:"link"`
	Content   string   `xml:"content"`
}

// statusAtom answers with the page's Atom feed.
func statusAtom(w http.ResponseWriter, r *http.Request, m *statusModel) error {
	page := base(r) + "/status/" + m.Path
	f := atomFeed{
		ID: m.urn(""), Title: m.Title, Author: m.Title,
		Links: []atomLink{{Href: page}, {Rel: "self", Href: page + "/feed.atom"}}, Entries: []atomEntry{},
	}
	newest := time.Unix(0, 0)
	for _, e := range m.entries() {
		if e.changed.After(newest) {
			newest = e.changed
		}
		f.Entries = append(f.Entries, atomEntry{
			m.urn(e.id), e.title, e.at.UTC().Format(time.RFC3339), e.changed.UTC().Format(time.RFC3339), atomLink{Href: page + "#" + e.id}, e.text,
		})
	}
	f.Updated = newest.UTC().Format(time.RFC3339)
	return answerXML(w, r, m.Public, "application/atom+xml; charset=utf-8", f)
}

// rssFeed is a feed as RSS 2.0 has it.
type rssFeed struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Items       []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string  `xml:"title"`
	Link        string  `xml:"link"`
	GUID        rssGUID `xml:"guid"`
	PubDate     string  `xml:"pubDate"`
	Description string  `xml:"description"`
}

type rssGUID struct {
	Permanent bool   `xml:"isPermaLink,attr"`
	ID        string `xml:",chardata"`
}

// statusRSS answers with the page's RSS feed.
func statusRSS(w http.ResponseWriter, r *http.Request, m *statusModel) error {
	page := base(r) + "/status/" + m.Path
	f := rssFeed{Version: "2.0", Channel: rssChannel{Title: m.Title, Link: page, Description: m.Title + ": incidents and maintenance"}}
	for _, e := range m.entries() {
		at := page + "#" + e.id
		f.Channel.Items = append(f.Channel.Items, rssItem{e.title, at, rssGUID{false, m.urn(e.id)}, e.at.UTC().Format(time.RFC1123Z), e.text})
	}
	return answerXML(w, r, m.Public, "application/rss+xml; charset=utf-8", f)
}

func answerXML(w http.ResponseWriter, r *http.Request, public bool, contentType string, v any) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(v); err != nil { // it replaces what XML can't hold
		return fmt.Errorf("encode a feed: %w", err)
	}
	return answerFeed(w, r, public, contentType, b.Bytes())
}

// answerStatusJSON answers with all that the page shows.
func answerStatusJSON(w http.ResponseWriter, r *http.Request, m *statusModel, stale bool) error {
	body, err := json.Marshal(struct {
		*statusModel
		Stale bool `json:"stale"`
	}{m, stale})
	if err != nil {
		return fmt.Errorf("encode a status page: %w", err)
	}
	return answerFeed(w, r, m.Public, "application/json", append(body, '\n'))
}

// statusCalendar answers with the page's maintenance as a calendar.
func statusCalendar(w http.ResponseWriter, r *http.Request, m *statusModel) error {
	c := newICalendar(m.Title)
	for _, p := range m.Maintenance {
		c.add(icalEvent{
			uid: p.id() + "@" + m.Path + ".sitemon", stamp: p.announced(), start: p.Start, end: p.End,
			summary: p.Title, text: strings.Join(p.Components, ", "), url: base(r) + "/status/" + m.Path,
		})
	}
	return answerFeed(w, r, m.Public, "text/calendar; charset=utf-8", []byte(c.text()))
}
