package web_test

import (
	"net/url"
	"strings"
	"testing"

	"sitemon"
)

// What is paused says nothing of the others, and is not all right where there is
// nothing else.
func TestStatusPageWithWhatIsPaused(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses [2]sitemon.Status // of docs and shop/checkout
		want     []string
	}{
		{"one of two", [2]sitemon.Status{sitemon.StatusUp, sitemon.StatusPaused}, []string{"All systems operational", "public 2 components Up docs"}},
		{"both", [2]sitemon.Status{sitemon.StatusPaused, sitemon.StatusPaused}, []string{"All 2 components paused", "public 2 components Paused docs"}},
		{"and one down", [2]sitemon.Status{sitemon.StatusPaused, sitemon.StatusDown}, []string{"1 of 2 components down", "public 2 components, 1 down Down docs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := statusStore()
			store.sites[0].Status, store.sites[2].Status = c.statuses[0], c.statuses[1]
			said := words(page(t, newServer(t, store), "/status/public", 200))
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("the page does not say %q; it says\n%s", want, said)
				}
			}
		})
	}
}

// Whoever comes from an address that no cookie can hold signs in and comes to the
// overview.
func TestSignInFromALongAddress(t *testing.T) {
	s := guarded(t, newAPIStore())
	w := ask(s, "GET", "/incidents?site="+strings.Repeat("a", 4000))
	if at := w.Header().Get("Location"); w.Code != 303 || at != "/login" {
		t.Errorf("status %d leads to %.80q, want /login", w.Code, at)
	}
	next := "/incidents?site=" + strings.Repeat("a", 1000)
	w = ask(s, "GET", next)
	if at := w.Header().Get("Location"); at != "/login?next="+url.QueryEscape(next) {
		t.Errorf("a long one leads to %.80q", at)
	}
}
