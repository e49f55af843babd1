package storetest

import (
	"errors"
	"time"

	"sitemon"
)

// testDefinition: a site's definition is there with the places of its document, which
// are those of the newest one, also where no site is another.
func testDefinition(h *harness) {
	doc := document(site("a", time.Minute), site("b", time.Minute))
	doc.Places = []byte{0, 1, 0xff}
	sync := func() sitemon.Generation {
		h.Helper()
		g, _, err := h.SyncSites(h.ctx, doc)
		h.check(err)
		return g
	}
	sync()
	want := sitemon.StoredDefinition{Definition: sitemon.Definition{Name: "a", JSON: doc.Sites[0].Definition}, Source: doc.Source, Generation: 1, Places: doc.Places}
	definition := func(what string, name string, want sitemon.StoredDefinition) {
		h.Helper()
		d, err := h.Definition(h.ctx, name)
		h.check(err)
		h.equal(what, d, want)
	}
	definition("definition", "a", want)

	doc.Places, doc.Hash = []byte("moved"), "moved"
	h.equal("generation after a move", sync().Number, int64(1))
	want.Places = doc.Places
	definition("moved", "a", want)

	doc.Sites[1] = site("b", 30*time.Second)
	doc.Places, doc.Hash = nil, "changed"
	sync()
	want.Places = nil
	definition("without places", "a", want)
	want.Definition, want.Generation = sitemon.Definition{Name: "b", JSON: doc.Sites[1].Definition}, 2
	definition("changed", "b", want)

	doc.Sites = doc.Sites[:1]
	sync()
	for _, name := range []string{"b", "never"} {
		if _, err := h.Definition(h.ctx, name); !errors.Is(err, sitemon.ErrNotFound) {
			h.Fatalf("the definition of %s: %v, want ErrNotFound", name, err)
		}
	}
}

// testDefinitions: all definitions, a page at a time and in the order of the names'
// bytes, are those of one generation; removed sites have none.
func testDefinitions(h *harness) {
	list := func(after string, limit int) (defs []sitemon.StoredDefinition, generation int64) {
		h.Helper()
		defs, g, err := h.DefinitionsAfter(h.ctx, after, limit)
		h.check(err)
		return defs, g.Number
	}
	if defs, generation := list("", 0); len(defs) != 0 || generation != 0 {
		h.Fatalf("an empty store has %d definitions of generation %d", len(defs), generation)
	}
	doc := document(site("b", time.Minute), site("ä", time.Minute), site("B", time.Minute), site("gone", time.Minute))
	doc.Places = []byte{1}
	_, _, err := h.SyncSites(h.ctx, doc)
	h.check(err)
	doc.Sites, doc.Hash = doc.Sites[:3], "less"
	_, _, err = h.SyncSites(h.ctx, doc)
	h.check(err)
	var want []sitemon.StoredDefinition
	for _, i := range []int{2, 0, 1} {
		s := doc.Sites[i]
		want = append(want, sitemon.StoredDefinition{Definition: sitemon.Definition{Name: s.Name, JSON: s.Definition}, Source: doc.Source, Generation: 1})
	}
	all, generation := list("", 0)
	h.equal("all", all, want)
	h.equal("generation", generation, int64(2))
	var paged []sitemon.StoredDefinition
	for after := ""; len(paged) < len(want); after = paged[len(paged)-1].Name {
		page, _ := list(after, 1)
		h.equal("on a page", len(page), 1)
		paged = append(paged, page...)
	}
	h.equal("by pages", paged, want)
	rest, _ := list("ä", 1)
	h.equal("behind the last", len(rest), 0)
}
