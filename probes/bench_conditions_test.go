package probes_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sitemon"
	"sitemon/probes"
)

// BenchmarkConditions probes a site with nearly a megabyte of JSON: only a condition
// that reads it pays for it.
func BenchmarkConditions(b *testing.B) {
	body := `{"a":[` + strings.Repeat(`{"b":"xxxxxxxxxx","c":[1,2]},`, 30_000) + `{}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	defer server.Close()
	for _, bench := range []struct{ name, expr string }{
		{"none", ""},
		{"of the status", "status == 200"},
		{"of the JSON", "len(json.a) > 1"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			set := probes.New(probes.Options{})
			defer set.Close()
			site := newSite(b, server.URL)
			if bench.expr != "" {
				site.Expect.Expr = []sitemon.Condition{{Expr: bench.expr}}
			}
			b.ReportAllocs()
			for b.Loop() {
				if r := set.Probe(context.Background(), site); r.Outcome != sitemon.OutcomeUp {
					b.Fatal(r.Error)
				}
			}
		})
	}
}
