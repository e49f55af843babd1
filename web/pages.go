package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sitemon"
	"sitemon/web/auth"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pageNames are the pages; each has its file in templates, which defines
// "content" and the page's parts.
var pageNames = []string{"sites", "site", "incidents", "incident", "config", "monitors", "certificates", "login", "leave", "status", "embed", "error", "probe"}

// pagePieces are the further files of pages whose parts are many.
var pagePieces = map[string][]string{
	"site": {"heartbeats", "charts", "day", "values", "reports", "report", "evidence", "definition", "probing"}, "incident": {"evidence"}, "probe": {"report", "evidence", "probing"},
}

// pages renders the HTML pages. A page is layout.html around its content; a part
// is a piece of a page that can be fetched alone, with ?parts=a,b, to take the
// place of the one that a browser shows. Parts are the templates named "part-…",
// whose outermost element says so in data-part.
type pages struct {
	assets *assets
	sets   map[string]*template.Template // by page
	marks  map[sitemon.Status]template.HTML
}

// newPages parses what is embedded, which the tests have seen to be valid.
func newPages() *pages {
	p := &pages{assets: newAssets(), sets: map[string]*template.Template{}}
	common := template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/help.html"))
	for _, name := range pageNames {
		set := template.Must(common.Clone())
		for _, file := range append([]string{name}, pagePieces[name]...) {
			set = template.Must(set.ParseFS(templateFiles, "templates/"+file+".html"))
		}
		p.sets[name] = set
	}
	p.marks = p.newMarks()
	return p
}

// pageRoutes are the routes of the pages and of what they load.
func (s *Server) pageRoutes() []route {
	return []route{
		{"GET", "/{$}", classPage, nil, s.following(s.sitesPage)},
		{"GET", "/sites/{name}", classPage, nil, s.following(s.sitePage)},
		{"POST", "/sites/{name}/probe", classPage, nil, s.probeForm},
		{"GET", "/incidents", classPage, nil, s.following(s.incidentsPage)},
		{"GET", "/incidents/{id}", classPage, nil, s.following(s.incidentPage)},
		{"POST", "/incidents/{id}/acknowledge", classPage, nil, s.acknowledgeForm},
		{"POST", "/incidents/{id}/comments", classPage, nil, s.commentForm},
		{"GET", "/config", classPage, nil, s.following(s.configPage)},
		{"POST", "/config/reload", classPage, nil, s.reloadForm},
		{"GET", "/monitors", classPage, nil, s.following(s.monitorsPage)},
		{"GET", "/certificates", classPage, nil, s.following(s.certificatesPage)},
		{"GET", "/certificates.ics", classAPI, nil, s.certificatesCalendar},
		{"GET", "/certificates.csv", classAPI, nil, s.certificatesTable},
		{"GET", "/static/{hash}/{file...}", classStatic, nil, s.pages.assets.serve},
	}
}

// layout is what every page's data begins with.
type layout struct {
	Page    string // the page's name, for its script
	Title   string // of the window, before the program's name
	Parts   string // the parts to fetch when events may have been missed
	Events  string // the stream of events that the page follows
	Seen    string // the id of the last event before the page was read; "": it counts for nothing
	Poll    int    // seconds after which the parts are fetched anyway; 0: never
	Assets  string // where the static files are, with their hash
	Icon    string // the icon of the window
	Banner  *bannerView
	Notices []noticeView
	Unsaid  string // "and 3 more" of the notices, or ""
	Version string
	// User is who has signed in, "" where nobody has; Operator whether they may change
	// anything.
	User     string
	Operator bool
}

// Current says which entry of the navigation the page belongs to.
func (l layout) Current(entry string) bool {
	return entry == l.Page || entry == l.Page+"s" // the page of one is under that of all
}

