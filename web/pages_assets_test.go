package web_test

import (
	"compress/gzip"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestStaticFiles(t *testing.T) {
	s := newServer(t, newAPIStore())
	text := page(t, s, "/", 200)
	urls := regexp.MustCompile(`(?:href|src)="(/static/[^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(urls) < 4 {
		t.Fatalf("the page loads only %q", urls)
	}
	for _, u := range urls {
		w := ask(s, "GET", u[1])
		wantStatus(t, w, 200)
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: got Cache-Control %q", u[1], got)
		}
	}
	css := urls[slices.IndexFunc(urls, func(u []string) bool { return strings.HasSuffix(u[1], ".css") })][1]
	w := ask(s, "GET", css, "Accept-Encoding: gzip")
	zr, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("not compressed: %v, %v", err, w.Header())
	}
	unpacked, _ := io.ReadAll(zr)
	if plain := body(ask(s, "GET", css)); plain != strings.TrimRight(string(unpacked), "\n") {
		t.Error("compressed and plain file differ")
	}
	old := ask(s, "GET", "/static/000000000000/app.css")
	wantStatus(t, old, 200)
	if got := old.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("another version's file: got Cache-Control %q", got)
	}
	wantStatus(t, ask(s, "GET", "/static/000000000000/nothing.css"), 404)
}

var inlineCode = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son\w+=|javascript:`)

// The content security policy forbids these; the browser test sees the same.
func TestPagesHoldNoInlineCode(t *testing.T) {
	s := newServer(t, newAPIStore())
	for _, target := range []string{"/", "/sites/shop%2Fcheckout", "/incidents", "/incidents/42", "/config", "/monitors"} {
		if m := inlineCode.FindString(page(t, s, target, 200)); m != "" {
			t.Errorf("%s holds %q", target, m)
		}
	}
}
