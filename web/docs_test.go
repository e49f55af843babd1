package web_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// example is a request in docs/api.md, with the answer below it.
var example = regexp.MustCompile(`(?m)^\$ curl -s (-X (?P<method>[A-Z]+) )?'?localhost:8080(?P<target>[^'\s]+)'?\n(?P<answer>([^$` + "`" + `\n].*\n)*)`)

// TestDocumentedExamples runs the examples of docs/api.md.
func TestDocumentedExamples(t *testing.T) {
	const file = "../docs/api.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, newAPIStore())
	n := 0
	ran := example.ReplaceAllFunc(doc, func(block []byte) []byte {
		n++
		m := example.FindSubmatch(block)
		method := string(m[example.SubexpIndex("method")])
		if method == "" {
			method = "GET"
		}
		var out bytes.Buffer
		request, _, _ := strings.Cut(string(block), "\n")
		out.WriteString(request + "\n")
		if err := json.Indent(&out, []byte(body(ask(s, method, string(m[example.SubexpIndex("target")])))), "", "  "); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
		if !*update && out.String() != string(block) {
			t.Errorf("%s says\n%s\nbut the answer is\n%s", file, block, out.String())
		}
		return out.Bytes()
	})
	if want := bytes.Count(doc, []byte("$ curl -s ")); n != want || n == 0 {
		t.Errorf("ran %d of %d examples", n, want)
	}
	if *update {
		if err := os.WriteFile(file, ran, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
