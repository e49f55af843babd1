package importer_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sitemon/config"
	"sitemon/importer"
)

var update = flag.Bool("update", false, "write what the importers make as what they shall make")

func check(text []byte) error {
	_, _, err := config.Parse([]config.File{{Name: "sites.yaml", Content: text}}, config.ParseOptions{})
	return err
}

// Each configuration in testdata becomes the sites file beside it, with the losses
// below it; and that is one that sitemon check takes.
func TestConfigurations(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*-[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		name := filepath.Base(file)
		kind := regexp.MustCompile(`^(.*)-\d`).FindStringSubmatch(name)[1]
		counts[kind]++
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := importer.Read(kind, content)
			if err != nil {
				t.Fatal(err)
			}
			r.Keep(check)
			text, err := r.Text("Made for a test.")
			if err != nil {
				t.Fatal(err)
			}
			if err := check(text); err != nil {
				t.Errorf("check refuses it: %v\n%s", err, text)
			}
			got := string(text)
			for _, l := range r.Losses {
				got += fmt.Sprintf("lost: %s\n", l)
			}
			golden := file + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got; -update writes it)\n%s", diff)
			}
		})
	}
	for _, kind := range []string{"gatus", "uptime-kuma", "blackbox", "upptime"} {
		if counts[kind] < 5 {
			t.Errorf("%d configurations of %s, want five", counts[kind], kind)
		}
	}
}

// Every site of a configuration is in the file, or lost by name.
func TestNoSiteIsLostSilently(t *testing.T) {
	for file, names := range map[string][]string{
		"gatus-5.yaml":       {"ws", "starttls", "tls", "sctp", "ssh", "domain"},
		"uptime-kuma-2.json": {"Port", "Ping", "DNS", "Push", "Docker"},
		"uptime-kuma-5.json": {"Steam", "MQTT", "Postgres", "Inverted"},
		"upptime-3.yaml":     {"Server", "Ping", "Socket", "Strange"},
	} {
		content, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		kind := regexp.MustCompile(`^(.*)-\d`).FindStringSubmatch(file)[1]
		r, err := importer.Read(kind, content)
		if err != nil {
			t.Fatal(err)
		}
		r.Keep(func([]byte) error { return errors.New("sites.yaml:1:2: nothing is good") })
		if len(r.Sites) != 0 {
			t.Errorf("%s: %d sites are kept that check refuses", file, len(r.Sites))
		}
		for _, name := range names {
			found := false
			for _, l := range r.Losses {
				found = found || l.Where == name
			}
			if !found {
				t.Errorf("%s: %s is neither a site nor lost", file, name)
			}
		}
	}
}

func TestBadConfigurations(t *testing.T) {
	for kind, content := range map[string]string{
		"gatus": "endpoints: [1]", "uptime-kuma": "{}", "blackbox": "a: 1", "upptime": "sites: [x]", "prometheus-sd": "{", "zabbix": "",
	} {
		if _, err := importer.Read(kind, []byte(content)); err == nil {
			t.Errorf("%s takes %q", kind, content)
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*-[0-9]*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, kind := range importer.Kinds() {
			r, err := importer.Read(kind, content)
			if err != nil {
				continue
			}
			r.Keep(check)
			text, err := r.Text("fuzz")
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if err := check(text); err != nil {
				t.Fatalf("%s makes a file that check refuses: %v\n%s", kind, err, text)
			}
		}
	})
}
