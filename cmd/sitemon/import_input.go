package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// readInput reads a file, or the YAML files of a folder one after the other.
func readInput(stdin io.Reader, name string) (content []byte, err error) {
	if name == "-" {
		if content, err = io.ReadAll(stdin); err != nil {
			return nil, fmt.Errorf("read stdin: %w", err)
		}
		return content, nil
	}
	files := []string{name}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(name, "*.y*ml")); err != nil || len(files) == 0 {
			return nil, fmt.Errorf("there is no *.yaml or *.yml in %s", name)
		}
	}
	for i, file := range files {
		one, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if i > 0 {
			content = append(content, "\n---\n"...)
		}
		content = append(content, one...)
	}
	return content, nil
}

// reference is a variable without a default; of those behind a second dollar none is
// one.
var reference = regexp.MustCompile(`\$*\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// variables are those that a sites file needs, by name.
func variables(text []byte) (names []string) {
	for _, m := range reference.FindAllSubmatch(text, -1) {
		if !bytes.HasPrefix(m[0], []byte("$$")) {
			names = append(names, string(m[1]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
