package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/config"
)

func TestReadSites(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"b.yaml": "b", "a.yml": "a", ".hidden.yaml": "h", "notes.txt": "n", "c.yaml.bak": "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := config.ReadSites(dir)
	want := []config.File{{Name: filepath.Join(dir, "a.yml"), Content: []byte("a")}, {Name: filepath.Join(dir, "b.yaml"), Content: []byte("b")}}
	if d := cmp.Diff(want, files); err != nil || d != "" {
		t.Errorf("folder: %v, (-want +got):\n%s", err, d)
	}
	files, err = config.ReadSites(filepath.Join(dir, "b.yaml"))
	if d := cmp.Diff(want[1:], files); err != nil || d != "" {
		t.Errorf("file: %v, (-want +got):\n%s", err, d)
	}
	if _, err := config.ReadSites(filepath.Join(dir, "missing.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v, want fs.ErrNotExist", err)
	}
}

// folder makes the files of a folder from names and contents in turn.
func folder(texts ...string) []config.File {
	var files []config.File
	for i := 0; i < len(texts); i += 2 {
		files = append(files, config.File{Name: texts[i], Content: []byte(texts[i+1])})
	}
	return files
}

const siteA, siteB = "sites: [{ name: a, url: 'http://a' }]\n", "sites: [{ name: b, url: 'http://b' }]\n"

