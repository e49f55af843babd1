package config_test

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"

	"sitemon"
	"sitemon/config"
)

// FuzzDescribePlaces: places are read from a database that anybody may have written to:
// whatever they are, the values of the definition are described.
func FuzzDescribePlaces(f *testing.F) {
	doc, _, err := config.Parse(describedFiles, config.ParseOptions{})
	if err != nil {
		f.Fatal(err)
	}
	unpacked, err := io.ReadAll(flate.NewReader(bytes.NewReader(doc.Places)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc.Places)
	f.Add(unpacked)
	f.Add([]byte{})
	f.Add([]byte{0, 5, 0, 250, 255, 1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, places []byte) {
		for _, p := range [][]byte{places, packed(t, places)} {
			keys, err := config.Describe(sitemon.StoredDefinition{
				Definition: sitemon.Definition{Name: "shop", JSON: doc.Sites[0].Definition}, Source: "etc", Places: p,
			})
			if err != nil || len(keys) < 12 {
				t.Errorf("got %d keys, %v", len(keys), err)
			}
		}
	})
}

// packed compresses bytes as places are.
func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = z.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
