package config_test

import (
	"fmt"
	"strings"
	"testing"

	"sitemon/config"
)

// fleet is a sites file with n sites of about 180 bytes, as people write them.
func fleet(n int) []byte {
	var b strings.Builder
	b.WriteString("defaults:\n  interval: 60s\n  expect:\n    certificate_valid_for: 14d\nsites:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: site-%05d\n    url: https://host-%05d.example.org/health\n    group: group-%d\n    tags: [emea]\n    interval: 30s\n    regex: \"(?i)welcome|bienvenue\"\n", i, i, i%50)
		if i%4 == 0 {
			b.WriteString("    headers: { Accept: application/json }\n")
		}
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	files := []config.File{{Name: "sites.yaml", Content: fleet(10_000)}}
	b.SetBytes(int64(len(files[0].Content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := config.Parse(files, options()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	doc, _, err := config.Parse([]config.File{{Name: "sites.yaml", Content: fleet(1)}}, options())
	if err != nil {
		b.Fatal(err)
	}
	d := config.NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(doc.Sites[0].Name, doc.Sites[0].Definition); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	e := config.NewExpander(lookup, readFile, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.Expand("https://example.org/a/path/without/references"); err != nil {
			b.Fatal(err)
		}
	}
}
