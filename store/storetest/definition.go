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
