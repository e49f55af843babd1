package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sitemon"
	"sitemon/web/auth"
)

// Documents reads what the documents have beside their sites.
type Documents interface {
	// Documents returns, by source, the status pages and the maintenance of each.
	Documents(ctx context.Context) (map[string]sitemon.Document, error)
}

const (
	// statusAge is how old a status page may be when it is shown: whoever asks, it is
	// made once in that time.
	statusAge = 5 * time.Second
	// statusSaved is how often the pages are saved at most.
	statusSaved = time.Minute
	// statusOld is from when on a page says that it is from before.
	statusOld = 30 * time.Second
	// statusTime is how long making them may take.
	statusTime = 5 * time.Second
	// statusFile is where the pages are kept for when the database is away.
	statusFile = "status-pages.json"
)

// statusPages keeps the status pages as they were made last. They are served also
// while the database is away, and after a restart then.
type statusPages struct {
	server *Server
	path   string        // of the file; "": none
	turn   chan struct{} // holds one token: who has it may make the pages

	mu     sync.Mutex
	pages  map[string]*statusModel // by path; never changed, only replaced
	public map[string]bool         // sites that are on a public page
	made   time.Time
	failed error // why they could not be made the last time
	saved  time.Time
	loaded bool
	badges map[badgeKey]badge // as they were drawn last, of sites on public pages
}

// savedStatus is the file.
type savedStatus struct {
	Pages []savedPage `json:"pages"`
}

// savedPage is a page with what its JSON does not say.
type savedPage struct {
	Page   *statusModel `json:"page"`
	Public bool         `json:"public"`
	Logo   string       `json:"logo,omitempty"`
}

func newStatusPages(s *Server, dir string) *statusPages {
	p := &statusPages{server: s, turn: make(chan struct{}, 1), pages: map[string]*statusModel{}, public: map[string]bool{}, badges: map[badgeKey]badge{}}
	if dir != "" {
		p.path = filepath.Join(dir, statusFile)
	}
	p.turn <- struct{}{}
	return p
}

// of returns a page that the asker may see, and whether it is from so long ago that
// the database does not seem to answer; nil where there is none.
func (p *statusPages) of(r *http.Request, path string) (m *statusModel, old bool, err error) {
	err = p.refresh(r.Context())
	p.mu.Lock()
	defer p.mu.Unlock()
	m = p.pages[path]
	switch {
	case m == nil && err != nil && len(p.pages) == 0:
		return nil, false, err // nobody knows what pages there are
	case m == nil || !m.Public && !p.server.principal(r).Role.Allows(auth.Viewer):
		return nil, false, errNoRoute // and does not tell whether there is one
	}
	return m, p.server.Now().Sub(m.AsOf) > statusOld, nil
}

// isPublic reports whether a site is on a public page.
func (p *statusPages) isPublic(ctx context.Context, site string) bool {
	_ = p.refresh(ctx) // what was known stays
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.public[site]
}

// refresh makes the pages anew if they are too old. Of many who ask at once one makes
// them; the others take those from before, or wait where there are none.
func (p *statusPages) refresh(ctx context.Context) error {
	if fresh, known, err := p.state(); fresh || known && len(p.turn) == 0 {
		return err
	}
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if fresh, _, err := p.state(); fresh {
		return err
	}
	// Not the asker's context: the answer is for all who wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTime)
	defer cancel()
	pages, err := p.make(ctx)
	now := p.server.Now() // a database that hangs takes its time
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made, p.failed = now, err
	if err != nil {
		p.server.log.Error("status pages not made; those from before are served", "err", err)
		return err
	}
	changed := !maps.EqualFunc(pages, p.pages, func(a, b *statusModel) bool { return a.Public == b.Public })
	p.set(pages)
	// Who may see a page must hold after a crash too.
	if p.path != "" && (changed || now.Sub(p.saved) >= statusSaved) {
		p.saved = now
		if err := p.save(); err != nil {
			p.server.log.Error("status pages not saved", "err", err)
		}
	}
	return nil
}

// state reports whether the pages are fresh and whether there are any, and why they
// could not be made the last time.
func (p *statusPages) state() (fresh, known bool, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.loaded {
		p.loaded = true
		p.load()
	}
	return p.server.Now().Sub(p.made) < statusAge, len(p.pages) > 0, p.failed
}

// make makes all pages of all documents. Of several with one path the one of the
// first source holds.
func (p *statusPages) make(ctx context.Context) (map[string]*statusModel, error) {
	docs, err := p.server.Documents.Documents(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the documents: %w", err)
	}
	all, err := p.server.readStatus(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the status pages show: %w", err)
	}
	pages := map[string]*statusModel{}
	for _, source := range slices.Sorted(maps.Keys(docs)) {
		doc := docs[source]
		for _, one := range doc.StatusPages {
			if pages[one.Path] != nil {
				continue
			}
			if pages[one.Path], err = p.server.newStatusModel(ctx, doc, one, all); err != nil {
				return nil, fmt.Errorf("make the status page %s: %w", one.Path, err)
			}
		}
	}
	return pages, nil
}

// set takes pages. The caller holds the lock.
func (p *statusPages) set(pages map[string]*statusModel) {
	p.pages, p.public = pages, map[string]bool{}
	for _, m := range pages {
		for _, c := range m.Components {
			p.public[c.Name] = p.public[c.Name] || m.Public
		}
	}
}

// load takes the pages of the file, if there is one. The caller holds the lock.
func (p *statusPages) load() {
	if p.path == "" {
		return
	}
	var file savedStatus
	text, err := os.ReadFile(p.path)
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			p.server.log.Warn("saved status pages not read", "file", p.path, "err", err)
		}
		return
	}
	pages := map[string]*statusModel{}
	for _, one := range file.Pages {
		if m := one.Page; m != nil {
			m.Public, m.Logo = one.Public, one.Logo
			pages[m.Path] = m
		}
	}
	p.set(pages)
}

// save writes the file, as a whole or not at all. The caller holds the lock.
func (p *statusPages) save() error {
	var file savedStatus
	for _, path := range slices.Sorted(maps.Keys(p.pages)) {
		m := p.pages[path]
		file.Pages = append(file.Pages, savedPage{m, m.Public, m.Logo})
	}
	text, err := json.Marshal(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(p.path+".new", p.path)
}
