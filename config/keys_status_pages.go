package config

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	// maxStatusPages bounds how many a document has.
	maxStatusPages = 100
	// maxLogo is the size of the largest logo, in bytes.
	maxLogo = 64 << 10
)

// pagePath is what the last part of a status page's address may be.
var pagePath = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// logoTypes are the kinds of images that a logo may be.
var logoTypes = []string{"image/png", "image/svg+xml", "image/jpeg", "image/webp"}

var statusPageObject = newStatusPageObject()

func newStatusPageObject() *object[sitemon.StatusPage] {
	shows := func(name string, kind linkKind, example, doc string, in func(*sitemon.StatusPage) *[]string) key[sitemon.StatusPage] {
		return key[sitemon.StatusPage]{
			keyInfo: keyInfo{name: name, value: typeNames, example: example, doc: doc},
			read: func(w *walker, f field, p *sitemon.StatusPage) {
				*in(p) = w.nameList(name, f.value, func(s string, n *yaml.Node) bool { w.refer(kind, "status_pages."+name, s, n); return true })
				if *in(p) == nil {
					w.fail(f.value, "%s is an empty list; leave the key out, or write an entry", name)
				}
			},
		}
	}
	o := newObject("an entry of status_pages", append(statusPageKeys(),
		shows("sites", linkSite, "[docs]", "Its components, by name. Without `sites`, `groups` and `tags` they are all sites of the document.", func(p *sitemon.StatusPage) *[]string { return &p.Sites }),
		shows("groups", linkGroup, "[public]", "The groups whose sites are components.", func(p *sitemon.StatusPage) *[]string { return &p.Groups }),
		shows("tags", linkTag, "[eu]", "The tags whose sites are components.", func(p *sitemon.StatusPage) *[]string { return &p.Tags }),
	), nil)
	o.aliases = map[string]string{
		"name": "title", "slug": "path", "url": "path", "group": "groups", "site": "sites", "monitors": "sites", "tag": "tags", "tz": "timezone", "zone": "timezone",
		"text": "description", "icon": "logo", "image": "logo", "published": "public",
	}
	return o
}

func statusPageKeys() []key[sitemon.StatusPage] {
	return []key[sitemon.StatusPage]{
		{
			keyInfo: keyInfo{name: "path", value: typeText, must: true, example: "public", doc: "The last part of its address, `/status/PATH`: small letters, digits and hyphens, at most 63."},
			read: func(w *walker, f field, p *sitemon.StatusPage) {
				if p.Path, _ = w.line("path", f.value); p.Path != "" && !pagePath.MatchString(p.Path) {
					w.fail(f.value, "path %s may hold small letters, digits and hyphens between them, at most 63 in all", quote(p.Path))
				}
			},
		},
		{
			keyInfo: keyInfo{name: "title", value: typeName, must: true, example: "Example services", doc: "What is above it: 1 to 200 characters."},
			read:    func(w *walker, f field, p *sitemon.StatusPage) { p.Title = w.shortLine("title", f.value) },
		},
		{
			keyInfo: keyInfo{name: "description", value: typeText, example: "What our customers use.", doc: "A line under the title."},
			read:    func(w *walker, f field, p *sitemon.StatusPage) { p.Description, _ = w.line("description", f.value) },
		},
		{
			keyInfo: keyInfo{name: "public", value: typeBool, def: "false", example: "true", doc: "Whether everybody may see it, with its feeds and the badges of its sites; else only those who may read everything."},
			read:    func(w *walker, f field, p *sitemon.StatusPage) { p.Public = w.boolean("public", f.value) },
		},
		{
			keyInfo: keyInfo{name: "timezone", value: typeText, def: "UTC", example: "Europe/Berlin", doc: "The time zone of its days and times."},
			read: func(w *walker, f field, p *sitemon.StatusPage) {
				p.Timezone, _ = w.line("timezone", f.value)
				if _, err := time.LoadLocation(p.Timezone); err != nil || p.Timezone == "Local" {
					w.fail(f.value, "timezone: there is no zone %s; an example is Europe/Berlin", quote(p.Timezone))
				}
			},
		},
		{
			keyInfo: keyInfo{name: "logo", value: typeText, example: `"data:image/svg+xml;base64,PHN2Zy8+"`, doc: "An image beside the title, as a data URL with base64 (PNG, SVG, JPEG or WebP, at most 64 KiB): a page for strangers fetches nothing from elsewhere."},
			read: func(w *walker, f field, p *sitemon.StatusPage) {
				p.Logo, _ = w.line("logo", f.value)
				kind, text, ok := strings.Cut(strings.TrimPrefix(p.Logo, "data:"), ";base64,")
				image, err := base64.StdEncoding.DecodeString(text)
				switch {
				case !ok || err != nil || !strings.HasPrefix(p.Logo, "data:") || !slices.Contains(logoTypes, kind):
					w.fail(f.value, "logo must be a data URL with base64 of one of %s: data:image/png;base64,…", strings.Join(logoTypes, ", "))
				case len(image) > maxLogo:
					w.fail(f.value, "logo has %d bytes, more than %d", len(image), maxLogo)
				}
			},
		},
	}
}

// statusPages reads the section status_pages of one file.
func (w *walker) statusPages(n *yaml.Node) {
	if v := deref(n); v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		return
	}
	w.items("status_pages", n, func(n *yaml.Node) {
		if len(w.pages) == maxStatusPages {
			w.fail(n, "there are more than %d status pages", maxStatusPages)
			return
		}
		var p sitemon.StatusPage
		before := w.faults
		statusPageObject.read(w, field{value: n}, &p)
		if slices.ContainsFunc(w.pages, func(o sitemon.StatusPage) bool { return p.Path != "" && o.Path == p.Path }) {
			w.fail(n, "there is another status page with the path %s", quote(p.Path))
		}
		if w.faults == before {
			w.pages = append(w.pages, p)
		}
	})
}