// layoutOf fills in what does not depend on the page.
func (s *Server) layoutOf(r *http.Request, page, title string, parts ...string) layout {
	who := s.principal(r)
	l := layout{
		User: who.Name, Operator: who.Role.Allows(auth.Operator),
		Page: page, Title: title, Parts: strings.Join(parts, ","),
		Events: "/api/v1/events?types=status,incident,config,notices", Seen: seenBefore(r), Assets: s.pages.assets.base,
		Icon: "favicon.svg", Version: s.Version,
	}
	if page == "site" { // it shows reports, which are not counted
		l.Seen = ""
	}
	if !who.Role.Allows(auth.Viewer) { // a stranger learns nothing, and has no stream
		l.Events = ""
		return l
	}
	if _, refused := s.Reloader.Running(); refused != nil {
		l.Banner = newBannerView(*refused)
	}
	l.Notices, l.Unsaid = s.noticeViews(r.Context())
	return l
}

// bannerProblems is how many faults of a sites file the banner shows.
const bannerProblems = 5

// bannerView says that the newest sites file was refused.
type bannerView struct {
	At       timeView
	Problems []problemView
	More     string // "and 3 more", or ""
}

// problemView is one fault, its place apart from its message.
type problemView struct {
	Where, Message string
	Line           string // the line, or a part of it; "": it is not known
	Mark           string // spaces up to the position in it
}

func newBannerView(r sitemon.Reload) *bannerView {
	b := &bannerView{At: newTimeView(r.At)}
	for i, p := range r.Errors {
		if i == bannerProblems {
			b.More = fmt.Sprintf("and %d more", len(r.Errors)-i)
			break
		}
		b.Problems = append(b.Problems, newProblemView(p))
	}
	return b
}

func newProblemView(p sitemon.Problem) problemView {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	return problemView{where, p.Message, p.Excerpt, strings.Repeat(" ", min(max(0, p.Caret-1), utf8.RuneCountInString(p.Excerpt)))}
}

// partSet is what a request asks for: some parts of the page, or all of it.
type partSet []string

// partsOf reads the parts that a request asks for; none: the whole page.
func partsOf(r *http.Request) partSet {
	v := r.URL.Query().Get("parts")
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}

// has reports whether any of the parts is asked for, so that a handler can leave
// out what nobody will see.
func (ps partSet) has(names ...string) bool {
	if ps == nil {
		return true
	}
	for _, p := range ps {
		if slices.Contains(names, p) {
			return true
		}
	}
	return false
}

// render answers with a page, or with those of its parts that are asked for. All
// is rendered before anything is sent.
func (s *Server) render(w http.ResponseWriter, status int, page string, parts partSet, data any) error {
	var b bytes.Buffer
	set := s.pages.sets[page]
	if parts == nil {
		if err := set.ExecuteTemplate(&b, "layout.html", data); err != nil {
			return fmt.Errorf("render page %s: %w", page, err)
		}
	}
	for _, name := range parts {
		t := set.Lookup("part-" + name)
		if t == nil {
			return badParameter("parts", "page %s has no part %q", page, name)
		}
		if err := t.Execute(&b, data); err != nil {
			return fmt.Errorf("render part %s of page %s: %w", name, page, err)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone; there is nobody to tell
	return nil
}

// errorPage says what went wrong, in words for users.
type errorPage struct {
	layout
	Status int
	Name   string
	Detail string
	Again  bool // it may be well a little later
}

// pageError answers with the error page.
func (s *Server) pageError(w http.ResponseWriter, r *http.Request, p problem) {
	d := errorPage{s.layoutOf(r, "error", p.Title), p.Status, p.Title, p.Detail, r.Method == http.MethodGet && p.Status >= http.StatusInternalServerError}
	d.Events = "" // it has no parts, and is shown as it is until somebody goes on
	if err := s.render(w, p.Status, "error", nil, d); err != nil {
		s.log.ErrorContext(r.Context(), "error page failed", "path", r.URL.Path, "err", err)
		http.Error(w, p.Detail, p.Status)
	}
}
