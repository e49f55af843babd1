package config

import (
	"bytes"
	_ "embed" // for the template
)

//go:embed template.yaml
var template []byte

// Template returns a sites file to start from, with comments that teach the
// format.
func Template() []byte { return bytes.Clone(template) }
