package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestDocumentedSteps probes the example of docs/kinds.md, with a shop of its own.
func TestDocumentedSteps(t *testing.T) {
	text, err := os.ReadFile("../../docs/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "## http: several steps\n\n```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/kinds.md has no example of steps")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method == "GET" && r.URL.Path == "/login":
			_, _ = io.WriteString(w, `<input name="csrf" value="c5rf">`)
		case r.URL.Path == "/login" && r.Header.Get("X-Csrf-Token") == "c5rf" && string(body) == `{"user": "probe", "password": "from the environment"}`:
			_, _ = io.WriteString(w, `{"access_token":"t0ken","user":{"basket_id":42}}`)
		case r.URL.Path == "/baskets/42" && r.Header.Get("Authorization") == "Bearer t0ken":
			_, _ = io.WriteString(w, `{"state":"open","items":[{},{}]}`)
		default:
			http.Error(w, "no", http.StatusForbidden)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	save(t, dir, ".env", "TOKEN='from the environment'\n")
	save(t, dir, "sites.yaml", strings.ReplaceAll(example, "https://shop.example.org", server.URL))
	r := runProgram(t, dir, "probe", "buying")
	r.want(t, 0, "buying is up", "")
	r.want(t, 0, "captured basket, token", "")
	r.want(t, 0, "ok    basket: expr: expected len(json.items) < 100, seen len(json.items) is 2", "")
	r.want(t, 0, "ok    basket: json state: expected \"open\", seen \"open\"", "")
}
