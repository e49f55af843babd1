package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/config"
)

// update writes what is there as what is wanted: go test ./config -update.
var update = flag.Bool("update", false, "write the golden files")

// lookup is the environment of all tests here.
func lookup(name string) (string, bool) {
	v, ok := map[string]string{
		"TOKEN": "s3cr3t-token", "HOST": "example.org", "EMPTY": "", "TCP_URL": "tcp://example.org:22", "LINES": "a\nb", "BASE": "https://example.org",
	}[name]
	return v, ok
}

// readFile has the files of all tests here.
func readFile(path string) ([]byte, error) {
	switch path {
	case "/run/secrets/token":
		return []byte("from-a-file\n"), nil
	case "/etc/ssl/not-a-certificate.pem":
		return []byte("hello"), nil
	}
	return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
}

func options() config.ParseOptions {
	return config.ParseOptions{Source: "test", Lookup: lookup, ReadFile: readFile, CheckChannels: true}
}

func parse(content string) (sitemon.Document, []sitemon.Problem, error) {
	return config.Parse([]config.File{{Name: "sites.yaml", Content: []byte(content)}}, options())
}

// golden compares got with the content of a file, or writes it there.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}

func testdataFiles(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s in testdata: %v", pattern, err)
	}
	return paths
}

func TestBadFiles(t *testing.T) {
	paths := testdataFiles(t, "*.bad.yaml")
	if len(paths) < 60 {
		t.Errorf("%d broken files, want at least 60", len(paths))
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".bad.yaml"), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			doc, _, err := config.Parse([]config.File{{Name: name, Content: content}}, options())
			problems, ok := errors.AsType[sitemon.Problems](err)
			if !ok || len(problems) == 0 {
				t.Fatalf("got %v, want problems", err)
			}
			if !errors.Is(err, sitemon.ErrInvalid) || doc.Sites != nil || doc.Alerting.Channels != nil || doc.Maintenance != nil || doc.StatusPages != nil || doc.Hash == "" {
				t.Errorf("error %v is no ErrInvalid, or the document is %+v", err, doc)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".txt", problems.Error()+"\n")
		})
	}
}

func TestGoodFiles(t *testing.T) {
	for _, path := range testdataFiles(t, "*.good.yaml") {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".good.yaml"), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			doc, warnings, err := config.Parse([]config.File{{Name: name, Content: content}}, options())
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, w := range warnings {
				fmt.Fprintf(&b, "warning: %s\n", w)
			}
			for _, s := range doc.Sites {
				fmt.Fprintf(&b, "%s %t %s\n", s.Kind, s.References, s.Definition)
				if s.Rules != nil {
					fmt.Fprintf(&b, "  rules %s\n", asText(t, s.Rules))
				}
				checkDefinition(t, s)
			}
			if doc.Alerting.Channels != nil || doc.Alerting.MonitorSilent != nil {
				fmt.Fprintf(&b, "alerting %s\n", asText(t, doc.Alerting))
			}
			for _, m := range doc.Maintenance {
				fmt.Fprintf(&b, "maintenance %s\n", asText(t, m))
			}
			for _, p := range doc.StatusPages {
				fmt.Fprintf(&b, "status page %s\n", asText(t, p))
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".txt", b.String())
		})
	}
}

// asText is a value as JSON, without escapes for HTML.
func asText(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// checkDefinition checks that a definition is JSON and leads to the same site.
func checkDefinition(t *testing.T, s sitemon.Site) {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Definition); err != nil || compact.String() != string(s.Definition) {
		t.Errorf("definition %s is no compact JSON: %v", s.Definition, err)
	}
	again, err := config.DecodeSite(s.Name, s.Definition)
	if err != nil {
		t.Fatalf("decode %s: %v", s.Definition, err)
	}
	byText := cmp.Comparer(func(a, b sitemon.Pattern) bool { return a.String() == b.String() })
	if d := cmp.Diff(s, again, byText); d != "" {
		t.Errorf("decoded site differs (-parsed +decoded):\n%s", d)
	}
}