func TestFolder(t *testing.T) {
	tests := []struct {
		name   string
		files  []config.File
		want   string // the sites with their groups
		faults string
	}{
		{name: "together", files: folder("a.yaml", siteA, "b.yaml", siteB), want: "a/ b/"},
		{name: "defaults for all", files: folder("a.yaml", siteA, "b.yaml", "defaults: { group: g }\n"+siteB), want: "a/g b/g"},
		{name: "defaults by themselves", files: folder("a.yaml", "defaults: { group: g }\n", "b.yaml", siteB), want: "b/g"},
		{
			name: "defaults twice", files: folder("a.yaml", "defaults: { group: g }\n"+siteA, "b.yaml", "\ndefaults: { group: h }\n"+siteB),
			faults: "b.yaml:2:1: defaults are already set at a.yaml:1:11; one file of a folder has them, for all",
		},
		{
			name: "same name", files: folder("a.yaml", siteA, "b.yaml", siteB, "c.yaml", "\n"+siteA),
			faults: `c.yaml:2:17: the name "a" is already used at a.yaml:1:17; every site has its own`,
		},
		{
			name: "faults in the order of the files", files: folder("z.yaml", "sites: 1\n", "a.yaml", "sites: 2\n"),
			faults: "z.yaml:1:8: sites must be a list, not the number 1; begin each site with `- name:`\n" +
				"a.yaml:1:8: sites must be a list, not the number 2; begin each site with `- name:`",
		},
		{
			name: "fault of a default at its place", files: folder("a.yaml", siteA, "b.yaml", "defaults:\n  headers: { X: }\n  method: HEAD\n  expect: { latency: 5 }\n"),
			faults: "b.yaml:2:17: headers.X has no value; leave the key out, or write one\n" +
				"b.yaml:4:22: latency: 5 has no unit: write 5s for seconds (units: ms, s, m, h, d)",
		},
		{name: "file without anything", files: folder("a.yaml", siteA, "b.yaml", "x-a: 1\n"), faults: "b.yaml:1:1: the file has no key sites; write `sites: []` if there are none"},
		{name: "empty folder", faults: ": there is no *.yaml or *.yml file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, _, err := config.Parse(tt.files, options())
			if err != nil || tt.faults != "" {
				if d := cmp.Diff(tt.faults, fmt.Sprint(err)); d != "" {
					t.Errorf("faults (-want +got):\n%s", d)
				}
				return
			}
			var got []string
			for _, s := range doc.Sites {
				got = append(got, s.Name+"/"+s.Group)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHash(t *testing.T) {
	// printf 'sites: []' | sha256sum
	const want = "7e048d651c7b6ab10ac52dec15a5f8684041f0f779c6f659345e273fe9f069c3"
	if got := config.Hash([]config.File{{Name: "a.yaml", Content: []byte("sites: []")}}); got != want {
		t.Errorf("hash of a file %s, want %s", got, want)
	}
	hash := func(files []config.File) string {
		doc, _, err := config.Parse(files, options())
		if err != nil {
			t.Fatal(err)
		}
		return doc.Hash
	}
	one := hash(folder("/etc/a.yaml", siteA))
	if one != hash(folder("elsewhere.yaml", siteA)) {
		t.Error("the hash of a file depends on where it lies")
	}
	if one == hash(folder("/etc/a.yaml", siteA+"\n")) {
		t.Error("another content has the same hash")
	}
	two := hash(folder("/x/a.yaml", siteA, "/x/b.yaml", siteB))
	if two != hash(folder("/y/a.yaml", siteA, "/y/b.yaml", siteB)) || two == hash(folder("/x/a.yaml", siteA, "/x/c.yaml", siteB)) {
		t.Error("the hash of a folder is not that of its names and contents")
	}
}

func TestInterval(t *testing.T) {
	tests := []struct {
		name, defaults, site string
		fallback             time.Duration
		interval, timeout    time.Duration
	}{
		{name: "nothing set", interval: time.Minute, timeout: 10 * time.Second},
		{name: "from the environment", fallback: 5 * time.Second, interval: 5 * time.Second, timeout: 5 * time.Second},
		{name: "defaults go before", fallback: 5 * time.Second, defaults: "interval: 20s", interval: 20 * time.Second, timeout: 10 * time.Second},
		{name: "the site goes before", defaults: "interval: 20s", site: "interval: 2s", interval: 2 * time.Second, timeout: 2 * time.Second},
		{name: "default timeout", defaults: "timeout: 15s", interval: time.Minute, timeout: 15 * time.Second},
		{name: "default timeout is cut", defaults: "timeout: 15s", site: "interval: 3s", interval: 3 * time.Second, timeout: 3 * time.Second},
		{name: "own timeout", site: "timeout: 1m", interval: time.Minute, timeout: time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := options()
			opts.DefaultInterval = tt.fallback
			text := "defaults: { " + tt.defaults + " }\nsites: [{ name: a, url: 'http://a', " + tt.site + " }]\n"
			doc, _, err := config.Parse(folder("sites.yaml", text), opts)
			if err != nil {
				t.Fatal(err)
			}
			if s := doc.Sites[0]; s.Interval != tt.interval || s.Timeout != tt.timeout {
				t.Errorf("got %s and %s, want %s and %s", s.Interval, s.Timeout, tt.interval, tt.timeout)
			}
		})
	}
}

// TestSharing checks that a large fleet holds each pattern, request and
// expectation once.
func TestSharing(t *testing.T) {
	doc, _, err := parse(`
sites:
  - { name: a, url: "http://a", regex: welcome, headers: { A: b } }
  - { name: b, url: "http://b", regex: welcome, headers: { A: b } }
  - { name: c, url: "http://c", expect: { body: { match: welcome } } }
`)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := doc.Sites[0], doc.Sites[1], doc.Sites[2]
	if a.Request != b.Request || a.Expect != b.Expect {
		t.Error("equal requests or expectations are two values")
	}
	if a.Request == c.Request || a.Expect == c.Expect {
		t.Error("different requests or expectations are one value")
	}
	if a.Expect.BodyMatch[0] != c.Expect.BodyMatch[0] {
		t.Error("equal patterns are compiled twice")
	}
}

func TestDecodeSite(t *testing.T) {
	tests := []struct{ name, site, definition, fault string }{
		{"canonical", "a", `{"interval":"1m","name":"a","timeout":"10s","url":"http://a"}`, ""},
		{"reference to what is not here", "a", `{"interval":"1m","name":"a","timeout":"10s","url":"http://${ELSEWHERE}"}`, ""},
		{"other name", "b", `{"name":"a","url":"http://a"}`, `the definition is that of "a"`},
		{"unknown key", "a", `{"name":"a","url":"http://a","foo":1}`, `unknown key "foo"`},
		{"program's own variable", "a", `{"name":"a","url":"http://${POSTGRES_DSN}"}`, "program's own"},
		{"no object", "a", `[]`, "must be a mapping"},
		{"empty", "a", ``, "empty"},
		{"cut off", "a", `{"name":"a",`, "definition:1:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := config.DecodeSite(tt.site, []byte(tt.definition))
			if tt.fault == "" {
				if err != nil || string(s.Definition) != tt.definition {
					t.Errorf("got %s, %v", s.Definition, err)
				}
				return
			}
			if !errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("got %v, want ErrInvalid with %q", err, tt.fault)
			}
		})
	}
}

func TestDecoderTakesASiteAgain(t *testing.T) {
	d := config.NewDecoder()
	if _, err := d.Decode("a", []byte(`{"name":"a","url":"nothing"}`)); err == nil {
		t.Error("a bad definition was taken")
	}
	for range 2 {
		if _, err := d.Decode("a", []byte(`{"name":"a","url":"http://a"}`)); err != nil {
			t.Error(err)
		}
	}
}

func TestSiteFromURL(t *testing.T) {
	s, err := config.SiteFromURL("https://ops:pw@example.org/a?b=c")
	if err != nil || s.Name != "https://example.org/a?b=c" || s.URL != "https://ops:pw@example.org/a?b=c" ||
		s.Timeout != 10*time.Second || s.Kind != sitemon.KindHTTP {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := config.SiteFromURL("https://example.org/" + strings.Repeat("x", 300)); err != nil {
		t.Errorf("a long address: %v", err)
	}
	_, err = config.SiteFromURL("example.org")
	if !errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), "write https://example.org") || strings.Contains(err.Error(), "1:") {
		t.Errorf("without a scheme: got %v", err)
	}
	_, err = config.SiteFromURL("dns://192.0.2.1")
	if want := "the name to ask for is missing; write for example dns://192.0.2.53/example.org?type=AAAA"; !errors.Is(err, sitemon.ErrInvalid) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestBounds checks that content made to cost much is refused quickly.
func TestBounds(t *testing.T) {
	bomb := "x-a: &a { k: 1 }\n"
	for c := 'b'; c < 'm'; c++ {
		refs := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", ")
		bomb += fmt.Sprintf("x-%c: &%c { <<: [%s] }\n", c, c, refs)
	}
	values := "x-a: &a [1]\n"
	for c := 'b'; c < 'm'; c++ {
		values += fmt.Sprintf("x-%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	var keys strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&keys, ", X-%d: a", i)
	}
	var merged, anchors strings.Builder
	for i := range 501 {
		fmt.Fprintf(&merged, "x-%d: &k%d { X-%d: a, Y-%d: a }\n", i, i, i, i)
		fmt.Fprintf(&anchors, "*k%d, ", i)
	}
	site := "sites: [{ name: a, url: 'http://a', %s }]\n"
	tests := []struct{ name, content, fault string }{
		{"merges", bomb + fmt.Sprintf(site, "<<: *l"), "lead to too much content"},
		{"values", values + fmt.Sprintf(site, "expect: { json: { path: a, equals: *l } }"), "too large"},
		{"nested value", fmt.Sprintf(site, "expect: { json: { path: a, equals: "+strings.Repeat("[", 100)+strings.Repeat("]", 100)+" } }"), "nested 20 deep"},
		{"nested brackets", "sites: " + strings.Repeat("[", 20_000), "not valid YAML"},
		{"many keys", fmt.Sprintf(site, "headers: { A: b"+keys.String()+" }"), "more than 1000 keys"},
		{"many merged keys", merged.String() + fmt.Sprintf(site, "headers: { <<: ["+anchors.String()+"] }"), "more than 1000 keys"},
		{"alias to itself", "sites: &a [*a]\n", "a site must be a mapping"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parse(tt.content)
			if err == nil || !strings.Contains(err.Error(), tt.fault) || len(err.Error()) > 10_000 {
				t.Errorf("got %.300v, want %q", err, tt.fault)
			}
		})
	}
}
