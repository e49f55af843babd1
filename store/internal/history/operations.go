package history

import (
	"encoding/json"
	"strings"

	"sitemon"
)

// nul takes out of JSON what Postgres can't keep.
var nul = strings.NewReplacer(`\u0000`, `\ufffd`)

// PackDifference returns a reload's difference as it is stored, "" for none.
func PackDifference(d *sitemon.Difference) (string, error) {
	if d == nil {
		return "", nil
	}
	text, err := json.Marshal(d)
	return nul.Replace(string(text)), err
}

// UnpackDifference is the inverse of [PackDifference].
func UnpackDifference(text string) (*sitemon.Difference, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // Most reloads before had none, and it is no fault.
	}
	d := &sitemon.Difference{}
	return d, json.Unmarshal([]byte(text), d)
}

// PackProblems returns what a monitor says is wrong as it is stored.
func PackProblems(problems []string) (string, error) {
	text, err := json.Marshal(append([]string{}, problems...))
	return nul.Replace(string(text)), err
}
