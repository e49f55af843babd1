package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestProbeOfValues prints the numbers that were read off the answer.
func TestProbeOfValues(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"depth":12.5}`) }))
	defer server.Close()
	dir := t.TempDir()
	save(t, dir, "sites.yaml", "sites: [{ name: queue, url: "+server.URL+", values: { depth: json.depth } }]\n")
	runProgram(t, dir, "probe", "queue").want(t, 0, "value depth  12.5\n", "")
	runProgram(t, dir, "probe", "queue", "--json").want(t, 0, `"values":{"depth":12.5}`, "")
}
