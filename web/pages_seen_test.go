package web_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"sitemon"
	"sitemon/web"
)

// That the database is away is said on the pages that are open, too.
func TestBannerWithoutDatabase(t *testing.T) {
	store := newAPIStore()
	s := newServer(t, store)
	store.err = errors.New("away")
	for _, path := range []string{"/", "/sites/docs", "/incidents", "/incidents/42", "/config", "/monitors", "/certificates"} {
		text := page(t, s, path+"?parts=banner", 200)
		if !strings.Contains(text, "The database does not answer") || strings.Contains(text, "<main") {
			t.Errorf("the banner of %s says %s", path, text)
		}
	}
}

// A page carries the id of the last event before anything was read for it; one that
// shows reports carries none.
func TestPagesSayWhatTheyHaveSeen(t *testing.T) {
	store, hub := newAPIStore(), web.NewHub()
	s := newServer(t, store, func(o *web.Options) { o.Hub = hub })
	seen := regexp.MustCompile(`<body [^>]*data-seen="([^"]*)"`)
	for _, path := range []string{"/", "/incidents"} {
		before := hub.Seen()
		store.afterSites = func(*apiStore) { hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusDown}) }
		if got := seen.FindStringSubmatch(page(t, s, path, 200))[1]; got != before || got == hub.Seen() {
			t.Errorf("%s has seen %q, want %q; the last is %q", path, got, before, hub.Seen())
		}
	}
	if got := seen.FindStringSubmatch(page(t, s, "/sites/docs", 200))[1]; got != "" {
		t.Errorf("the page of a site has seen %q", got)
	}
}
