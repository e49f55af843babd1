package config_test

import (
	"slices"
	"strings"
	"testing"

	"sitemon/config"
)

// TestPublic: what everybody may see of a definition has no credential, says in which
// keys one was, and is the same for definitions that differ in nothing else.
func TestPublic(t *testing.T) {
	public := func(password string) (string, []string) {
		t.Helper()
		files := []config.File{{Name: "a.yaml", Content: []byte(strings.ReplaceAll(string(describedFiles[0].Content), "hunter2", password))}}
		doc, _, err := config.Parse(files, config.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		text, redacted, err := config.Public(doc.Sites[0].Definition)
		if err != nil {
			t.Fatal(err)
		}
		return string(text), redacted
	}
	one, redacted := public("hunter2")
	for _, secret := range []string{"hunter2", "k3y", "none"} {
		if strings.Contains(one, secret) {
			t.Errorf("%s is in %s", secret, one)
		}
	}
	if want := []string{"body", "headers", "url"}; !slices.Equal(redacted, want) {
		t.Errorf("redacted in %v, want %v, of %s", redacted, want, one)
	}
	if !strings.Contains(one, `"X-Own":"1"`) || !strings.Contains(one, `"group":"shops"`) {
		t.Errorf("too little is left: %s", one)
	}
	if other, _ := public("other"); other != one {
		t.Errorf("it tells of another password: %s, %s", one, other)
	}
	if _, _, err := config.Public([]byte("[]")); err == nil {
		t.Error("a list is taken for a definition")
	}
}
