package config_test

import (
	"errors"
	"os"
	"regexp"
	"testing"
	"time"

	"sitemon/config"
)

func TestTemplate(t *testing.T) {
	nothing := func(string) (string, bool) { return "", false }
	noFile := func(string) ([]byte, error) { return nil, errors.New("no file") }
	doc, warnings, err := config.Parse([]config.File{{Name: "sites.yaml", Content: config.Template()}},
		config.ParseOptions{Lookup: nothing, ReadFile: noFile})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("the template has faults: %v, warnings %v", err, warnings)
	}
	for _, s := range doc.Sites {
		if s.Interval < time.Minute && s.Name != "sitemon" {
			t.Errorf("%s is probed every %s, which is not polite to people who don't know of it", s.Name, s.Interval)
		}
	}
	v, ok := asJSON(config.Template())
	if err := compiledSchema(t).Validate(v); !ok || err != nil {
		t.Errorf("the schema refuses the template: %v", err)
	}
}

// TestTemplateUncommented checks what is written in comments of the template: lines
// without exactly one space after the #.
func TestTemplateUncommented(t *testing.T) {
	content := regexp.MustCompile(`(?m)^#(  |\S)`).ReplaceAll(config.Template(), []byte("$1"))
	doc, warnings, err := config.Parse([]config.File{{Name: "sites.yaml", Content: content}}, config.ParseOptions{})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("the template has faults: %v, warnings %v", err, warnings)
	}
	if len(doc.Alerting.Channels) != 1 || len(doc.Maintenance) != 1 || doc.Sites[0].Rules == nil {
		t.Errorf("got %+v, %+v and %+v", doc.Alerting, doc.Maintenance, doc.Sites[0])
	}
}

// TestRepositorySites checks that the sites.yaml at the root of the repository
// is the template, so that there is one text to keep.
func TestRepositorySites(t *testing.T) {
	golden(t, "../sites.yaml", string(config.Template()))
	files, err := config.ReadSites("../sites.yaml")
	if err != nil || len(files) != 1 || files[0].Name != "../sites.yaml" || len(files[0].Content) == 0 {
		t.Errorf("got %v, %v", files, err)
	}
	if _, err := os.Stat("../schema/sites.schema.json"); err != nil {
		t.Errorf("the schema that sites.yaml names is missing: %v", err)
	}
}
